"""Measurements: one a round, with where the model's say of the drawn items is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.storage.database import Unit


@dataclass(frozen=True)
class MeasuredRound:
    """A measurement as its row holds it."""

    number: int
    version: int
    labels: int  #: labeled items, the control arm's among them
    trained: int  #: of these what the model was given
    model_id: UUID
    said_path: str
    said_sha256: str
    found: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class NotMeasured:
    """A round that could not be measured."""

    number: int
    reason: str
    at: datetime


def add(
    unit: Unit, *, round_id: UUID, project_id: UUID, model_id: UUID, labels: int, watermark: int, said_path: str,
    said_sha256: str, said_size: int, found: dict[str, Any],
) -> bool:  # fmt: skip
    """Keep a round's measurement; False: it has one."""
    added = unit.run(
        "proof.add", round_id=round_id, project_id=project_id, model_id=model_id, labels=labels, watermark=watermark,
        said_path=said_path, said_sha256=said_sha256, said_size=said_size, found=Jsonb(found),
    )  # fmt: skip
    return added == 1


def measured(unit: Unit, round_id: UUID) -> bool:
    """Whether the round was measured."""
    return bool(unit.value("proof.measured", round_id=round_id))


def history(unit: Unit, project_id: UUID) -> list[MeasuredRound]:
    """Every measurement of the project, oldest first."""
    return unit.all("proof.history", MeasuredRound, project_id=project_id)


def newest(unit: Unit, project_id: UUID, before: int | None, limit: int) -> list[MeasuredRound]:
    """The last `limit` measurements, of rounds before that one, oldest first."""
    found = unit.all("proof.newest", MeasuredRound, project_id=project_id, before=before, limit=limit)
    return found[::-1]


def not_measured(unit: Unit, project_id: UUID) -> NotMeasured | None:
    """The newest round whose measurement failed for good, if none was measured since."""
    return unit.one("proof.not_measured", NotMeasured, project_id=project_id)


def overtaken(unit: Unit, round_id: UUID) -> bool:
    """Whether a later round is served already, with a model."""
    return bool(unit.value("proof.overtaken", round_id=round_id))


def control_answers(unit: Unit, project_id: UUID) -> int:
    """Items that the control arm asked for and that have a label."""
    return int(unit.value("proof.control_answers", project_id=project_id))
