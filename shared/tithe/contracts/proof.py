"""The shapes of what is measured: quality, savings, advice. The prover writes them, everybody else reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from tithe.contracts.projects import BudgetUnit
from tithe.contracts.shapes import Told


class Quality(Told):
    """How good the model is on items like the pool's, by labels that no model was trained on."""

    metric: str
    score: float | None = Field(description="null: `missing` says why")
    low: float | None = Field(description="the lower end of the interval")
    high: float | None
    level: float = Field(description="how often such an interval holds the true score: 0.95")
    rows: int = Field(description="labels it was measured on")
    method: str
    missing: str | None = Field(description="why there is no figure, and what would help")


class Saved(Told):
    """Labels saved against random at equal score. Negative: choosing costs more than chance."""

    metric: str = Field(
        description="what is compared: the project's metric, or accuracy while that is too little known"
    )
    spent: int = Field(description="labels in all, the control arm's among them")
    control: int = Field(description="control labels it was compared on")
    level: float
    score: float | None = Field(description="of the model; null: `missing` says why there is no figure")
    random_score: float | None = Field(description="what as many labels at random would have given")
    random_low: float | None
    random_high: float | None
    gap: float | None = Field(description="the model's score less that")
    gap_low: float | None
    gap_high: float | None
    needed: int | None = Field(description="random labels for the same score; null: more than the pool has")
    needed_low: int | None
    needed_high: int | None
    saved: int | None = Field(description="`needed` less `spent`; null where that is more than the pool has")
    saved_low: int | None
    saved_high: int | None
    ratio: float | None = Field(description="`needed` by `spent`")
    ratio_low: float | None
    ratio_high: float | None
    gain: float | None = Field(description="the probability that anything was saved")
    worth: float | None = Field(description="the probability that choosing takes away a twentieth of random's errors")
    money: float | None = Field(default=None, description="`saved` at the project's price")
    money_low: float | None = None
    money_high: float | None = None
    words: str
    missing: str


class Gain(Told):
    """What more labels are expected to buy."""

    next: int
    gain: float
    low: float
    high: float
    cost: float | None = Field(description="at the project's price")


class Criterion(Told):
    """A classical stopping criterion."""

    name: str
    value: float | None
    threshold: float | None
    met: bool | None = Field(description="null: it cannot be told yet")
    words: str


class Advice(Told):
    """Whether more labels are worth their price."""

    gains: list[Gain]
    criteria: list[Criterion]
    stop: bool
    words: str
    missing: str | None


class Measured(Told):
    """What was found of one round's model."""

    control_labels: int = Field(description="labels of the control arm, all of them later than any training")
    quality: Quality
    accuracy: Quality | None = Field(default=None, description="beside another metric")
    test: Quality | None = Field(default=None, description="on the project's own test items, where it has some")
    savings: Saved
    early: Saved | None = Field(
        default=None,
        description="the same of an early model, which had about as many labels as there are control labels now: there "
        "random's curve needs no carrying on, so this is surer",
    )
    advice: Advice
    toward_random: float = 0.0
    notes: list[str] = Field(default_factory=list, description="what was decided because of it")
    stop: str | None = Field(default=None, description="why the project stops with this, as its `stop_when` says")
    seconds: float = 0.0


class Measurement(Told):
    """One round's model, measured."""

    round: int
    version: int
    labels: int
    at: datetime
    measured: Measured


class NotMeasured(Told):
    """A round that could not be measured, and will not be tried again."""

    round: int
    reason: str
    at: datetime


class Proof(Told):
    """What the loop is worth: the newest measurement, and how it came about."""

    project_id: UUID
    control: float
    reserve: float
    unit: BudgetUnit
    price: float | None
    currency: str | None
    stopped_at: datetime | None
    stopped_because: str | None
    toward_random: float
    control_labels: int = Field(description="so far")
    latest: Measurement | None = Field(description="null: no round was measured yet")
    history: list[Measurement] = Field(description="oldest first; the last `limit` of them")
    earlier: int | None = Field(default=None, description="the `before` of those further back; null: there are none")
    failed: NotMeasured | None = Field(
        default=None, description="the newest round since `latest` that could not be measured; the next one is tried"
    )
    missing: str | None = Field(description="why there is nothing, and what to do")


def as_told(found: dict[str, Any]) -> Measured:
    """A measurement as its row holds it."""
    return Measured.model_validate(found)
