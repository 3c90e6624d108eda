"""Draws in proportion to the squared distance to the nearest center (D² sampling), by old distances as bounds."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import Distances

_NO_DISTANCE = 1e-300  # a smaller sum of squares is too coarse to draw from
_FIRST_TRIES = 16
_MOST_TRIES = 4096
# A row looked up out of order costs about as much as so many in passing.
_ROWS_PER_TRY = 16


class SquaredDistanceDraws:
    """Draws among n vectors, each in proportion to its squared distance to the nearest center, while centers are added.

    A new center only shortens distances, so a squared distance once computed bounds the current one from above. A row
    is drawn in proportion to its bound, met with the centers added since, and kept with probability current / bound. It
    comes out with probability ``bound / sum * current / bound``, which is in proportion to the current value: exactly
    the plain draw, by rejection. Bounds are brought up to date for all rows once the draws turned down have cost as
    much as that does, so either costs at most about twice the better of the two.

    O(n) memory.
    """

    def __init__(self, vectors: Floats, centers: Floats) -> None:
        self._vectors = vectors
        self._distances = Distances(vectors)
        self._added: list[int] = []  # positions the bounds have not met
        self._taken = np.zeros(len(vectors), dtype=np.bool_)
        self._set_bound(self._distances.nearest(centers)[1])

    def add(self, position: int) -> None:
        """Make the vector at a position a center; it is not drawn again."""
        self._added.append(position)
        self._taken[position] = True

    def draw(self, count: int, rng: np.random.Generator) -> Int64:
        """So many independent draws, repeats included; none at all when every vector left is a copy of a center."""
        found: list[Int64] = []
        missing, tries = count, _FIRST_TRIES
        while missing > 0:
            if self._turned_down > len(self._bound) // _ROWS_PER_TRY:
                self._refresh()
            if self._reach[-1] <= _NO_DISTANCE:
                return np.empty(0, dtype=np.int64)
            drawn = np.searchsorted(self._reach, rng.random(tries) * self._reach[-1], side="right")
            drawn = np.minimum(drawn, len(self._bound) - 1)  # a product that was rounded up to the sum
            kept = drawn[rng.random(tries) * self._bound[drawn] < self._current(drawn)][:missing]
            found.append(kept)
            missing -= len(kept)
            self._turned_down += tries if len(kept) == 0 else tries - len(kept)
            tries = min(2 * tries, _MOST_TRIES)
        return np.concatenate(found).astype(np.int64, copy=False)

    def _current(self, positions: Int64) -> Float64:
        current = self._bound[positions]
        if self._added:
            to_added = Distances(self._vectors[positions]).nearest(self._vectors[self._added])[1]
            np.minimum(current, to_added, out=current)
        current[self._taken[positions]] = 0.0
        return current

    def _refresh(self) -> None:
        if self._added:
            to_added = self._distances.nearest(self._vectors[self._added])[1]
            self._set_bound(np.minimum(self._bound, to_added, out=to_added))
        self._turned_down = 0

    def _set_bound(self, bound: Float64) -> None:
        bound[self._taken] = 0.0
        self._bound = bound
        self._reach = np.cumsum(bound)
        self._added = []
        self._turned_down = 0
