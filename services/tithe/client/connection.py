"""The client itself: one server, its projects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from tithe.client.problem import TitheProblem
from tithe.client.project import ProjectHandle
from tithe.client.transport import Transport
from tithe.contracts.api import ProjectPage
from tithe.contracts.connectors import ConnectorKinds
from tithe.contracts.projects import Project


class Tithe:
    """A connection to a Tithe server. May be used from several threads; close it, or use it as a context manager.

    Parameters
    ----------
    url
        The gateway's address, such as ``http://127.0.0.1:8000``.
    timeout
        Seconds to wait for a connection and for each answer.
    retries
        How often a call is sent again when the server is away, busy or restarting. Eight bridge about twenty seconds.
        Labels carry an Idempotency-Key, so that one sent twice counts once.
    key
        An API key, of ``tithe key add`` or the page about you. Default: the environment's ``TITHE_API_KEY``. Without
        one only a server that asks nobody on its own machine lets you in.
    """

    def __init__(self, url: str, *, timeout: float = 30.0, retries: int = 8, key: str | None = None) -> None:
        self._transport = Transport(url, timeout=timeout, retries=retries, key=key or os.environ.get("TITHE_API_KEY"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def create_project(
        self, name: str, *, labels: Sequence[str], task: str = "text_classification", **settings: Any
    ) -> ProjectHandle:
        """Make a project. Further `settings` are named as in the HTTP interface: strategy, batch_size, budget.

        Raises TitheProblem ``name_taken``, or ``bad_input`` with every fault named.
        """
        body = {"name": name, "task": task, "labels": list(labels), **settings}
        made = self._transport.call("POST", "/v1/projects", body=body, repeatable=False)
        return ProjectHandle(self._transport, Project.model_validate(made))

    def projects(self) -> list[ProjectHandle]:
        """Every project."""
        found: list[ProjectHandle] = []
        after: UUID | None = None
        while True:
            answer = self._transport.call("GET", "/v1/projects", params={"after": after and str(after)})
            page = ProjectPage.model_validate(answer)
            found += [ProjectHandle(self._transport, project) for project in page.projects]
            if page.next is None:
                return found
            after = page.next

    def project(self, name_or_id: str | UUID) -> ProjectHandle:
        """The project of that name or id. Raises TitheProblem ``not_found``."""
        if (known := _as_id(name_or_id)) is not None:
            found = self._transport.call("GET", f"/v1/projects/{known}")
            return ProjectHandle(self._transport, Project.model_validate(found))
        every = self.projects()
        for one in every:
            if one.name == name_or_id:
                return one
        names = ", ".join(repr(one.name) for one in every[:10]) or "none yet"
        raise TitheProblem(404, "not_found", f"there is no project {name_or_id!r}", remedy=f"there are: {names}")

    def connector_kinds(self) -> ConnectorKinds:
        """The kinds of tool the server can be connected to, and what each is told."""
        return ConnectorKinds.model_validate(self._transport.call("GET", "/v1/connectors"))

    def ready(self) -> bool:
        """Whether the server can serve requests now; asked once, without retries."""
        try:
            self._transport.call("GET", "/readyz", repeatable=False)
        except TitheProblem:
            return False
        return True


def _as_id(name_or_id: str | UUID) -> UUID | None:
    if isinstance(name_or_id, UUID):
        return name_or_id
    try:
        return UUID(name_or_id)
    except ValueError:
        return None
