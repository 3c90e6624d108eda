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
_MET_BY_ALL = 64  # so many of the given vectors are met by every row before the farthest are looked at
_FEW_CENTERS = 4  # so many are met one by one; of more, each row's nearest is found by matrix products first


def k_center_greedy(
    vectors: Floats,
    k: int,
    rng: np.random.Generator,
    nearest_distance: Float64 | None = None,
    *,
    given: Floats | None = None,
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
        and without `given` nothing is labeled and the first vector is drawn uniformly.
    given : array of shape (m, d), optional
        In the place of `nearest_distance`, the labeled vectors themselves: most rows then meet only some of them.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array is not (n, d) or holds NaN or infinity, `given` has another d, `nearest_distance` is
        not one number of at least 0 per candidate, or both are given.

    Notes
    -----
    Time O(n * d * k) at most, memory O(n). A distance to the nearest chosen only shrinks, so an old one bounds it from
    above: only rows whose bound reaches the farthest current row are brought up to date, the same picks from few rows.
    Of `given` all rows meet the first 64, and more of them only those that are still among the farthest.

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
    known = vectors[:0] if given is None else checked_vectors("given", given, columns=vectors.shape[1])
    met = 0
    if len(known):
        if nearest_distance is not None:
            raise ValueError("nearest_distance and given say the same: give one of them")
        known = known[rng.permutation(len(known))].astype(vectors.dtype, copy=False)
        met = min(_MET_BY_ALL, len(known))
        bound = _squares_to_nearest(vectors, np.arange(n), known[:met])
    elif nearest_distance is None:
        chosen = rng.integers(n, size=1)
        bound = squared_distances_to(vectors, vectors[chosen])
        bound[chosen] = -1.0
        met = 1
    order = np.lexsort((rng.permutation(n), -bound))
    rows = _Rows(vectors, order, bound[order], known, chosen, met)
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

    def __init__(self, vectors: Floats, order: Int64, bound: Float64, given: Floats, chosen: Int64, met: int) -> None:
        self.bound = bound
        self._vectors = vectors
        self._order = order
        self._given = given
        self._chosen = chosen
        self._met = np.full(len(order), met)  # how many of the given, then of the chosen, each bound has met
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
        self._meet(self._current, len(self._given) + len(chosen))

    def _look_at(self, most: int) -> None:
        """Bring the rows of the highest bounds up to date, at least so many, and all that are equal."""
        least = np.partition(self.bound, -most)[-most]
        among = self.bound >= least
        self._elsewhere = float(np.max(self.bound, where=~among, initial=-np.inf))
        places = np.flatnonzero(among)
        everyone = len(self._given) + len(self._chosen)
        # Rows that have met all set a floor; those that fall below it on the way need meet no more.
        done = self.bound[places][self._met[places] == everyone]
        floor = float(done.max(initial=-np.inf))
        for stop in self._stages(places, everyone):
            self._meet(places, stop)
            below = (self.bound[places] < floor) & (self._met[places] < everyone)
            self._elsewhere = max(self._elsewhere, float(self.bound[places[below]].max(initial=-np.inf)))
            places = places[~below]
        self._current = places

    def _stages(self, places: Int64, everyone: int) -> list[int]:
        """How many vectors the rows are to have met after each step: twice as many each time, at last all."""
        stops = []
        stop = int(self._met[places].min(initial=everyone))
        while 0 < 2 * stop < len(self._given):
            stop *= 2
            stops.append(stop)
        return [*stops, everyone]

    def _meet(self, places: Int64, stop: int) -> None:
        """Let the bounds meet the vectors before number `stop`."""
        places = places[self._met[places] < stop]
        if not len(places):
            return
        centers = self._centers(int(self._met[places].min()), stop)
        if len(centers) <= _FEW_CENTERS:
            for center in centers:
                to_center = squared_distances_to(self._vectors, center, self._order[places])
                self.bound[places] = np.minimum(self.bound[places], to_center)
        else:
            to_nearest = _squares_to_nearest(self._vectors, self._order[places], centers)
            self.bound[places] = np.minimum(self.bound[places], to_nearest)
        self._met[places] = stop

    def _centers(self, start: int, stop: int) -> Floats:
        """The given vectors, then the chosen ones, numbered as one list."""
        split = len(self._given)
        chosen = self._vectors[self._chosen[max(0, start - split) : max(0, stop - split)]]
        return np.concatenate([self._given[start:stop], chosen])


def _squares_to_nearest(vectors: Floats, positions: Int64, centers: Floats) -> Float64:
    """Squared distance of the rows at the positions to a nearest center: found by products, measured directly."""
    squares = np.empty(len(positions))
    for block in row_blocks(len(positions), vectors.shape[1], 2**20):
        rows = vectors[positions[block]]
        rows -= centers[Distances(rows).nearest(centers)[0]]
        squares[block] = squared_distances_to(rows, np.zeros_like(centers[0]))
    return squares
