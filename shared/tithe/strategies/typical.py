"""TypiClust: the typical vectors of each cluster."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Floats, Int64
from tithe.strategies.clustering import k_means_centers, mean_neighbour_distance
from tithe.strategies.distances import Distances, checked_given, checked_k, checked_vectors
from tithe.strategies.sampling import sample_rows
from tithe.strategies.seeding import k_means_plus_plus

_MOST_ROWS = 20_000  # clusters of a larger pool are found by so many of its rows
_MOST_MEMBERS = 2048  # of a larger cluster so many members are judged, by one another
_MOST_CLUSTERS = 500
_NEIGHBOURS = 20
_SMALL_CLUSTER = 5


def typical(vectors: Floats, k: int, rng: np.random.Generator, given: Floats | None = None) -> Int64:
    """TypiClust: the vector in the densest part of each cluster that holds nothing labeled, largest cluster first.

    k-means into ``min(k + m, 500)`` clusters, then from each the vector with the smallest mean distance to its 20
    nearest neighbours in the cluster. Clusters take turns: those with the fewest labeled or chosen go first, of these
    the largest. Clusters of fewer than 5 vectors, which are outliers rather than clusters, come last.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    given : array of shape (m, d), optional
        The labeled vectors; each belongs to the cluster whose center is nearest.

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
    Exact where n is at most 20,000 and no cluster is larger than 2,048. In a larger pool the centers are found by
    20,000 rows drawn at random, and every row joins the nearest in one pass; of a larger cluster 2,048 members drawn at
    random are judged, by their distances to one another, and the rest come after them. Time O(n * d * clusters), memory
    O(n).

    References
    ----------
    Hacohen, Dekel & Weinshall 2022, Active learning on a budget: opposite strategies suit high and low budgets, ICML,
    PMLR 162, pp. 8175-8195 (algorithm 1).

    Examples
    --------
    Two clusters of five on a line; the middle of each has the nearest neighbours. One is labeled, so the other first.

    >>> line = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [50.0], [52.0], [54.0], [56.0], [58.0]])
    >>> sorted(typical(line, 2, np.random.default_rng(0)).tolist())
    [2, 7]
    >>> typical(line, 1, np.random.default_rng(0), given=np.array([[1.0]])).tolist()
    [7]
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    k = checked_k(k, n)
    given = checked_given(given, vectors)
    if k == 0:
        return np.empty(0, dtype=np.int64)
    cluster, asked = _clusters(vectors, min(k + len(given), _MOST_CLUSTERS), rng, given)
    lots = rng.permutation(n)
    turn = np.empty(n, dtype=np.int64)
    size = np.bincount(cluster, minlength=len(asked))
    by_cluster = np.split(np.argsort(cluster, kind="stable"), np.cumsum(size)[:-1])
    for label in np.flatnonzero(size):
        turn[_by_typicality(vectors, by_cluster[label], lots, rng)] = asked[label] + np.arange(size[label])
    return np.lexsort((cluster, -size[cluster], turn, size[cluster] < _SMALL_CLUSTER))[:k]


def _clusters(vectors: Floats, most: int, rng: np.random.Generator, given: Floats) -> tuple[Int64, Int64]:
    """The cluster of each vector, and how many labeled vectors each cluster holds."""
    rows = vectors[sample_rows(len(vectors), _MOST_ROWS, rng)]
    cluster, centers = k_means_centers(rows, rows[k_means_plus_plus(rows, most, rng)])
    if len(vectors) > len(rows):
        cluster = Distances(vectors).nearest(centers)[0]
    of_given = Distances(given).nearest(centers)[0] if len(given) else np.empty(0, dtype=np.int64)
    return cluster, np.bincount(of_given, minlength=len(centers))


def _by_typicality(vectors: Floats, members: Int64, lots: Int64, rng: np.random.Generator) -> Int64:
    """The members of a cluster, most typical first, and those that are not judged after them by lot."""
    judged = sample_rows(len(members), _MOST_MEMBERS, rng)
    spread = np.full(len(members), np.inf)
    spread[judged] = mean_neighbour_distance(vectors[members[judged]], _NEIGHBOURS)
    order: Int64 = members[np.lexsort((lots[members], spread))]
    return order
