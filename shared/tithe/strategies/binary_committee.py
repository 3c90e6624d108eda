"""Disagreement of a committee about items with several labels each: one number per row, higher = more worth asking.

All read member_probabilities of shape (members, n, labels): independent probabilities, 0 to 1, that each label applies.
Each is the mean over the labels of what ``committee`` measures for one label's yes or no.
"""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats
from tithe.strategies.blocks import bernoulli_fault, score_members
from tithe.strategies.measures import at_least_zero, mean_bernoulli_entropy
from tithe.strategies.votes import MOST_MEMBERS, check_size, entropy_of_yes_counts


def binary_vote_entropy(member_probabilities: Floats) -> Float64:
    """Mean over the labels of the entropy of the members' votes for yes (p above 0.5) or no.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, labels), float32 or float64
        Probability that each label applies, 0 to 1; 1 to 255 members.

    Returns
    -------
    array of shape (n,), float64
        Nats per label, from 0 (one voice about every label) to log(2) (every label split evenly). Higher = more worth
        asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, labels), there are no members or more than 255, or a row holds NaN or a value
        outside 0 to 1.

    References
    ----------
    Dagan & Engelson 1995, Committee-based sampling for training probabilistic classifiers, ICML, pp. 150-157.
    Esuli & Sebastiani 2009, Active learning strategies for multi-label text classification, ECIR, pp. 102-113
    (the average over the labels).

    Examples
    --------
    Two members agree on the first label and split on the second: (0 + log 2) / 2.

    >>> binary_vote_entropy(np.array([[[0.9, 0.8]], [[0.7, 0.3]]])).round(4)
    array([0.3466])
    """
    check_size(member_probabilities, MOST_MEMBERS)
    return score_members("member_probabilities", member_probabilities, bernoulli_fault, _vote_entropy)


def binary_consensus_entropy(member_probabilities: Floats) -> Float64:
    """Mean over the labels of the entropy of the members' mean probability.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, labels), float32 or float64
        Probability that each label applies, 0 to 1.

    Returns
    -------
    array of shape (n,), float64
        Nats per label, from 0 (all certain and alike) to log(2). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, labels), there are no members, or a row holds NaN or a value outside 0 to 1.

    References
    ----------
    Settles 2009, Active learning literature survey, University of Wisconsin-Madison TR 1648, pp. 15-17.
    Esuli & Sebastiani 2009, Active learning strategies for multi-label text classification, ECIR, pp. 102-113
    (the average over the labels).

    Examples
    --------
    The means are 1 and 0.5: (0 + log 2) / 2.

    >>> binary_consensus_entropy(np.array([[[1.0, 0.75]], [[1.0, 0.25]]])).round(4)
    array([0.3466])
    """
    return score_members("member_probabilities", member_probabilities, bernoulli_fault, _consensus_entropy)


def binary_mean_kl_to_consensus(member_probabilities: Floats) -> Float64:
    """Mean over the labels of the members' mean Kullback-Leibler divergence from their mean probability.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, labels), float32 or float64
        Probability that each label applies, 0 to 1.

    Returns
    -------
    array of shape (n,), float64
        Nats per label, from 0 (all members alike, within 1e-15 of it) to log(2). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, labels), there are no members, or a row holds NaN or a value outside 0 to 1.

    References
    ----------
    McCallum & Nigam 1998, Employing EM and pool-based active learning for text classification, ICML, pp. 350-358.
    Esuli & Sebastiani 2009, Active learning strategies for multi-label text classification, ECIR, pp. 102-113
    (the average over the labels).

    Examples
    --------
    The members contradict each other about the first label (log 2) and are alike about the second (0):

    >>> binary_mean_kl_to_consensus(np.array([[[1.0, 0.5]], [[0.0, 0.5]]])).round(4)
    array([0.3466])
    """
    return score_members("member_probabilities", member_probabilities, bernoulli_fault, _mean_kl)


def _vote_entropy(stack: Float64, scratch: Float64) -> Float64:
    del scratch
    members, labels, _ = stack.shape
    yes = np.add.reduce((stack > 0.5).view(np.uint8), axis=0, dtype=np.uint8)
    levels = entropy_of_yes_counts(yes, members)
    return at_least_zero(np.add.reduce(levels, axis=0) / labels)


def _consensus_entropy(stack: Float64, scratch: Float64) -> Float64:
    return mean_bernoulli_entropy(np.add.reduce(stack, axis=0) / len(stack), scratch[0])


def _mean_kl(stack: Float64, scratch: Float64) -> Float64:
    of_mean = _consensus_entropy(stack, scratch)
    of_members = np.add.reduce(mean_bernoulli_entropy(stack, scratch), axis=0) / len(stack)
    return at_least_zero(of_mean - of_members)
