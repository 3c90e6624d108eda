"""Which rows stand for a pool that is too large to be looked at whole."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Int64


def sample_rows(n: int, most: int, rng: np.random.Generator) -> Int64:
    """All n positions where there are no more than `most`, otherwise so many drawn without repeats; in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(rng.choice(n, size=most, replace=False, shuffle=False)).astype(np.int64, copy=False)


def rows_in_proportion(weights: Float64, draws: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Positions drawn in proportion to their weights, in order, and how often each was drawn.

    One draw from each of `draws` stretches of equal weight: every row is drawn its share of times in expectation, and
    less by chance than by independent draws, so sums over the pool are estimated without bias by sums over the draws.
    Weights are at least 0, finite, and not all 0.
    """
    reach = np.cumsum(weights)
    marks = (np.arange(draws) + rng.random(draws)) * (reach[-1] / draws)
    # A mark that was rounded up to the end belongs to the last row that has a weight.
    last = int(np.flatnonzero(weights)[-1])
    positions, times = np.unique(np.minimum(np.searchsorted(reach, marks, side="right"), last), return_counts=True)
    return positions.astype(np.int64, copy=False), times.astype(np.int64, copy=False)
