"""Entropies of columns of probabilities: the arithmetic that uncertainty and committee measures share.

Columns are float64 of shape (..., classes, rows); sums run over the classes in their order. `scratch` has the shape of
the columns and is overwritten.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64

FloatsT = TypeVar("FloatsT", bound=npt.NDArray[np.floating[Any]])

# Added before the logarithm, so that 0 * log 0 is 0 * -708.4, exactly 0. It is no smoothing: a p above 1e-291 is the
# same double after the sum, and below that p * log p moves by less than 2.3e-308.
_SMALLEST = float(np.finfo(np.float64).tiny)


def shannon_entropy(columns: Float64, scratch: Float64) -> Float64:
    """Entropy of each column in nats, at least 0, exactly 0 for a certain one."""
    total = np.add.reduce(_log_times(columns, scratch), axis=-2)
    # A probability that rounding left at 1 + 1e-7 would pull a certain row below zero.
    return at_least_zero(np.subtract(0.0, total, out=total))


def mean_bernoulli_entropy(columns: Float64, scratch: Float64) -> Float64:
    """Mean over the labels of the entropy of each label's yes or no, in nats. Overwrites the columns too."""
    total = np.add.reduce(_log_times(columns, scratch), axis=-2)
    np.subtract(1.0, columns, out=columns)
    total += np.add.reduce(_log_times(columns, scratch), axis=-2)
    return at_least_zero(np.divide(total, -columns.shape[-2], out=total))


def two_largest(columns: FloatsT, scratch: FloatsT, *, least: float = 0.0) -> tuple[FloatsT, FloatsT]:
    """The two largest of each column of (classes, rows); the second is `least` where there is one class.

    A knock-out: the lower half plays the upper, and each winner remembers the best it has beaten. Overwrites both.
    """
    half = len(columns) // 2  # of an odd number the middle class rests
    winners, beaten = columns[: len(columns) - half], scratch[: len(columns) - half]
    np.minimum(columns[:half], columns[len(winners) :], out=beaten[:half])
    np.maximum(columns[:half], columns[len(winners) :], out=winners[:half])
    beaten[half:] = least
    while len(winners) > 1:
        half = len(winners) // 2
        one, other = slice(half), slice(len(winners) - half, len(winners))
        np.maximum(beaten[one], beaten[other], out=beaten[one])
        np.maximum(beaten[one], np.minimum(winners[one], winners[other]), out=beaten[one])
        np.maximum(winners[one], winners[other], out=winners[one])
        winners, beaten = winners[: len(winners) - half], beaten[: len(beaten) - half]
    return winners[0], beaten[0]


def _log_times(columns: Float64, scratch: Float64) -> Float64:
    np.add(columns, _SMALLEST, out=scratch)
    np.log(scratch, out=scratch)
    return np.multiply(columns, scratch, out=scratch)


def at_least_zero(scores: Float64) -> Float64:
    """Cut what rounding left below 0, in place."""
    np.maximum(scores, 0.0, out=scores)
    return np.add(scores, 0.0, out=scores)  # -0.0 becomes 0.0, so that equal scores are equal bytes
