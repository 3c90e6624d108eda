"""What a model says of items as labels, each with the probability that the whole of it is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.choosing.answers import Asked
from tithe.contracts.projects import Project, Task
from tithe.learners.linear_model import LinearModel
from tithe.learners.scores import decide
from tithe.learners.tagging.alignment import to_text
from tithe.learners.words import Entity, Tagged
from tithe.loop.features import PoolVectors
from tithe.loop.models import Reader
from tithe.strategies.arrays import Float64, Int64

_ROWS = 8192


@dataclass(frozen=True)
class Labels:
    """Labels of some items.

    Attributes
    ----------
    ordinals
        int64, shape (n,).
    values
        As people answer: a class, classes, or spans.
    confidences
        float64, shape (n,), in [0, 1]: that every class, or every word, is as it was said. Classes and words are taken
        to be independent, so of several it is a score rather than a probability: thresholds need no more.
    """

    ordinals: Int64
    values: list[Any]
    confidences: Float64


def label(project: Project, model: Asked, vectors: PoolVectors, ordinals: Int64) -> Iterator[Labels]:
    """Labels of the items that are encoded, portion by portion, in their order."""
    if isinstance(model, LinearModel):
        for first in range(0, len(ordinals), _ROWS):
            found, rows = vectors.gather(ordinals[first : first + _ROWS])
            here = ordinals[first : first + _ROWS][found]
            yield _of_classes(project, here, model.predict_proba(rows), model.thresholds)
        return
    if not isinstance(model, Reader):
        raise TypeError(f"a {type(model).__name__} labels nothing")
    for part in model.portions(ordinals):
        said = model.of(part)
        if isinstance(said, Tagged):
            yield _of_entities(project, model, part, said)
        else:
            yield _of_classes(project, part, said, model.model.thresholds)


def _of_classes(project: Project, ordinals: Int64, answers: Float64, thresholds: Float64) -> Labels:
    names, single = project.labels, project.task is not Task.MULTILABEL
    said = decide(answers, single=single, thresholds=thresholds)
    if single:
        chosen = answers.argmax(axis=1)
        return Labels(ordinals, [names[at] for at in chosen], _shares(answers[np.arange(len(chosen)), chosen]))
    values = [[name for name, yes in zip(names, row, strict=True) if yes] for row in said.tolist()]
    return Labels(ordinals, values, _shares(np.where(said, answers, 1 - answers).prod(axis=1)))


def _of_entities(project: Project, reader: Reader, ordinals: Int64, said: Tagged) -> Labels:
    found: list[list[Entity]] = reader.model.entities(said)
    logs = np.log(np.maximum(said.probabilities[:, 0], 1e-12))  # of each word, that it belongs to no entity
    summed = np.concatenate([[0.0], np.cumsum(logs)])
    values, sure = [], np.zeros(len(found))
    for at, (entities, one) in enumerate(zip(found, reader.items.documents(ordinals), strict=True)):
        begin, end = int(said.starts[at]), int(said.starts[at + 1])
        sure[at] = summed[end] - summed[begin]
        for entity in entities:
            sure[at] += np.log(entity.confidence) - (summed[begin + entity.stop] - summed[begin + entity.first])
        spans = to_text(entities, one, project.labels)
        values.append([{name: span[name] for name in ("start", "end", "label")} for span in spans])
    return Labels(ordinals, values, _shares(np.exp(sure)))


def _shares(values: Float64) -> Float64:
    clipped: Float64 = np.clip(values, 0.0, 1.0)  # sums of rounded numbers may pass one
    return clipped
