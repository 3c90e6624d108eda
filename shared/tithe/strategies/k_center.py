"""The centers whose farthest vector is nearest: k-center, chosen farthest first."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import (
    Distances,
    checked_distances,
    checked_k,
    checked_vectors,
    row_blocks,
    squared_distances_to,
)

_FIRST_ROWS = 1024  # how many of the farthest rows k-center keeps up to date before it needs more
_FEW_CENTERS = 4  # so many are met one by one; of more, each row's nearest is found by matrix products first


def k_center_greedy(
    vectors: Floats, k: int, rng: np.random.Generator, nearest_distance: Float64 | None = None
) -> Int64:
    """Choose k vectors farthest first: each time the one whose nearest chosen (or labeled) vector is farthest away.

    The largest distance left is at most twice the smallest possible for any k centers. Of equally far vectors the one
    goes first that was farther to begin with, then by a lot that `rng` casts once.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    nearest_distance : array of shape (n,), optional
        Euclidean distance (not squared) of each candidate to its nearest labeled item, infinity allowed. Without it
        nothing is labeled and the first vector is drawn uniformly.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, `vectors` is not (n, d) or holds NaN or infinity, or `nearest_distance` is not one number of
        at least 0 per candidate.

    Notes
    -----
    Time O(n * d * k) at most, memory O(n). A distance to the nearest chosen only shrinks, so an old one bounds it from
    above: only rows whose bound reaches the farthest current row are brought up to date, the same picks from few rows.

    References
    ----------
    Gonzalez 1985, Clustering to minimize the maximum intercluster distance, Theoretical Computer Science 38,
    pp. 293-306.
    Sener & Savarese 2018, Active learning for convolutional neural networks: a core-set approach, ICLR, algorithm 1.
    Minoux 1978, Accelerated greedy algorithms for maximizing submodular set functions, Optimization Techniques,
    pp. 234-243 (the bounds).

    Examples
    --------
    On a line with a labeled item at 0: first 10, then 5 (5 from either), then 2 (2 from 0, against 1 for 9).

    >>> line = np.array([[2.0], [5.0], [9.0], [10.0]])
    >>> k_center_greedy(line, 3, np.random.default_rng(0), nearest_distance=line[:, 0])
    array([3, 1, 0])
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    k = checked_k(k, n)
    chosen = np.empty(0, dtype=np.int64)
    bound = np.empty(0) if nearest_distance is None else checked_distances("nearest_distance", nearest_distance, n) ** 2
    if k == 0:
        return chosen
    if nearest_distance is None:
        chosen = rng.integers(n, size=1)
        bound = squared_distances_to(vectors, vectors[chosen])
        bound[chosen] = -1.0
    order = np.lexsort((rng.permutation(n), -bound))
    rows = _Rows(vectors, order, bound[order], chosen)
    while len(chosen) < k:
        farthest = rows.farthest()
        if rows.bound[farthest] == 0.0:  # so are all others: copies of chosen ones, in order
            left = order[rows.bound == 0.0]
            return np.concatenate([chosen, left[: k - len(chosen)]])
        chosen = np.append(chosen, order[farthest])
        rows.choose(farthest, chosen)
    return chosen


class _Rows:
    """The candidates in the order in which equally far ones go, each with a bound on its squared distance.

    A few rows, `current`, have met every chosen vector; every other row's bound is at most `elsewhere`.
    """

    def __init__(self, vectors: Floats, order: Int64, bound: Float64, chosen: Int64) -> None:
        self.bound = bound
        self._vectors = vectors
        self._order = order
        self._chosen = chosen
        self._met = np.full(len(order), len(chosen))  # how many of the chosen each bound has met
        self._current = np.empty(0, dtype=np.int64)
        self._elsewhere = np.inf

    def farthest(self) -> int:
        """The place of the row farthest from what is chosen, of equals the first."""
        most = _FIRST_ROWS
        while True:
            if len(self._current):
                first = int(self._current[self.bound[self._current].argmax()])
                if self.bound[first] > self._elsewhere:
                    return first
            self._look_at(min(most, len(self.bound)))
            most *= 2

    def choose(self, place: int, chosen: Int64) -> None:
        """Take a row, the last of `chosen`."""
        self._chosen = chosen
        self.bound[place] = -1.0
        if len(self._current) > 2 * _FIRST_ROWS:  # too many to keep up with
            self._current, self._elsewhere = self._current[:0], np.inf
        self._meet(self._current)

    def _look_at(self, most: int) -> None:
        """Bring the rows of the highest bounds up to date, at least so many, and all that are equal."""
        least = np.partition(self.bound, -most)[-most]
        among = self.bound >= least
        self._elsewhere = float(np.max(self.bound, where=~among, initial=-np.inf))
        self._current = np.flatnonzero(among)
        self._meet(self._current)

    def _meet(self, places: Int64) -> None:
        places = places[self._met[places] < len(self._chosen)]
        if not len(places):
            return
        centers = self._vectors[self._chosen[self._met[places].min() :]]
        if len(centers) <= _FEW_CENTERS:
            for center in centers:
                to_center = squared_distances_to(self._vectors, center, self._order[places])
                self.bound[places] = np.minimum(self.bound[places], to_center)
        else:
            for block in row_blocks(len(places), self._vectors.shape[1], 2**20):
                vectors = self._vectors[self._order[places[block]]]
                vectors -= centers[Distances(vectors).nearest(centers)[0]]
                to_nearest = squared_distances_to(vectors, np.zeros_like(centers[0]))
                self.bound[places[block]] = np.minimum(self.bound[places[block]], to_nearest)
        self._met[places] = len(self._chosen)
