"""What one seed plays: its pool, its test part, what annotators answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.contracts.projects import Task
from tithe.learners.protocol import Float32, Float64
from tithe.rehearsal.annotators import classes_said, confusion, entities_said
from tithe.rehearsal.parting import parted
from tithe.rehearsal.settings import Settings
from tithe.rehearsal.stage import Stage
from tithe.strategies.arrays import Int64

_CONFUSION_ROWS = 4000


@dataclass(frozen=True)
class Problem:
    """A pool and a test part. Strategies see nothing of the test part, nor the answers of what is not labeled.

    Attributes
    ----------
    stage
        The data both are rows of.
    rows, test_rows
        int64: the pool's, in the order of its ordinals, and the test part's.
    vectors
        float32, shape (pool, d).
    answers
        What annotators say of the pool's items: targets of shape (pool, ...), or a list of entities for each.
    """

    stage: Stage
    seed: int
    rows: Int64
    test_rows: Int64
    vectors: Float32
    answers: Any

    @property
    def test_truth(self) -> Any:
        """The test part's labels as the data has them."""
        return truth_of(self.stage, self.test_rows)


def truth_of(stage: Stage, rows: Int64) -> Any:
    """The labels of some rows as the data has them."""
    if stage.task is Task.TOKENS:
        return [stage.marked[at] for at in rows.tolist()]
    return stage.targets[rows]


def parts_of(stage: Stage, settings: Settings, seed: int) -> tuple[Int64, Int64]:
    """The rows of the pool and those of the test part, for a seed."""
    if stage.given_test:
        edge = len(stage.targets) - stage.given_test
        return np.arange(edge), np.arange(edge, len(stage.targets))
    return parted(stage.targets, settings.test_share, seed)


def problem_of(stage: Stage, settings: Settings, seed: int, error_rate: float | None = None) -> Problem:
    """What the seed plays. `error_rate` None: as the settings say."""
    rows, test = parts_of(stage, settings, seed)
    # The pool of a test file is the file's rows as they lie: every process maps the same pages.
    vectors = stage.vectors[: len(rows)] if stage.given_test else np.ascontiguousarray(stage.vectors[rows])
    rate = settings.error_rate if error_rate is None else error_rate
    truth = truth_of(stage, rows)
    return Problem(stage, seed, rows, test, vectors, _said(stage, settings, vectors, truth, rate, seed))


def _said(stage: Stage, settings: Settings, vectors: Float32, truth: Any, rate: float, seed: int) -> Any:
    if not rate:
        return truth
    if stage.task is Task.TOKENS:
        return entities_said(truth, len(stage.classes), rate, seed)
    taken_for = None
    if settings.errors == "confusion" and truth.ndim == 1:
        taken_for = _taken_for(vectors, truth, len(stage.classes), seed)
    return classes_said(truth, len(stage.classes), rate, seed, taken_for)


def _taken_for(vectors: Float32, truth: Int64, classes: int, seed: int) -> Float64:
    """Which classes a model of some thousand true labels takes for one another."""
    from tithe.learners.linear import LinearLearner

    rows = np.random.default_rng([seed, 6]).permutation(len(truth))[:_CONFUSION_ROWS]
    model = LinearLearner().fit(vectors[rows], truth[rows], classes, task="single", seed=seed, members=0)
    found = model.out_of_fold
    return confusion(truth[rows], np.full((len(rows), classes), np.nan) if found is None else found)


@dataclass(frozen=True)
class Rows:
    """A stretch of a pool in memory, in the shape in which shards are read."""

    vectors: Float32  #: of the whole pool
    start: int
    stop: int

    def runs(self, chunk_rows: int) -> Iterator[tuple[int, Float32]]:
        """Every row in order, as (first ordinal, rows)."""
        for first in range(self.start, self.stop, chunk_rows):
            yield first, self.vectors[first : min(first + chunk_rows, self.stop)]

    def ordinals(self) -> Int64:
        """Every ordinal that has a row, ascending."""
        return np.arange(self.start, self.stop, dtype=np.int64)

    def gather(self, ordinals: Int64) -> tuple[npt.NDArray[np.bool_], Float32]:
        """All of them, in order."""
        return np.ones(len(ordinals), dtype=bool), self.vectors[ordinals]
