"""Who is held out and who is drawn twice: folds and bootstrap samples in which every class keeps an example."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

#: The fold of a row that is never held out.
ALWAYS_IN = -1


def strata(onehot: Float32) -> NDArray[np.int64]:
    """One stratum a row: its rarest class, or the number of classes where it carries none.

    Parameters
    ----------
    onehot
        float32, shape (classes, n): 1 where the row carries the class.

    Returns
    -------
    int64, shape (n,). With one class a row, the class itself.

    Examples
    --------
    >>> strata(np.array([[1, 1, 1, 0], [0, 1, 0, 0]], np.float32)).tolist()
    [0, 1, 0, 2]
    """
    classes = onehot.shape[0]
    rarity = np.where(onehot > 0, onehot.sum(axis=1, keepdims=True), np.inf)
    rarest: NDArray[np.int64] = np.where(onehot.any(axis=0), rarity.argmin(axis=0), classes).astype(np.int64)
    return rarest


def stratified_folds(stratum: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal the rows of each stratum over the folds in turn.

    A row alone in its stratum is never held out (`ALWAYS_IN`): a head that has not seen its class could not be scored
    on it.

    Parameters
    ----------
    stratum
        int64, shape (n,).
    folds
        How many, at least two.
    rng
        Decides who goes where.

    Returns
    -------
    int64, shape (n,): the fold in which the row is held out. Fold sizes differ by one at most, strata alone aside.

    Examples
    --------
    >>> stratified_folds(np.array([0, 0, 0, 0, 1]), 2, np.random.default_rng(0)).tolist()
    [1, 0, 0, 1, -1]
    """
    fold = np.full(len(stratum), ALWAYS_IN, np.int64)
    dealt = 0
    for value in np.unique(stratum):
        rows = rng.permutation(np.flatnonzero(stratum == value))
        if len(rows) > 1:
            fold[rows] = (dealt + np.arange(len(rows))) % folds
            dealt += len(rows)
    return fold


def bootstrap_weights(stratum: NDArray[np.int64], onehot: Float32, members: int, rng: np.random.Generator) -> Float32:
    """How often each member's bootstrap sample draws each row; drawn within strata, so that no class is ever lost.

    Parameters
    ----------
    stratum
        int64, shape (n,).
    onehot
        float32, shape (classes, n). A class whose every row a member missed gets one of them back, and likewise the
        rows without it.
    members
        How many samples.
    rng
        Draws.

    Returns
    -------
    float32, shape (members, n): whole numbers, their sum n for each member (a little more where rows came back).

    References
    ----------
    Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7, 1-26.
    """
    weights = np.zeros((members, len(stratum)), np.float32)
    for value in np.unique(stratum):
        rows = np.flatnonzero(stratum == value)
        drawn = rng.integers(len(rows), size=(members, len(rows)))
        for member in range(members):
            weights[member, rows] = np.bincount(drawn[member], minlength=len(rows))
    for present in (onehot, 1 - onehot):
        lost = ((weights @ present.T) == 0) & (present.sum(axis=1) > 0)
        for member, label in zip(*np.nonzero(lost), strict=True):
            weights[member, rng.choice(np.flatnonzero(present[label]))] = 1
    return weights
