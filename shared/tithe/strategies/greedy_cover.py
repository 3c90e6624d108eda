"""Greedy coverage: picks that raise most how similar each row of a pool is to its nearest pick.

The objective is ``sum over rows of weight * similarity to the nearest chosen or given``, known as facility location.
Up to 4,096 rows it is computed over all of them. In a larger pool

- the sum is estimated from 8,192 draws of rows in proportion to their weights, except a candidate's own term, which is
  known and counts exactly: with a similarity so narrow that no other row is near, the picks are those of most weight;
- the candidates are 8,192 rows: the half with the most weight, then as many drawn in proportion to weight (all at
  random where weights are equal). After 1,024 picks others take their place.

Time O(n + 8,192 * 8,192 * d), whatever n, and the memory of 8,192 x 8,192 float32 similarities, 256 MiB.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import Distances, row_blocks, squared_distances_to
from tithe.strategies.draws import draw_keys
from tithe.strategies.sampling import rows_in_proportion

EXACT_ROWS = 4096
REFERENCE_DRAWS = 8192
CANDIDATE_ROWS = 8192
PICKS_PER_ROUND = 1024
_FIRST_ROWS = 32  # how many candidates' gains are computed anew before it is looked whether more need it

# From squared distances, which may be overwritten, to similarities of the same shape: 1 at 0, at least 0, never rising.
Similarity = Callable[[Float64], Float64]


def greedy_cover(
    vectors: Floats, weight: Float64, k: int, rng: np.random.Generator, given: Floats, similarity: Similarity
) -> Int64:
    """Distinct positions of min(k, n) picks, in order; of equal gains the one goes first that a lot from `rng` favours.

    `weight` is finite, at least 0 and somewhere above 0. Gains only shrink as picks are added, so an old one bounds the
    current from above and only candidates whose bound reaches the best current gain are computed anew: the same picks
    as by computing all, from few.

    References
    ----------
    Nemhauser, Wolsey & Fisher 1978, An analysis of approximations for maximizing submodular set functions I,
    Mathematical Programming 14, pp. 265-294 (greedy reaches 1 - 1/e of the best).
    Minoux 1978, Accelerated greedy algorithms for maximizing submodular set functions, Optimization Techniques,
    pp. 234-243 (the bounds).
    """
    free = np.ones(len(vectors), dtype=np.bool_)
    chosen = np.empty(0, dtype=np.int64)
    if k == 0:
        return chosen
    weight = weight / weight.max()
    reference = _Reference(vectors, weight, rng, given, similarity)
    while len(chosen) < k:
        positions = _candidates(weight, free, rng)
        known = np.concatenate([given, vectors[chosen]])
        candidates = _Candidates(vectors[positions], weight[positions], positions, reference, known)
        most = len(positions) if len(vectors) <= EXACT_ROWS else min(len(positions), PICKS_PER_ROUND)
        picks = [candidates.pick() for _ in range(min(k - len(chosen), most))]
        chosen = np.concatenate([chosen, positions[picks]])
        free[chosen] = False
        del candidates  # their similarities, before the next round's
    return chosen


class _Reference:
    """The rows whose coverage is summed, how much each counts, and how similar each is to its nearest pick so far."""

    def __init__(
        self, vectors: Floats, weight: Float64, rng: np.random.Generator, given: Floats, similarity: Similarity
    ) -> None:
        self.similarity = similarity
        self.positions: Int64 = np.arange(len(vectors))
        self.unit = 1.0
        self.share: Floats = weight
        if len(vectors) > EXACT_ROWS:
            self.positions, times = rows_in_proportion(weight, REFERENCE_DRAWS, rng)
            self.unit = float(weight.sum()) / REFERENCE_DRAWS
            self.share = times.astype(np.float32)
        self.rows = vectors[self.positions]
        self.reached: Floats = similar_to_nearest(self.rows, given, similarity).astype(self.share.dtype)


class _Candidates:
    """Rows that may be picked, in an order drawn by lot, so that the first of equals is a drawn one."""

    def __init__(self, rows: Floats, weight: Float64, positions: Int64, reference: _Reference, known: Floats) -> None:
        self._rows = rows
        self._weight = weight
        self._reference = reference
        self._own_reached = similar_to_nearest(rows, known, reference.similarity)
        self._similar = np.empty((len(rows), len(reference.rows)), dtype=reference.share.dtype)
        for block, squared in Distances(rows).to(reference.rows):
            self._similar[block] = reference.similarity(squared)
        # A candidate's own place in the reference, -1 for none. Its own term is computed apart, so not here too.
        place = np.minimum(np.searchsorted(reference.positions, positions), len(reference.positions) - 1)
        self._place = np.where(reference.positions[place] == positions, place, -1)
        there = np.flatnonzero(self._place >= 0)
        self._similar[there, self._place[there]] = 0.0
        self._bound = np.full(len(rows), np.inf)

    def pick(self) -> int:
        """Take the candidate of the greatest gain, and return its place among the candidates."""
        current = np.zeros(len(self._rows), dtype=np.bool_)
        picked, best, more = len(current), -1.0, _FIRST_ROWS
        # Who may still come before the one in hand: whose bound is higher, or equal and favoured by lot.
        ahead = np.flatnonzero(self._bound > best)
        while len(ahead):
            ahead = ahead[np.argsort(-self._bound[ahead], kind="stable")[:more]]
            self._bound[ahead] = self._gains(ahead)
            current[ahead] = True
            picked = int(np.where(current, self._bound, -1.0).argmax())
            best = float(self._bound[picked])
            tied = (self._bound == best) & (np.arange(len(current)) < picked)
            ahead = np.flatnonzero(~current & ((self._bound > best) | tied))
            more *= 2
        self._take(picked)
        return picked

    def _gains(self, candidates: Int64) -> Float64:
        reference = self._reference
        gains = np.empty(len(candidates))
        for rows in row_blocks(len(candidates), len(reference.rows)):
            added = self._similar[candidates[rows]]
            added -= reference.reached
            np.maximum(added, 0.0, out=added)
            gains[rows] = added @ reference.share
        own = self._weight[candidates] * (1.0 - self._own_reached[candidates])
        total: Float64 = own + reference.unit * gains
        return total

    def _take(self, picked: int) -> None:
        reference = self._reference
        np.maximum(reference.reached, self._similar[picked], out=reference.reached)
        if self._place[picked] >= 0:
            reference.reached[self._place[picked]] = 1.0
        to_picked = reference.similarity(squared_distances_to(self._rows, self._rows[picked]))
        np.maximum(self._own_reached, to_picked, out=self._own_reached)
        self._bound[picked] = -np.inf


def similar_to_nearest(vectors: Floats, centers: Floats, similarity: Similarity) -> Float64:
    """How similar each vector is to the nearest of the centers; 0 where there are none."""
    if not len(centers):
        return np.zeros(len(vectors))
    return np.asarray(similarity(Distances(vectors).nearest(centers)[1]), dtype=np.float64)


def _candidates(weight: Float64, free: np.ndarray[tuple[int], np.dtype[np.bool_]], rng: np.random.Generator) -> Int64:
    """Positions that may be picked, in an order drawn by lot."""
    left = rng.permutation(np.flatnonzero(free))
    if len(left) <= CANDIDATE_ROWS:
        return left
    heaviest = np.argpartition(-weight[left], CANDIDATE_ROWS // 2)  # from a shuffled order, so ties go by lot
    top, rest = left[heaviest[: CANDIDATE_ROWS // 2]], left[heaviest[CANDIDATE_ROWS // 2 :]]
    keys = draw_keys(weight[rest], rest, seed=int(rng.integers(2**63)))
    others = CANDIDATE_ROWS - len(top)
    return rng.permutation(np.concatenate([top, rest[np.argpartition(-keys, others)[:others]]]))
