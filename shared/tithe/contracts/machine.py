"""The shapes of machine labels: what is asked for, what became of it, and how its audit stands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from tithe.contracts.shapes import Asked, Finite, Told

RunState = Literal[
    "labeling", "proposed", "too_uncertain", "auditing", "accepted", "failed", "withdrawn", "broken"
]  # fmt: skip
Share = Annotated[Finite, Field(ge=0.001, le=0.5)]


class AskMachineLabels(Asked):
    """By which bound a model is to label what it is sure of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": 0.05, "certainty": 0.95, "audit": 100}]})

    error: Share = Field(description="so many of the machine's labels may be wrong: 0.05 is every twentieth")
    certainty: Annotated[Finite, Field(ge=0.5, le=0.999)] = Field(
        default=0.95, description="how sure it must be that no more are"
    )
    audit: int = Field(default=100, ge=1, le=5000, description="so many of them, drawn at random, are asked of people")
    preview: bool = Field(default=False, description="only look from which confidence on and how many: label nothing")
    test_labels: bool = Field(
        default=False,
        description="calibrate with the labels of the test split, too: right where it is a random sample of the pool",
    )


class AuditState(Told):
    """What people said of the sample, and what that says of the rest."""

    size: int = Field(description="items in the sample")
    answered: int
    skipped: int
    waiting: int
    wrong: int = Field(description="answered otherwise than the machine")
    rate: float | None = Field(description="wrong of answered; null before the first answer")
    low: float | None = Field(description="with the certainty asked for, at least this share is wrong")
    high: float | None = Field(description="with the certainty asked for, at most this share is wrong")


class MachineRun(Told):
    """One machine labeling of a project."""

    id: UUID
    state: RunState
    says: str = Field(description="how it stands, in words")
    model_version: int
    error: float
    certainty: float
    threshold: float | None = Field(description="the confidence from which on labels stand; null: none was found yet")
    known: int | None = Field(description="labels of people it was calibrated with")
    above: int | None = Field(description="how many of those the model was so confident of")
    wrong: int | None = Field(description="and of these were wrong")
    share: float | None = Field(description="of the open items that are labeled: expected at first, then as it was")
    considered: int = Field(description="open items the model was asked about so far")
    labeled: int = Field(description="machine labels so far")
    progress: float = Field(description="of the pool, in [0, 1]")
    audit: AuditState | None = Field(description="null before the sample is drawn")
    created_at: datetime
    labeled_at: datetime | None
    ended_at: datetime | None


class MachineRuns(Told):
    """A project's machine labelings, newest first."""

    runs: list[MachineRun]
