"""Which regularisation and which class weights: chosen in every round on rows the heads had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tithe.learners import scores
from tithe.learners.heads import expected_c, fit_heads
from tithe.learners.protocol import Metric
from tithe.learners.solver import Float32, Link

#: How much better a candidate must score, times 1 / sqrt(rows), for each tenfold step of C and each full step of class
#: weighting away from what is expected: held-out scores of few rows are mostly noise.
CAUTION = 1.5
#: The expected class weighting: balanced where a row carries one class, half way where each class stands alone.
EXPECTED_POWER: dict[Link, float] = {"softmax": 1.0, "sigmoid": 0.5}
#: Rows looked at; beyond, a sample decides.
SELECTION_ROWS = 5000


@dataclass(frozen=True)
class Choice:
    """What a round's heads are fitted with."""

    c: float  #: inverse regularisation
    power: float  #: class weighting: 0 none, 1 balanced


@dataclass(frozen=True)
class Grid:
    """The candidates of a round: every pair of one of `cs` (ascending) and one of `powers`."""

    cs: tuple[float, ...]
    powers: tuple[float, ...]


def grid_for(onehot: Float32, link: Link, previous: Choice | None) -> Grid:
    """The candidates worth their time: many while labels are few, then the last choice and its neighbours.

    Parameters
    ----------
    onehot
        float32, shape (classes, n): the labels.
    link
        ``"softmax"`` or ``"sigmoid"``.
    previous
        What the last round chose.
    """
    classes, labels = onehot.shape
    expected = Choice(expected_c(labels, classes), EXPECTED_POWER[link])
    counts = onehot.sum(axis=1)
    powers = (0.0, 0.5, 1.0)
    if link == "softmax" and counts.max() < 1.5 * counts.min():
        powers = (expected.power,)  # nothing to balance
    if labels * classes <= 20_000:
        return Grid(tuple(expected.c * 10**step for step in (-1, -0.5, 0, 0.5, 1)), powers)
    middle = previous or expected
    if labels * classes > 200_000:
        powers = (middle.power,)
    return Grid(tuple(middle.c * 10**step for step in (-0.5, 0, 0.5)), powers)


def choose(
    features: Float32, onehot: Float32, fold: NDArray[np.int64], link: Link, metric: Metric, grid: Grid
) -> Choice:
    """Cross-validate the grid and pick, with caution.

    For each candidate the folds' heads answer the rows they had not seen, and the answers of all folds are scored together.
    Scores are smoothed over neighbouring C with weights 1, 2, 1, and a candidate away from what is expected
    (:func:`tithe.learners.heads.expected_c`, `EXPECTED_POWER`) pays ``CAUTION / sqrt(n)`` a step.

    Parameters
    ----------
    features
        float32, shape (n, d + 1).
    onehot
        float32, shape (classes, n).
    fold
        int64, shape (n,): where each row is held out; negative, never.
    link, metric, grid
        What is fitted, what is scored, what is tried.

    Returns
    -------
    The candidate to fit with: the expected one when no row is ever held out.

    Notes
    -----
    The C are walked upward, each batch of (folds x powers) heads starting where the one before ended.
    """
    labels, classes = features.shape[0], onehot.shape[0]
    expected = Choice(expected_c(labels, classes), EXPECTED_POWER[link])
    folds = np.unique(fold[fold >= 0])
    if not len(folds) or (len(grid.cs) == 1 and len(grid.powers) == 1):
        return expected
    weights = np.tile((fold != folds[:, None]).astype(np.float32), (len(grid.powers), 1))
    power = np.repeat(np.float32(grid.powers), len(folds))
    table = np.zeros((len(grid.powers), len(grid.cs)))
    heads: Float32 | None = None
    for column, c in enumerate(grid.cs):
        c_of_each = np.full(len(power), c, np.float32)
        heads = fit_heads(features, onehot[None], weights, c_of_each, power, link, start=heads, tolerance=1e-3)
        for row, of_power in enumerate(heads.reshape(len(grid.powers), len(folds), classes, -1)):
            table[row, column] = held_out_score(features, onehot, fold, of_power, link, metric)
    edged = np.pad(table, ((0, 0), (1, 1)), mode="edge")
    smooth = (edged[:, :-2] + 2 * edged[:, 1:-1] + edged[:, 2:]) / 4
    steps = np.abs(np.log10(np.array(grid.cs) / expected.c))[None, :]
    steps = steps + np.abs(np.array(grid.powers) - expected.power)[:, None]
    row, column = np.unravel_index(np.argmax(smooth - CAUTION / np.sqrt(labels) * steps), table.shape)
    return Choice(grid.cs[int(column)], grid.powers[int(row)])


def held_out_logits(features: Float32, fold: NDArray[np.int64], heads: Float32) -> Float32:
    """Each row's logits from the head of the fold that holds it out: float32, shape (n, classes); NaN where none does."""
    logits = np.full((features.shape[0], heads.shape[1]), np.nan, np.float32)
    for number, head in zip(np.unique(fold[fold >= 0]), heads, strict=True):
        rows = fold == number
        logits[rows] = features[rows] @ head.T
    return logits


def held_out_score(
    features: Float32, onehot: Float32, fold: NDArray[np.int64], heads: Float32, link: Link, metric: Metric
) -> float:
    """The score of all held-out answers together, in [0, 1]."""
    seen = fold >= 0
    logits = held_out_logits(features, fold, heads)[seen].astype(np.float64)
    single = link == "softmax"
    said = scores.decide(logits if single else logits + 0.5, single=single)
    return scores.score(metric, onehot[:, seen].T > 0, said)
