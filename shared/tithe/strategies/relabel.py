"""ActiveLab: one score for a first opinion on an unlabeled item and for one more on an item that has some."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats, Int64, Ordinals
from tithe.strategies.blocks import distribution_fault, score_rows

_LEAST_WEIGHT = 1e-6  # of one who does no better than always naming the commonest class


def activelab_scores(probabilities: Floats, items: Ordinals, annotators: Ordinals, classes: Ordinals) -> Float64:
    """How much one more answer to each item is worth, whether it has answers or not.

    An item's consensus is the class with the largest weighted mean of what the classifier gives it and of how likely
    each annotator's answer makes it; the score is 1 - the consensus's mean, once a uniform guess of the weight of an
    average annotator is mixed in. So it falls with every answer that agrees, and rises with doubt.

    Parameters
    ----------
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3: the classifier's, calibrated, and of items
        with answers by a classifier that has not learned from them.
    items : array of shape (m,), integers
        Of each answer the item, a position in `probabilities`. In any order; several answers to one item are the point.
    annotators : array of shape (m,), integers
        Of each answer who gave it, any number of their own. No one answers an item twice.
    classes : array of shape (m,), integers
        Of each answer the class, a column of `probabilities`.

    Returns
    -------
    array of shape (n,), float64
        From 0 to 1, without a unit. Higher = more worth asking; items with and without answers compare.

    Raises
    ------
    ValueError
        If `probabilities` is not (n, classes) or a row of it holds NaN, a negative value, or does not sum to 1, or the
        answers are not three rows of integers of one length, name an item or a class there is not, or one annotator
        twice for one item.

    Notes
    -----
    With K classes, over the items that have two answers or more:

    - g_j: the share of the others' answers to annotator j's items that agree with j's; for one who shares no item, the
      mean of the rest;
    - P: the mean over items of the share of answers that are the consensus;
    - b: the share of items whose consensus is not the commonest one; a clairvoyant has weight 1, and one who is wrong
      as often as b has none: w_j = max(1 - (1 - g_j) / b, 1e-6);
    - w_M = max(1 - e / b, 1e-6) * sqrt(mean number of answers of an item with any), with e the share of items whose
      consensus is not the classifier's likeliest class.

    The likelihood of a class k given an answer is P if it is k, (1 - P) / (K - 1) if not. P, b, w_M need a consensus
    themselves: first the classes most often named, of equal ones the classifier's favourite, then the classes with the
    largest means that those give. With w the mean of the w_j, an item with answers from J and consensus k scores

        1 - (w_M p_k + sum over J of w_j * likelihood_j(k) + w / K) / (w_M + sum over J of w_j + w)

    and one without any 1 - (w_M max(p) + w / K) / (w_M + w). While no item has two answers nobody's answers can be
    judged: all weights are 1, the consensus is the class answered, and the classifier's p_k stands in for the
    annotator's likelihood. Temperature scaling, which the authors apply to `probabilities` first, is left to whoever
    made them.

    Time O(n * K + m log m), memory O(n + m * K).

    References
    ----------
    Goh & Mueller 2023, ActiveLab: active learning with re-labeling by multiple annotators, arXiv:2301.11856, pp. 3-5.
    Goh, Tkachenko & Mueller 2022, CROWDLAB: supervised learning to infer consensus labels and quality scores for data
    with multiple annotators, arXiv:2210.06812, pp. 3-5 (the weights).

    Examples
    --------
    Before any answer: 1 - (0.9 + 1/2) / 2 and 1 - (0.5 + 1/2) / 2. With an answer each, of class 0 and class 1:
    1 - (2 * 0.9 + 1/2) / 3 and 1 - (2 * 0.5 + 1/2) / 3.

    >>> probabilities = np.array([[0.9, 0.1], [0.5, 0.5]])
    >>> none = np.empty(0, dtype=int)
    >>> activelab_scores(probabilities, none, none, none)
    array([0.3, 0.5])
    >>> activelab_scores(probabilities, np.array([0, 1]), np.array([7, 7]), np.array([0, 1])).round(4)
    array([0.2333, 0.5   ])
    """
    likeliest = score_rows("probabilities", probabilities, distribution_fault, _largest)
    given = np.asarray(probabilities)
    answers = _checked_answers(items, annotators, classes, given.shape)
    count = given.shape[1]
    if not len(answers.row):
        return np.asarray(1.0 - (likeliest + 1.0 / max(count, 1)) / 2.0)
    trust, quality = _consensus_quality(np.asarray(given[answers.item], dtype=np.float64), answers)
    average = float(trust.annotators.mean())
    scores: Float64 = 1.0 - (trust.model * likeliest + average / count) / (trust.model + average)
    weight = trust.model + np.bincount(answers.row, weights=trust.annotators[answers.annotator])
    scores[answers.item] = 1.0 - (weight * quality + average / count) / (weight + average)
    return scores


def _largest(columns: Float64, scratch: Float64) -> Float64:
    del scratch
    largest: Float64 = columns.max(axis=0)
    return largest


class _Answers(NamedTuple):
    item: Int64  # (L,) positions of the items with answers, ascending
    row: Int64  # (m,) of each answer its item, a position in `item`
    annotator: Int64  # (m,) 0 to annotators - 1
    label: Int64  # (m,)


class _Trust(NamedTuple):
    model: float
    annotators: Float64


def _consensus_quality(probabilities: Float64, answers: _Answers) -> tuple[_Trust, Float64]:
    """Weights, and of each item with answers how sure its consensus is; `probabilities` are of those items."""
    row, label = answers.row, answers.label
    votes = np.zeros(probabilities.shape)
    np.add.at(votes, (row, label), 1.0)
    times = votes.sum(axis=1)
    several = times > 1.0
    if not several.any():
        quality = np.empty(len(votes))
        quality[row] = probabilities[row, label]
        return _Trust(1.0, np.ones(int(answers.annotator.max()) + 1)), quality
    agreement = _agreement(answers, votes, times)
    most_named = votes == votes.max(axis=1, keepdims=True)
    consensus = np.where(most_named, probabilities, -1.0).argmax(axis=1)
    consensus = _means(probabilities, answers, votes, consensus, agreement)[1].argmax(axis=1)
    trust, means = _means(probabilities, answers, votes, consensus, agreement)
    return trust, means[np.arange(len(means)), consensus]


def _agreement(answers: _Answers, votes: Float64, times: Float64) -> Float64:
    """Of each annotator the share of the others' answers to the same items that are the same."""
    agreeing = np.bincount(answers.annotator, weights=votes[answers.row, answers.label] - 1.0)
    others = np.bincount(answers.annotator, weights=times[answers.row] - 1.0)
    share = np.divide(agreeing, others, out=np.zeros(len(others)), where=others > 0.0)
    share[others == 0.0] = share[others > 0.0].mean()
    return share


def _means(
    probabilities: Float64, answers: _Answers, votes: Float64, consensus: Int64, agreement: Float64
) -> tuple[_Trust, Float64]:
    """The weights that a consensus gives, and with them each class's weighted mean, shape (L, classes)."""
    classes = probabilities.shape[1]
    times = votes.sum(axis=1)
    several = times > 1.0
    named = consensus[several]
    agreed = float((votes[np.arange(len(votes)), consensus] / times)[several].mean())
    baseline = max(float((named != np.bincount(named).argmax()).mean()), _LEAST_WEIGHT)
    wrong = float((probabilities[several].argmax(axis=1) != named).mean())
    model = max(1.0 - wrong / baseline, _LEAST_WEIGHT) * float(np.sqrt(times.mean()))
    weights = np.maximum(1.0 - (1.0 - agreement) / baseline, _LEAST_WEIGHT)
    naming = np.zeros(probabilities.shape)
    np.add.at(naming, (answers.row, answers.label), weights[answers.annotator])
    total = naming.sum(axis=1, keepdims=True)
    missed = (1.0 - agreed) / max(classes - 1, 1)
    means: Float64 = (model * probabilities + agreed * naming + missed * (total - naming)) / (model + total)
    return _Trust(model, weights), means


def _checked_answers(items: Ordinals, annotators: Ordinals, classes: Ordinals, shape: tuple[int, ...]) -> _Answers:
    columns: list[npt.NDArray[np.integer]] = []
    for name, column in (("items", items), ("annotators", annotators), ("classes", classes)):
        array = np.asarray(column)
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise ValueError(f"{name}, shape {array.shape}, {array.dtype}, must be one row of integers, (m,)")
        columns.append(array)
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise ValueError(f"items, annotators and classes must be of one length, not {lengths}")
    for name, column, most in (("items", columns[0], shape[0]), ("classes", columns[2], shape[1])):
        outside = (column < 0) | (column >= most)
        if outside.any():
            raise ValueError(f"{name}: answer {outside.argmax()} names {column[outside.argmax()]}, not 0 to {most - 1}")
    item, row = np.unique(columns[0], return_inverse=True)
    who, annotator = np.unique(columns[1], return_inverse=True)
    pairs, first, times = np.unique(row * max(len(who), 1) + annotator, return_index=True, return_counts=True)
    if len(pairs) < len(row):
        again = int(first[times.argmax()])
        raise ValueError(f"annotator {columns[1][again]} answers item {columns[0][again]} {times.max()} times")
    return _Answers(item.astype(np.int64), row, annotator, columns[2].astype(np.int64))
