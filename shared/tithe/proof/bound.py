"""From which confidence on a model's labels may stand for people's: a threshold with a proven bound on the error.

Labels that no model was trained on, of items drawn at random, say how often the model is right where it is confident.
Thresholds are tested one after another (Learn then Test), so that with the certainty asked for, the share of wrong
labels at or above the one that is found is at most the error that is allowed: whatever the model, however it is
calibrated, however many thresholds were tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from tithe.proof.exact import needed_without_mistake

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

#: Between two thresholds lies this share of the pool.
_STEP = 0.02
#: Of the doubt that is allowed, what goes to the walk from the most promising threshold; the rest walks from the top.
_PROMISING = 0.8


@dataclass(frozen=True, slots=True)
class Threshold:
    """What was found.

    Attributes
    ----------
    confidence
        Labels from here on may stand; 0: all of them; None: nothing was proven of any.
    known
        Labels it was looked for with.
    above, wrong
        How many of these lie at or above the threshold, and of those are wrong; without one, of the widest stretch
        that was tested.
    """

    confidence: float | None
    known: int
    above: int
    wrong: int


def find_threshold(confidences: Float64, right: Bool, pool: Float64, *, error: float, certainty: float) -> Threshold:
    """The lowest confidence at and above which no more than `error` of the labels are wrong, with that certainty.

    Fixed-sequence testing of exact binomial p-values over thresholds that follow from `pool` alone: each leaves the
    next share of the pool above it. One walk begins where, if the model's own confidences were true, a test would most
    likely succeed; a second, with a fifth of the doubt, at the highest threshold with enough labels above it. Each
    goes down until a test fails. Starting only at the top, as is usual, finds less: few labels lie there.

    Parameters
    ----------
    confidences
        float64, shape (n,), in [0, 1]: of labeled items drawn at random, by a model that was not trained on them.
    right
        bool, shape (n,): whether the model's label of each is the one people gave.
    pool
        float64, shape (m,): confidences of the pool the items were drawn from, or of a random sample of it. May hold
        theirs.
    error, certainty
        Both in (0, 1).

    Raises
    ------
    ValueError
        When shapes differ, or a confidence is no number in [0, 1].

    References
    ----------
    Angelopoulos, Bates, Candès, Jordan & Lei 2021, Learn then Test: calibrating predictive algorithms to achieve risk
    control, arXiv:2110.01052, sections 2 and 3.2 (fixed sequence testing with several starts).

    Examples
    --------
    >>> sure = np.linspace(0.5, 1, 400)
    >>> found = find_threshold(sure, sure > 0.6, sure, error=0.1, certainty=0.95)
    >>> round(found.confidence, 2), found.above, found.wrong
    (0.57, 344, 24)
    """
    _check(confidences, right, pool)
    known, doubt = len(confidences), 1 - certainty
    thresholds, shares = _grid(pool, known, needed_without_mistake(error, certainty))
    if not len(thresholds):
        return Threshold(None, known, 0, 0)
    above = np.array([int((confidences >= one).sum()) for one in thresholds])
    wrong = np.array([int((~right[confidences >= one]).sum()) for one in thresholds])
    start = _promising(pool, thresholds, (shares * known).astype(np.int64), error, doubt)
    walks = [(start, doubt)] if start == 0 else [(start, _PROMISING * doubt), (0, (1 - _PROMISING) * doubt)]
    ends = [_walk(above[first:], wrong[first:], error, allowed) + first for first, allowed in walks if first >= 0]
    reached = [end for end, (first, _) in zip(ends, walks, strict=True) if end > first]
    if not reached:
        return Threshold(None, known, int(above[start]), int(wrong[start]))
    last = max(reached) - 1
    return Threshold(float(thresholds[last]), known, int(above[last]), int(wrong[last]))


def _check(confidences: Float64, right: Bool, pool: Float64) -> None:
    if confidences.ndim != 1 or right.shape != confidences.shape or pool.ndim != 1:
        raise ValueError(f"shapes {confidences.shape}, {right.shape} and {pool.shape} are not (n,), (n,) and (m,)")
    for name, values in (("confidences", confidences), ("pool", pool)):
        if len(values) and not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
            raise ValueError(f"{name} must be numbers in [0, 1]")


def _grid(pool: Float64, known: int, needed: int) -> tuple[Float64, Float64]:
    """Thresholds from high to low and the share of the pool at or above each; the last is 0: everything."""
    if known < needed or not len(pool):
        return np.empty(0), np.empty(0)
    # So many more that there are nearly always enough labels above the first.
    first = min(1.0, (needed + 2 * math.sqrt(needed)) / known)
    shares = np.append(np.arange(first, 1 - _STEP / 2, _STEP), 1.0)
    ordered = np.sort(pool)[::-1]
    thresholds = ordered[np.ceil(shares * len(ordered)).astype(np.int64) - 1]
    thresholds[-1] = 0.0
    return thresholds, shares


def _promising(pool: Float64, thresholds: Float64, labels: Int64, error: float, doubt: float) -> int:
    """Where a test would most likely succeed, were the confidences true; of equals the highest threshold."""
    expected = np.array([float(1 - pool[pool >= one].mean()) for one in thresholds])
    most = binom.ppf(doubt, labels, error) - 1  # so many mistakes may be seen
    likely = np.where(most >= 0, binom.cdf(most, labels, np.clip(expected, 1e-6, 1 - 1e-6)), 0.0)
    return int(np.argmax(likely))


def _walk(above: Int64, wrong: Int64, error: float, doubt: float) -> int:
    """How many tests succeed, one after another, before one fails."""
    failed = binom.cdf(wrong, above, error) > doubt
    return int(np.argmax(failed)) if failed.any() else len(failed)
