"""Disagreement of a committee about a text whose words are tagged: one number a text, higher = more worth asking.

All read member_probabilities of shape (members, words, tags), the members' columns aligned on the same tags, and starts
of shape (n + 1,): the words of text i are the rows ``starts[i]`` to ``starts[i + 1]`` of every member. Each is the mean
over the text's words of what ``committee`` measures of one: a text without words scores 0. One pass over the memory,
O(members * words * tags), with O(words) extra memory.
"""

from __future__ import annotations

from collections.abc import Callable

from tithe.strategies import committee, ragged
from tithe.strategies.arrays import Float64, Floats, Ordinals


def token_vote_entropy(member_probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean over the words of the entropy of the members' votes; see :func:`tithe.strategies.committee.vote_entropy`.

    Each member votes on each word for its likeliest tag, of equal ones the first. While members are few, ties are
    frequent, at 0 above all; :func:`token_vote_entropy_tiebroken` orders them.

    Parameters
    ----------
    member_probabilities : array of shape (members, words, tags), float32 or float64
        Each row of each member a distribution over the tags, summing to 1 within 1e-3; 1 to 255 members.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (one voice about every word) to log(min(members, tags)). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, words, tags), there are no members or more than 255, a row holds NaN, a negative
        value, or does not sum to 1, or the starts do not fit the words.

    Notes
    -----
    O(words * members ** 2) on bytes besides the reading.

    References
    ----------
    Dagan & Engelson 1995, Committee-based sampling for training probabilistic classifiers, ICML, pp. 150-157.
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (the mean over the words).

    Examples
    --------
    Two members agree on the first text's first word and split on its second: (0 + log 2) / 2.

    >>> import numpy as np
    >>> one, other = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]], [[0.7, 0.3], [0.3, 0.7], [0.9, 0.1]]
    >>> token_vote_entropy(np.array([one, other]), np.array([0, 2, 3])).round(4)
    array([0.3466, 0.    ])
    """
    return _mean(committee.vote_entropy, member_probabilities, starts)


def token_vote_entropy_tiebroken(member_probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean over the words of vote entropy with its ties broken by consensus entropy.

    See :func:`tithe.strategies.committee.vote_entropy_tiebroken` for the score of a word: votes first, consensus among
    equal votes. The mean of such scores orders texts on which all members agree by how sure they are together, and
    texts of equal splits too. Unlike for a single word, the order of two texts whose mean votes differ by very little
    may turn.

    Parameters
    ----------
    member_probabilities : array of shape (members, words, tags), float32 or float64
        Each row of each member a distribution over the tags, summing to 1 within 1e-3; 1 to 32 members.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word; above :func:`token_vote_entropy` by less than 0.05 for 5 members. Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, words, tags), there are no members or more than 32, a row holds NaN, a negative
        value, or does not sum to 1, or the starts do not fit the words.

    References
    ----------
    Dagan & Engelson 1995, Committee-based sampling for training probabilistic classifiers, ICML, pp. 150-157.
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (the mean over the words).

    Examples
    --------
    Two texts of a word each, both members agree on both; about the second they are less sure: the consensus entropies
    are 0.3251 and 0.6109, each times log 2 / 2 / (1 + log 2).

    >>> import numpy as np
    >>> member = [[0.9, 0.1], [0.7, 0.3]]
    >>> token_vote_entropy_tiebroken(np.array([member, member]), np.array([0, 1, 2])).round(4)
    array([0.0665, 0.125 ])
    """
    return _mean(committee.vote_entropy_tiebroken, member_probabilities, starts)


def token_consensus_entropy(member_probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean over the words of the entropy of the members' mean distribution.

    Parameters
    ----------
    member_probabilities : array of shape (members, words, tags), float32 or float64
        Each row of each member a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (all certain and alike) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (members, words, tags), there are no members, a row holds NaN, a negative value, or does not
        sum to 1, or the starts do not fit the words.

    References
    ----------
    Settles 2009, Active learning literature survey, University of Wisconsin-Madison TR 1648, pp. 15-17.
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (the mean over the words).

    Examples
    --------
    Two certain members who contradict each other about one of two words: (0 + log 2) / 2.

    >>> import numpy as np
    >>> one, other = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> token_consensus_entropy(np.array([one, other]), np.array([0, 2])).round(4)
    array([0.3466])
    """
    return _mean(committee.consensus_entropy, member_probabilities, starts)


def token_kl_to_consensus(member_probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean over the words of the members' mean Kullback-Leibler divergence from their mean distribution.

    Low where the members agree that they do not know. For draws of one network's dropout it is the mutual information
    between tag and network, which is also asked by under the name of BALD.

    Parameters
    ----------
    member_probabilities : array of shape (members, words, tags), float32 or float64
        Each row of each member a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (all members alike, within 1e-15 of it) to log(min(members, tags)). Higher = more worth
        asking.

    Raises
    ------
    ValueError
        If the shape is not (members, words, tags), there are no members, a row holds NaN, a negative value, or does not
        sum to 1, or the starts do not fit the words.

    References
    ----------
    McCallum & Nigam 1998, Employing EM and pool-based active learning for text classification, ICML, pp. 350-358.
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (the mean over the words).

    Examples
    --------
    About the first word both are unsure alike (0), about the second they contradict each other (log 2):

    >>> import numpy as np
    >>> one, other = [[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]
    >>> token_kl_to_consensus(np.array([one, other]), np.array([0, 2])).round(4)
    array([0.3466])
    """
    return _mean(committee.mean_kl_to_consensus, member_probabilities, starts)


def _mean(measure: Callable[[Floats], Float64], member_probabilities: Floats, starts: Ordinals) -> Float64:
    scores = measure(member_probabilities)
    return ragged.means(scores, ragged.checked_starts(starts, len(scores)))
