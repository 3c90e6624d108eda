"""One connection, opened: what every step of a pass works with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import structlog

from tithe.connectors.clean import cleaned
from tithe.connectors.protocol import Connector, ConnectorKind, Remote, Schema, Seen
from tithe.connectors.registry import kind
from tithe.connectors.schema import schema_of
from tithe.contracts.projects import Project
from tithe.errors import TitheError
from tithe.loop.told import Link, Told, fold
from tithe.runtime import Runtime
from tithe.storage import connectors, remote
from tithe.storage.connectors import Connection
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.remote import Held

_log = structlog.get_logger("tithe.sync")
T = TypeVar("T")


@dataclass
class Pass:
    """A pass over one connection."""

    runtime: Runtime
    claim: Claim
    connection: Connection
    project: Project
    kind: ConnectorKind
    connector: Connector
    settings: Any  #: of the kind's own model
    remote: Remote | None = None  #: the tool's project, once it is known
    counts: dict[str, int] = field(default_factory=dict)  #: what became of what was told

    @property
    def at(self) -> Remote:
        """The tool's project."""
        assert self.remote is not None, "ensured before anything else"  # noqa: S101
        return self.remote

    @property
    def schema(self) -> Schema:
        """What the tool is told of the project."""
        return schema_of(self.project, self.settings)

    @property
    def window(self) -> int:
        """How many items the tool holds at a time."""
        return int(getattr(self.settings, "window", 200))

    @property
    def grace_seconds(self) -> float:
        """How long what fell out of the best is left to whoever has it open."""
        return self.runtime.settings.connector_grace_seconds

    @property
    def holder(self) -> str:
        """Under what name its leases are."""
        return f"@tool:{self.connection.name}"

    def run(self, work: Callable[[Unit], T]) -> T:
        """Do `work` in one transaction, if this pass is still ours to make. Raises StaleClaim."""

        def fenced(unit: Unit) -> T:
            connectors.fenced(unit, self.claim)
            return work(unit)

        return self.runtime.database.run(fenced)

    def hold(self, unit: Unit) -> Held:
        """The batch the tool holds, kept for as long as a tool may be silent."""
        return remote.hold(
            unit, self.project.id, self.connection.id, self.holder,
            hold_seconds=self.runtime.settings.connector_hold_seconds, follows=self.connector.capabilities.rerank,
        )  # fmt: skip

    def follow(self, seen: Sequence[Seen], *, seeds: bool = False) -> list[Seen]:
        """Bring answers to what is said of these tasks, each in a transaction of its own; those we know nothing of.

        A task with which that cannot be done is told of in the log, and keeps no other from being followed.
        """
        return [one for one in map(cleaned, seen) if not self._followed(one, seeds)]

    def _followed(self, one: Seen, seeds: bool) -> bool:
        def work(unit: Unit) -> Told:
            keeps = getattr(self.settings, "labels_of_deleted_tasks", "keep") == "keep"
            link = Link(self.connection.id, self.project, self.hold(unit), keeps_deleted=keeps, seeds=seeds)
            return fold(unit, link, one)

        try:
            told = self.run(work)
        except TitheError:
            raise
        # Whatever a tool can put into one task must not stop all the others.
        except Exception as error:  # noqa: BLE001
            _log.exception(
                "task_not_followed", connector=self.connection.name, task=one.task, error=type(error).__name__
            )
            return True
        for what, number in told.counts.items():
            self.counts[what] = self.counts.get(what, 0) + number
        return told.known


def digest_of(schema: Schema, settings: dict[str, Any]) -> str:
    """What a tool's project is made of: it is looked at again when this changes."""
    said = json.dumps([asdict(schema) | {"task": schema.task.value}, settings], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()


@contextmanager
def opened(runtime: Runtime, claim: Claim, connection: Connection, project: Project) -> Iterator[Pass]:
    """Open the connection. Raises BadInput where its kind is not installed, or its secret cannot be read."""
    its_kind = kind(connection.kind)
    settings = its_kind.settings.model_validate(connection.settings)
    connector = its_kind.open(settings, runtime.vault.open(connection.secret), runtime.outside)
    known = None if connection.remote is None else Remote(**connection.remote)
    try:
        yield Pass(runtime, claim, connection, project, its_kind, connector, settings, known)
    finally:
        connector.close()
