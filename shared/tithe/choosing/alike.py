"""No two near-duplicates in one queue: what is alike, and who came first."""

from __future__ import annotations

import numpy as np

from tithe.learners.protocol import Float32
from tithe.strategies.near_duplicates import Apart

_UNIT = 1e-2


class Admission:
    """Lets an item in if it is no near-duplicate of one that is in already.

    Parameters
    ----------
    threshold
        The cosine similarity from which two items are near-duplicates; None: everything is let in.
    sample
        Some rows of the pool, at random. Where their lengths are not one they are no embeddings made for cosines: each
        number is then brought to mean 0 and variance 1 over the sample, or one large column would make all rows alike.
    """

    def __init__(self, threshold: float | None, sample: Float32) -> None:
        self._apart = None if threshold is None else Apart(threshold)
        self._mean: Float32 | None = None
        self._scale: Float32 | None = None
        if len(sample) > 1 and (np.abs(np.einsum("ij,ij->i", sample, sample, dtype=np.float64) - 1) > _UNIT).any():
            spread = sample.std(axis=0, dtype=np.float64)
            self._mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0).astype(np.float32)
        self.left_out = 0

    def admit(self, vector: Float32) -> bool:
        """Whether the vector, shape (d,), is let in; it counts for those that follow."""
        if self._apart is None:
            return True
        if self._mean is not None and self._scale is not None:
            vector = (vector - self._mean) * self._scale
        let_in = bool(self._apart.offer(vector[np.newaxis])[0])
        self.left_out += not let_in
        return let_in
