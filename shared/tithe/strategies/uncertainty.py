"""Uncertainty of one model's probabilities: one number per row, higher = more worth asking.

The first four measures read rows of a distribution over classes (one label per item). The ``binary_`` three read
independent yes-or-no probabilities, one per label (several labels per item), and fold the labels into one number in
three different ways: their mean, the closest race, and the whole answer. All work block by block, in the time of one
pass over the memory, O(n * classes), with O(n) extra memory.
"""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats
from tithe.strategies.blocks import bernoulli_fault, distribution_fault, score_rows
from tithe.strategies.measures import at_least_zero, mean_bernoulli_entropy, shannon_entropy, two_largest


def entropy(probabilities: Floats) -> Float64:
    """Shannon entropy of each row: ``-sum(p * log(p))``, with ``0 * log(0) = 0`` exactly.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (certain) to log(classes) (uniform). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, classes), or a row holds NaN, a negative value, or does not sum to 1.

    References
    ----------
    Shannon 1948, A mathematical theory of communication, Bell System Technical Journal 27, pp. 379-423.
    Settles 2009, Active learning literature survey, University of Wisconsin-Madison TR 1648, pp. 12-14.

    Examples
    --------
    A certain row, a fair coin (log 2), and 0.5, 0.25, 0.25 (1.5 log 2):

    >>> entropy(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.25, 0.25]])).round(4)
    array([0.    , 0.6931, 1.0397])
    """
    return score_rows("probabilities", probabilities, distribution_fault, shannon_entropy)


def margin(probabilities: Floats) -> Float64:
    """How close the race of the two likeliest classes is: ``1 - (p1 - p2)``.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        From 0 (certain; also with a single class) to 1 (the two likeliest are tied). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, classes), or a row holds NaN, a negative value, or does not sum to 1.

    References
    ----------
    Scheffer, Decomain & Wrobel 2001, Active hidden Markov models for information extraction, IDA, pp. 309-318.

    Examples
    --------
    >>> margin(np.array([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.5, 0.5, 0.0]]))
    array([0.  , 0.75, 1.  ])
    """
    return score_rows("probabilities", probabilities, distribution_fault, _margin)


def least_confident(probabilities: Floats) -> Float64:
    """Doubt about the likeliest class: ``1 - max(p)``.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        From 0 (certain) to ``1 - 1 / classes`` (uniform). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, classes), or a row holds NaN, a negative value, or does not sum to 1.

    References
    ----------
    Lewis & Gale 1994, A sequential algorithm for training text classifiers, SIGIR, pp. 3-12.

    Examples
    --------
    >>> least_confident(np.array([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5]]))
    array([0.  , 0.25, 0.5 ])
    """
    return score_rows("probabilities", probabilities, distribution_fault, _least_confident)


def ratio(probabilities: Floats) -> Float64:
    """How near the second likeliest class comes to the likeliest: ``p2 / p1``.

    Unlike :func:`margin` it does not depend on the classes after the second: ``p2 / p1`` is the exponential of the
    difference of two logits. With two classes all orders are the same.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        From 0 (certain; also with a single class) to 1 (the two likeliest are tied). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, classes), or a row holds NaN, a negative value, or does not sum to 1.

    References
    ----------
    Scheffer, Decomain & Wrobel 2001, Active hidden Markov models for information extraction, IDA, pp. 309-318 (the two
    likeliest classes, as a difference).

    Examples
    --------
    >>> ratio(np.array([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.4, 0.4, 0.2]]))
    array([0. , 0.5, 1. ])
    """
    return score_rows("probabilities", probabilities, distribution_fault, _ratio)


def binary_entropy(probabilities: Floats) -> Float64:
    """Mean over the labels of ``-p * log(p) - (1 - p) * log(1 - p)``.

    Times the number of labels this is the entropy of the whole label set, the labels being independent.

    Parameters
    ----------
    probabilities : array of shape (n, labels), float32 or float64
        Probability that each label applies, 0 to 1; rows need not sum to anything.

    Returns
    -------
    array of shape (n,), float64
        Nats per label, from 0 (every label certain) to log(2) (every label a fair coin). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, labels), or a row holds NaN or a value outside 0 to 1.

    References
    ----------
    Esuli & Sebastiani 2009, Active learning strategies for multi-label text classification, ECIR, pp. 102-113
    (the average over the labels).

    Examples
    --------
    One fair coin (log 2) beside a certain label halves the mean:

    >>> binary_entropy(np.array([[0.0, 1.0], [0.5, 1.0], [0.5, 0.5]])).round(4)
    array([0.    , 0.3466, 0.6931])
    """
    return score_rows("probabilities", probabilities, bernoulli_fault, mean_bernoulli_entropy)


def binary_margin(probabilities: Floats) -> Float64:
    """The closest race of any label between yes and no: ``1 - min(abs(p - (1 - p)))``.

    Parameters
    ----------
    probabilities : array of shape (n, labels), float32 or float64
        Probability that each label applies, 0 to 1; rows need not sum to anything.

    Returns
    -------
    array of shape (n,), float64
        From 0 (every label certain) to 1 (some label a fair coin). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, labels), or a row holds NaN or a value outside 0 to 1.

    References
    ----------
    Brinker 2006, On active learning in multi-label classification, From Data and Information Analysis to Knowledge
    Engineering, pp. 206-213 (the smallest margin of any label).

    Examples
    --------
    >>> binary_margin(np.array([[0.0, 1.0], [0.25, 1.0], [0.25, 0.5]]))
    array([0. , 0.5, 1. ])
    """
    return score_rows("probabilities", probabilities, bernoulli_fault, _binary_margin)


def binary_least_confident(probabilities: Floats) -> Float64:
    """Doubt about the likeliest label set, per label: 1 - the geometric mean of ``max(p, 1 - p)`` over the labels.

    The likeliest set has probability ``prod(max(p, 1 - p))``; its doubt ``1 - prod(...)`` gives the same order, but is
    1 to the last bit with a few dozen open labels. The geometric mean keeps rows apart whatever the number of labels.

    Parameters
    ----------
    probabilities : array of shape (n, labels), float32 or float64
        Probability that each label applies, 0 to 1; rows need not sum to anything.

    Returns
    -------
    array of shape (n,), float64
        From 0 (every label certain) to 0.5 (every label a fair coin). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (n, labels), or a row holds NaN or a value outside 0 to 1.

    References
    ----------
    Culotta & McCallum 2005, Reducing labeling effort for structured prediction tasks, AAAI, pp. 746-751 (doubt about
    the likeliest joint answer).

    Examples
    --------
    The likeliest answer to 0.2, 0.8 is no, yes, of probability 0.8 * 0.8:

    >>> binary_least_confident(np.array([[0.0, 1.0], [0.2, 0.8], [0.5, 0.5]])).round(4)
    array([0. , 0.2, 0.5])
    """
    return score_rows("probabilities", probabilities, bernoulli_fault, _binary_least_confident)


def _margin(columns: Float64, scratch: Float64) -> Float64:
    best, second = two_largest(columns, scratch)
    return at_least_zero(1.0 - (best - second))


def _ratio(columns: Float64, scratch: Float64) -> Float64:
    best, second = two_largest(columns, scratch)
    return at_least_zero(second / best)


def _least_confident(columns: Float64, scratch: Float64) -> Float64:
    del scratch
    return at_least_zero(1.0 - columns.max(axis=0))


def _binary_margin(columns: Float64, scratch: Float64) -> Float64:
    np.subtract(columns, np.subtract(1.0, columns, out=scratch), out=scratch)
    return at_least_zero(1.0 - np.abs(scratch, out=scratch).min(axis=0))


def _binary_least_confident(columns: Float64, scratch: Float64) -> Float64:
    confidence = np.maximum(columns, np.subtract(1.0, columns, out=scratch), out=scratch)
    mean_log = np.add.reduce(np.log(confidence, out=scratch), axis=0) / len(columns)
    return at_least_zero(-np.expm1(mean_log))
