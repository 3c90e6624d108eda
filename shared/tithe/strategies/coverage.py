"""Which vectors to ask about so that the chosen stand for the rest: for cold starts and core-sets.

Every function takes candidates of shape (n, d) and returns distinct positions in them, in the order of choosing; all
randomness comes from the generator. Memory is O(n) beyond the vectors, never n x n.
"""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.clustering import k_means, mean_neighbour_distance
from tithe.strategies.distances import Distances, checked_distances, checked_k, checked_vectors, squared_distances_to

_FIRST_ROWS = 256  # how many of the farthest rows k-center keeps up to date before it needs more
_NO_DISTANCE = 1e-300  # a smaller sum of squares is too coarse to draw from
_MOST_CLUSTERS = 500
_NEIGHBOURS = 20
_SMALL_CLUSTER = 5


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
    Time O(n * d * (m + k * log(k))) in matrix products, memory O(n * log(k)).

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
    chosen = np.empty(0, dtype=np.int64)
    if k == 0:
        return chosen
    distances = Distances(vectors)
    if given is not None and len(given := checked_vectors("given", given, columns=vectors.shape[1])):
        closest = distances.nearest(given)[1]
    else:
        chosen = rng.integers(n, size=1)
        closest = distances.nearest(vectors[chosen])[1]
        closest[chosen] = 0.0
    draws = 2 + int(math.log(k))
    while len(chosen) < k and (reach := np.cumsum(closest))[-1] > _NO_DISTANCE:
        drawn = np.searchsorted(reach, rng.random(draws) * reach[-1], side="right")
        after = np.empty((draws, n))
        for rows, squared in distances.to(vectors[drawn]):
            np.minimum(squared.T, closest[rows], out=after[:, rows])
        best = int(after.sum(axis=1).argmin())
        closest = after[best]
        closest[drawn[best]] = 0.0
        chosen = np.append(chosen, drawn[best])
    copies = np.setdiff1d(np.arange(n), chosen) if len(chosen) < k else chosen[:0]
    return np.concatenate([chosen, rng.permutation(copies)[: k - len(chosen)]])


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
    known = len(chosen)  # every bound has met these; only the first `current` rows in order have met all chosen
    order = np.lexsort((rng.permutation(n), -bound))
    bound = bound[order]
    current = 0
    while len(chosen) < k:
        while current < n and (current == 0 or bound[:current].max() <= bound[current]):
            more = slice(current, max(2 * current, _FIRST_ROWS))
            for center in vectors[chosen[known:]]:
                np.minimum(bound[more], squared_distances_to(vectors, center, order[more]), out=bound[more])
            current = min(more.stop, n)
        farthest = int(bound[:current].argmax())
        chosen = np.append(chosen, order[farthest])
        to_chosen = squared_distances_to(vectors, vectors[order[farthest]], order[:current])
        np.minimum(bound[:current], to_chosen, out=bound[:current])
        bound[farthest] = -1.0
    return chosen


def typical(vectors: Floats, k: int, rng: np.random.Generator) -> Int64:
    """TypiClust without labels: the vector in the densest part of each of k clusters, largest cluster first.

    k-means into min(k, 500) clusters, then from each the vector with the smallest mean distance to its 20 nearest
    neighbours in the cluster. More picks than clusters go round again, next most typical first; clusters of fewer than
    5 vectors, which are outliers rather than clusters, come last.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, or `vectors` is not (n, d) or holds NaN or infinity.

    Notes
    -----
    Time O(n * d * (k * iterations + size of the largest cluster)), memory O(n + k * d) beside the cluster at hand.
    Meant for up to some ten thousand candidates; take a random sample of a larger pool first.

    References
    ----------
    Hacohen, Dekel & Weinshall 2022, Active learning on a budget: opposite strategies suit high and low budgets, ICML,
    PMLR 162, pp. 8175-8195 (algorithm 1).

    Examples
    --------
    Two clusters of five on a line; the middle of each has the nearest neighbours.

    >>> line = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [50.0], [52.0], [54.0], [56.0], [58.0]])
    >>> sorted(typical(line, 2, np.random.default_rng(0)).tolist())
    [2, 7]
    """
    vectors = checked_vectors("vectors", vectors)
    k = checked_k(k, len(vectors))
    if k == 0:
        return np.empty(0, dtype=np.int64)
    seeds = k_means_plus_plus(vectors, min(k, _MOST_CLUSTERS), rng)
    cluster = k_means(vectors, vectors[seeds])
    sizes = np.bincount(cluster, minlength=len(seeds))
    turn = np.empty(len(vectors), dtype=np.int64)
    lots = rng.permutation(len(vectors))
    for label in np.flatnonzero(sizes):
        members = np.flatnonzero(cluster == label)
        spread = mean_neighbour_distance(vectors[members], _NEIGHBOURS)
        turn[members[np.lexsort((lots[members], spread))]] = np.arange(len(members))
    size = sizes[cluster]
    return np.lexsort((cluster, -size, turn, size < _SMALL_CLUSTER))[:k]
