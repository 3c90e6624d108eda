"""Answers and the counters that number them. Append-only: whatever arrives is kept, and says whether it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.storage.database import Unit


@dataclass(frozen=True)
class Progress:
    """A project's label counters."""

    project_id: UUID
    answer_seq: int
    label_count: int
    paid_count: int
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


def append(
    unit: Unit, project_id: UUID, annotator: str, batch_id: UUID | None, source: str, answers: Sequence[Answer], *,
    slots: int, held_out: bool = False,
) -> Progress:  # fmt: skip
    """Store the answers; counted ones take the next sequence numbers in order. The counters after it, held.

    `slots` is how many leases they settled for good; labels of `held_out` items are numbered but never trained on, so
    they do not bring the next round nearer.
    """
    counted = [answer for answer in answers if answer.state == "counted"]
    labels = sum(answer.kind == "label" for answer in counted)
    after = unit.one(
        "answers.count", Progress, project_id=project_id, answers=len(counted), skips=len(counted) - labels,
        training=0 if held_out else labels, paid=labels if source == "annotator" else 0, slots=slots,
    )  # fmt: skip
    if after is None:
        raise LookupError(project_id)
    numbers = iter(range(after.answer_seq - len(counted) + 1, after.answer_seq + 1))
    unit.run(
        "answers.append", project_id=project_id, annotator=annotator, batch_id=batch_id, source=source,
        ordinals=[answer.ordinal for answer in answers],
        lease_ids=[answer.lease_id for answer in answers],
        kinds=[answer.kind for answer in answers],
        values=[None if answer.kind == "skip" else Jsonb(answer.value) for answer in answers],
        notes=[answer.note for answer in answers],
        states=[answer.state for answer in answers],
        becauses=[answer.because for answer in answers],
        seqs=[next(numbers) if answer.state == "counted" else None for answer in answers],
    )  # fmt: skip
    return after


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


def remember(unit: Unit, project_id: UUID, key: str, sha256: str) -> tuple[str, Any] | None:
    """Reserve an idempotency key. None: it is new. Else the body's digest and the response it was answered with.

    Of two calls with one key at the same time the second waits here for the first to commit.
    """
    if unit.run("answers.remember", project_id=project_id, key=key, sha256=sha256) == 1:
        return None
    digest, response = unit.rows("answers.remembered", project_id=project_id, key=key)[0]
    return digest, response


def keep_response(unit: Unit, project_id: UUID, key: str, response: dict[str, Any]) -> None:
    """Remember what the call with this key was answered."""
    unit.run("answers.keep_response", project_id=project_id, key=key, response=Jsonb(response))


def forget_keys(unit: Unit, days: int) -> int:
    """Drop idempotency keys older than that."""
    return unit.run("answers.forget", days=days)
