"""Answers and the counters that number them. Append-only: whatever arrives is kept, and says whether it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tithe.storage.database import Unit


@dataclass(frozen=True)
class Progress:
    """A project's label counters."""

    project_id: UUID
    answer_seq: int
    label_count: int
    paid_count: int  #: of the budget, in its unit: labels, or words of labeled items
    skip_count: int
    settled_slots: int
    requested_at_labels: int
    round_number: int
    current_round: UUID | None
    current_model: UUID | None


@dataclass(frozen=True)
class Answer:
    """One answer as it is stored."""

    ordinal: int
    kind: str  #: label or skip
    value: Any
    note: str | None = None
    lease_id: int | None = None
    state: str = "counted"
    because: str | None = None
    cost: int = 1  #: what a label takes from the budget; not stored: the item says it


@dataclass(frozen=True)
class Exported:
    """One item with one counted answer, or with none."""

    external_id: str
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    split: str
    kind: str | None
    value: Any
    note: str | None
    annotator: str | None
    source: str | None
    seq: int | None
    created_at: datetime | None
    ordinal: int


def progress(unit: Unit, project_id: UUID) -> Progress:
    """The counters, not held."""
    return _progress(unit, "answers.progress", project_id)


def lock_progress(unit: Unit, project_id: UUID) -> Progress:
    """The counters, held: nothing is counted until the unit ends."""
    return _progress(unit, "answers.lock_progress", project_id)


def _progress(unit: Unit, query: str, project_id: UUID) -> Progress:
    found = unit.one(query, Progress, project_id=project_id)
    if found is None:
        raise LookupError(project_id)
    return found


def earlier(unit: Unit, project_id: UUID, annotator: str, ordinals: Sequence[int]) -> dict[int, tuple[str, Any]]:
    """What the annotator said of the items before: ordinal → (kind, value)."""
    found = unit.rows("answers.earlier", project_id=project_id, annotator=annotator, ordinals=list(ordinals))
    return {ordinal: (kind, value) for ordinal, kind, value in found}


def training_set(unit: Unit, project_id: UUID, watermark: int, split: str) -> list[tuple[int, Any]]:
    """(ordinal, value) of every counted label up to the watermark, in sequence; `split` is pool or test."""
    found = unit.rows("answers.training_set", project_id=project_id, watermark=watermark, split=split)
    return [(ordinal, value) for ordinal, value in found]


def export(unit: Unit, project_id: UUID, *, skips: bool) -> Iterator[Exported]:
    """Every counted answer with its item, in sequence; bounded memory."""
    for row in unit.stream("answers.export", project_id=project_id, skips=skips):
        yield Exported(*row)


def class_counts(unit: Unit, project_id: UUID) -> dict[str, int]:
    """Counted labels per class, most frequent first."""
    return dict(unit.rows("answers.class_counts", project_id=project_id))


def annotators(unit: Unit, project_id: UUID) -> list[tuple[str, int, int, datetime]]:
    """(annotator, labels, skips, last answer at)."""
    return [(a, b, c, d) for a, b, c, d in unit.rows("answers.annotators", project_id=project_id)]


def forget_keys(unit: Unit, days: int) -> int:
    """Drop idempotency keys older than that."""
    return unit.run("answers.forget", days=days)
