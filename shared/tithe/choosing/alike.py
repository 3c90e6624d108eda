"""In what measure vectors are compared, and whether one is almost the same as another."""

from __future__ import annotations

import numpy as np

from tithe.learners.protocol import Float32, Float64
from tithe.strategies.near_duplicates import Apart

_UNIT = 1e-2
#: Between the quartiles of a normal distribution lie so many standard deviations.
_QUARTILES = 1.349
#: A spread of less than this share of a column's size is that of float32's rounding.
_ROUNDING = 1e-6
#: No number counts as farther from the middle, so that squares stay within float32.
_FARTHEST = np.float32(1e6)


class Measure:
    """The measure of a pool, taken from some of its rows at random.

    Vectors of length one are compared as they are. Others are no embeddings made for that: each number is brought to
    middle 0 and spread 1 / sqrt(d), or one large column would decide alone. Middle and spread are the median and the
    quartiles' (of columns where these are one, the mean and the standard deviation), so that a few rows far off do not
    make all others look alike.
    """

    def __init__(self, sample: Float32) -> None:
        self._middle: Float32 | None = None
        self._scale: Float32 | None = None
        off = np.abs(np.einsum("ij,ij->i", sample, sample, dtype=np.float64) - 1)
        if len(sample) > 1 and np.median(off) > _UNIT:  # the median: a row that is off must not decide for all
            self._middle, self._scale = _measured(sample.astype(np.float64))

    @property
    def plain(self) -> bool:
        """Whether vectors are compared as they are."""
        return self._middle is None

    def of(self, rows: Float32) -> Float32:
        """The rows in this measure, float32 of the same shape."""
        if self._middle is None or self._scale is None:
            return rows
        measured: Float32 = np.clip((rows - self._middle) * self._scale, -_FARTHEST, _FARTHEST)
        return measured


def _measured(sample: Float64) -> tuple[Float32, Float32]:
    """The middle and the scale of each column; a scale of 0 where it tells nothing but rounding."""
    low, middle, high = np.percentile(sample, (25, 50, 75), axis=0)
    even = high > low
    middle = np.where(even, middle, sample.mean(axis=0))
    spread = np.where(even, (high - low) / _QUARTILES, sample.std(axis=0))
    rounding = np.maximum(_ROUNDING * np.median(np.abs(sample), axis=0), np.finfo(np.float32).tiny)
    told = spread > rounding
    scale = np.where(told, 1 / np.where(told, spread, 1), 0) / np.sqrt(max(1, told.sum()))
    return middle.astype(np.float32), scale.astype(np.float32)


class Admission:
    """Lets an item in if it is no near-duplicate of one that is in already.

    Parameters
    ----------
    threshold
        The similarity from which two items are near-duplicates; None: everything is let in. Of vectors of length one
        it is the cosine. Of others it is 1 less the distance in the pool's measure, as a share of that of two random
        rows (the square root of 2): where length means something, one direction does not make two rows alike.
    measure
        The pool's.
    """

    def __init__(self, threshold: float | None, measure: Measure) -> None:
        self._measure = measure
        self._inside: Apart | _Distant | None = None
        if threshold is not None:
            self._inside = Apart(threshold) if measure.plain else _Distant(2 * (1 - threshold) ** 2)

    def admit(self, vector: Float32) -> bool:
        """Whether the vector, shape (d,), is let in; it counts for those that follow."""
        if self._inside is None:
            return True
        return bool(self._inside.offer(self._measure.of(vector[np.newaxis]))[0])


class _Distant:
    """Vectors kept so far, no two of them within a squared distance."""

    def __init__(self, reach: float) -> None:
        self._reach = reach + 1e-12
        self._kept = np.empty((0, 0))
        self._count = 0

    def offer(self, vectors: Float32) -> list[bool]:
        """Which of the vectors, best first, are kept."""
        return [self._keep(row) for row in vectors.astype(np.float64)]

    def _keep(self, row: Float64) -> bool:
        if self._count == len(self._kept):
            grown = np.empty((max(64, 2 * self._count), len(row)))
            grown[: self._count] = self._kept.reshape(-1, len(row))[: self._count]
            self._kept = grown
        gaps = self._kept[: self._count] - row
        if np.einsum("ij,ij->i", gaps, gaps).min(initial=np.inf) <= self._reach:
            return False
        self._kept[self._count] = row
        self._count += 1
        return True
