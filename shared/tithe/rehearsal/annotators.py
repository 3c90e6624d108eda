"""What annotators say who err: the same wrong answer to the same item, whichever strategy asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tithe.learners.protocol import Float64, Targets
from tithe.rehearsal.stage import Marked

_STREAM = 5


def classes_said(truth: Targets, classes: int, rate: float, seed: int, taken_for: Float64 | None = None) -> Any:
    """Answers of which about `rate` are wrong.

    Parameters
    ----------
    truth
        int64, shape (n,); or bool, shape (n, classes): there one class too many or too few is a wrong answer.
    classes
        How many there are.
    rate
        The chance that an answer is wrong, in [0, 1).
    seed
        Same arguments, same answers.
    taken_for
        float64, shape (classes, classes): how likely a wrong answer to an item of the row's class is the column's.
        None: every other class alike.

    Examples
    --------
    >>> truth = np.zeros(1000, np.int64)
    >>> int((classes_said(truth, 3, 0.1, seed=0) != truth).sum())
    105
    """
    rng = np.random.default_rng([seed, _STREAM])
    wrong = rng.random(len(truth)) < rate
    drawn = rng.random(len(truth))
    if truth.ndim == 2:
        flipped = (drawn * classes).astype(np.int64)
        said = truth.copy()
        said[wrong, flipped[wrong]] ^= True
        return said
    if classes < 2:
        return truth
    if taken_for is None:
        other = (truth + 1 + (drawn * (classes - 1)).astype(np.int64)) % classes
    else:
        chances = np.cumsum(taken_for[truth], axis=1)
        other = np.minimum((drawn[:, None] * chances[:, -1:] >= chances).sum(axis=1), classes - 1)
    return np.where(wrong, other, truth)


def confusion(truth: Targets, answers: Float64) -> Float64:
    """How likely each class is taken for each other one, from a learner's answers to items it had not seen.

    Parameters
    ----------
    truth
        int64, shape (n,).
    answers
        float64, shape (n, classes); rows of NaN are left out.

    Returns
    -------
    float64, shape (classes, classes), zero on the diagonal, rows that sum to one.

    Examples
    --------
    >>> confusion(np.array([0, 1, 2]), np.array([[0.6, 0.3, 0.1], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]])).round(2).tolist()
    [[0.0, 0.75, 0.25], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    """
    classes = answers.shape[1]
    known = np.isfinite(answers).all(axis=1)
    found = np.zeros((classes, classes))
    np.add.at(found, truth[known], answers[known])
    np.fill_diagonal(found, 0.0)
    found[found.sum(axis=1) <= 0] = 1.0  # of a class nobody has seen nothing is known
    np.fill_diagonal(found, 0.0)
    shares: Float64 = found / found.sum(axis=1, keepdims=True)
    return shares


def entities_said(truth: Sequence[Marked], types: int, rate: float, seed: int) -> list[Marked]:
    """Entities of which about `rate` are wrong: overlooked, or, where there are several types, of another one.

    Examples
    --------
    >>> entities_said([[(0, 1, 0)]] * 4, 2, 0.5, seed=1)
    [[], [], [], [(0, 1, 0)]]
    """
    rng = np.random.default_rng([seed, _STREAM])
    said: list[Marked] = []
    for marked in truth:
        mine: Marked = []
        for first, stop, kind in marked:
            wrong, overlooked, turn = rng.random(3)
            if wrong >= rate:
                mine.append((first, stop, kind))
            elif types > 1 and overlooked < 0.5:
                mine.append((first, stop, (kind + 1 + int(turn * (types - 1))) % types))
        said.append(mine)
    return said
