"""What the model expects, put right by what control labels say of it: the estimate leans on it where labels are few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, softmax

from tithe.proof.tallies import Float64, Tally

#: Of two weights: the gradient of a log likelihood, and its curvature downward.
_Slopes = Callable[[Float64], tuple[Float64, Float64]]

#: Probabilities are kept that far from 0 and 1 before their logarithm is taken; half floats hold no more.
_LEAST = 1e-4
#: Standard deviations of what may be wrong with a model's confidence before a label is seen: its sharpness around 1,
#: the extra weight of what it decided around 0.
_SPREAD = np.array([0.5, 1.0])


def corrected(tally: Tally, expected: Float64) -> Float64:
    """What the model expects every drawn item to add, after its probabilities are recalibrated on the labeled ones.

    Two numbers are fitted, so that a hundred classes need no more labels than two: ``log p' = a log p + b [decided]``
    up to a constant (of yes-or-no answers the same with log odds), by the greatest posterior around a = 1, b = 0.

    Returns
    -------
    float64, shape (M, K), as `expected`. What the model gives probability 0 keeps it.

    References
    ----------
    Platt 1999, Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers, pp. 61-74.
    Guo et al. 2017, On calibration of modern neural networks, ICML, pp. 1321-1330.
    """
    if tally.metric == "accuracy":
        odds = _odds(expected[:, :1])
        features = np.stack([odds, np.ones_like(odds)])
        sure = expit(_weighed(features, _fit_odds(features[:, tally.rows], tally.seen[:, :1])))
        return np.concatenate([sure, expected[:, 1:]], axis=1)
    _, decided, sure = np.split(expected, 3, axis=1)
    true = np.split(tally.seen, 3, axis=1)[2]
    if one_class_each(tally, expected):
        features = np.stack([np.log(np.maximum(sure, _LEAST)), decided])
        fixed = softmax(_weighed(features, _fit_classes(features[:, tally.rows], true)), axis=1)
    else:
        features = np.stack([_odds(sure), 2 * decided - 1])
        fixed = expit(_weighed(features, _fit_odds(features[:, tally.rows], true)))
    fixed = np.where(sure > 0, fixed, 0.0)
    return np.concatenate([decided * fixed, decided, fixed], axis=1)


def one_class_each(tally: Tally, expected: Float64) -> bool:
    """Whether items of a macro-F1 tally carry exactly one class: then their probabilities sum to one."""
    sure = np.split(expected, 3, axis=1)[2]
    true = np.split(tally.seen, 3, axis=1)[2]
    return bool((true.sum(axis=1) == 1).all() and np.allclose(sure.sum(axis=1), 1, atol=0.02))


def spread(expected: Float64, slope: Float64, weight: float, *, single: bool) -> tuple[float, float]:
    """Variance and fourth central moment of an item's residual, were `expected` right.

    Parameters
    ----------
    expected
        float64, shape (M, K), corrected.
    slope
        float64, shape (K,): how the score changes with each mean.
    weight
        Of the expectation in the residual ``slope @ (seen - weight * expected)``, what was said left out.
    single
        Whether an item carries exactly one class (of accuracy: no).
    """
    if len(slope) == 2:
        sure, worth = expected[:, :1], np.full((1, 1), slope[0])
    else:
        _, decided, sure = np.split(expected, 3, axis=1)
        worth = slope[2 * sure.shape[1] :] + slope[: sure.shape[1]] * decided
    mean = (sure * worth).sum(axis=1)
    between = (1 - weight) * (mean - mean.mean())
    if single:
        off = worth - mean[:, None] + between[:, None]
        return float((sure * off**2).sum(axis=1).mean()), float((sure * off**4).sum(axis=1).mean())
    spreads = worth**2 * sure * (1 - sure)
    within = spreads.sum(axis=1)
    fourth = (worth**2 * spreads * (1 - 6 * sure * (1 - sure))).sum(axis=1) + 3 * within**2
    return float((within + between**2).mean()), float((fourth + 6 * between**2 * within + between**4).mean())


def _odds(probabilities: Float64) -> Float64:
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    odds: Float64 = np.log(kept) - np.log1p(-kept)
    return odds


def _weighed(features: Float64, weights: Float64) -> Float64:
    summed: Float64 = np.tensordot(weights, features, axes=1)
    return summed


def _fit_classes(features: Float64, true: Float64) -> Float64:
    """Weights of features of shape (2, m, classes) for one class an item."""

    def slopes(weights: Float64) -> tuple[Float64, Float64]:
        sure = softmax(_weighed(features, weights), axis=1)
        centered = features - (features * sure).sum(axis=2, keepdims=True)
        return _summed(features * (true - sure)), np.einsum("imc,jmc,mc->ij", centered, centered, sure)

    return _newton(slopes)


def _fit_odds(features: Float64, true: Float64) -> Float64:
    """The same for answers that stand alone, shape (m, any)."""

    def slopes(weights: Float64) -> tuple[Float64, Float64]:
        sure = expit(_weighed(features, weights))
        return _summed(features * (true - sure)), np.einsum("imc,jmc,mc->ij", features, features, sure * (1 - sure))

    return _newton(slopes)


def _summed(terms: Float64) -> Float64:
    total: Float64 = terms.sum(axis=(1, 2))
    return total


def _newton(slopes: _Slopes) -> Float64:
    """Where a concave log posterior is greatest; steps of at most 1, so that none leaps over it."""
    start, certainty = np.array([1.0, 0.0]), np.diag(_SPREAD**-2)
    weights = start.copy()
    for _ in range(50):
        upward, curved = slopes(weights)
        step = np.linalg.solve(curved + certainty, upward - certainty @ (weights - start))
        weights += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return weights
