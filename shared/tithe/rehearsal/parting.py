"""Which items a seed holds out to measure on."""

from __future__ import annotations

import numpy as np

from tithe.learners.folds import strata
from tithe.learners.protocol import Targets
from tithe.strategies.arrays import Int64


def parted(targets: Targets, share: float, seed: int) -> tuple[Int64, Int64]:
    """Pool and test part: positions, int64, each ascending.

    Each class has its share in the test part, rounded, at least one item there and one in the pool where there are two.
    Rows with several classes count as of their rarest.

    Parameters
    ----------
    targets
        int64, shape (n,), or bool, shape (n, classes).
    share
        Of the test part, in (0, 1).
    seed
        Same targets and seed, same parts.

    Examples
    --------
    >>> pool, test = parted(np.array([0] * 8 + [1] * 2), 0.2, seed=0)
    >>> len(pool), np.bincount(np.array([0] * 8 + [1] * 2)[test]).tolist()
    (7, [2, 1])
    """
    rng = np.random.default_rng([seed, 77])
    stratum = targets if targets.ndim == 1 else strata(np.ascontiguousarray(targets.T, np.float32))
    test: list[Int64] = []
    for one in np.unique(stratum):
        rows = rng.permutation(np.flatnonzero(stratum == one))
        out = min(max(1, round(share * len(rows))), len(rows) - 1)
        test.append(rows[:out])
    held_out = np.sort(np.concatenate(test)).astype(np.int64)
    return np.setdiff1d(np.arange(len(stratum)), held_out), held_out
