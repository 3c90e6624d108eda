"""Machine labelings: runs, the labels a model gave in each, and the sample of them that people check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from psycopg.types.json import Jsonb

from tithe.contracts.tasks import MachineLabel
from tithe.storage.database import Database, Unit
from tithe.storage.queries import queries

Ordinals = npt.NDArray[np.int64]
_PAGE_ROWS = 1000
_JUDGED = ("auditing", "accepted", "failed")


@dataclass(frozen=True)
class Run:
    """One machine labeling of a project."""

    id: UUID
    project_id: UUID
    model_id: UUID
    model_version: int
    state: str
    error: float
    certainty: float
    audit_size: int
    preview: bool
    test_labels: bool
    threshold: float | None
    known: int | None
    above: int | None
    wrong: int | None
    share: float | None
    because: str | None
    pool_count: int
    next_ordinal: int
    considered: int
    labeled: int
    created_at: datetime
    labeled_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Audited:
    """An item of the sample and one person's answer to it; without one, `kind` is None."""

    ordinal: int
    value: Any
    said: Any
    kind: str | None


@dataclass(frozen=True)
class Exported:
    """A machine label with its item."""

    external_id: str
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    value: Any
    confidence: float
    ordinal: int


def create(
    unit: Unit, project_id: UUID, model_id: UUID, *, error: float, certainty: float, audit_size: int, preview: bool,
    test_labels: bool,
) -> UUID | None:  # fmt: skip
    """Write the run and ask the prover for it, in one transaction; None: another one is labeling."""
    run_id: UUID | None = unit.value(
        "machine.create", project_id=project_id, model_id=model_id, error=error, certainty=certainty,
        audit_size=audit_size, preview=preview, test_labels=test_labels,
    )  # fmt: skip
    if run_id is not None:
        unit.send(MachineLabel(run_id=run_id), project_id)
    return run_id


def get(unit: Unit, run_id: UUID, project_id: UUID | None = None) -> Run | None:
    """The run; None: there is none, or it is another project's."""
    return unit.one("machine.get", Run, id=run_id, project_id=project_id)


def newest(unit: Unit, project_id: UUID, limit: int) -> list[Run]:
    """The project's runs, newest first."""
    return unit.all("machine.list", Run, project_id=project_id, limit=limit)


def calibrated(
    unit: Unit, run_id: UUID, *, threshold: float | None, known: int, above: int, wrong: int, share: float
) -> bool:
    """Keep the threshold that was found; False: the run is not labeling any more."""
    values = {"threshold": threshold, "known": known, "above": above, "wrong": wrong, "share": share}
    return unit.run("machine.calibrated", id=run_id, **values) == 1


def answered(unit: Unit, project_id: UUID, start: int, stop: int) -> Ordinals:
    """Items in [start, stop) that no machine labels: answered, skipped, or held out. Ascending."""
    found = unit.rows("machine.answered_ordinals", project_id=project_id, start=start, stop=stop)
    return np.sort(np.array([row[0] for row in found], dtype=np.int64))


def write(
    unit: Unit, run_id: UUID, start: int, stop: int, *, considered: int, labels: Sequence[tuple[int, Any, float]]
) -> bool:
    """Keep the labels ``(ordinal, value, confidence)`` of [start, stop), once; False: not from here, or no more."""
    moved = unit.run(
        "machine.advance", id=run_id, start=start, stop=stop, considered=considered, labeled=len(labels)
    )  # fmt: skip
    if moved != 1:
        return False
    with unit.connection.cursor() as cursor, cursor.copy(queries()["machine.copy"]) as copy:
        copy.set_types(["uuid", "int8", "jsonb", "float8"])
        for ordinal, value, confidence in labels:
            copy.write_row((run_id, ordinal, Jsonb(value), confidence))
    return True


def ordinals(unit: Unit, run_id: UUID) -> Iterator[Ordinals]:
    """Every labeled item, in portions of bounded size, in no order."""
    portion: list[int] = []
    for (ordinal,) in unit.stream("machine.ordinals", size=50_000, id=run_id):
        portion.append(ordinal)
        if len(portion) == 50_000:
            yield np.array(portion, dtype=np.int64)
            portion = []
    yield np.array(portion, dtype=np.int64)


def held(unit: Unit, project_id: UUID) -> Ordinals:
    """Items that somebody holds at this moment."""
    return np.array([row[0] for row in unit.rows("machine.held", project_id=project_id)], dtype=np.int64)


def to_auditing(unit: Unit, run_id: UUID, sample: Sequence[int]) -> bool:
    """labeling → auditing these items, in this order; False: the run is not labeling any more."""
    unit.run("machine.draw_audit", id=run_id, ordinals=list(sample))
    return unit.run("machine.to_auditing", id=run_id) == 1


def end(unit: Unit, run_id: UUID, state: str, because: str | None = None) -> bool:
    """End a run that is labeling: proposed, too_uncertain, broken; False: it was not labeling."""
    because = because and because[:2000]
    return unit.run("machine.end", id=run_id, state=state, because=because, from_states=["labeling"]) == 1


def withdraw(unit: Unit, run_id: UUID) -> bool:
    """Any state but withdrawn → withdrawn; its audit leaves the queue. The caller calls off its jobs."""
    states = ["labeling", "proposed", "too_uncertain", "broken", *_JUDGED]
    unit.run("machine.leave_queue", id=run_id)
    return unit.run("machine.end", id=run_id, state="withdrawn", because=None, from_states=states) == 1


def settle(unit: Unit, run_id: UUID, state: str) -> bool:
    """Keep what the audit says by now: auditing, accepted or failed; False: it said so before, or the run ended."""
    return unit.run("machine.settle", id=run_id, state=state) == 1


def audit(unit: Unit, run_id: UUID) -> list[Audited]:
    """The sample in the order of its draw, a row for each answer that stands, and for each item without one."""
    return unit.all("machine.audit", Audited, id=run_id)


def audits_due(unit: Unit, project_id: UUID, limit: int) -> list[int]:
    """Items of audits under way that nobody holds and nobody answered, in the order of the draw."""
    return [row[0] for row in unit.rows("machine.audits_due", project_id=project_id, limit=limit)]


def exported(database: Database, run: Run, last_seq: int) -> Iterator[list[Exported]]:
    """The run's labels in the order of the pool, without items that a person had answered at answer `last_seq`.

    No transaction is open between two pages.
    """
    after = -1
    while True:
        values = {"project_id": run.project_id, "id": run.id, "after": after, "last_seq": last_seq, "limit": _PAGE_ROWS}
        page = database.run(lambda unit, values=values: unit.all("machine.export", Exported, **values))  # type: ignore[misc]
        if not page:
            return
        yield page
        after = page[-1].ordinal
