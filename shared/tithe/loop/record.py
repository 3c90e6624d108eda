"""Record answers: the label's walk. One transaction from the first check to the round it may ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from tithe.contracts.labels import check_label
from tithe.contracts.projects import Project, Task
from tithe.errors import BadInput, InvalidLabel, KeyReused, NotFound
from tithe.loop import rounds as turns
from tithe.loop import verdicts
from tithe.loop.verdicts import Said, Verdict
from tithe.storage import desk
from tithe.storage.database import Database, Unit
from tithe.storage.desk import Answering, Call, GivenBefore, Held


@dataclass(frozen=True)
class Sent:
    """One answer as it came in: a label, or a skip with an optional reason."""

    item_id: str
    label: Any = None
    skip: bool = False
    note: str | None = None
    annotator: str | None = None  #: who answered, where the batch is held for others; None: its holder
    correct: bool = False  #: takes the place of what they said of the item before, through whatever batch


@dataclass(frozen=True)
class Recorded:
    """What became of a call's answers."""

    outcomes: list[dict[str, Any]]  #: per answer: item_id, outcome (see :class:`~tithe.loop.verdicts.Verdict`), because
    batch_state: str
    waiting: int  #: items of the batch that still wait for an answer
    label_count: int
    round_requested: int | None  #: the number of the round these labels asked for


def record(
    database: Database, project_id: UUID | None, batch_id: UUID, sent: Sequence[Sent], key: str | None = None
) -> tuple[Recorded, bool]:
    """Store the answers; the same call again (same key, or the same answers) changes nothing.

    Every answer is kept. One that comes after its lease lapsed counts if nobody took the item over; otherwise it is
    stored as superseded, and so is another answer of whoever answered the item before, unless it says that it corrects
    that one: then it takes its place. A lease that somebody else than the batch's holder answered is theirs from then
    on. One bad answer refuses the whole call, with every fault named, and stores nothing. `project_id` None: whichever
    project the batch belongs to.

    Returns
    -------
    tuple of (Recorded, bool)
        What became of each answer, and whether this is the remembered response of an earlier call with the same key.

    Raises
    ------
    NotFound
        The project or the batch is not known, or an item is not of this batch.
    InvalidLabel
        A label does not fit the project's schema.
    KeyReused
        The key came before with other answers.
    """
    try:
        return database.run(lambda unit: _record(unit, project_id, batch_id, sent, key, first=True))
    except GivenBefore:  # somebody withdrew an answer, and gives it again
        return database.run(lambda unit: _record(unit, project_id, batch_id, sent, key, first=False))


def _record(
    unit: Unit, project_id: UUID | None, batch_id: UUID, sent: Sequence[Sent], key: str | None, *, first: bool
) -> tuple[Recorded, bool]:
    batch = desk.answering(unit, project_id, batch_id)
    if batch is None:
        raise NotFound(f"there is no batch {batch_id} here", place="batch_id", remedy="ask for a new batch")
    digest = _digest(batch_id, sent) if key else ""
    if key and (before := desk.remembered(unit, batch.id, key)):
        return _replayed(before, digest, key), True
    # Spans are checked against what they are of.
    held = desk.held(unit, batch_id, contents=batch.task is Task.TOKENS)
    leases = _one_each(held)
    values = _checked(batch, leases, sent)
    said = [
        Said(leases[one.item_id], one.annotator or batch.annotator, "skip" if one.skip else "label", value, one.note,
             one.correct)
        for one, value in zip(sent, values, strict=True)
    ]  # fmt: skip
    waiting = sum(lease.state == "active" for lease in held)
    return _settle(unit, batch, batch_id, waiting, said, (key, digest), first=first), False


def _digest(batch_id: UUID, sent: Sequence[Sent]) -> str:
    # What is not said is left out, so that a call has the digest it had before there was anything more to say.
    told = [{name: value for name, value in asdict(one).items() if not _unsaid(name, value)} for one in sent]
    body = json.dumps([str(batch_id), told], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _unsaid(name: str, value: Any) -> bool:
    return (name == "annotator" and value is None) or (name == "correct" and not value)


def _one_each(held: Sequence[Held]) -> dict[str, Held]:
    """The lease that an answer to an item is an answer to: the one that waits for it, or else the newest."""
    found: dict[str, Held] = {}
    for lease in held:
        other = found.get(lease.external_id)
        if other is None or (lease.state == "active", lease.id) > (other.state == "active", other.id):
            found[lease.external_id] = lease
    return found


def _replayed(before: tuple[str, Any], digest: str, key: str) -> Recorded:
    if before[0] != digest:
        raise KeyReused(
            f"the key {key!r} came before with other answers", place="Idempotency-Key",
            remedy="make a new key for a new call; use the old one only to send the same call again",
        )  # fmt: skip
    return Recorded(**before[1])


def _checked(project: Project, leases: dict[str, Held], sent: Sequence[Sent]) -> list[Any]:
    """Every value as it is stored; all faults of the call are raised together."""
    values: list[Any] = []
    faults: list[dict[str, Any]] = []
    seen: set[str] = set()
    first: BadInput | NotFound | None = None
    for at, one in enumerate(sent):
        place = f"labels[{at}]"
        try:
            if one.item_id in seen:
                raise BadInput(f"{place}: item {one.item_id!r} is answered twice", place=place, remedy="answer it once")
            seen.add(one.item_id)
            lease = leases.get(one.item_id)
            if lease is None:
                raise NotFound(
                    f"{place}: this batch has no item {one.item_id!r}", place=f"{place}.item_id",
                    remedy="answer the items that the batch was handed out with",
                )  # fmt: skip
            values.append(None if one.skip else _label(project, lease, one, place))
        except (BadInput, NotFound) as fault:
            first = first or fault
            faults.append({"place": fault.place, "code": fault.code, "detail": fault.message, "remedy": fault.remedy})
    if first is not None:
        first.facts["errors"] = faults
        raise first
    return values


def _label(project: Project, lease: Held, one: Sent, place: str) -> Any:
    if one.label is None:
        raise InvalidLabel(f"{place}: no label", place=place, remedy='send a label, or "skip": true')
    return check_label(
        project.task, project.labels, one.label, place=f"{place}.label", text=lease.text, tokens=lease.tokens
    )


def _settle(
    unit: Unit, batch: Answering, batch_id: UUID, waiting: int, said: Sequence[Said], call: tuple[str | None, str], *,
    first: bool,
) -> Recorded:  # fmt: skip
    """Settle what is still good, store everything, count, and open a round where the threshold is crossed."""
    doubtful = [one for one in said if not one.fresh]
    judged = verdicts.judge(unit, batch, batch_id, doubtful) if doubtful else {}
    decided = [(one, judged.get(one.lease.ordinal) or verdicts.simple(one)) for one in said]
    waiting -= sum(verdict.waits_no_more for _, verdict in decided)
    closes = batch.state == "open" and waiting == 0
    fresh = [one for one in said if one.fresh]
    if fresh or closes:
        skipped = [one.lease.ordinal for one in fresh if one.kind == "skip"]
        desk.settle(unit, batch_id, sorted(one.lease.ordinal for one in fresh), skipped, closes=closes)
    outcomes = [_told(one, verdict) for one, verdict in decided]
    told = Recorded(outcomes, "closed" if closes else batch.state, waiting if batch.state == "open" else 0, 0, None)
    stored = [answer for one, verdict in decided if (answer := verdict.answer(one)) is not None]
    key, digest = call
    progress = desk.record(
        unit, batch.id, batch.annotator, batch_id, "annotator", stored,
        slots=sum(verdict.settles for _, verdict in decided),
        call=Call(key, digest, asdict(told)) if key else None, first=first,
    )  # fmt: skip
    moved = any(verdict.settles or verdict.was for _, verdict in decided)
    opened = turns.open_for_labels(unit, batch, progress, batch.all_slots) if moved else None
    if opened is not None and key:
        desk.note_round(unit, batch.id, key, opened.number)
    return replace(told, label_count=progress.label_count, round_requested=opened.number if opened else None)


def _told(one: Said, verdict: Verdict) -> dict[str, Any]:
    return {"item_id": one.lease.external_id, "outcome": verdict.outcome, "because": verdict.because}
