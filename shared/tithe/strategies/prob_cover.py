"""ProbCover: balls of one radius that hold as much of the pool as they can."""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.clustering import k_means
from tithe.strategies.distances import Distances, checked_given, checked_k, checked_vectors
from tithe.strategies.greedy_cover import Similarity, greedy_cover
from tithe.strategies.sampling import sample_rows
from tithe.strategies.seeding import k_means_plus_plus

KINDS = 20  # clusters that stand for classes where their number is not known
PURITY = 0.95
_MEASURED_ROWS = 4096


def prob_cover(
    vectors: Floats, k: int, rng: np.random.Generator, given: Floats | None = None, radius: float | None = None
) -> Int64:
    """ProbCover: each time the vector with the most others nearer than a radius that are near nothing chosen yet.

    The greedy cover of the pool by balls of one radius. A vector always covers itself. Equal gains go by a lot that
    `rng` casts; so does everything once all is covered.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    given : array of shape (m, d), optional
        Vectors that count as chosen already, such as the labeled ones.
    radius : float, optional
        Of the open balls, above 0; by default :func:`purity_radius` of the candidates. The method stands and falls
        with it (Bae et al. 2024); where it is in doubt, :func:`tithe.strategies.herding.max_herding` is the smoother.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array is not (n, d) or holds NaN or infinity, `given` has another d, or `radius` is not
        above 0.

    Notes
    -----
    Exact up to 4,096 candidates: time O(n * n * d), memory O(n * n), at most 128 MiB. For more, by samples of the pool
    as :mod:`tithe.strategies.greedy_cover` says: time O(n + 8,192 * (8,192 + m) * d), memory O(n) and 256 MiB.

    References
    ----------
    Yehuda, Dekel, Hacohen & Weinshall 2022, Active learning through a covering lens, NeurIPS 35, pp. 22354-22367
    (algorithm 1).

    Examples
    --------
    With balls of radius 1.5 on a line, 1 covers three, 8 and 9 cover each other, and 5 only itself.

    >>> line = np.array([[0.0], [1.0], [2.0], [5.0], [8.0], [9.0]])
    >>> chosen = prob_cover(line, 3, np.random.default_rng(0), radius=1.5)
    >>> line[chosen[[0, 2]], 0].tolist(), bool(chosen[1] in (4, 5))
    ([1.0, 5.0], True)
    """
    vectors = checked_vectors("vectors", vectors)
    k = checked_k(k, len(vectors))
    given = checked_given(given, vectors)
    if radius is None:
        radius = purity_radius(vectors, rng)
    elif not radius > 0.0:
        raise ValueError(f"radius must be above 0, not {radius}")
    return greedy_cover(vectors, np.ones(len(vectors)), k, rng, given, _ball(radius))


def purity_radius(vectors: Floats, rng: np.random.Generator, kinds: int = KINDS, purity: float = PURITY) -> float:
    """The largest radius at which a share `purity` of the balls around vectors hold one kind of vector only.

    k-means clusters stand for classes, as in the paper; it takes as many as there are classes, which candidates alone
    do not tell. A vector's ball is pure up to its distance to the nearest vector of another cluster, so the radius is
    a quantile of those distances. On at most 4,096 vectors drawn at random; infinity where all are copies.

    References
    ----------
    Yehuda, Dekel, Hacohen & Weinshall 2022, Active learning through a covering lens, NeurIPS 35, pp. 22354-22367 (the
    section on delta estimation).

    Examples
    --------
    Two kinds, whose nearest are 6 apart; half of the balls, around 0 and 9, are pure up to 7 and 8.

    >>> line = np.array([[0.0], [1.0], [7.0], [9.0]])
    >>> purity_radius(line, np.random.default_rng(0), kinds=2), purity_radius(line, np.random.default_rng(0), 2, 0.5)
    (6.0, 7.0)
    """
    rows = vectors[sample_rows(len(vectors), _MEASURED_ROWS, rng)]
    if not len(rows):
        return math.inf
    cluster = k_means(rows, rows[k_means_plus_plus(rows, kinds, rng)])
    to_other = np.full(len(rows), math.inf)
    for label in np.unique(cluster):
        others = rows[cluster != label]
        if len(others):
            to_other[cluster == label] = Distances(rows[cluster == label]).nearest(others)[1]
    impure = int((1.0 - purity) * len(rows))  # so many may meet another kind within the radius
    return math.sqrt(float(np.partition(to_other, impure)[impure]))


def _ball(radius: float) -> Similarity:
    def similarity(squared: Float64) -> Float64:
        return np.less(np.sqrt(squared, out=squared), radius).astype(np.float64)

    return similarity
