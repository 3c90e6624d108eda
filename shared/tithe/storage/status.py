"""Looking at a project without touching it: counts, progress, gauges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UndefinedTable

from tithe.storage.database import Database, Unit
from tithe.storage.queue import Batch

#: Names of what :func:`pulse` tells.
PULSE = (
    "answer_seq", "labels", "skips", "items", "served_round", "round", "state", "shards_done", "measurements",
    "stopped",
)  # fmt: skip


@dataclass(frozen=True)
class Overview:
    """A project's counters, and what it serves."""

    item_count: int
    test_count: int
    label_count: int
    change_count: int
    paid_count: int
    skip_count: int
    settled_slots: int
    queue_depth: int
    leased: int
    blocks_ready: int
    blocks_planned: int
    rows_ready: int
    rows_per_second: float | None
    imports_running: int
    model_version: int | None
    model_score: float | None
    model_score_from: str | None
    model_labels: int | None
    model_at: datetime | None
    served_round: int | None
    served_changes: int | None  #: labels added, changed or taken away when it was requested
    served_at: datetime | None
    served_model: int | None
    served_age: float | None


@dataclass(frozen=True)
class SeenBatch(Batch):
    """A batch, and whether its annotator sees what the model thinks."""

    pre_annotate: bool


@dataclass(frozen=True)
class FailedWork:
    """Work that failed for good, or until it is tried again."""

    what: str
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class Import:
    """How far an upload is."""

    id: UUID
    state: str
    accepted: int
    duplicates: int
    rejected: int
    started_at: datetime
    touched_at: datetime


@dataclass(frozen=True)
class Gauges:
    """What the monitoring watches of one project."""

    project_id: UUID
    queue_depth: int
    open_rounds: int
    unsent_seconds: float
    labeled_vectors: int
    recall_at_1: float | None  #: of the index over them, when it was last measured
    recall_at_10: float | None


def overview(unit: Unit, project_id: UUID) -> Overview:
    """The counters of a project that exists."""
    found = unit.one("status.overview", Overview, project_id=project_id)
    if found is None:
        raise LookupError(project_id)
    return found


def answered_items(unit: Unit, project_id: UUID) -> tuple[int, int]:
    """Items of the pool with a label, and items that were only skipped; reads every answer."""
    labeled, skipped = unit.rows("status.answered_items", project_id=project_id)[0]
    return int(labeled), int(skipped)


def last_failure(unit: Unit, project_id: UUID) -> FailedWork | None:
    """The newest failure of a round or of encoding."""
    return unit.one("status.last_failure", FailedWork, project_id=project_id)


def pulse(unit: Unit, project_id: UUID) -> tuple[Any, ...] | None:
    """What changes when anything in the project does, in the order of `PULSE`; None: there is no such project."""
    found = unit.rows("status.pulse", project_id=project_id)
    return found[0] if found else None


def import_progress(unit: Unit, project_id: UUID, import_id: UUID) -> Import | None:
    """How far the import is; running ones that were silent for long count as broken."""
    return unit.one("status.import_progress", Import, id=import_id, project_id=project_id)


def batch(unit: Unit, batch_id: UUID) -> SeenBatch | None:
    """A batch of any project that is not deleted, not held."""
    return unit.one("status.batch", SeenBatch, id=batch_id)


def gauges(unit: Unit, limit: int) -> list[Gauges]:
    """Of the newest `limit` projects."""
    return unit.all("status.gauges", Gauges, limit=limit)


def pgvector(database: Database) -> str | None:
    """The version of the extension in this database, asked once; None: it is not there. Raises Unavailable."""
    found: str | None = database.run(lambda unit: unit.value("status.pgvector"), attempts=1)
    return found


def revision(database: Database) -> str | None:
    """The schema's revision, asked once and without patience; None: never migrated. Raises Unavailable."""
    try:
        found: str | None = database.run(lambda unit: unit.value("status.revision"), attempts=1)
    except UndefinedTable:
        return None
    return found
