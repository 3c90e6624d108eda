"""The invariants, as SQL: what must never be, found if it is there. For `tithe check`, and after every fault."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tithe.storage.database import Unit
from tithe.storage.queries import queries


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    invariant: str
    project_id: UUID | None
    detail: str


@dataclass(frozen=True)
class File:
    """A file a row points at."""

    project_id: UUID
    path: str
    sha256: str


def names() -> list[str]:
    """Every invariant that is checked."""
    return sorted(name for name in queries() if name.startswith("checks."))


def check(unit: Unit, *, patience_seconds: float = 60.0) -> list[Violation]:
    """Check every invariant in one snapshot; an empty list: all hold.

    Work that is under way is no violation: only what is unsent, silent or lapsed for longer than the patience is.
    """
    unit.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return [
        Violation(name.partition(".")[2], project_id, detail)
        for name in names()
        for project_id, detail in unit.rows(name, patience=patience_seconds)
    ]


def files(unit: Unit) -> list[File]:
    """Every block and current model that must be on disk."""
    return unit.all("files.all", File)
