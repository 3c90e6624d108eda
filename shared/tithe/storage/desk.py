"""The labelers' desk: what handing out and recording read and write, in as few round trips as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from tithe.contracts.projects import Project
from tithe.errors import KeyReused
from tithe.storage.answers import Answer, Progress
from tithe.storage.database import Unit


class Asking(Project):
    """A project, and how old its ranking is."""

    label_count: int
    round_number: int | None
    ranked_labels: int | None
    ranked_at: datetime | None
    model_version: int | None
    some_lapsed: bool


class Answering(Project):
    """A project, and the batch that is answered."""

    annotator: str
    round_id: UUID | None
    state: str
    all_slots: int  #: answers the pool can take in all


@dataclass(frozen=True)
class Held:
    """A lease of a batch, with what its answer costs; with its item's content only where that was asked for."""

    id: int
    ordinal: int
    external_id: str
    state: str
    cost: int
    text: str | None
    tokens: list[str] | None


@dataclass(frozen=True)
class Call:
    """A call that is to be remembered under its idempotency key, with what it is answered."""

    key: str
    sha256: str
    response: dict[str, Any]


def asking(unit: Unit, project_id: UUID) -> Asking | None:
    """What a hand-out needs to know. Nothing is held."""
    return unit.one("desk.asking", Asking, project_id=project_id)


def answering(unit: Unit, project_id: UUID | None, batch_id: UUID) -> Answering | None:
    """What an answer needs to know; the batch is held until the unit ends. None: no such batch (in this project)."""
    return unit.one("desk.answering", Answering, project_id=project_id, batch_id=batch_id)


def held(unit: Unit, batch_id: UUID, *, contents: bool) -> list[Held]:
    """Every lease of the batch; `contents`: with texts and tokens."""
    return unit.all("desk.held", Held, batch_id=batch_id, contents=contents)


def remembered(unit: Unit, project_id: UUID, key: str) -> tuple[str, dict[str, Any]] | None:
    """The body's digest and the response of the call that used this key before.

    The caller holds the call's batch, so of two equal calls at once the second sees what the first stored.
    """
    found = unit.rows("desk.remembered", project_id=project_id, key=key)
    return (found[0][0], found[0][1]) if found else None


def settle(unit: Unit, batch_id: UUID, ordinals: Sequence[int], skipped: Sequence[int], *, closes: bool) -> None:
    """Mark active leases answered, and close the batch where these were its last. The caller holds the batch."""
    unit.run("desk.settle", batch_id=batch_id, ordinals=list(ordinals), skipped=list(skipped), closes=closes)


def record(
    unit: Unit, project_id: UUID, annotator: str, batch_id: UUID | None, source: str, answers: Sequence[Answer], *,
    slots: int, held_out: bool = False, call: Call | None = None,
) -> Progress:  # fmt: skip
    """Store the answers; counted ones take the next sequence numbers in order. The counters after it, held.

    `slots` is how many leases they settled for good; labels of `held_out` items are numbered but never trained on, so
    they do not bring the next round nearer. Annotators' labels are paid for, each at its cost. Raises KeyReused where
    another call used the key meanwhile.
    """
    counted = [answer for answer in answers if answer.state == "counted"]
    costs = [answer.cost for answer in counted if answer.kind == "label"]
    labels = len(costs)
    numbers = iter(range(1, len(counted) + 1))
    try:
        after = unit.one(
            "desk.record", Progress, project_id=project_id, annotator=annotator, batch_id=batch_id, source=source,
            answers=len(counted), skips=len(counted) - labels, training=0 if held_out else labels,
            paid=sum(costs) if source == "annotator" else 0, slots=slots,
            ordinals=[answer.ordinal for answer in answers],
            lease_ids=[answer.lease_id for answer in answers],
            kinds=[answer.kind for answer in answers],
            values=[None if answer.kind == "skip" else Jsonb(answer.value) for answer in answers],
            notes=[answer.note for answer in answers],
            states=[answer.state for answer in answers],
            becauses=[answer.because for answer in answers],
            numbers=[next(numbers) if answer.state == "counted" else None for answer in answers],
            key=call.key if call else None, sha256=call.sha256 if call else None,
            response=Jsonb(call.response if call else {}),
        )  # fmt: skip
    except pg.UniqueViolation as error:
        if error.diag.constraint_name == "idempotency_keys_pkey":
            raise KeyReused(place="Idempotency-Key", remedy="make a new key for every new call") from error
        raise
    if after is None:
        raise LookupError(project_id)
    return after


def note_round(unit: Unit, project_id: UUID, key: str, number: int) -> None:
    """Add to the remembered response that the call opened a round."""
    unit.run("desk.note_round", project_id=project_id, key=key, number=number)
