"""Predictions, as they are asked for and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from tithe.contracts.projects import Task
from tithe.contracts.shapes import Asked, Finite, ItemId, Told, Words

#: Classes whose probability is told; of more classes only the most probable are.
SHOWN_CLASSES = 50


class Prediction(Told):
    """What the model thinks of one item: `label`, `labels` or `spans`, whichever the task has."""

    label: str | None = None
    labels: list[str] | None = None
    spans: list[dict[str, Any]] | None = None
    confidence: float | None = Field(default=None, description="probability of the label; of the least certain class")
    probabilities: dict[str, float] | None = Field(default=None, description="most probable first, at most fifty")

    @classmethod
    def of(cls, task: Task, classes: Sequence[str], probabilities: Sequence[float]) -> Self:
        """A row of probabilities, aligned with the classes, as people read it."""
        ranked = sorted(zip(classes, map(float, probabilities), strict=True), key=lambda pair: -pair[1])
        shown = {name: round(p, 6) for name, p in ranked[:SHOWN_CLASSES]}
        if task is Task.MULTILABEL:
            least = min(max(p, 1 - p) for _, p in ranked)
            chosen = {name for name, p in ranked if p >= 0.5}
            return cls(labels=[c for c in classes if c in chosen], confidence=round(least, 6), probabilities=shown)
        return cls(label=ranked[0][0], confidence=round(ranked[0][1], 6), probabilities=shown)


class AskPredictions(Asked):
    """What to predict: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": ["A film to fall asleep in."]}]})

    texts: list[Words] | None = Field(default=None, min_length=1, max_length=256)
    vectors: list[list[Finite]] | None = Field(default=None, min_length=1, max_length=256)
    item_ids: list[ItemId] | None = Field(default=None, min_length=1, max_length=256)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(sent is not None for sent in (self.texts, self.vectors, self.item_ids)) != 1:
            raise ValueError("send exactly one of texts, vectors and item_ids")
        return self


class Predictions(Told):
    """Predictions in the order of what was sent, once `state` is done."""

    request_id: UUID | None = Field(description="of texts: what to ask for again while they wait for a scorer")
    state: Literal["waiting", "done", "failed"]
    model_version: int | None
    predictions: list[Prediction | None] | None = Field(
        description="null while waiting; an entry is null where the item has no vector yet"
    )
    failure: str | None = None
