"""From curves to figures: labels for a target, how many times as many random takes, areas, intervals. Pure.

An interval is the one that order statistics give for a median, whatever the distribution: no fewer than five seeds have
one of 90 %. A curve that ends before its target says only "more than": what follows from that is a bound, and told as
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

LEVEL = 0.9


@dataclass(frozen=True)
class Spread:
    """A median over seeds, with its interval where there are seeds enough. Infinity: beyond what was tried."""

    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ratio:
    """How many times as many labels random takes, over the seeds.

    Attributes
    ----------
    median
        None: nothing is known, as neither arrives.
    low, high
        Of the interval; None: too few seeds, or no bound on that side.
    bound
        `at least`: random did not arrive, the median is what is sure. `at most`: the strategy did not. None: it is
        exact.
    """

    median: float | None
    low: float | None
    high: float | None
    bound: Literal["at least", "at most"] | None


def labels_for(labels: Sequence[int], scores: Sequence[float], target: float) -> float:
    """Labels at which a curve first reaches the target, on the line between its points; infinity if it never does.

    Examples
    --------
    >>> labels_for([20, 40, 60], [0.5, 0.7, 0.8], 0.75), labels_for([20, 40], [0.8, 0.7], 0.75)
    (50.0, 20.0)
    >>> labels_for([20, 40], [0.5, 0.7], 0.75)
    inf
    """
    for at, score in enumerate(scores):
        if score >= target:
            if not at:
                return float(labels[0])
            before, gap = scores[at - 1], score - scores[at - 1]
            return float(labels[at - 1] + (labels[at] - labels[at - 1]) * (target - before) / gap)
    return math.inf


def area(labels: Sequence[int], scores: Sequence[float], until: int) -> float:
    """Mean height of the curve from its first point to `until` labels, in [0, 1]; before it: that of the first.

    Examples
    --------
    >>> area([20, 40, 60, 500], [0.5, 0.75, 1.0, 1.0], until=60)
    0.75
    """
    x, y = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    x, y = x[x <= until], y[x <= until]
    if len(x) < 2:
        return float(scores[0])
    steps = np.diff(x)
    return float((steps * (y[1:] + y[:-1]) / 2).sum() / steps.sum())


def interval_rank(n: int, level: float = LEVEL) -> int | None:
    """Which of n ordered values, from either end, bounds the median with at least that level; None: n is too small.

    The median lies outside the k-th values from both ends with probability 2 P(Bin(n, 1/2) < k).

    References
    ----------
    Conover 1999, Practical nonparametric statistics, 3rd edition, section 3.2, pp. 143-148.

    Examples
    --------
    >>> [interval_rank(n) for n in (3, 4, 5, 8, 20)]
    [None, None, 1, 2, 6]
    """
    found, tail = None, 0.0
    for k in range(1, n // 2 + 1):
        tail += math.comb(n, k - 1) / 2**n
        if 1 - 2 * tail < level:
            break
        found = k
    return found


def spread(values: Sequence[float]) -> Spread:
    """The median of one value a seed.

    Examples
    --------
    >>> spread([3.0, 1.0, 2.0, 5.0, 4.0])
    Spread(median=3.0, low=1.0, high=5.0)
    >>> spread([3.0, math.inf, 2.0])
    Spread(median=3.0, low=None, high=None)
    """
    ordered, rank = sorted(values), interval_rank(len(values))
    if rank is None:
        return Spread(_median(ordered), None, None)
    return Spread(_median(ordered), ordered[rank - 1], ordered[-rank])


def ratio(needed: Sequence[float], ended: Sequence[int], random: Sequence[float], tried: Sequence[int]) -> Ratio:
    """How many times as many labels random takes; above 1 the strategy wins.

    Parameters
    ----------
    needed, random
        Labels for the target by the strategy and by random, seed by seed; infinity where it was not reached.
    ended, tried
        Labels at which the curves end.

    Examples
    --------
    >>> ratio([100, 100, 100, 200, 100], [800] * 5, [300, 400, 500, 300, math.inf], [4000] * 5)
    Ratio(median=4.0, low=1.5, high=None, bound=None)
    >>> ratio([100.0], [800], [math.inf], [4000])
    Ratio(median=40.0, low=None, high=None, bound='at least')
    """
    lows, highs = [], []
    for mine, end, theirs, last in zip(needed, ended, random, tried, strict=True):
        both = math.isfinite(mine) and math.isfinite(theirs)
        lows.append(theirs / mine if both else last / mine if math.isfinite(mine) else 0.0)
        highs.append(theirs / mine if both else theirs / end if math.isfinite(theirs) else math.inf)
    low, high = spread(lows), spread(highs)
    least, most = low.low or None, high.high if high.high is not None and math.isfinite(high.high) else None
    sure = sorted(lows)[(len(lows) - 1) // 2]  # of an even number the lower: with 0 in it a mean says nothing
    if sure > 0.0:
        return Ratio(low.median, least, most, "at least" if low.median < high.median else None)
    if math.isfinite(high.median):
        return Ratio(high.median, least, most, "at most")
    return Ratio(None, least, most, None)


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return float((ordered[middle - 1] + ordered[middle]) / 2)
