"""A project's items and answers in pages: what an export streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tithe.storage.answers import Exported
from tithe.storage.database import Database, Unit

_PAGE_ROWS = 1000


@dataclass(frozen=True)
class Snapshot:
    """What an export covers: answers and items that came later are not in it."""

    answer_seq: int
    item_count: int


def snapshot(unit: Unit, project_id: UUID) -> Snapshot:
    """The project as it stands now."""
    found = unit.one("export.snapshot", Snapshot, project_id=project_id)
    if found is None:
        raise LookupError(project_id)
    return found


def answered(database: Database, project_id: UUID, covered: Snapshot, *, skips: bool) -> Iterator[list[Exported]]:
    """Counted answers with their items, in the order they came; no transaction is open between two pages."""
    after = 0
    while page := database.run(
        lambda unit, after=after: unit.all(
            "export.answered", Exported, project_id=project_id, after=after, until=covered.answer_seq, skips=skips,
            limit=_PAGE_ROWS,
        )
    ):  # fmt: skip
        yield page
        after = page[-1].seq or 0


def unanswered(database: Database, project_id: UUID, covered: Snapshot, *, skips: bool) -> Iterator[list[Exported]]:
    """Items that `answered` leaves out, in order; no transaction is open between two pages."""
    after = -1
    while page := database.run(
        lambda unit, after=after: unit.all(
            "export.unanswered", Exported, project_id=project_id, after=after, until=covered.item_count,
            until_seq=covered.answer_seq, skips=skips, limit=_PAGE_ROWS,
        )
    ):  # fmt: skip
        yield page
        after = page[-1].ordinal
