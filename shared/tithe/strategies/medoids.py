"""k-medoids: the rows nearest to all that are nearest to them."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Floats, Int64
from tithe.strategies.distances import Distances, checked_k, checked_vectors
from tithe.strategies.sampling import sample_rows
from tithe.strategies.seeding import k_means_plus_plus

_MOST_ROWS = 8192  # a larger pool is clustered by so many of its rows
_MOST_MEMBERS = 1024  # then each cluster of the whole pool is judged by so many of its own
_MOST_ITERATIONS = 100


def k_medoids(vectors: Floats, k: int, rng: np.random.Generator) -> Int64:
    """Choose k vectors whose summed Euclidean distance to the pool is small, that of the largest cluster first.

    k-means++ seeds are the first medoids. Then, in turn, each vector joins its nearest medoid, and the member of each
    cluster with the least summed distance to the others becomes its medoid, until none changes or 100 times. Equal
    sums and sizes go by a lot that `rng` casts.

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
        Distinct positions in `vectors`, the medoid of the largest cluster first.

    Raises
    ------
    ValueError
        If k is negative, or `vectors` is not (n, d) or holds NaN or infinity.

    Notes
    -----
    Up to 8,192 vectors over all of them: time O(n * d * (k + size of the largest cluster)) an iteration, memory O(n).
    A larger pool, as in CLARA, is clustered by 8,192 rows drawn at random; then every row joins its nearest medoid, and
    each cluster chooses anew among 1,024 of its members by their distances to one another: O(n * d * k) more. From
    more than 2,048 picks the rows drawn are four times as many as the picks, and so the time of a pass grows.

    References
    ----------
    Park & Jun 2009, A simple and fast algorithm for K-medoids clustering, Expert Systems with Applications 36(2),
    pp. 3336-3341 (the alternation; its own seeding is replaced by k-means++).
    Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding, SODA, pp. 1027-1035.
    Kaufman & Rousseeuw 1990, Finding groups in data, Wiley, chapter 3 (CLARA: clustering by a sample).

    Examples
    --------
    Two groups on a line; the mean of the first is 2, but of its members 1 has the least summed distance.

    >>> line = np.array([[0.0], [1.0], [5.0], [50.0], [52.0], [53.0]])
    >>> sorted(k_medoids(line, 2, np.random.default_rng(0)).tolist())
    [1, 4]
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    k = checked_k(k, n)
    if k == 0:
        return np.empty(0, dtype=np.int64)
    sample = sample_rows(n, max(_MOST_ROWS, 4 * k), rng)
    medoids = sample[_alternate(vectors[sample], k, rng)]
    clusters = _clusters(vectors, medoids)
    if n > len(sample):
        lots = rng.permutation(n)
        judged = [_some(members, medoid, rng) for members, medoid in zip(clusters, medoids, strict=True)]
        medoids = np.array([_center(vectors, *pair, lots) for pair in zip(judged, medoids, strict=True)])
    sizes = np.array([len(members) for members in clusters])
    return medoids[np.lexsort((rng.permutation(k), -sizes))]


def _alternate(vectors: Floats, k: int, rng: np.random.Generator) -> Int64:
    medoids = k_means_plus_plus(vectors, k, rng)
    lots = rng.permutation(len(vectors))
    for _ in range(_MOST_ITERATIONS):
        clusters = _clusters(vectors, medoids)
        moved = np.array([_center(vectors, *pair, lots) for pair in zip(clusters, medoids, strict=True)])
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return medoids


def _clusters(vectors: Floats, medoids: Int64) -> list[Int64]:
    """The positions nearest to each medoid, in order; each medoid is with itself, also where it has copies."""
    cluster = Distances(vectors).nearest(vectors[medoids])[0]
    cluster[medoids] = np.arange(len(medoids))
    ends = np.cumsum(np.bincount(cluster, minlength=len(medoids)))
    return np.split(np.argsort(cluster, kind="stable"), ends[:-1])


def _center(vectors: Floats, members: Int64, medoid: int, lots: Int64) -> int:
    """The member with the least summed distance to the others: of equals the medoid it has, then by lot."""
    rows = vectors[members]
    total = np.empty(len(members))
    for block, squared in Distances(rows).to(rows):
        total[block] = np.sqrt(squared, out=squared).sum(axis=1)
    return int(members[np.lexsort((lots[members], members != medoid, total))[0]])


def _some(members: Int64, medoid: int, rng: np.random.Generator) -> Int64:
    drawn = members[sample_rows(len(members), _MOST_MEMBERS, rng)]
    return np.union1d(drawn, [medoid])
