"""Herding: picks that make the pool similar to what is picked, weighted by uncertainty once there is a model."""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import Distances, checked_given, checked_k, checked_vectors
from tithe.strategies.greedy_cover import Similarity, greedy_cover
from tithe.strategies.sampling import sample_rows

_MEASURED_ROWS = 4096  # labeled or pool rows a radius is measured on where there are more


def max_herding(
    vectors: Floats, k: int, rng: np.random.Generator, given: Floats | None = None, *, radius: float | None = None
) -> Int64:
    """MaxHerding: each time the vector that raises most how similar the pool is to its nearest chosen vectors.

    Greedy for the mean over the candidates x of ``max over chosen or given c of exp(-(distance(x, c) / radius)**2)``.
    Equal gains go by a lot that `rng` casts.

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
        Distance at which similarity has fallen to 1/e, above 0; by default :func:`spread` of the candidates.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array is not (n, d) or holds NaN or infinity, `given` has another d, or `radius` is not a
        finite number above 0.

    Notes
    -----
    Exact up to 4,096 candidates: time O(n * n * d), memory O(n * n), at most 128 MiB. For more, by samples of the pool
    as :mod:`tithe.strategies.greedy_cover` says: time O(n + 8,192 * (8,192 + m) * d), memory O(n) and 256 MiB.

    References
    ----------
    Bae, Noh & Sutherland 2024, Generalized coverage for more robust low-budget active learning, ECCV (algorithm 1).

    Examples
    --------
    Of 0, 1 and 2 the middle is most similar to all, 1 + 2/e; then 9, alone, adds 1 where 0 and 2 add 1 - 1/e.

    >>> line = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> max_herding(line, 2, np.random.default_rng(0), radius=1.0)
    array([1, 3])
    """
    vectors = checked_vectors("vectors", vectors)
    k = checked_k(k, len(vectors))
    given = checked_given(given, vectors)
    radius = spread(vectors, rng) if radius is None else _checked_radius(radius)
    return greedy_cover(vectors, np.ones(len(vectors)), k, rng, given, gaussian(radius))


def uncertainty_herding(
    vectors: Floats,
    uncertainty: Float64,
    k: int,
    rng: np.random.Generator,
    given: Floats | None = None,
    *,
    radius: float | None = None,
) -> Int64:
    """Uncertainty herding: as MaxHerding, each candidate counting by its uncertainty.

    Greedy for the sum over the candidates x of ``uncertainty(x) * max over chosen or given c of
    exp(-(distance(x, c) / radius)**2)``. With few labels the radius is wide and the picks stand for the uncertain part
    of the pool; with many it is so small that each stands for itself alone: uncertainty sampling.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    uncertainty : array of shape (n,)
        Finite, at least 0, higher = more worth asking, in any unit: only ratios count. Where all are 0 the choice is
        that of :func:`max_herding`. The paper scales the probabilities' temperature for the least calibration error
        first, so that a model of few labels does not count as sure: give uncertainty of calibrated probabilities.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    given : array of shape (m, d), optional
        The labeled vectors: what is near them is covered, and they set the radius.
    radius : float, optional
        Distance at which similarity has fallen to 1/e, above 0; by default :func:`labeled_radius`, and
        :func:`spread` of the candidates where that is infinite.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        As :func:`max_herding`, and if `uncertainty` is not one finite number of at least 0 for each candidate.

    Notes
    -----
    Time and memory as :func:`max_herding`.

    References
    ----------
    Bae, Oliveira & Sutherland 2025, Uncertainty herding: one active learning method for all label budgets, ICLR
    (algorithm 1).

    Examples
    --------
    Labeled items at 0 and 2 set the radius to 2. The two at 8 and 9 are worth more together than the more uncertain
    one at 20, near which there is nothing: 0.6 + 0.5 * exp(-1/4) = 0.99 against 0.9. With a small radius uncertainty
    alone decides.

    >>> line, doubt = np.array([[20.0], [8.0], [9.0]]), np.array([0.9, 0.6, 0.5])
    >>> uncertainty_herding(line, doubt, 1, np.random.default_rng(0), given=np.array([[0.0], [2.0]]))
    array([1])
    >>> uncertainty_herding(line, doubt, 3, np.random.default_rng(0), radius=0.01)
    array([0, 1, 2])
    """
    vectors = checked_vectors("vectors", vectors)
    weight = _checked_uncertainty(uncertainty, len(vectors))
    given = checked_given(given, vectors)
    if not weight.any():
        return max_herding(vectors, k, rng, given, radius=radius)
    k = checked_k(k, len(vectors))
    if radius is None:
        radius = labeled_radius(given, rng)
        radius = spread(vectors, rng) if math.isinf(radius) else radius
    return greedy_cover(vectors, weight, k, rng, given, gaussian(_checked_radius(radius)))


def labeled_radius(labeled: Floats, rng: np.random.Generator) -> float:
    """The smallest distance between two labeled vectors that are no copies of one another; infinity if none are.

    It shrinks as labels are added. Measured from all to all up to 4,096; of more, from 4,096 drawn at random to all, so
    that it may come out somewhat wide.

    References
    ----------
    Bae, Oliveira & Sutherland 2025, Uncertainty herding, ICLR (the paragraph on radius adaptation).

    Examples
    --------
    >>> labeled_radius(np.array([[0.0], [0.0], [3.0], [7.0]]), np.random.default_rng(0))
    3.0
    """
    nearest = math.inf
    if len(labeled):
        from_rows = labeled[sample_rows(len(labeled), _MEASURED_ROWS, rng)]
        for _, squared in Distances(from_rows).to(labeled):
            nearest = min(nearest, float(np.min(squared, where=squared > 0.0, initial=math.inf)))
    return math.sqrt(nearest)


def spread(vectors: Floats, rng: np.random.Generator) -> float:
    """Root mean square distance of the vectors to their mean, 1 where they are all copies; on at most 4,096 drawn rows.

    The paper takes 1 for vectors of length 1. So does this where they have no direction in common, their spread being
    ``sqrt(1 - length of the mean squared)``; and it follows any other scale, and does not change when all are shifted.

    References
    ----------
    Bae, Noh & Sutherland 2024, Generalized coverage for more robust low-budget active learning, ECCV (the choice of
    the Gaussian kernel's radius).

    Examples
    --------
    >>> spread(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.random.default_rng(0))
    1.0
    """
    rows = vectors[sample_rows(len(vectors), _MEASURED_ROWS, rng)]
    if not len(rows):
        return 1.0
    center = rows.mean(axis=0, dtype=np.float64, keepdims=True).astype(rows.dtype)
    squared = Distances(rows).nearest(center)[1]
    return math.sqrt(float(squared.mean())) or 1.0


def gaussian(radius: float) -> Similarity:
    """``exp(-(distance / radius)**2)`` of squared distances, in place."""

    def similarity(squared: Float64) -> Float64:
        with np.errstate(over="ignore"):  # infinitely many radii away: no similarity
            squared /= -radius
            squared /= radius
        return np.exp(squared, out=squared)

    return similarity


def _checked_radius(radius: float) -> float:
    if not (math.isfinite(radius) and radius > 0.0):
        raise ValueError(f"radius must be a finite number above 0, not {radius}")
    return float(radius)


def _checked_uncertainty(uncertainty: Float64, n: int) -> Float64:
    array = np.asarray(uncertainty, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"uncertainty, shape {array.shape}, must hold one number for each of the {n} vectors")
    good = np.isfinite(array) & (array >= 0.0)
    if not good.all():
        row = int(good.argmin())
        raise ValueError(
            f"uncertainty, shape {array.shape}: row {row} is {array[row]}, not a finite number of at least 0"
        )
    return array
