"""A project's connections to labeling tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tithe.client.transport import Transport
from tithe.contracts.connectors import ConnectionPreview, ConnectorPage, ConnectorState, QuarantinePage


class Connections:
    """Made by :attr:`tithe.client.ProjectHandle.connections`. Secrets are sent and never told."""

    def __init__(self, transport: Transport, project_path: str) -> None:
        self._transport = transport
        self._path = f"{project_path}/connectors"

    def preview(self, kind: str, settings: Mapping[str, Any], secret: str) -> ConnectionPreview:
        """What connecting would do, in plain sentences, and what stands in its way. Changes nothing."""
        body = {"kind": kind, "settings": dict(settings), "secret": secret}
        return ConnectionPreview.model_validate(
            self._transport.call("POST", f"{self._path}/preview", body=body, repeatable=False)
        )

    def connect(
        self,
        kind: str,
        settings: Mapping[str, Any],
        secret: str,
        *,
        name: str | None = None,
        hook_secret: str | None = None,
        check: bool = True,
    ) -> ConnectorState:
        """Connect the project to a tool.

        Parameters
        ----------
        kind
            ``label-studio``, ``scale``, or whatever the server has installed.
        settings
            What the kind is told; :meth:`tithe.client.Tithe.connector_kinds` says what that is.
        secret
            What the tool lets Tithe in by.
        name
            Of the connection, unique in the project; default: the kind's.
        hook_secret
            What the tool's hooks carry, where the tool chooses it.
        check
            Whether the tool is asked first. Raises TitheProblem with the reason where it would not work.
        """
        body = {"kind": kind, "settings": dict(settings), "secret": secret, "check": check}
        body |= {key: value for key, value in {"name": name, "hook_secret": hook_secret}.items() if value is not None}
        return ConnectorState.model_validate(self._transport.call("POST", self._path, body=body, repeatable=False))

    def all(self) -> list[ConnectorState]:
        """Every connection, by name."""
        return ConnectorPage.model_validate(self._transport.call("GET", self._path)).connectors

    def get(self, name: str) -> ConnectorState:
        """The connection of that name. Raises TitheProblem ``not_found``."""
        return ConnectorState.model_validate(self._transport.call("GET", self._at(name)))

    def change(
        self,
        name: str,
        *,
        settings: Mapping[str, Any] | None = None,
        secret: str | None = None,
        paused: bool | None = None,
    ) -> ConnectorState:
        """Change settings field by field (None resets one), the secret, or whether it is paused."""
        sent = {"settings": settings and dict(settings), "secret": secret, "paused": paused}
        body = {key: value for key, value in sent.items() if value is not None}
        return ConnectorState.model_validate(self._transport.call("PATCH", self._at(name), body=body))

    def leave(self, name: str, *, at_once: bool = False) -> None:
        """Take back what nobody answered in the tool, then forget it; `at_once`: without asking the tool."""
        self._transport.call("DELETE", self._at(name) + ("?at_once=true" if at_once else ""), repeatable=False)

    def sync(self, name: str) -> ConnectorState:
        """Have the tool looked at now."""
        return ConnectorState.model_validate(self._transport.call("POST", f"{self._at(name)}/sync"))

    def quarantine(self, name: str, limit: int = 100) -> QuarantinePage:
        """What people said that does not count, and why."""
        found = self._transport.call("GET", f"{self._at(name)}/quarantine", params={"limit": limit})
        return QuarantinePage.model_validate(found)

    def _at(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"
