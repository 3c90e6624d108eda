"""How good predictions are: accuracy, macro-F1, log loss. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Float64, Metric, Model, Targets

Bool = NDArray[np.bool_]


def f1_per_class(truth: Bool, predicted: Bool) -> Float64:
    """``2 TP / (2 TP + FP + FN)`` of each class.

    Parameters
    ----------
    truth, predicted
        bool, shape (n, classes): what each row carries, and is said to carry.

    Returns
    -------
    float64, shape (classes,), in [0, 1]; NaN for a class that is neither in the truth nor in the predictions.

    Examples
    --------
    >>> truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], bool)
    >>> predicted = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], bool)
    >>> f1_per_class(truth, predicted).round(3)
    array([0.667, 0.667,   nan])
    """
    both = (truth & predicted).sum(axis=0, dtype=np.float64)
    either = truth.sum(axis=0, dtype=np.float64) + predicted.sum(axis=0)
    scores: Float64 = np.divide(2 * both, either, out=np.full(truth.shape[1], np.nan), where=either > 0)
    return scores


def macro_f1(truth: Bool, predicted: Bool) -> float:
    """Plain mean of :func:`f1_per_class` over the classes in the truth or in the predictions; 0 if there are none.

    Examples
    --------
    >>> macro_f1(np.array([[1, 0, 0], [0, 1, 0]], bool), np.array([[1, 0, 0], [1, 0, 0]], bool))
    0.3333333333333333
    """
    scores = f1_per_class(truth, predicted)
    return float(np.nanmean(scores)) if not np.isnan(scores).all() else 0.0


def accuracy(truth: Bool, predicted: Bool) -> float:
    """Share of rows whose classes are all right: with several classes a row, the exact match ratio. 0 without rows.

    Examples
    --------
    >>> accuracy(np.array([[1, 1], [0, 1]], bool), np.array([[1, 0], [0, 1]], bool))
    0.5
    """
    return float((truth == predicted).all(axis=1).mean()) if len(truth) else 0.0


def score(metric: Metric, truth: Bool, predicted: Bool) -> float:
    """The score a project is drawn in, in [0, 1]."""
    return macro_f1(truth, predicted) if metric == "macro_f1" else accuracy(truth, predicted)


def decide(probabilities: Float64, *, single: bool, thresholds: Float64 | None = None) -> Bool:
    """The predicted classes: the likeliest one (the first among equals), or every class that reaches its threshold.

    Parameters
    ----------
    probabilities
        float64, shape (n, classes).
    single
        Whether a row carries exactly one class.
    thresholds
        float64, shape (classes,): from which probability on a class is said, where a row may carry several; None: one
        half for all.

    Returns
    -------
    bool, shape (n, classes).
    """
    if not single:
        return probabilities >= (0.5 if thresholds is None else thresholds)
    chosen = np.zeros(probabilities.shape, bool)
    chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
    return chosen


def log_loss(probabilities: Float64, truth: Bool, *, single: bool) -> float:
    """Mean negative log likelihood in nats a row: ``-log p`` of its class, or summed over classes that stand alone."""
    if not len(truth):
        return 0.0
    own = np.log(np.where(truth, probabilities, 1 - probabilities) if not single else probabilities[truth])
    return float(-own.sum() / len(truth))


def as_bool(targets: Targets, n_classes: int) -> Bool:
    """Targets as bool, shape (n, classes), whichever way they came."""
    if targets.ndim == 2:
        return targets.astype(bool)
    truth = np.zeros((len(targets), n_classes), bool)
    truth[np.arange(len(targets)), targets] = True
    return truth


def evaluate(model: Model, vectors: Float32, targets: Targets) -> dict[str, Any]:
    """Score a model on labels it has not seen.

    Parameters
    ----------
    model
        Any model; what it says is decided by its ``thresholds``, if it has any.
    vectors
        float32, shape (n, d).
    targets
        int64, shape (n,), or bool, shape (n, classes).

    Returns
    -------
    ``rows``; ``accuracy`` (exact match ratio with several classes a row); ``macro_f1`` over the classes present in
    `targets` or predicted at least once; ``log_loss`` in nats a row; ``f1``, a list with one entry a class, None for
    a class neither present nor predicted. All plain numbers, ready for JSON.
    """
    single = targets.ndim == 1
    truth = as_bool(targets, model.n_classes)
    probabilities = model.predict_proba(vectors)
    predicted = decide(probabilities, single=single, thresholds=model.thresholds)
    return {
        "rows": len(truth),
        "accuracy": accuracy(truth, predicted),
        "macro_f1": macro_f1(truth, predicted),
        "log_loss": log_loss(probabilities, truth, single=single),
        "f1": [None if np.isnan(value) else float(value) for value in f1_per_class(truth, predicted)],
    }
