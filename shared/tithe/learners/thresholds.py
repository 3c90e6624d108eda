"""From which probability on a class is said, where an item may carry several: a threshold a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float64

Bool = NDArray[np.bool_]

#: What is said without a threshold of its own: what is likelier than not.
HALF = 0.5
#: With so many held-out rows that carry it a class's own best threshold counts half, the one for all classes half.
OWN_AT = 10
#: Candidates for the one threshold for all: 0.007 to 0.993 in equal steps of log odds, those nearest to a half first.
_LOG_ODDS = np.array(sorted(np.linspace(-5.0, 5.0, 201).round(3), key=abs))
_EDGE = 1e-6


def fit_thresholds(probabilities: Float64, truth: Bool) -> Float64:
    """The thresholds that serve the mean of the classes' F1 scores, guarded against few examples.

    Of a rare class the threshold that is best on the labels at hand is mostly luck: on 28 emotions with 1,000 labels it
    costs 0.9 points of macro-F1 on new items, against one half for all. So each class's own best is drawn, in log odds,
    toward the one threshold that would be best for all classes alike, with weight ``OWN_AT / (OWN_AT + rows that carry
    it)``: the partial pooling of empirical Bayes, its constant chosen by measurement.

    Parameters
    ----------
    probabilities
        float64, shape (n, classes): of rows that the answering head had not seen.
    truth
        bool, shape (n, classes).

    Returns
    -------
    float64, shape (classes,), in (0, 1). A class that no row carries has the threshold for all; all have one half
    where no row carries any.

    Notes
    -----
    O(classes n log n). Measured on new items, macro-F1 with one half for all, each class's own best, and these: 28
    emotions, 200 labels .118, .146, .151; 500 labels .197, .200, .213; 1,000 labels .246, .237, .249. With few labels
    fewer rows are right in every class: the mean F1 is served by saying rare classes sooner.

    References
    ----------
    Yang 2001, A study of thresholding strategies for text categorization, SIGIR, pp. 137-145 (each class's best
    threshold overfits rare classes).
    Lipton, Elkan & Naryanaswamy 2014, Optimal thresholding of classifiers to maximize F1 measure, ECML PKDD,
    pp. 225-239 (F1 is not served best by one half).

    Examples
    --------
    The best threshold of the class is 0.65, midway between the rows with it and those without. Two rows carry it, so it
    counts two parts of twelve; what is best for all classes, next to one half, ten:

    >>> answers = np.array([[0.9], [0.8], [0.5], [0.4]])
    >>> fit_thresholds(answers, np.array([[True], [True], [False], [False]])).round(3)
    array([0.536])
    """
    carried = truth.sum(axis=0)
    if not carried.any():
        return np.full(truth.shape[1], HALF)
    inside = np.clip(probabilities, _EDGE, 1 - _EDGE)
    shared = _best_for_all(inside, truth)
    own = np.array([_best(inside[:, label], truth[:, label], shared) for label in range(truth.shape[1])])
    weight = carried / (carried + OWN_AT)
    fitted: Float64 = 1 / (1 + np.exp(-(weight * own + (1 - weight) * shared)))
    return fitted


def cross_fitted(probabilities: Float64, truth: Bool, fold: NDArray[np.int64]) -> Bool:
    """What is said of each row by thresholds from the other folds' rows: scores of it are not flattered by the fit.

    Parameters
    ----------
    probabilities, truth
        As in :func:`fit_thresholds`.
    fold
        int64, shape (n,): of each row.

    Returns
    -------
    bool, shape (n, classes).
    """
    said = np.zeros(truth.shape, bool)
    for number in np.unique(fold):
        own = fold == number
        said[own] = probabilities[own] >= fit_thresholds(probabilities[~own], truth[~own])
    return said


def _best_for_all(probabilities: Float64, truth: Bool) -> float:
    """The log odds at which the mean F1 of the classes that some row carries is highest; of equal ones next to 0."""
    limits = 1 / (1 + np.exp(-_LOG_ODDS))
    total = np.zeros(len(limits))
    for label in np.flatnonzero(truth.any(axis=0)):
        order = np.argsort(probabilities[:, label], kind="stable")
        below = np.searchsorted(probabilities[order, label], limits)
        right_above = truth[:, label].sum() - np.concatenate([[0], np.cumsum(truth[order, label])])
        total += 2 * right_above[below] / (len(order) - below + right_above[0])
    return float(_LOG_ODDS[total.round(12).argmax()])


def _best(probabilities: Float64, truth: Bool, otherwise: float) -> float:
    """The log odds at which one class's F1 is highest: midway between the last row said and the first that is not."""
    if not truth.any():
        return otherwise
    order = np.argsort(-probabilities, kind="stable")
    ranked = np.append(probabilities[order], 0.0)
    scores = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + truth.sum())
    scores[ranked[:-1] == ranked[1:]] = 0  # rows alike cannot be told apart
    last = int(scores.argmax())
    middle = (ranked[last] + ranked[last + 1]) / 2
    return float(np.log(middle / (1 - middle)))
