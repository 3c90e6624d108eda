"""Spread-out vectors by chance: k-means++ seeding."""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Floats, Int64
from tithe.strategies.distances import Distances, checked_given, checked_k, checked_vectors
from tithe.strategies.sampling import sample_rows
from tithe.strategies.squared_draws import SquaredDistanceDraws

_JUDGES = 16_384  # rows by whose sum of squared distances the best of several draws is told


def k_means_plus_plus(vectors: Floats, k: int, rng: np.random.Generator, given: Floats | None = None) -> Int64:
    """Choose k vectors by D² sampling: in proportion to the squared distance to the nearest one chosen before.

    The greedy variant: of ``2 + floor(log(k))`` draws the one is kept that leaves the smallest sum of squared
    distances. Without `given` the first vector is drawn uniformly. When every vector left is a copy of a chosen one,
    the rest is drawn uniformly from those.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    given : array of shape (m, d), optional
        Vectors that count as chosen already, such as the labeled ones.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array is not (n, d) or holds NaN or infinity, or `given` has another d.

    Notes
    -----
    The draws are exact for every n, see :class:`tithe.strategies.squared_draws.SquaredDistanceDraws`. The sum that
    tells the best of them is over all n up to 16,384, and over a random 16,384 of more. Time O(n * d * (m + k)) in
    matrix products at most, memory O(n).

    References
    ----------
    Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding, SODA, pp. 1027-1035 (p. 1034 on the
    greedy variant).

    Examples
    --------
    Of two points each kept twice, two picks take one of each, whatever the seed: copies have probability 0.

    >>> points = np.array([[0.0], [0.0], [9.0], [9.0]])
    >>> sorted(points[k_means_plus_plus(points, 2, np.random.default_rng(0)), 0].tolist())
    [0.0, 9.0]
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    k = checked_k(k, n)
    given = checked_given(given, vectors)
    chosen: list[int] = []
    if k == 0:
        return np.array(chosen, dtype=np.int64)
    if not len(given):
        chosen = [int(rng.integers(n))]
    centers = given if len(given) else vectors[chosen]
    draws = SquaredDistanceDraws(vectors, centers)
    for position in chosen:
        draws.add(position)
    to_judges = Distances(vectors[sample_rows(n, _JUDGES, rng)])
    closest = to_judges.nearest(centers)[1]
    tries = 2 + int(math.log(k))
    while len(chosen) < k and len(drawn := draws.draw(tries, rng)):
        after = np.empty((tries, len(closest)))
        for rows, squared in to_judges.to(vectors[drawn]):
            np.minimum(squared.T, closest[rows], out=after[:, rows])
        best = int(after.sum(axis=1).argmin())
        closest = after[best]
        chosen.append(int(drawn[best]))
        draws.add(chosen[-1])
    copies = np.setdiff1d(np.arange(n), chosen) if len(chosen) < k else np.empty(0, dtype=np.int64)
    return np.concatenate([np.array(chosen, dtype=np.int64), rng.permutation(copies)[: k - len(chosen)]])
