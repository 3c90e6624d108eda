"""Predictions, as they are asked for and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from tithe.contracts.projects import Task
from tithe.contracts.shapes import Asked, Finite, ItemId, Told, Words

#: Classes whose probability is told; of more classes only the most probable are.
SHOWN_CLASSES = 50


class PredictedSpan(Told):
    """An entity the model sees: offsets in Unicode code points, half open."""

    start: int
    end: int
    label: str
    confidence: float | None = Field(default=None, description="how likely it is that exactly this is such an entity")


class Prediction(Told):
    """What the model thinks of one item: `label`, `labels` or `spans`, whichever the task has."""

    label: str | None = None
    labels: list[str] | None = None
    spans: list[PredictedSpan] | None = Field(default=None, description="in order, without overlap; []: no entity")
    confidence: float | None = Field(
        default=None,
        description="probability of the label; of the least certain class; of the least certain span, null without one",
    )
    probabilities: dict[str, float] | None = Field(default=None, description="most probable first, at most fifty")

    @classmethod
    def of(
        cls,
        task: Task,
        classes: Sequence[str],
        probabilities: Sequence[float],
        thresholds: Sequence[float] | None,
    ) -> Self:
        """A row of probabilities, aligned with the classes, as people read it.

        Parameters
        ----------
        task, classes
            The project's schema.
        probabilities
            One a class.
        thresholds
            Of a multi-label project: from which probability on each class is said, aligned with the classes. None:
            from one half on.

        Examples
        --------
        >>> Prediction.of(Task.MULTILABEL, ["a", "b"], [0.4, 0.3], [0.35, 0.5]).labels
        ['a']
        """
        ranked = sorted(zip(classes, map(float, probabilities), strict=True), key=lambda pair: -pair[1])
        shown = {name: round(p, 6) for name, p in ranked[:SHOWN_CLASSES]}
        if task is Task.MULTILABEL:
            limits = [0.5] * len(classes) if thresholds is None else thresholds
            said = [float(p) >= limit for p, limit in zip(probabilities, limits, strict=True)]
            # How likely each class is as it was said: with a threshold of its own that may be less than one half.
            least = min(float(p) if yes else 1 - float(p) for p, yes in zip(probabilities, said, strict=True))
            chosen = [name for name, yes in zip(classes, said, strict=True) if yes]
            return cls(labels=chosen, confidence=round(least, 6), probabilities=shown)
        return cls(label=ranked[0][0], confidence=round(ranked[0][1], 6), probabilities=shown)

    @classmethod
    def of_spans(cls, spans: Sequence[Mapping[str, Any]]) -> Self:
        """Spans ``{start, end, label, confidence}`` as people read them, in the order of the text.

        The whole is as sure as its least sure span: that is the one to look at first. Without a span there is nothing
        to be sure of, so its confidence is None.

        Examples
        --------
        >>> said = Prediction.of_spans([{"start": 9, "end": 12, "label": "LOC", "confidence": 0.7},
        ...                             {"start": 0, "end": 3, "label": "PER", "confidence": 0.9}])
        >>> [span.label for span in said.spans], said.confidence
        (['PER', 'LOC'], 0.7)
        """
        told = [
            PredictedSpan(
                start=int(span["start"]), end=int(span["end"]), label=span["label"],
                confidence=None if span.get("confidence") is None else round(float(span["confidence"]), 6),
            )
            for span in sorted(spans, key=lambda span: (span["start"], span["end"]))
        ]  # fmt: skip
        return cls(
            spans=told, confidence=min((one.confidence for one in told if one.confidence is not None), default=None)
        )

    def answer(self) -> str | list[str] | list[dict[str, Any]] | None:
        """What to send to agree with it: a label as it is answered."""
        if self.spans is not None:
            return [{"start": one.start, "end": one.end, "label": one.label} for one in self.spans]
        return self.labels if self.labels is not None else self.label


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
