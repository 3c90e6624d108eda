"""Which regularisation and which class weights: chosen in every round on rows the heads had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tithe.learners import scores
from tithe.learners.heads import expected_c, fit_heads
from tithe.learners.logistic import TOLERANCE, logits
from tithe.learners.protocol import Float32, Metric, Task

#: How much better a candidate must score, times 1 / sqrt(rows), for each tenfold step of C and each full step of class
#: weighting away from what is expected: held-out scores of few rows are mostly noise.
CAUTION = 1.5
#: With fewer labels nothing is tried: what is expected does as well (measured), and classes of one are never held out.
FEWEST_ROWS = 100
#: Rows looked at; beyond, a sample decides.
SELECTION_ROWS = 5000
#: Up to so many labels times classes the whole grid is searched, around what is expected; with several classes a row,
#: where each candidate is as many heads as classes, half of it.
WIDE_SEARCH = 20_000
#: Beyond so many, only the regularisation is; beyond ten times as many, nothing: the last round's choice stays.
NARROW_SEARCH = 200_000


@dataclass(frozen=True)
class Choice:
    """What a round's heads are fitted with."""

    c: float  #: inverse regularisation
    power: float  #: class weighting: 0 none, 1 balanced


def expected(onehot: Float32, task: Task, metric: Metric) -> Choice:
    """What to fit with before any cross-validation.

    Balanced class weights, but half-way where each class stands alone and is scored by exact matches: measured on 28
    emotions with 50 to 800 labels, balanced heads are the only ones to reach a macro-F1 above 0.2, half-way ones
    match rows best.

    Parameters
    ----------
    onehot
        float32, shape (classes, n): the labels.
    task, metric
        What is fitted, what is scored.
    """
    classes, labels = onehot.shape
    return Choice(expected_c(labels, classes), 0.5 if (task, metric) == ("multi", "accuracy") else 1.0)


@dataclass(frozen=True)
class Grid:
    """The candidates of a round: every pair of one of `cs` (ascending) and one of `powers`."""

    cs: tuple[float, ...]
    powers: tuple[float, ...]


def grid_for(onehot: Float32, task: Task, middle: Choice) -> Grid:
    """The candidates worth their time: many while labels are few, then `middle` and its neighbours.

    Parameters
    ----------
    onehot
        float32, shape (classes, n): the labels.
    task
        ``"single"`` or ``"multi"``.
    middle
        The last round's choice, or what is expected.
    """
    counts = onehot.sum(axis=1)
    even = task == "single" and counts.max() < 1.5 * counts.min()
    powers = (middle.power,) if even or onehot.size > NARROW_SEARCH else (0.0, 0.5, 1.0)
    wide = task == "single" and onehot.size <= WIDE_SEARCH
    steps = (-1.0, -0.5, 0.0, 0.5, 1.0) if wide else (-0.5, 0.0, 0.5)
    return Grid(tuple(middle.c * 10**step for step in steps), powers)


def choose(
    features: Float32,
    onehot: Float32,
    fold: NDArray[np.int64],
    task: Task,
    metric: Metric,
    previous: Choice | None = None,
) -> Choice:
    """Cross-validate and pick, with caution.

    For each candidate the folds' heads answer the rows they had not seen, and the answers of all folds are scored
    together. Scores are smoothed over neighbouring C with weights 1, 2, 1, and a candidate away from what is expected
    (:func:`expected`) pays ``CAUTION / sqrt(n)`` a step.

    Parameters
    ----------
    features
        float32, shape (n, d).
    onehot
        float32, shape (classes, n).
    fold
        int64, shape (n,): where each row is held out; negative, never.
    task, metric
        What is fitted, what is scored.
    previous
        The last round's choice: where the search is narrow, it is around this.

    Returns
    -------
    The candidate to fit with: the expected one below `FEWEST_ROWS`.

    Notes
    -----
    The C are walked upward, each fold's head starting where its last one ended.
    """
    likely = expected(onehot, task, metric)
    middle = likely if previous is None or onehot.size <= WIDE_SEARCH else previous
    folds = np.unique(fold[fold >= 0])
    if not len(folds) or onehot.shape[1] < FEWEST_ROWS or onehot.size > 10 * NARROW_SEARCH:
        return middle
    grid = grid_for(onehot, task, middle)
    weights = (fold != folds[:, None]).astype(np.float32)
    table = np.zeros((len(grid.powers), len(grid.cs)))
    for row, power in enumerate(grid.powers):
        heads: Float32 | None = None
        for column, c in enumerate(grid.cs):
            heads = fit_heads(features, onehot, weights, c, power, task, start=heads, tolerance=3 * TOLERANCE[task])
            table[row, column] = held_out_score(features, onehot, fold, heads, task, metric)
    edged = np.pad(table, ((0, 0), (1, 1)), mode="edge")
    smooth = (edged[:, :-2] + 2 * edged[:, 1:-1] + edged[:, 2:]) / 4
    steps = np.abs(np.log10(np.array(grid.cs) / likely.c)) + np.abs(np.array(grid.powers) - likely.power)[:, None]
    best = int(np.argmax(smooth - CAUTION / np.sqrt(onehot.shape[1]) * steps))
    return Choice(grid.cs[best % len(grid.cs)], grid.powers[best // len(grid.cs)])


def held_out_logits(features: Float32, fold: NDArray[np.int64], heads: Float32) -> Float32:
    """Each row's logits from the head that had not seen it: float32, shape (n, classes); NaN for rows all have seen."""
    answers = np.full((features.shape[0], heads.shape[1]), np.nan, np.float32)
    for number, head in zip(np.unique(fold[fold >= 0]), heads, strict=True):
        rows = fold == number
        answers[rows] = logits(head, features[rows])
    return answers


def held_out_score(
    features: Float32, onehot: Float32, fold: NDArray[np.int64], heads: Float32, task: Task, metric: Metric
) -> float:
    """The score of all held-out answers together, in [0, 1]."""
    seen = fold >= 0
    answers = held_out_logits(features, fold, heads)[seen].astype(np.float64)
    single = task == "single"
    said = scores.decide(answers if single else answers + 0.5, single=single)
    return scores.score(metric, onehot[:, seen].T > 0, said)
