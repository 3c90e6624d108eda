"""The shapes of the HTTP interface: projects, items, batches and labels. The Python client speaks them too.

Requests refuse what they do not know; responses may grow, so a reader ignores what it does not know. Predictions have a
room of their own (:mod:`tithe.contracts.predictions`), and so has what is looked at rather than changed
(:mod:`tithe.contracts.insight`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from tithe.contracts.predictions import AskPredictions, Prediction, Predictions
from tithe.contracts.projects import Project
from tithe.contracts.shapes import Annotator, Asked, Fault, ItemId, Problem, Told, Words

__all__ = [
    "AskBatch",
    "AskMore",
    "AskPredictions",
    "BatchItem",
    "BatchState",
    "Fault",
    "HandOut",
    "Heartbeat",
    "ImportProgress",
    "Imported",
    "LabelsStored",
    "OneLabel",
    "Outcome",
    "Prediction",
    "Predictions",
    "Problem",
    "ProjectPage",
    "Ranking",
    "RejectedLine",
    "SendLabels",
]


def _plain(value: Any) -> Any:
    """A label is flat, whatever else is wrong with it; what it means is checked against the project."""
    inner = value if isinstance(value, list) else [value]
    flat = [part for one in inner for part in (one.values() if isinstance(one, dict) else [one])]
    if isinstance(value, dict) or any(isinstance(part, (list, dict)) for part in flat):
        raise ValueError("a label is a class name, a list of class names, or a list of spans")
    return value


# ---- projects ----


class ProjectPage(Told):
    """Some projects. `next` is the `after` of the next page; null: this is the last."""

    projects: list[Project]
    next: UUID | None


# ---- items ----


class RejectedLine(Told):
    """A line that was not taken: its number (of a Parquet file: of its row), from 1."""

    line: int
    code: str
    reason: str
    remedy: str | None = None


class Imported(Told):
    """What became of an upload. Sending it again adds only what is not there yet."""

    import_id: UUID
    lines: int = Field(description="lines read, blank ones left out")
    accepted: int = Field(description="new items")
    duplicates: int = Field(description="lines whose content was there already")
    rejected: int
    labeled: int = Field(description="lines whose label was taken")
    rejected_lines: list[RejectedLine] = Field(description="the first hundred")


class ImportProgress(Told):
    """How far an upload is."""

    import_id: UUID
    state: Literal["running", "done", "broken"]
    accepted: int
    duplicates: int
    rejected: int
    started_at: datetime
    touched_at: datetime


# ---- batches and labels ----


class AskBatch(Asked):
    """A labeler asks for items."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"annotator": "ada", "size": 5}]})

    annotator: Annotator | None = Field(
        default=None,
        description="who asks: the same name gets the same open batch again. Default: the caller; only managers, and "
        "tools with a manager's key, may ask for somebody else",
    )
    size: int | None = Field(default=None, ge=1, le=1000, description="default: the project's batch_size")


class AskMore(Asked):
    """A labeler's page asks for more, before it runs out."""

    size: int | None = Field(
        default=None, ge=1, le=1000, description="how many are to wait in the batch; default: the project's batch_size"
    )


class BatchItem(Told):
    """One item to answer, and why it was chosen."""

    item_id: str
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    score: float | None = Field(
        description="by the project's strategy, higher is more worth asking; null: not ranked, or blind labeling"
    )
    chosen_by: str
    prediction: Prediction | None = Field(description="what the model thinks; null: no model, or blind labeling")
    why: dict[str, Any] = Field(
        description="how it was chosen: rank, votes, `doubtful` words with start, end and doubt, and more; "
        "in blind labeling only what tells nothing of the model's answer"
    )
    state: Literal["active", "done", "skipped", "expired", "released"] = "active"


class Ranking(Told):
    """How old the order is in which items are handed out. All null before the first round is ready."""

    round: int | None
    model_version: int | None
    labels_since: int = Field(description="labels this order has not seen; a corrected or withdrawn one counts again")
    ranked_at: datetime | None
    age_seconds: float | None


#: ``answered_by_you``: what is left waits for other annotators' opinions.
EmptyBecause = Literal[
    "pool_empty", "stopped", "budget_spent", "budget_reserved", "pool_exhausted", "all_leased", "answered_by_you"
]


class HandOut(Told):
    """Items for one annotator. Without items, `empty_because` says why."""

    batch_id: UUID | None
    expires_at: datetime | None
    round: int | None
    ranking: Ranking
    items: list[BatchItem]
    empty_because: EmptyBecause | None = None
    retry_after_seconds: int | None = Field(default=None, description="when asking again makes sense; null: never")


class BatchState(Told):
    """A batch as it stands, with every item it was handed out with."""

    batch_id: UUID
    project_id: UUID
    annotator: str
    state: Literal["open", "closed", "expired", "released"]
    created_at: datetime
    expires_at: datetime
    waiting: int = Field(description="items that still wait for an answer")
    items: list[BatchItem]


class Heartbeat(Told):
    """The batch is kept until then."""

    batch_id: UUID
    expires_at: datetime


class OneLabel(Asked):
    """An answer: a label, or a skip."""

    item_id: ItemId
    label: Annotated[Any, AfterValidator(_plain)] = Field(
        default=None, description="a class name, a list of class names, or a list of spans {start, end, label}"
    )
    skip: bool = False
    note: Words | None = Field(default=None, max_length=2000)
    annotator: Annotator | None = Field(
        default=None,
        description="who answered, where a tool holds the batch for several; default: its annotator",
    )
    correct: bool = Field(
        default=False,
        description="this takes the place of what the annotator said of the item before, through whatever batch",
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.skip and self.label is not None:
            raise ValueError("send a label, or skip: true, not both")
        return self


class SendLabels(Asked):
    """A labeler's answers to items of one batch: all of them are stored, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"labels": [{"item_id": "review-17", "label": "positive"}, {"item_id": "8", "skip": True}]}]
        }
    )

    labels: list[OneLabel] = Field(min_length=1, max_length=1000)


class Outcome(Told):
    """What became of one answer. Superseded ones are kept too; `because` says why they do not count."""

    item_id: str
    outcome: Literal["counted", "skipped", "corrected", "duplicate", "superseded"]
    because: str | None = None


class LabelsStored(Told):
    """What became of a call's answers."""

    outcomes: list[Outcome]
    batch_state: Literal["open", "closed", "expired", "released"]
    waiting: int = Field(description="items of the batch that still wait for an answer")
    label_count: int
    round_requested: int | None = Field(description="the round these labels asked for")
