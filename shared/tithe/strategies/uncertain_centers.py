"""Uncertain and far apart: k-center among the most uncertain items only."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.coverage import k_center_greedy
from tithe.strategies.distances import checked_distances, checked_k, checked_vectors
from tithe.strategies.shortlist import checked_uncertainty, most_uncertain, shortlist_length


def uncertain_k_center(
    vectors: Floats,
    uncertainty: Float64,
    k: int,
    rng: np.random.Generator,
    nearest_distance: Float64 | None = None,
    *,
    candidates: int | None = None,
) -> Int64:
    """Choose k vectors farthest first among the most uncertain ones, given what is labeled.

    Plain k-center looks for outliers, whatever the model thinks of them; here it spreads a batch over what the model
    doubts.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    uncertainty : array of shape (n,), float64
        Higher = more worth asking, in any unit; NaN is refused.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    nearest_distance : array of shape (n,), optional
        Euclidean distance (not squared) of each candidate to its nearest labeled item, infinity allowed. Without it
        nothing is labeled and the first vector is drawn uniformly from the uncertain ones.
    candidates : int, optional
        How many of the most uncertain to choose from, ``10 * k`` if not given, never fewer than k. Of equally uncertain
        ones at the border some are taken by lot.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k or candidates is negative, `vectors` is not (n, d) or holds NaN or infinity, or `uncertainty` or
        `nearest_distance` is not one number per vector.

    Notes
    -----
    Time O(n + candidates * d * k), memory O(n + candidates * d).

    References
    ----------
    Wei, Iyer & Bilmes 2015, Submodularity in data subset selection and active learning, ICML, PMLR 37, pp. 1954-1963
    (filter by uncertainty, then cover). Sener & Savarese 2018, Active learning for convolutional neural networks: a
    core-set approach, ICLR (k-center).

    Examples
    --------
    The point at 100 is the farthest, but certain. Of the three uncertain ones the one farthest from the labeled 0 goes
    first, then the one farthest from both:

    >>> line, doubt = np.array([[1.0], [5.0], [9.0], [100.0]]), np.array([0.9, 0.8, 0.9, 0.1])
    >>> uncertain_k_center(line, doubt, 2, np.random.default_rng(0), line[:, 0], candidates=3)
    array([2, 1])
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    uncertainty = checked_uncertainty(uncertainty, n)
    distance = None if nearest_distance is None else checked_distances("nearest_distance", nearest_distance, n)
    k = checked_k(k, n)
    kept = most_uncertain(uncertainty, shortlist_length(candidates, k), rng)
    near = None if distance is None else distance[kept]
    return kept[k_center_greedy(np.asarray(vectors[kept]), k, rng, near)]
