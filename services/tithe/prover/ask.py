"""Ask a model about items, whatever it reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from tithe.choosing.answers import Asked
from tithe.contracts.projects import Project, Task
from tithe.learners.linear_model import LinearModel
from tithe.learners.words import Tagged
from tithe.loop.features import PoolVectors
from tithe.loop.models import Reader
from tithe.prover.said import Classes, Said, Spans
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.sequence import word_entropy

#: Drawn items a model is asked about: what an answer costs decides.
_BY_VECTORS, _BY_WORDS, _BY_NETWORK = 2000, 1000, 300


def most_asked(model: Any) -> int:
    """How many drawn items the model is asked about, beside those that have a label."""
    if isinstance(model, LinearModel):
        return _BY_VECTORS
    return _BY_WORDS if model.model.reads == "words" else _BY_NETWORK


def ask(project: Project, model: Asked, vectors: PoolVectors, ordinals: Int64) -> Said:
    """What the model says of the items, every one of which is encoded."""
    single = project.task is not Task.MULTILABEL
    if isinstance(model, LinearModel):
        rows = vectors.gather(ordinals)[1]
        return Classes(ordinals, model.predict_proba(rows), model.thresholds, single)
    if not isinstance(model, Reader):
        raise TypeError(f"{type(model).__name__} cannot be asked about items")
    parts = [model.of(part) for part in model.portions(ordinals)]
    if project.task is Task.TOKENS:
        return _spans(model, ordinals, [part for part in parts if isinstance(part, Tagged)])
    answers = [part for part in parts if not isinstance(part, Tagged)]
    empty = np.empty((0, len(project.labels)), dtype=np.float64)
    return Classes(ordinals, np.concatenate([empty, *answers]), model.model.thresholds, single)


def _spans(reader: Reader, ordinals: Int64, parts: list[Tagged]) -> Spans:
    found, doubts = [], [np.empty(0, dtype=np.float64)]
    for part in parts:
        found += [frozenset((one.first, one.stop, one.type) for one in some) for some in reader.model.entities(part)]
        doubts.append(_mean_doubt(part))
    return Spans(ordinals, found, np.concatenate(doubts))


def _mean_doubt(said: Tagged) -> Float64:
    words = word_entropy(said.probabilities) / np.log(max(2, said.probabilities.shape[1]))
    sums = np.concatenate([[0.0], np.cumsum(words)])
    lengths = np.diff(said.starts)
    total: Float64 = sums[said.starts[1:]] - sums[said.starts[:-1]]
    return np.divide(total, lengths, out=np.zeros(len(lengths)), where=lengths > 0)
