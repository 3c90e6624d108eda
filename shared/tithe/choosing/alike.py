"""In what measure vectors are compared, and whether one is almost the same as another."""

from __future__ import annotations

import numpy as np

from tithe.learners.protocol import Float32, Float64
from tithe.strategies.near_duplicates import Apart

_UNIT = 1e-2


class Measure:
    """The measure of a pool, taken from some of its rows at random.

    Vectors of length one are compared as they are. Others are no embeddings made for that: each number is brought to
    mean 0 and variance 1 / d over the sample, as the linear learner does, or one large column would decide alone.
    """

    def __init__(self, sample: Float32) -> None:
        self._mean: Float32 | None = None
        self._scale: Float32 | None = None
        off = np.abs(np.einsum("ij,ij->i", sample, sample, dtype=np.float64) - 1)
        if len(sample) > 1 and np.median(off) > _UNIT:  # the median: a row that is off must not decide for all
            spread = sample.std(axis=0, dtype=np.float64)
            constant = spread <= 1e-6 * np.abs(sample).max(axis=0)  # nothing but rounding, for numbers of that size
            scale = np.where(constant, 0, 1 / np.where(constant, 1, spread)) / np.sqrt(max(1, (~constant).sum()))
            self._mean, self._scale = sample.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32)

    @property
    def plain(self) -> bool:
        """Whether vectors are compared as they are."""
        return self._mean is None

    def of(self, rows: Float32) -> Float32:
        """The rows in this measure, float32 of the same shape."""
        return rows if self._mean is None or self._scale is None else (rows - self._mean) * self._scale


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
