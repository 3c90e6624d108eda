"""A project connected to a board of paper, and passes over it by the real handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from tests.services.notice_board import Board, BoardKind
from tests.services.topics import text_items
from tests.services.turning import bring_in, work_off

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.loop.audit import audit
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent, record
from tithe.runtime import Runtime
from tithe.storage import answers, connectors, projects
from tithe.storage.connectors import Connection
from tithe.sync import link
from tithe.vault import Vault, new_key


@dataclass
class Connected:
    """Everything there is of it."""

    runtime: Runtime
    project: Project
    board: Board
    connector_id: UUID
    truth: dict[str, str]  #: text → topic

    @property
    def connection(self) -> Connection:
        found = self.runtime.database.run(lambda unit: connectors.by_id(unit, self.connector_id))
        assert found is not None
        return found

    @property
    def look(self) -> connectors.Look:
        return self.runtime.database.run(lambda unit: connectors.looks(unit, self.project.id))[0]

    def sync(self) -> None:
        """A pass, and whatever work it asks for, with the passes that follow from that."""
        self.runtime.database.run(lambda unit: connectors.wake(unit, self.connector_id))
        work_off(self.runtime)

    def clean(self) -> None:
        assert audit(self.runtime.database, self.runtime.artifacts, patience_seconds=3600) == []

    def standing(self) -> dict[tuple[str, str], tuple[str, Any]]:
        """(item's text, annotator) → (kind, value) of every answer that stands and did not come with its item."""
        with self.runtime.database.unit() as unit:
            return {
                (str(one.text), str(one.annotator)): (str(one.kind), one.value)
                for one in answers.export(unit, self.project.id, skips=True)
                if one.annotator != "@import"
            }

    def progress(self) -> answers.Progress:
        return self.runtime.database.run(lambda unit: answers.progress(unit, self.project.id))

    def http(self, annotator: str, size: int = 5) -> list[str]:
        """Somebody labels over HTTP; the texts they were given."""
        handed = hand_out(self.runtime.database, self.project.id, annotator, size)
        if handed.batch is None:
            return []
        sent = [Sent(item.external_id, self.truth[str(item.text)]) for item in handed.items]
        record(self.runtime.database, self.project.id, handed.batch.id, sent)
        return [str(item.text) for item in handed.items]


def connect(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, *, items: int = 120, board: Board | None = None,
    secret: str = "right", settings: dict[str, Any] | None = None, **spec: Any,
) -> Connected:  # fmt: skip
    """A project of three topics with a connection to a board."""
    board = board or Board()
    monkeypatch.setattr(link, "kind", lambda _: BoardKind(board))
    runtime.__dict__["vault"] = Vault([new_key()])
    fields: dict[str, Any] = {
        "batch_size": 5,
        "retrain_every": 10,
        "seed": 7,
        "encoder": "hashing",
        "near_duplicate": None,
        "control": 0.0,
    }
    project = runtime.database.run(
        lambda unit: projects.create(
            unit, ProjectSpec(name="news", task=Task.TEXT, labels=["sport", "money", "health"], **fields | spec)
        )
    )
    truth = {}
    if items:
        brought, of = text_items(items, tests=10)
        bring_in(runtime, project, brought, 64)
        truth = {str(item.text): of[item.external_id] for item in brought}
        work_off(runtime)
    added = runtime.database.run(
        lambda unit: connectors.add(
            unit, project.id, kind="board", name="wall", settings=settings or {},
            secret=runtime.vault.seal(secret), hook_secret=runtime.vault.seal("hook"),
        )
    )  # fmt: skip
    return Connected(runtime, project, board, added.id, truth)


def failing_once(verb: str, error: Exception) -> Callable[[str], None]:
    """Raises at the verb's next call, and never again."""
    left = [error]

    def call(called: str) -> None:
        if called == verb and left:
            raise left.pop()

    return call
