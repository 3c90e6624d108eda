"""Disagreement of a committee about items with one label each: one number per row, higher = more worth asking.

All read member_probabilities of shape (members, n, classes), the members' columns aligned on the same classes (a
bootstrap member that never saw a class has a column of zeros there). All work block by block, in the time of one pass
over the memory, O(members * n * classes), with O(n) extra memory. ``binary_committee`` has the multi-label forms.
"""

from __future__ import annotations

import math

import numpy as np

from tithe.strategies.arrays import Float64, Floats
from tithe.strategies.blocks import distribution_fault, score_members
from tithe.strategies.measures import at_least_zero, shannon_entropy
from tithe.strategies.votes import MOST_MEMBERS, MOST_MEMBERS_TIEBROKEN, check_size, entropy_of_votes, smallest_gap


def vote_entropy(member_probabilities: Floats) -> Float64:
    """Entropy of the members' hard votes: ``-sum(v / M * log(v / M))`` over the classes, v of M votes each.

    A member votes for its likeliest class, of equal ones the first. Dagan & Engelson divide by
    ``log(min(M, classes))``, a constant that changes no order. With few members ties are the rule;
    :func:`vote_entropy_tiebroken` orders them.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, classes), float32 or float64
        Each row of each member a distribution over the classes, summing to 1 within 1e-3; 1 to 255 members.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (one voice) to log(min(members, classes)). Higher = more worth asking. Rows whose votes split alike
        have the same score to the bit.

    Raises
    ------
    ValueError
        If the shape is not (members, n, classes), there are no members or more than 255, or a row holds NaN, a negative
        value, or does not sum to 1.

    Notes
    -----
    O(n * members ** 2) on bytes besides the reading.

    References
    ----------
    Dagan & Engelson 1995, Committee-based sampling for training probabilistic classifiers, ICML, pp. 150-157.

    Examples
    --------
    Three members, two rows. The first row unites them, the second splits them 2 to 1: log 3 - 2/3 log 2 = 0.6365.

    >>> agree, differ = [0.9, 0.1], [0.4, 0.6]
    >>> vote_entropy(np.array([[agree, agree], [agree, agree], [agree, differ]])).round(4)
    array([0.    , 0.6365])
    """
    check_size(member_probabilities, MOST_MEMBERS)
    return score_members(
        "member_probabilities",
        member_probabilities,
        distribution_fault,
        lambda stack, _: entropy_of_votes(stack),
    )


def vote_entropy_tiebroken(member_probabilities: Floats) -> Float64:
    """Vote entropy first, and among equal ones consensus entropy: both orders in one number.

    The score is ``vote_entropy + gap / 2 * share``, where gap is the smallest difference between two vote entropies
    that so many members can reach, and ``share = h / (1 + log(classes))`` is in [0, 1) for the consensus entropy h.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, classes), float32 or float64
        Each row of each member a distribution over the classes, summing to 1 within 1e-3; 1 to 32 members.

    Returns
    -------
    array of shape (n,), float64
        Nats; above the vote entropy by less than half a gap (0.05 for 5 members). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, classes), there are no members or more than 32, or a row holds NaN, a negative
        value, or does not sum to 1.

    Notes
    -----
    Why no order is lost. Equal vote entropies are equal to the bit (module ``votes``), and adding a larger share to the
    same number never gives a smaller one. Of different vote entropies the smaller stays below: it gains less than half
    a gap, and the other is a whole gap above. The half that is left, at least 4e-7 up to 32 members, dwarfs the
    rounding, 1e-15. That can at most make ties of consensus entropies closer than 1e-14 with 5 members, 1e-8 with 32.

    References
    ----------
    Dagan & Engelson 1995, Committee-based sampling for training probabilistic classifiers, ICML, pp. 150-157.
    Settles 2009, Active learning literature survey, University of Wisconsin-Madison TR 1648, pp. 15-17.

    Examples
    --------
    Both rows split two members 1 to 1 (log 2 = 0.6931); in the second the mean is even, so it comes first. The gap is
    log 2, the consensus entropies are 0.6109 and 0.6931: 0.6931 + 0.3466 * 0.6109 / 1.6931 = 0.8182, and 0.8350.

    >>> vote_entropy_tiebroken(np.array([[[1.0, 0.0], [0.9, 0.1]], [[0.4, 0.6], [0.1, 0.9]]])).round(4)
    array([0.8182, 0.835 ])
    """
    check_size(member_probabilities, MOST_MEMBERS_TIEBROKEN)

    def measure(stack: Float64, scratch: Float64) -> Float64:
        members, classes, _ = stack.shape
        weight = smallest_gap(members) / 2 / (1.0 + math.log(classes))
        return entropy_of_votes(stack) + weight * _consensus_entropy(stack, scratch)

    return score_members("member_probabilities", member_probabilities, distribution_fault, measure)


def consensus_entropy(member_probabilities: Floats) -> Float64:
    """Entropy of the members' mean distribution, also called soft vote entropy: ``H(mean(p))``.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, classes), float32 or float64
        Each row of each member a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (all certain of one class) to log(classes). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, classes), there are no members, or a row holds NaN, a negative value, or does
        not sum to 1.

    References
    ----------
    Settles 2009, Active learning literature survey, University of Wisconsin-Madison TR 1648, pp. 15-17.

    Examples
    --------
    Two certain members who contradict each other make an even mean: log 2.

    >>> consensus_entropy(np.array([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])).round(4)
    array([0.    , 0.6931])
    """
    return score_members("member_probabilities", member_probabilities, distribution_fault, _consensus_entropy)


def mean_kl_to_consensus(member_probabilities: Floats) -> Float64:
    """Mean Kullback-Leibler divergence of the members from their mean distribution.

    ``mean over m of sum(p_m * log(p_m / mean(p)))``, computed as the entropy of the mean less the mean of the
    entropies, which is the same number. Unlike consensus entropy it is low where the members agree that they do not
    know.

    Parameters
    ----------
    member_probabilities : array of shape (members, n, classes), float32 or float64
        Each row of each member a distribution over the classes, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (all members alike, within 1e-15 of it) to log(min(members, classes)). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, n, classes), there are no members, or a row holds NaN, a negative value, or does
        not sum to 1.

    References
    ----------
    McCallum & Nigam 1998, Employing EM and pool-based active learning for text classification, ICML, pp. 350-358.
    Lin 1991, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37(1),
    pp. 145-151.

    Examples
    --------
    Two members who are both unsure do not disagree; two certain ones who contradict each other do, by log 2.

    >>> mean_kl_to_consensus(np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])).round(4)
    array([0.    , 0.6931])
    """
    return score_members("member_probabilities", member_probabilities, distribution_fault, _mean_kl)


def _consensus_entropy(stack: Float64, scratch: Float64) -> Float64:
    return shannon_entropy(np.add.reduce(stack, axis=0) / len(stack), scratch[0])


def _mean_kl(stack: Float64, scratch: Float64) -> Float64:
    of_mean = _consensus_entropy(stack, scratch)
    of_members = np.add.reduce(shannon_entropy(stack, scratch), axis=0) / len(stack)
    return at_least_zero(of_mean - of_members)
