"""Label Studio as a kind of connection: its settings, what its secret is, how it is opened."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from tithe.connectors.label_studio import hooks
from tithe.connectors.label_studio.connector import LabelStudio
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Connector, Hint


class LabelStudioKind:
    """Label Studio, community edition."""

    name = "label-studio"
    title = "Label Studio"
    settings: type[BaseModel] = Settings
    secret_help = (
        "an access token of a user who may change the project: in Label Studio under Account & Settings, either the "  # noqa: S105
        "personal access token or, where it is switched on, the legacy token"
    )

    def open(self, settings: BaseModel, secret: str, outside: Outside) -> Connector:
        """A connection; nothing is asked of the tool yet."""
        return LabelStudio(_settings(settings), secret, outside)

    def parse_hook(self, settings: BaseModel, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        """What a hook says; HookRefused where it is not from this connection's tool."""
        project = _settings(settings).project
        return hooks.parse(None if project is None else str(project), hook_secret, headers, body)


def _settings(settings: BaseModel) -> Settings:
    return settings if isinstance(settings, Settings) else Settings.model_validate(settings.model_dump())


KIND = LabelStudioKind()
