"""Scale as a kind of tool: what the entry point names."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Connector, Hint, Json
from tithe.connectors.scale import hooks
from tithe.connectors.scale.client import ScaleClient
from tithe.connectors.scale.connector import ScaleConnector
from tithe.connectors.scale.pace import Pace
from tithe.connectors.scale.settings import ScaleSettings, cost, most_to_push

_KEY = (
    "the API key of your Scale account, from the dashboard under API keys; one that begins with test_ is answered by a "
    "machine, wrongly. The hook's secret is the account's callback auth key, from the same page"
)


class ScaleKind:
    """See :class:`~tithe.connectors.protocol.ConnectorKind`."""

    name: str = "scale"
    title: str = "Scale AI"
    settings: type[BaseModel] = ScaleSettings
    secret_help: str = _KEY

    def open(self, settings: BaseModel, secret: str, outside: Outside) -> Connector:
        """A connection; nothing is asked of Scale yet."""
        told = _ours(settings)
        basic = base64.b64encode(f"{secret}:".encode()).decode()
        http = outside.client(told.url, headers={"Authorization": f"Basic {basic}", "User-Agent": "tithe"})
        client = ScaleClient(http, Pace(told.requests_per_second))
        return ScaleConnector(told, client, test_key=secret.startswith("test_"))

    def parse_hook(self, settings: BaseModel, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        """What a callback says; raises HookRefused."""
        return hooks.parse(_ours(settings), hook_secret, headers, body)

    def cost(self, settings: BaseModel, completed: int) -> Json | None:
        """What so many completed tasks cost; None where no price is set."""
        found = cost(_ours(settings), completed)
        return None if found is None else {"amount": str(found.amount), "currency": found.currency}

    def most_to_push(self, settings: BaseModel, paid_for: int) -> int | None:
        """How many more tasks may be made, with so many made and not cancelled; None where there is no limit."""
        return most_to_push(_ours(settings), paid_for)


def _ours(settings: BaseModel) -> ScaleSettings:
    return settings if isinstance(settings, ScaleSettings) else ScaleSettings.model_validate(settings.model_dump())


KIND: Final = ScaleKind()
