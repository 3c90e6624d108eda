"""Falcun: uncertain and diverse, both read from the probabilities alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import checked_k, row_blocks
from tithe.strategies.uncertainty import margin


def falcun(probabilities: Floats, k: int, rng: np.random.Generator, *, gamma: float = 10.0) -> Int64:
    """Choose k items by turns, each drawn in proportion to ``(uncertainty + diversity) ** gamma``.

    The uncertainty of an item is its margin score, ``1 - (p1 - p2)``. Its diversity starts as its uncertainty and is
    the smallest of that and its L1 distance, in probabilities, to each item chosen so far; before every draw the
    diversities of the items left are scaled to run from 0 to 1. Where all of them are 0 before scaling the draw is
    uniform; where they are all alike they scale to 0.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    gamma : float
        At least 0: with 0 every draw is uniform, with a large one it is the most relevant item. The authors use 10.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions, in the order of choosing.

    Raises
    ------
    ValueError
        If the shape is not (n, classes), a row holds NaN, a negative value, or does not sum to 1, k is negative, or
        gamma is negative, NaN or infinite.

    Notes
    -----
    Time O(n * classes * k), memory O(n). Distances are computed in the type the probabilities are given in.

    References
    ----------
    Gilhuber, Beer, Ma & Seidl 2024, FALCUN: a simple and efficient deep active learning strategy, ECML PKDD,
    pp. 421-439 (eq. 1-6), with the scaling over the items left as in the authors' code.

    Examples
    --------
    The relevances 0, 2, 2, 1 weigh 0, 1024, 1024, 1 in the first draw. One of the two copies chosen, the other has
    diversity 0 and the last item 1 (0.5 before scaling): relevances 0, 1 and 1.5 weigh 0, 1 and 57.7.

    >>> probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.75, 0.25]])
    >>> [falcun(probabilities, 2, np.random.default_rng(seed)).tolist() for seed in range(3)]
    [[2, 3], [2, 3], [1, 3]]
    """
    uncertainty = margin(probabilities)
    given = np.asarray(probabilities)
    if given.dtype not in (np.float32, np.float64):
        given = given.astype(np.float64)
    k = checked_k(k, len(uncertainty))
    if not (math.isfinite(gamma) and gamma >= 0.0):
        raise ValueError(f"gamma must be a finite number of at least 0, not {gamma}")
    diversity = uncertainty.copy()
    left = np.ones(len(uncertainty), dtype=bool)
    chosen = np.empty(k, dtype=np.int64)
    for turn in range(k):
        if turn:
            _approach(diversity, given, given[chosen[turn - 1]])
        chosen[turn] = _draw(_relevance(uncertainty, diversity, left, gamma), rng)
        left[chosen[turn]] = False
    return chosen


def _approach(diversity: Float64, probabilities: Floats, chosen: Floats) -> None:
    """Lower each diversity to the L1 distance to the chosen row where that is smaller, in place."""
    ones = np.ones(len(chosen), dtype=probabilities.dtype)
    for rows in row_blocks(len(probabilities), len(chosen)):
        apart = probabilities[rows] - chosen
        np.minimum(diversity[rows], np.abs(apart, out=apart) @ ones, out=diversity[rows])


def _relevance(uncertainty: Float64, diversity: Float64, left: npt.NDArray[np.bool_], gamma: float) -> Float64:
    """The weights of the next draw, at most 1; 0 for what is chosen."""
    least = float(diversity.min(where=left, initial=np.inf))
    most = float(diversity.max(where=left, initial=0.0))
    if most == 0.0:
        return left.astype(np.float64)
    relevance: Float64 = (diversity - least) / (most - least) if most > least else np.zeros(len(diversity))
    relevance += uncertainty
    relevance *= left
    relevance /= relevance.max()  # so that no power underflows where all are small
    weights = _power(relevance, gamma)
    weights *= left
    return weights


def _power(base: Float64, exponent: float) -> Float64:
    """The same as ``base ** exponent``, for small whole numbers by squaring, which takes a tenth of the time."""
    if exponent != int(exponent) or not 1 <= exponent <= 64:
        return np.asarray(base**exponent)
    power, square, left = np.ones_like(base), base.copy(), int(exponent)
    while left:
        if left & 1:
            power *= square
        left >>= 1
        if left:
            square *= square
    return power


def _draw(weights: Float64, rng: np.random.Generator) -> int:
    reach = np.cumsum(weights)
    drawn = int(np.searchsorted(reach, rng.random() * reach[-1], side="right"))
    return drawn if drawn < len(weights) else int(np.flatnonzero(weights)[-1])
