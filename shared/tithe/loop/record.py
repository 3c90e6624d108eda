"""Record answers: the label's walk. One transaction from the first check to the round it may ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any
from uuid import UUID

from tithe.contracts.labels import check_label
from tithe.contracts.projects import Project, Task
from tithe.errors import BadInput, InvalidLabel, KeyReused, NotFound
from tithe.loop import rounds as turns
from tithe.storage import answers, desk, queue
from tithe.storage.answers import Answer
from tithe.storage.database import Database, Unit
from tithe.storage.desk import Answering, Call, Held

#: States of a lease that nobody holds any more: a late answer may still take a free slot.
_GIVEN_UP = ("expired", "released")


@dataclass(frozen=True)
class Sent:
    """One answer as it came in: a label, or a skip with an optional reason."""

    item_id: str
    label: Any = None
    skip: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Recorded:
    """What became of a call's answers."""

    outcomes: list[dict[str, Any]]  #: per answer: item_id, outcome (counted, skipped, duplicate, superseded), because
    batch_state: str
    waiting: int  #: items of the batch that still wait for an answer
    label_count: int
    round_requested: int | None  #: the number of the round these labels asked for


def record(
    database: Database, project_id: UUID | None, batch_id: UUID, sent: Sequence[Sent], key: str | None = None
) -> tuple[Recorded, bool]:
    """Store the answers; the same call again (same key, or the same answers) changes nothing.

    Every answer is kept. One that comes after its lease lapsed counts if nobody took the item over; otherwise it is
    stored as superseded. One bad answer refuses the whole call, with every fault named, and stores nothing.
    `project_id` None: whichever project the batch belongs to.

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
    return database.run(lambda unit: _record(unit, project_id, batch_id, sent, key))


def _record(
    unit: Unit, project_id: UUID | None, batch_id: UUID, sent: Sequence[Sent], key: str | None
) -> tuple[Recorded, bool]:
    batch = desk.answering(unit, project_id, batch_id)
    if batch is None:
        raise NotFound(f"there is no batch {batch_id} here", place="batch_id", remedy="ask for a new batch")
    digest = _digest(batch_id, sent) if key else ""
    if key and (before := desk.remembered(unit, batch.id, key)):
        return _replayed(before, digest, key), True
    # Spans are checked against what they are of.
    held = desk.held(unit, batch_id, contents=batch.task is Task.TOKENS)
    leases = {lease.external_id: lease for lease in held}
    values = _checked(batch, leases, sent)
    return _settle(unit, batch, batch_id, leases, list(zip(sent, values, strict=True)), (key, digest)), False


def _digest(batch_id: UUID, sent: Sequence[Sent]) -> str:
    body = json.dumps([str(batch_id), [asdict(one) for one in sent]], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(body.encode()).hexdigest()


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
    unit: Unit, batch: Answering, batch_id: UUID, leases: dict[str, Held], said: list[tuple[Sent, Any]],
    call: tuple[str | None, str],
) -> Recorded:  # fmt: skip
    """Settle what is still good, store everything, count, and open a round where the threshold is crossed."""
    states = {lease.ordinal: lease.state for lease in leases.values()}
    ordinals = {one.item_id: leases[one.item_id].ordinal for one, _ in said}
    skipped = [ordinals[one.item_id] for one, _ in said if one.skip]
    fresh = {ordinal for ordinal in ordinals.values() if states[ordinal] == "active"}
    waiting = sum(state == "active" for state in states.values()) - len(fresh)
    closes = batch.state == "open" and waiting == 0
    late = [leases[one.item_id] for one, _ in said if states[ordinals[one.item_id]] in _GIVEN_UP]
    rescued = _rescue(unit, batch, batch_id, late, skipped)
    if fresh:
        desk.settle(unit, batch_id, sorted(fresh), skipped, closes=closes)
    stored, outcomes = _verdicts(unit, batch, leases, said, fresh, rescued)
    told = Recorded(outcomes, "closed" if closes else batch.state, waiting if batch.state == "open" else 0, 0, None)
    key, digest = call
    progress = desk.record(
        unit, batch.id, batch.annotator, batch_id, "annotator", stored, slots=len(fresh) + len(rescued),
        call=Call(key, digest, asdict(told)) if key else None,
    )  # fmt: skip
    opened = turns.open_for_labels(unit, batch, progress, batch.all_slots) if fresh or rescued else None
    if opened is not None and key:
        desk.note_round(unit, batch.id, key, opened.number)
    return replace(told, label_count=progress.label_count, round_requested=opened.number if opened else None)


def _rescue(
    unit: Unit, batch: Answering, batch_id: UUID, late: Sequence[Held], skipped: Sequence[int]
) -> dict[int, int]:
    """Settle lapsed leases nobody took over, as far as the budget goes: ordinal → the lease that counts."""
    if not late:
        return {}
    # Held from here on: rows of the ready queue are only touched under it, as a round's swap does.
    progress = answers.lock_progress(unit, batch.id)
    good = [lease.ordinal for lease in late]
    if batch.budget is not None:  # what was handed out again since then is paid for first
        reserved = queue.reserved(unit, batch.id)
        left = batch.budget - progress.paid_count - reserved
        paid = [lease for lease in late if lease.ordinal not in skipped]
        fitting = _fitting([lease.cost for lease in paid], left, alone=reserved == 0)
        beyond = {lease.ordinal for lease in paid[fitting:]}
        good = [ordinal for ordinal in good if ordinal not in beyond]
    rescued = queue.lease_late(unit, batch_id, good, skipped, batch.overlap)
    if rescued:
        queue.recount_ready(unit, batch.id, list(rescued))
    return rescued


def _fitting(costs: Sequence[int], left: int, *, alone: bool) -> int:
    """How many of the costs, from the first on, fit into what is left; by the rule by which items are handed out.

    Examples
    --------
    >>> _fitting([3, 4, 1], 7, alone=True), _fitting([9, 1], 7, alone=True), _fitting([9, 1], 7, alone=False)
    (2, 1, 0)
    """
    if left <= 0:
        return 0
    fitting = sum(total <= left for total in accumulate(costs))
    return max(fitting, 1) if alone and costs else fitting


def _verdicts(
    unit: Unit, batch: Answering, leases: dict[str, Held], said: list[tuple[Sent, Any]], fresh: set[int],
    rescued: dict[int, int],
) -> tuple[list[Answer], list[dict[str, Any]]]:  # fmt: skip
    """What is stored, and what the annotator is told of each answer, in the order they came."""
    good = fresh | set(rescued)
    doubtful = [leases[one.item_id].ordinal for one, _ in said if leases[one.item_id].ordinal not in good]
    before = answers.earlier(unit, batch.id, batch.annotator, doubtful) if doubtful else {}
    stored: list[Answer] = []
    outcomes: list[dict[str, Any]] = []
    for one, value in said:
        lease = leases[one.item_id]
        kind = "skip" if one.skip else "label"
        because = None
        if lease.ordinal in good:
            outcome = "skipped" if one.skip else "counted"
        elif before.get(lease.ordinal) == (kind, value):
            outcome, because = "duplicate", "answered_before"
        else:
            outcome, because = "superseded", "answered_before" if lease.ordinal in before else "lease_lapsed"
        outcomes.append({"item_id": one.item_id, "outcome": outcome, "because": because})
        if outcome != "duplicate":
            state = "superseded" if outcome == "superseded" else "counted"
            fence = rescued.get(lease.ordinal, lease.id)
            stored.append(Answer(lease.ordinal, kind, value, one.note, fence, state, because, lease.cost))
    return stored, outcomes
