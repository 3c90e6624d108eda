"""From which probability on a class is said to be there, where each class stands by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float64

#: With fewer held-out rows that carry a class, or lack it, its threshold stays as it was.
FEWEST = 8


def tuned(answers: Float64, truth: NDArray[np.bool_], levels: Float64) -> Float64:
    """The threshold of each class with the best F1 on held-out answers.

    A threshold is moved only where `FEWEST` rows carry the class and as many do not, and half-way at most: the best cut
    of a few rows is mostly chance.

    Parameters
    ----------
    answers
        float64, shape (n, classes): held-out probabilities.
    truth
        bool, shape (n, classes).
    levels
        float64, shape (classes,): thresholds to start from.

    Returns
    -------
    float64, shape (classes,), in (0, 1).

    Examples
    --------
    >>> answers = np.repeat([0.1, 0.3, 0.9], 8)[:, None]
    >>> tuned(answers, answers > 0.2, np.array([0.5])).round(2).tolist()
    [0.35]
    """
    found = levels.copy()
    for label in range(len(levels)):
        own, carries = answers[:, label], truth[:, label]
        if min(carries.sum(), (~carries).sum()) < FEWEST:
            continue
        order = np.argsort(-own, kind="stable")
        hits = np.cumsum(carries[order])
        f1 = 2 * hits / (np.arange(1, len(own) + 1) + carries.sum())
        ends = np.append(own[order][1:] < own[order][:-1], True)  # equal answers are cut together
        at = int(np.argmax(np.where(ends, f1, -1)))
        below = own[order][at + 1] if at + 1 < len(own) else 0.0
        found[label] = (levels[label] + (own[order][at] + below) / 2) / 2
    return found
