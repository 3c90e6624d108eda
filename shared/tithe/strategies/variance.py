"""Variance reduction: labels after which the model's answers to the whole pool would vary least."""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import checked_given, checked_k, checked_vectors
from tithe.strategies.sampling import rows_in_proportion, sample_rows

#: Of a larger pool so many rows stand for it in the sum.
REFERENCE_ROWS = 4096
#: From a larger pool so many draws, in proportion to the doubt, are the ones that may be chosen; never fewer than 4 k.
CANDIDATE_DRAWS = 8192
#: Wider vectors are projected to so many numbers first: the products between them stay, give or take a few hundredths.
MOST_NUMBERS = 1024
#: Labeled rows whose squares are summed at a time.
_KNOWN_ROWS = 4096


def answer_variance(probabilities: Floats) -> Float64:
    """``1 - sum(p**2)`` of each row: the summed variance of the answer's indicators, 0 to ``1 - 1 / classes``.

    Examples
    --------
    >>> answer_variance(np.array([[1.0, 0.0], [0.5, 0.5]]))
    array([0. , 0.5])
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    squares: Float64 = np.einsum("ij,ij->i", rows, rows)
    return np.maximum(0.0, 1.0 - squares)


def mean_label_variance(probabilities: Floats) -> Float64:
    """``2 p (1 - p)``, averaged over labels that stand alone: 0 to one half.

    Examples
    --------
    >>> mean_label_variance(np.array([[1.0, 0.0], [0.5, 1.0]]))
    array([0.  , 0.25])
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    return np.asarray((2.0 * rows * (1.0 - rows)).mean(axis=1))


def expected_ridge(classes: int, labels: int) -> float:
    """``100 / (classes * sqrt(labels))``, within [1/30, 10]: what the product's heads are about regularised with.

    Examples
    --------
    >>> expected_ridge(4, 100), expected_ridge(77, 10_000)
    (2.5, 0.03333333333333333)
    """
    return float(np.clip(100 / (classes * math.sqrt(max(1, labels))), 1 / 30, 10.0))


def variance_reduction(
    vectors: Floats,
    variance: Float64,
    k: int,
    rng: np.random.Generator,
    given: Floats | None = None,
    *,
    ridge: float = 1.0,
) -> Int64:
    """Choose k vectors, each time the one whose label would lower the variance of the pool's answers most.

    For a logistic head over vectors x with answers of variance v(x), the weights that the labels L leave open vary as
    the inverse of ``A = ridge * I + sum over L of v(x) x x'``, and the answers of the pool, summed, as ``trace(A^-1
    B)`` with ``B = sum over the pool of v(x) x x'``. A label for x takes ``v x' A^-1 B A^-1 x / (1 + v x' A^-1 x)`` off
    that: much where the answer is open, where the pool is dense and doubtful, and where no label is near. All classes
    share one A. What the labeled ones' v is, is not asked: each counts by the mean v of rows drawn in proportion to v,
    which is about how they were chosen.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates, which also stand for the pool. Of any one length; their mean square length is the unit of
        `ridge`.
    variance : array of shape (n,)
        Finite, at least 0: :func:`answer_variance` or :func:`mean_label_variance`. Where all are 0 every one counts 1.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    given : array of shape (m, d), optional
        The labeled vectors.
    ridge : float
        Above 0. Large, and dense doubtful regions are asked again and again; small, and the picks spread out.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array is not (n, d) or holds NaN or infinity, `given` has another d, `variance` is not one
        finite number of at least 0 for each vector, or `ridge` is not a finite number above 0.

    Notes
    -----
    Greedy and exact up to 4,096 vectors: after each pick the inverse changes by one rank, so a pick costs two products
    of the candidates with a vector. From more, B is of 4,096 rows drawn at random, and one of 8,192 draws in proportion
    to the variance is picked. Time O((c + m) d² + d³ + k (c + k) d) for c candidates and m labeled, memory
    O((c + k + d) d). Vectors of more than 1,024 numbers are projected to so many at random first (Johnson &
    Lindenstrauss 1984, Extensions of Lipschitz mappings into a Hilbert space, Contemporary Mathematics 26,
    pp. 189-206), which bounds d.

    References
    ----------
    Schein & Ungar 2007, Active learning for logistic regression: an evaluation, Machine Learning 68, pp. 235-265
    (A-optimality, pp. 240-243).
    Ash, Goel, Krishnamurthy & Kakade 2021, Gone fishing: neural active learning with Fisher embeddings, NeurIPS 34,
    pp. 8927-8939 (the same trace for batches, greedily by rank-one updates).

    Examples
    --------
    Three alike to the east, two to the north: east first, which most are served by, then north, then east again.

    >>> pool = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> picks = variance_reduction(pool, np.full(5, 0.5), 3, np.random.default_rng(0))
    >>> pool[picks].tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    vectors = checked_vectors("vectors", vectors)
    n = len(vectors)
    k = checked_k(k, n)
    given = checked_given(given, vectors)
    weight = _checked_variance(variance, n)
    if not (math.isfinite(ridge) and ridge > 0.0):
        raise ValueError(f"ridge must be a finite number above 0, not {ridge}")
    if k == 0:
        return np.empty(0, dtype=np.int64)
    if not weight.any():
        weight = np.ones(n)
    if vectors.shape[1] > MOST_NUMBERS:
        directions = rng.standard_normal((vectors.shape[1], MOST_NUMBERS), dtype=np.float32) / math.sqrt(MOST_NUMBERS)
        vectors, given = vectors @ directions, given @ directions
    reference = sample_rows(n, REFERENCE_ROWS, rng)
    rows = _unit_scale(vectors[reference])
    scale = math.sqrt(float((rows**2).sum()) / len(rows)) or 1.0
    pool = _weighted_squares(rows / scale, weight[reference]) / len(rows)
    asked = float((weight[reference] ** 2).sum() / weight[reference].sum()) if weight[reference].any() else 1.0
    known = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(given), _KNOWN_ROWS):
        part = _unit_scale(given[start : start + _KNOWN_ROWS]) / scale
        known += _weighted_squares(part, np.full(len(part), asked))
    inverse = np.linalg.inv(known + ridge * np.eye(vectors.shape[1])).astype(np.float64, copy=False)
    positions = _candidates(weight, k, rng)
    picks = _greedy(_unit_scale(vectors[positions]) / scale, weight[positions], k, inverse, pool)
    return positions[picks]


def _greedy(rows: Float64, weight: Float64, k: int, inverse: Float64, pool: Float64) -> Int64:
    """Places of k rows, the largest gain first; of equal ones the one that comes first.

    ``reach`` is ``x' A^-1 x`` of each row and ``gain`` is ``x' G x`` with ``G = A^-1 B A^-1``. A pick x of variance v
    adds ``v x x'`` to A. With ``z = A^-1 x``, ``h = G x`` and ``f = v / (1 + v x' z)``, by Sherman & Morrison ``A^-1``
    loses ``f z z'``, and so G becomes ``G - f (z h' + h z') + f**2 (x' G x) z z'``: each turn's z and h follow from the
    first ones and the products of the row with the z and h of the turns before.
    """
    spread = inverse @ pool @ inverse
    toward, seen = rows @ inverse, rows @ spread
    reach = np.einsum("ij,ij->i", toward, rows)
    gain = np.einsum("ij,ij->i", seen, rows)
    zs, hs = np.empty((k, rows.shape[1])), np.empty((k, rows.shape[1]))
    factor, worth = np.empty(k), np.empty(k)
    left = np.ones(len(rows), dtype=bool)
    chosen = np.empty(k, dtype=np.int64)
    for turn in range(k):
        pick = int(np.where(left, weight * gain / (1.0 + weight * reach), -1.0).argmax())
        chosen[turn], left[pick] = pick, False
        past_z = factor[:turn] * (zs[:turn] @ rows[pick])
        past_h = factor[:turn] * (hs[:turn] @ rows[pick] - past_z * worth[:turn])
        zs[turn] = toward[pick] - past_z @ zs[:turn]
        hs[turn] = seen[pick] - past_h @ zs[:turn] - past_z @ hs[:turn]
        factor[turn], worth[turn] = weight[pick] / (1.0 + weight[pick] * reach[pick]), gain[pick]
        along = rows @ zs[turn]
        step = factor[turn] * along
        gain = np.maximum(0.0, gain + step * (step * worth[turn] - 2.0 * (rows @ hs[turn])))
        reach = np.maximum(0.0, reach - step * along)
    return chosen


def _candidates(weight: Float64, k: int, rng: np.random.Generator) -> Int64:
    """Positions that may be picked, in an order drawn by lot, so that the first of equals is a drawn one."""
    if len(weight) <= REFERENCE_ROWS:
        return rng.permutation(len(weight))
    drawn = rows_in_proportion(weight, max(CANDIDATE_DRAWS, 4 * k), rng)[0]
    if len(drawn) < k:
        others = np.setdiff1d(np.arange(len(weight)), drawn)
        drawn = np.concatenate([drawn, rng.permutation(others)[: k - len(drawn)]])
    return rng.permutation(drawn)


def _weighted_squares(rows: Float64, weight: Float64) -> Float64:
    return np.asarray((rows * weight[:, np.newaxis]).T @ rows)


def _unit_scale(vectors: Floats) -> Float64:
    return vectors.astype(np.float64)


def _checked_variance(variance: Float64, n: int) -> Float64:
    array = np.asarray(variance, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"variance, shape {array.shape}, must hold one number for each of the {n} vectors")
    good = np.isfinite(array) & (array >= 0.0)
    if not good.all():
        row = int(good.argmin())
        raise ValueError(f"variance, shape {array.shape}: row {row} is {array[row]}, not a finite number of at least 0")
    return array
