"""Around the scores of tagged texts: from halves of words to words, and which words of a text are in doubt."""

from __future__ import annotations

import numpy as np

from tithe.strategies import ragged
from tithe.strategies.arrays import Float64, Floats, Int64, Ordinals
from tithe.strategies.blocks import SUM_TOLERANCE

#: The word of what belongs to none: special tokens, padding, white space.
NO_WORD = -1


def fold_to_words(
    subword_probabilities: Floats, word_of_subword: Ordinals, words: int | None = None, *, no_entity: int = 0
) -> Float64:
    """Mean of each word's sub-words; what belongs to no word never counts.

    Parameters
    ----------
    subword_probabilities : array of shape (subwords, tags), float32 or float64
        Each row that belongs to a word a distribution over the tags; the others may hold anything.
    word_of_subword : array of shape (subwords,), int64
        Which word, from 0, each row belongs to, in any order; -1 for special tokens and padding.
    words : int
        How many words there are; None: up to the last that is named.
    no_entity : int
        The tag of a word that has no sub-word (the tokenizer left nothing of it): it gets that one with certainty, as
        the model has not seen it and has nothing to ask about it.

    Returns
    -------
    array of shape (words, tags), float64
        Rows sum to 1 as far as the sub-words' do.

    Raises
    ------
    ValueError
        If the shapes do not fit, a word is below -1 or beyond `words`, or the row of a word is no distribution.

    Notes
    -----
    O(subwords * tags) where the words come in order, as they do from a tokenizer.

    References
    ----------
    Shen, Yun, Lipton, Kronrod & Anandkumar 2018, Deep active learning for named entity recognition, ICLR (words, not
    their parts, are what is tagged and paid for).

    Examples
    --------
    A special token, a word of two halves, one of a single piece, and padding:

    >>> pieces = np.array([[0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [1.0, 0.0], [0.0, 1.0]])
    >>> fold_to_words(pieces, np.array([-1, 0, 0, 1, -1])).round(4)
    array([[0.6, 0.4],
           [1. , 0. ]])
    """
    rows, owner = np.asarray(subword_probabilities), np.asarray(word_of_subword)
    if rows.ndim != 2 or owner.shape != rows.shape[:1] or owner.dtype.kind not in "iu":
        raise ValueError(
            f"subword_probabilities, shape {rows.shape}, must be (subwords, tags), and word_of_subword, shape "
            f"{owner.shape}, {owner.dtype}, one whole number for each of them"
        )
    count = int(owner.max(initial=NO_WORD)) + 1 if words is None else words
    outside = (owner < NO_WORD) | (owner >= count)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f"word_of_subword, shape {owner.shape}: row {row} is {owner[row]}, not -1 to {count - 1}")
    order = np.argsort(owner, kind="stable")
    order = order[np.searchsorted(owner[order], 0) :]
    pieces = rows[order].astype(np.float64)
    _check_distributions(rows.shape, pieces, order)
    folded = np.zeros((count, rows.shape[1]))
    named, first = np.unique(owner[order], return_index=True)
    if len(named):
        folded[named] = np.add.reduceat(pieces, first, axis=0) / np.diff(first, append=len(order))[:, np.newaxis]
    folded[np.setdiff1d(np.arange(count), named), no_entity] = 1.0
    return folded


def words_in_doubt(
    entropies: Floats, starts: Ordinals, most: int = 5, *, share: float = 0.25, least: float = 0.1
) -> list[Int64]:
    """Each text's most doubtful words, for people to look at first.

    A word is among them if its entropy is at least a share of that of the text's most doubtful word, and at least
    `least`: a text of which the model is sure has none.

    Parameters
    ----------
    entropies : array of shape (words,), float32 or float64
        Of each word, at least 0; as :func:`tithe.strategies.sequence.word_entropy` gives them, or as shares of the
        highest there is.
    starts : array of shape (n + 1,), int64
        Where each text's words begin; the last is the number of words.
    most : int
        So many of a text at most.
    share : float
        Of the text's largest entropy; 0 to 1.
    least : float
        In the unit of the entropies; 0.1 nats is 0.98 against 0.02.

    Returns
    -------
    list of n arrays of shape (m,), int64
        Positions of words within their text, from 0, most doubtful first, of equal ones the first.

    Raises
    ------
    ValueError
        If an entropy is NaN or negative, or the starts do not fit the words.

    Notes
    -----
    O(words * most), and a step for each text: made for a queue, not for a pool.

    References
    ----------
    Radmard, Fathullah & Lipani 2021, Subsequence based deep active learning for named entity recognition, ACL,
    pp. 4310-4321 (doubt sits in few words of a text).

    Examples
    --------
    Of the first text two words, of the second, which is sure, none:

    >>> words_in_doubt(np.array([0.02, 0.3, 0.6, 0.1, 0.01]), np.array([0, 4, 5]))
    [array([2, 1]), array([], dtype=int64)]
    """
    values = np.asarray(entropies, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"entropies, shape {values.shape}, must be one row, (words,)")
    if not (values >= 0.0).all():
        row = int((~(values >= 0.0)).argmax())
        raise ValueError(f"entropies, shape {values.shape}: row {row} is {values[row]:.6g}, not an entropy")
    begin = ragged.checked_starts(starts, len(values))
    floor = np.maximum(least, share * ragged.peaks(values, begin))
    texts_of, words_of = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for texts, words in ragged.largest(values, begin, most):
        doubted = values[words] >= floor[texts]
        texts_of.append(texts[doubted])
        words_of.append(words[doubted])
    texts, words = np.concatenate(texts_of), np.concatenate(words_of)
    order = np.argsort(texts, kind="stable")  # turns came most doubtful first
    positions = words[order] - begin[texts[order]]
    counts = np.bincount(texts, minlength=len(begin) - 1)
    return np.split(positions, np.cumsum(counts[:-1])) if len(counts) else []


def _check_distributions(shape: tuple[int, ...], pieces: Float64, rows: Int64) -> None:
    totals = pieces.sum(axis=1)
    sound = (pieces >= 0.0).all(axis=1) & (np.abs(totals - 1.0) <= SUM_TOLERANCE)
    if sound.all():
        return
    bad = int(rows[~sound].min())
    at = int(np.flatnonzero(rows == bad)[0])
    reason = "holds NaN" if np.isnan(pieces[at]).any() else f"sums to {totals[at]:.6g}, or holds a negative value"
    raise ValueError(f"subword_probabilities, shape {shape}: row {bad} {reason}")
