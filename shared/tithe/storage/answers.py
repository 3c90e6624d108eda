"""Answers and the counters that number them. Append-only: whatever arrives is kept, and says whether it counts.

A correction is a new answer that replaces an earlier one, and so is a withdrawal, which says nothing. What one person
said of one item is a chain of such answers; its last is the one that stands. Counters count what stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tithe.storage.database import Unit


@dataclass(frozen=True)
class Progress:
    """A project's label counters: of answers that stand, but for the numbers, which every counted one has."""

    project_id: UUID
    answer_seq: int
    label_count: int
    paid_count: int  #: of the budget, in its unit: labels, or words of labeled items
    skip_count: int
    settled_slots: int
    change_count: int  #: labels of the pool that were added, changed or taken away; never falls
    requested_at_changes: int  #: the same when the last round was requested
    round_number: int
    current_round: UUID | None
    current_model: UUID | None


@dataclass(frozen=True)
class Standing:
    """What one person's say of one item is at this moment."""

    answer_id: int
    ordinal: int
    annotator: str
    kind: str  #: label or skip; withdrawn where that was asked for
    value: Any
    lease_id: int | None  #: of the slot that it takes; None: it takes none
    cost: int  #: what a label of the item takes from the budget
    source: str  #: annotator or import
    held_out: bool  #: the item scores the model


@dataclass(frozen=True)
class Answer:
    """One answer as it is stored."""

    ordinal: int
    kind: str  #: label or skip; withdrawn: what it replaces counts no more
    value: Any
    note: str | None = None
    lease_id: int | None = None
    state: str = "counted"
    because: str | None = None
    cost: int = 1  #: what a label takes from the budget; not stored: the item says it
    annotator: str | None = None  #: who gave it; None: the one the call says
    replaces: Standing | None = None  #: what it takes the place of, of the same item and annotator


@dataclass(frozen=True)
class Exported:
    """One item with one answer that stands, or with none."""

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


def standing(
    unit: Unit, project_id: UUID, ordinals: Sequence[int], annotator: str | Sequence[str] | None = None, *,
    withdrawn: bool = False,
) -> list[Standing]:  # fmt: skip
    """What stands of these items, by this annotator or these, or by anybody, in the order it came.

    At most one for each item and annotator. `withdrawn`: also the ends of chains that were withdrawn; an ordinary
    answer of the same person goes on from there by itself. It may be replaced at any moment, but not while the caller
    holds the counters (:func:`lock_progress`).
    """
    annotators = [annotator] if isinstance(annotator, str) else annotator
    return unit.all(
        "answers.standing", Standing, project_id=project_id, ordinals=list(ordinals),
        annotators=None if annotators is None else list(annotators), withdrawn=withdrawn,
    )  # fmt: skip


def still_stands(unit: Unit, project_id: UUID, was: Standing) -> bool:
    """Whether nothing replaced it meanwhile. The caller holds the counters."""
    return bool(unit.value("answers.still_stands", project_id=project_id, answer_id=was.answer_id))


def training_set(unit: Unit, project_id: UUID, watermark: int, split: str) -> list[tuple[int, Any]]:
    """(ordinal, value) of every label that stands at the watermark, in sequence; `split` is pool or test.

    The same watermark gives the same rows, whatever is corrected or withdrawn later.
    """
    found = unit.rows("answers.training_set", project_id=project_id, watermark=watermark, split=split)
    return [(ordinal, value) for ordinal, value in found]


def export(unit: Unit, project_id: UUID, *, skips: bool) -> Iterator[Exported]:
    """Every answer that stands with its item, in sequence; bounded memory."""
    for row in unit.stream("answers.export", project_id=project_id, skips=skips):
        yield Exported(*row)


def class_counts(unit: Unit, project_id: UUID) -> dict[str, int]:
    """Labels that stand per class, most frequent first."""
    return dict(unit.rows("answers.class_counts", project_id=project_id))


def annotators(unit: Unit, project_id: UUID) -> list[tuple[str, int, int, datetime]]:
    """(annotator, labels, skips, last answer at), of whoever ever answered; what does not stand is not counted."""
    return [(a, b, c, d) for a, b, c, d in unit.rows("answers.annotators", project_id=project_id)]


def paid_labels(unit: Unit, project_id: UUID) -> int:
    """Labels of annotators that stand."""
    return int(unit.value("answers.paid_labels", project_id=project_id))


def forget_keys(unit: Unit, days: int) -> int:
    """Drop idempotency keys older than that."""
    return unit.run("answers.forget", days=days)
