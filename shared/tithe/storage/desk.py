"""The labelers' desk: what handing out and recording read and write, in as few round trips as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from tithe.contracts.projects import Project
from tithe.errors import KeyReused
from tithe.storage import queue
from tithe.storage.answers import Answer, Progress, standing
from tithe.storage.database import Unit


class Asking(Project):
    """A project, and how old its ranking is."""

    labels_since: int  #: labels that were added, changed or taken away since it was requested
    round_number: int | None
    ranked_at: datetime | None
    model_version: int | None
    some_lapsed: bool


class Answering(Project):
    """A project, and the batch that is answered."""

    annotator: str
    round_id: UUID | None
    state: str
    all_slots: int  #: answers the pool can take in all


class GivenBefore(Exception):
    """An answer that was to be its annotator's first of the item is not."""


@dataclass(frozen=True)
class Held:
    """A lease of a batch, with what its answer costs; with its item's content only where that was asked for."""

    id: int
    ordinal: int
    external_id: str
    annotator: str
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


@dataclass(frozen=True)
class Settling:
    """A lease that is settled by an answer."""

    lease_id: int
    ordinal: int
    annotator: str
    kind: str  #: label or skip


def settle_for(unit: Unit, project_id: UUID, batch_id: UUID, settling: Sequence[Settling]) -> None:
    """Mark active leases of the batch answered by others than its holder; each lease is given their name.

    Who holds the same item in a batch of their own is not asked again: that lease is released. The caller holds the
    batch and knows that none of them has answered the item. Raises SerializationFailure where one is being leased the
    item, or answers it, at this very moment: the transaction is to be tried again.
    """
    pairs = {"ordinals": [one.ordinal for one in settling], "annotators": [one.annotator for one in settling]}
    elsewhere = [row[0] for row in unit.rows("desk.held_elsewhere", project_id=project_id, batch_id=batch_id, **pairs)]
    freed = [row[0] for row in unit.rows("desk.let_go", batch_ids=elsewhere, **pairs)] if elsewhere else []
    try:
        unit.run(
            "desk.settle_for", lease_ids=[one.lease_id for one in settling], annotators=pairs["annotators"],
            kinds=[one.kind for one in settling],
        )  # fmt: skip
    except pg.UniqueViolation as error:
        raise pg.SerializationFailure(f"somebody is leased what they answered: {error}") from error
    if freed:
        queue.recount_ready(unit, project_id, freed)


def turn(unit: Unit, kinds: dict[int, str]) -> None:
    """Have settled leases say what their corrected answers are: lease's id → label or skip. The counters are held."""
    unit.run("desk.turn", lease_ids=list(kinds), kinds=list(kinds.values()))


def free(unit: Unit, project: Project, lease_id: int, ordinal: int) -> int:
    """Open a settled slot again: its answer is withdrawn. How many slots that opens. The counters are held."""
    chosen_by = unit.value("desk.free", lease_id=lease_id)
    queue.recount_ready(unit, project.id, [ordinal])
    # A label that came with its item takes one slot for all of them.
    return {None: 0, "import": project.overlap}.get(chosen_by, 1)


def record(
    unit: Unit, project_id: UUID, annotator: str, batch_id: UUID | None, source: str, answers: Sequence[Answer], *,
    slots: int, held_out: bool = False, call: Call | None = None, first: bool = False,
) -> Progress:  # fmt: skip
    """Store the answers; counted ones take the next sequence numbers in order. The counters after it, held.

    `annotator` gave those that name nobody else. `slots` is how many leases they settled, or freed where negative;
    labels of `held_out` items are numbered but never trained on, so they do not bring the next round nearer. Labels of
    the source annotator are paid for, each at its cost; one that is replaced gives its own back.

    What an answer replaces must stand, and the counters be held since that was looked at; the answer has its source. An
    answer of somebody who withdrew one of the item before replaces that by itself. With `first` that is not looked for,
    as there is hardly ever such a one: GivenBefore where there is.

    Raises
    ------
    KeyReused
        Another call used the key meanwhile.
    GivenBefore
        One of them is not `first`. The transaction is lost: begin anew and have it looked for.
    """
    if not first:
        answers = _continued(unit, project_id, annotator, answers)
    counted = [answer for answer in answers if answer.state == "counted"]
    sources = [
        answer.replaces.source if answer.replaces and answer.replaces.kind != "withdrawn" else source
        for answer in answers
    ]
    step = _step([(answer, of) for answer, of in zip(answers, sources, strict=True) if answer.state == "counted"])
    numbers = iter(range(1, len(counted) + 1))
    try:
        after = unit.one(
            "desk.record", Progress, project_id=project_id, batch_id=batch_id,
            answers=len(counted), skips=step.skips, training=0 if held_out else step.labels,
            paid=step.paid, revisions=0 if held_out else step.revisions, slots=slots,
            ordinals=[answer.ordinal for answer in answers],
            annotators=[answer.annotator or annotator for answer in answers],
            sources=sources,
            lease_ids=[answer.lease_id for answer in answers],
            kinds=[answer.kind for answer in answers],
            values=[Jsonb(answer.value) if answer.kind == "label" else None for answer in answers],
            notes=[answer.note for answer in answers],
            states=[answer.state for answer in answers],
            becauses=[answer.because for answer in answers],
            numbers=[next(numbers) if answer.state == "counted" else None for answer in answers],
            replaced=[answer.replaces.answer_id if answer.replaces else None for answer in answers],
            key=call.key if call else None, sha256=call.sha256 if call else None,
            response=Jsonb(call.response if call else {}),
        )  # fmt: skip
    except pg.UniqueViolation as error:
        if error.diag.constraint_name == "idempotency_keys_pkey":
            raise KeyReused(place="Idempotency-Key", remedy="make a new key for every new call") from error
        if first and error.diag.constraint_name == "answers_person":
            raise GivenBefore from error
        raise
    if after is None:
        raise LookupError(project_id)
    return after


def _continued(unit: Unit, project_id: UUID, annotator: str, answers: Sequence[Answer]) -> list[Answer]:
    """The same answers, each after what its annotator withdrew of the item before.

    Nobody is leased an item while they withdraw their answer of it, so what they withdrew is there to be seen.
    """
    new = [answer for answer in answers if answer.state == "counted" and answer.replaces is None]
    people = sorted({answer.annotator or annotator for answer in new})
    found = standing(unit, project_id, [answer.ordinal for answer in new], people, withdrawn=True) if new else []
    ends = {(one.ordinal, one.annotator): one for one in found if one.kind == "withdrawn"}
    return [
        replace(answer, replaces=ends.get((answer.ordinal, answer.annotator or annotator)))
        if answer.state == "counted" and answer.replaces is None
        else answer
        for answer in answers
    ]


@dataclass(frozen=True)
class _Step:
    """By how much counted answers move the counters."""

    labels: int
    skips: int
    paid: int
    revisions: int  #: labels that were changed, and twice those that were taken away: see `progress.revision_count`


def _step(counted: Sequence[tuple[Answer, str]]) -> _Step:
    """Of counted answers, each with its source."""
    labels = skips = paid = touched = 0
    for answer, source in counted:
        before = answer.replaces.kind if answer.replaces else None
        label = (answer.kind == "label") - (before == "label")
        labels += label
        paid += label * answer.cost if source == "annotator" else 0
        skips += (answer.kind == "skip") - (before == "skip")
        touched += "label" in (answer.kind, before)
    return _Step(labels, skips, paid, touched - labels)


def note_round(unit: Unit, project_id: UUID, key: str, number: int) -> None:
    """Add to the remembered response that the call opened a round."""
    unit.run("desk.note_round", project_id=project_id, key=key, number=number)
