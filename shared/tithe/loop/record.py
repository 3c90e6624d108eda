"""Record answers: the label's walk. One transaction from the first check to the round it may ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from tithe.contracts.labels import check_label
from tithe.contracts.projects import Project
from tithe.errors import BadInput, InvalidLabel, KeyReused, NotFound
from tithe.loop import rounds as turns
from tithe.storage import answers, projects, queue
from tithe.storage.answers import Answer
from tithe.storage.database import Database, Unit
from tithe.storage.queue import Batch, LeasedItem


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
    database: Database, project_id: UUID, batch_id: UUID, sent: Sequence[Sent], key: str | None = None
) -> tuple[Recorded, bool]:
    """Store the answers; the same call again (same key, or the same answers) changes nothing.

    Every answer is kept. One that comes after its lease lapsed counts if nobody took the item over; otherwise it is
    stored as superseded. One bad answer refuses the whole call, with every fault named, and stores nothing.

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
    unit: Unit, project_id: UUID, batch_id: UUID, sent: Sequence[Sent], key: str | None
) -> tuple[Recorded, bool]:
    project = projects.get(unit, project_id)
    if key is not None:
        digest = _digest(batch_id, sent)
        before = answers.remember(unit, project_id, key, digest)
        if before is not None:
            return _replayed(before, digest, key), True
    batch = queue.lock_batch(unit, project_id, batch_id)
    if batch is None:
        raise NotFound(f"this project has no batch {batch_id}", place="batch_id")
    leases = {lease.external_id: lease for lease in queue.leases(unit, batch_id)}
    values = _checked(project, leases, sent)
    recorded = _settle(unit, project, batch, leases, sent, values)
    if key is not None:
        answers.keep_response(unit, project_id, key, asdict(recorded))
    return recorded, False


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


def _checked(project: Project, leases: dict[str, LeasedItem], sent: Sequence[Sent]) -> list[Any]:
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


def _label(project: Project, lease: LeasedItem, one: Sent, place: str) -> Any:
    if one.label is None:
        raise InvalidLabel(f"{place}: no label", place=place, remedy='send a label, or "skip": true')
    length = lease.length if lease.text is not None else len(" ".join(lease.tokens or []))
    return check_label(project.task, project.labels, one.label, place=f"{place}.label", length=length)


def _settle(
    unit: Unit, project: Project, batch: Batch, leases: dict[str, LeasedItem], sent: Sequence[Sent], values: list[Any]
) -> Recorded:
    said = {leases[one.item_id].ordinal: (one, value) for one, value in zip(sent, values, strict=True)}
    state = {lease.ordinal: lease.state for lease in leases.values()}
    skipped = [ordinal for ordinal, (one, _) in said.items() if one.skip]
    fresh = [ordinal for ordinal in said if state[ordinal] == "active"]
    late = [ordinal for ordinal in said if state[ordinal] in ("expired", "released")]
    queue.settle(unit, batch.id, fresh, skipped)
    rescued = queue.lease_late(unit, batch, late, skipped, project.overlap) if late else {}
    before = answers.earlier(
        unit, project.id, batch.annotator, [o for o in said if o not in rescued and o not in fresh]
    )

    stored: list[Answer] = []
    outcomes: list[dict[str, Any]] = []
    ids = {lease.ordinal: lease.id for lease in leases.values()}
    for ordinal, (one, value) in said.items():
        kind = "skip" if one.skip else "label"
        counts = ordinal in rescued or state[ordinal] == "active"
        because = None
        if not counts:
            if before.get(ordinal) == (kind, value):
                outcomes.append({"item_id": one.item_id, "outcome": "duplicate", "because": "answered_before"})
                continue
            because = "answered_before" if ordinal in before else "lease_lapsed"
        stored.append(
            Answer(
                ordinal, kind, value, one.note, rescued.get(ordinal, ids[ordinal]),
                "counted" if counts else "superseded", because,
            )
        )  # fmt: skip
        outcome = ("skipped" if one.skip else "counted") if counts else "superseded"
        outcomes.append({"item_id": one.item_id, "outcome": outcome, "because": because})

    slots = len(fresh) + len(rescued)
    progress = (
        answers.append(unit, project.id, batch.annotator, batch.id, "annotator", stored, slots=slots)
        if stored
        else answers.progress(unit, project.id)
    )
    if rescued:
        queue.take_ready_slot(unit, project.id, progress.current_round, list(rescued))
    waiting = queue.active_in_batch(unit, batch.id) if batch.state == "open" else 0
    if batch.state == "open" and waiting == 0:
        queue.end_batch(unit, batch.id)
    opened = turns.open_for_labels(unit, project, progress) if slots else None
    ended = "closed" if batch.state == "open" and waiting == 0 else batch.state
    return Recorded(outcomes, ended, waiting, progress.label_count, opened.number if opened else None)
