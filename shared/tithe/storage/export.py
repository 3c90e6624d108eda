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
    """Answers that stand with their items, in the order they came; no transaction is open between two pages."""
    for first in range(1, covered.answer_seq + 1, _PAGE_ROWS):
        values = {"first": first, "last": min(first + _PAGE_ROWS - 1, covered.answer_seq),
                  "last_seq": covered.answer_seq, "skips": skips}  # fmt: skip
        yield from _page(database, "export.answered", project_id, values)


def unanswered(database: Database, project_id: UUID, covered: Snapshot, *, skips: bool) -> Iterator[list[Exported]]:
    """Items that `answered` leaves out, in order; no transaction is open between two pages."""
    for first in range(0, covered.item_count, _PAGE_ROWS):
        last = min(first + _PAGE_ROWS, covered.item_count) - 1
        values = {"first": first, "last": last, "last_seq": covered.answer_seq, "skips": skips}
        yield from _page(database, "export.unanswered", project_id, values)


def _page(database: Database, query: str, project_id: UUID, values: dict[str, int]) -> Iterator[list[Exported]]:
    found = database.run(lambda unit: unit.all(query, Exported, project_id=project_id, **values))
    if found:
        yield found
