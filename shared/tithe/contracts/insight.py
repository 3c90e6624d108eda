"""The shapes of what is looked at: status, rounds, history, health. Responses only."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from tithe.contracts.api import Ranking
from tithe.contracts.projects import BudgetUnit, Metric
from tithe.contracts.shapes import Told


class Counts(Told):
    """Items of the pool. ``items = test + labeled + skipped + unlabeled``."""

    items: int
    test: int = Field(description="held out for evaluation, never handed out")
    labeled: int = Field(description="with a counted label")
    skipped: int = Field(description="skipped, and without a label")
    leased: int = Field(description="answers that annotators hold at this moment")
    unlabeled: int


class Budget(Told):
    """What is paid for: the labels of annotators, not those that came with the items, counted in `unit`."""

    unit: BudgetUnit = Field(default="labels", description="words: a label takes as many as its text has")
    total: int | None = Field(description="null: no end")
    received: int = Field(description="spent so far; the last item may go beyond the total where words are counted")
    left: int | None


class Embedding(Told):
    """How much of the pool has vectors."""

    blocks_ready: int
    blocks: int = Field(description="planned so far; an upload under way plans more")
    rows_ready: int
    rows: int
    imports_running: int
    rows_per_second: float | None = Field(
        default=None, description="over the last five minutes, all scorers together; null: nothing was encoded"
    )
    seconds_left: float | None = Field(default=None, description="at that pace; 0: all is encoded; null: not known")


class RunningRound(Told):
    """The round under way and how far it is."""

    number: int
    state: Literal["requested", "training", "scoring", "selecting"]
    reason: str
    requested_at: datetime
    shards_done: int
    shards: int
    rows_done: int
    rows: int
    training: float | None = Field(default=None, description="share of the fit that is done; null: not known")


class ModelState(Told):
    """The model the project predicts with."""

    version: int
    score: float | None
    score_from: str | None
    metric: Metric
    label_count: int
    created_at: datetime


class Failure(Told):
    """The newest failure of the project's work; what failed is tried again by itself or by the next round."""

    what: str = Field(examples=["round 3", "block.embed"])
    reason: str | None
    at: datetime


class AnnotatorState(Told):
    """What one annotator gave."""

    annotator: str
    labels: int
    skips: int
    last_seen: datetime


FinishedBecause = Literal["stopped", "budget_spent", "pool_exhausted"]


class Status(Told):
    """A project at this moment."""

    project_id: UUID
    counts: Counts
    budget: Budget
    queue_depth: int = Field(description="ranked hand-outs that are left")
    embedding: Embedding
    round: RunningRound | None
    ranking: Ranking
    model: ModelState | None
    last_failure: Failure | None
    class_counts: dict[str, int]
    annotators: list[AnnotatorState]
    finished: bool
    finished_because: FinishedBecause | None = Field(description="stopped: by somebody, or as `stop_when` says")


class StageSeconds(Told):
    """How long a round spent in each stage; null: it has not been there, or is there still."""

    waiting: float | None
    training: float | None
    scoring: float | None
    selecting: float | None
    total: float | None


class RoundState(Told):
    """One turn of the loop."""

    number: int
    state: Literal["requested", "training", "scoring", "selecting", "ready", "failed"]
    reason: str
    strategy: str | dict[str, float]
    near_duplicate: float | None
    label_count: int = Field(description="labels it is trained on; 0: a ranking without a model")
    pool_count: int
    failure: str | None
    facts: dict[str, Any]
    requested_at: datetime
    ended_at: datetime | None
    seconds: StageSeconds


class RoundPage(Told):
    """Some rounds in order. `next` is the `after` of the next page; null: this is the last."""

    rounds: list[RoundState]
    next: int | None


class HistoryPoint(Told):
    """One point of the learning curve."""

    labels: int = Field(description="labeled items, the control arm's among them: what was paid for")
    control: int = Field(default=0, description="of these the control arm's, which the model never saw")
    score: float | None
    score_from: str | None = Field(
        description="test_set, cross_validation, or held_out: a part of the labels, kept from a tuned transformer"
    )
    metric: Metric
    strategy: str | dict[str, float]
    version: int
    round: int
    at: datetime | None


class History(Told):
    """The learning curve: what each trained model scored, over the labels it was given."""

    metric: Metric
    points: list[HistoryPoint]


class Check(Told):
    """One thing the gateway leans on."""

    name: Literal["database", "schema", "artifacts", "broker"]
    ok: bool
    needed: bool = Field(description="whether the gateway can do without")
    detail: str | None = None


class Readiness(Told):
    """Whether requests can be served."""

    ready: bool
    checks: list[Check]


class Alive(Told):
    """The process answers."""

    alive: Literal[True] = True
    version: str
