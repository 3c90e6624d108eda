"""Uncertainty of a text whose words are tagged (named entities): one number a text, higher = more worth asking.

All read probabilities of shape (words, tags), one row a word, the words of all texts one after the other, and starts of
shape (n + 1,): the words of text i are the rows ``starts[i]`` to ``starts[i + 1]``. Tag 0 is "no entity". Rows are
words: special tokens, padding and halves of words must not be among them (:func:`fold_to_words`
leaves them out). A word's probabilities stand by themselves, as marginals; how they come about, from a softmax or a
CRF's forward and backward pass, is the model's affair.

Each is one pass over the memory, O(words * tags), with O(words) extra memory. A text without words scores 0, the least
of every measure. A text's score never depends on the texts beside it, not even in the last bit.
``sequence_committee`` has the disagreement of a committee.
"""

from __future__ import annotations

import numpy as np

from tithe.strategies import ragged
from tithe.strategies.arrays import Float64, Floats, Int64, Ordinals
from tithe.strategies.blocks import Measure, distribution_fault, score_rows
from tithe.strategies.measures import at_least_zero, shannon_entropy
from tithe.strategies.tagged import fold_to_words, words_in_doubt

__all__ = [
    "entity_entropy",
    "fold_to_words",
    "mnlp",
    "sequence_least_confident",
    "token_entropy_max",
    "token_entropy_mean",
    "token_entropy_sum",
    "token_entropy_top",
    "word_entropy",
    "words_in_doubt",
]


def word_entropy(probabilities: Floats) -> Float64:
    """Shannon entropy of each word's tag, with ``0 * log(0) = 0`` exactly: what the folds below are made of.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.

    Returns
    -------
    array of shape (words,), float64
        Nats, from 0 (certain) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), or a row holds NaN, a negative value, or does not sum to 1.

    References
    ----------
    Shannon 1948, A mathematical theory of communication, Bell System Technical Journal 27, pp. 379-423.

    Examples
    --------
    >>> word_entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4)
    array([0.    , 0.6931])
    """
    return score_rows("probabilities", probabilities, distribution_fault, shannon_entropy)


def token_entropy_max(probabilities: Floats, starts: Ordinals) -> Float64:
    """Entropy of the text's most doubtful word.

    Favours texts of many words, a little: of more words the most doubtful is more doubtful.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (every word certain) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (token entropy; they fold by the mean and by the sum).
    Radmard, Fathullah & Lipani 2021, Subsequence based deep active learning for named entity recognition, ACL,
    pp. 4310-4321 (doubt sits in few words of a text).

    Examples
    --------
    Three texts of two words, none and one; the first has a certain word and a fair coin:

    >>> words = np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]])
    >>> token_entropy_max(words, np.array([0, 2, 2, 3])).round(4)
    array([0.6931, 0.    , 0.3251])
    """
    entropies, checked = _of_words(probabilities, starts, shannon_entropy)
    return ragged.peaks(entropies, checked)


def token_entropy_mean(probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean entropy of the text's words: the token entropy of Settles & Craven.

    Favours short texts: one doubtful word is a large share of few words, and a small one of many.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (every word certain) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079.

    Examples
    --------
    >>> words = np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]])
    >>> token_entropy_mean(words, np.array([0, 2, 2, 3])).round(4)
    array([0.3466, 0.    , 0.3251])
    """
    entropies, checked = _of_words(probabilities, starts, shannon_entropy)
    return ragged.means(entropies, checked)


def token_entropy_sum(probabilities: Floats, starts: Ordinals) -> Float64:
    """Entropy of all the text's words together: the total token entropy of Settles & Craven.

    The words being independent it is the entropy of the whole answer. Favours long texts, much: ask for it where a
    text costs the same whatever its length, not where people are paid by the word.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (every word certain) to log(tags) a word. Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079.

    Examples
    --------
    >>> words = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    >>> token_entropy_sum(words, np.array([0, 2, 2, 3])).round(4)
    array([1.3863, 0.    , 0.3251])
    """
    entropies, checked = _of_words(probabilities, starts, shannon_entropy)
    return ragged.sums(entropies, checked)


def token_entropy_top(probabilities: Floats, starts: Ordinals, k: int = 3) -> Float64:
    """Mean entropy of the text's k most doubtful words; of all, where there are fewer.

    Between the maximum (k = 1) and the mean (k at least the longest text): more than one word has to be in doubt, and
    the certain ones, most of any text, do not water it down. The paper has its two ends only.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.
    k : int
        At least 1. An entity has one to three words, most often.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (every word certain) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, the starts do not
        fit the words, or k is below 1.

    Notes
    -----
    O(words * (tags + k)).

    References
    ----------
    Settles & Craven 2008, An analysis of active learning strategies for sequence labeling tasks, EMNLP, pp. 1070-1079
    (token entropy; they fold by the mean and by the sum).

    Examples
    --------
    >>> words = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    >>> token_entropy_top(words, np.array([0, 3, 3, 4]), k=2).round(4)
    array([0.6931, 0.    , 0.3251])
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    entropies, checked = _of_words(probabilities, starts, shannon_entropy)
    return ragged.top_means(entropies, checked, k)


def mnlp(probabilities: Floats, starts: Ordinals) -> Float64:
    """Doubt about the likeliest tags of the whole text, per word: ``-mean(log(max(p)))``.

    The maximum normalised log-probability of Shen et al., its sign turned: they ask for the text whose likeliest
    sequence of tags y has the smallest ``log(P(y)) / n``. Their tagger gives that sequence's own probability, the
    product of each tag's given the tags before it; a CRF would give it by Viterbi over its normaliser. From each word's
    own probabilities, as here, ``P(y)`` is the product of their maxima: the same number where words are independent
    given the text, as a softmax's are, and elsewhere that of the model's marginals, which may be of a sequence that is
    not well formed.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (every word certain) to log(tags). Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Shen, Yun, Lipton, Kronrod & Anandkumar 2018, Deep active learning for named entity recognition, ICLR, section 4.

    Examples
    --------
    The first text's likeliest tags have probability 1 * 0.5, so -log(0.5) / 2 a word:

    >>> words = np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]])
    >>> mnlp(words, np.array([0, 2, 2, 3])).round(4)
    array([0.3466, 0.    , 0.1054])
    """
    surprises, checked = _of_words(probabilities, starts, _surprise_of_best)
    return ragged.means(surprises, checked)


def sequence_least_confident(probabilities: Floats, starts: Ordinals) -> Float64:
    """Doubt about the likeliest tags of the whole text: ``-log(P(y))``, the sum of ``-log(max(p))`` over its words.

    Culotta & McCallum ask by ``1 - P(y)``. The logarithm gives the same order, and still tells texts apart where
    ``P(y)`` of a few hundred words is 0 to the last bit. Favours long texts, as they do; :func:`mnlp` is this per word.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats, from 0 (every word certain) to log(tags) a word. Higher = more worth asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Culotta & McCallum 2005, Reducing labeling effort for structured prediction tasks, AAAI, pp. 746-751.

    Examples
    --------
    >>> words = np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]])
    >>> sequence_least_confident(words, np.array([0, 2, 2, 3])).round(4)
    array([0.6931, 0.    , 0.1054])
    """
    surprises, checked = _of_words(probabilities, starts, _surprise_of_best)
    return ragged.sums(surprises, checked)


def entity_entropy(probabilities: Floats, starts: Ordinals) -> Float64:
    """Mean over the words of the entropy times the probability of an entity: ``mean((1 - p[0]) * H(p))``.

    Most words belong to no entity, and a little doubt about each of many adds up to more than the doubt that matters.
    The weight takes that away: at ``p[0] = 0.99`` a word counts a hundredth. A word of which the model does not know
    whether it is an entity or not counts half of one of which it does not know the type; so do their mistakes: a
    missed or an invented entity is one error of the F1 score, one of the wrong type is two, a missed and an invented
    one. Divided by all the words, as people read all of them.

    The weight is our own; the paper below counts only words that may belong to an entity, by other means.

    Parameters
    ----------
    probabilities : array of shape (words, tags), float32 or float64
        Each row a distribution over the tags, summing to 1 within 1e-3; tag 0 is "no entity".
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.

    Returns
    -------
    array of shape (n,), float64
        Nats a word, from 0 (every word certain, or surely no entity) to less than log(tags). Higher = more worth
        asking.

    Raises
    ------
    ValueError
        If the shape is not (words, tags), a row holds NaN, a negative value, or does not sum to 1, or the starts do not
        fit the words.

    References
    ----------
    Sapci, Kemik, Yeniterzi & Tastan 2024, Focusing on potential named entities during active label acquisition, Natural
    Language Engineering 30(3), pp. 602-624.

    Examples
    --------
    An entity of either type; an entity or none; and a word that is hardly one (0.1 * 0.3251):

    >>> words = np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    >>> entity_entropy(words, np.array([0, 1, 2, 3])).round(4)
    array([0.6931, 0.3466, 0.0325])
    """
    weighted, checked = _of_words(probabilities, starts, _entropy_of_entities)
    return ragged.means(weighted, checked)


def _of_words(probabilities: Floats, starts: Ordinals, measure: Measure) -> tuple[Float64, Int64]:
    scores = score_rows("probabilities", probabilities, distribution_fault, measure)
    return scores, ragged.checked_starts(starts, len(scores))


def _surprise_of_best(columns: Float64, scratch: Float64) -> Float64:
    del scratch
    return at_least_zero(-np.log(columns.max(axis=0)))


def _entropy_of_entities(columns: Float64, scratch: Float64) -> Float64:
    entity = at_least_zero(1.0 - columns[0])
    return entity * shannon_entropy(columns, scratch)
