"""Numbers of words, folded to one a text, without a loop over texts.

The words of all texts stand in one row, text by text; ``starts``, int64 of shape (n + 1,), says where each text begins:
text i has the words ``starts[i]`` to ``starts[i + 1]``. A text without words is 0 in every fold. NumPy's ``reduceat``
would answer for it with the first word of the next text, so it is never asked about one.

A text's fold never depends on the texts beside it, not even in the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tithe.strategies.arrays import Float64, Int64, Ordinals


def checked_starts(starts: Ordinals, words: int) -> Int64:
    """The starts as int64.

    Raises
    ------
    ValueError
        If they are not one row of whole numbers that begins with 0, never falls, and ends with the number of words.
    """
    array = np.asarray(starts)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise ValueError(f"starts, shape {array.shape}, {array.dtype}, must be one row of whole numbers, (n + 1,)")
    begin: Int64 = array.astype(np.int64, copy=False)
    if begin[0] != 0 or begin[-1] != words:
        raise ValueError(f"starts must begin with 0 and end with the {words} words, not {begin[0]} and {begin[-1]}")
    falls = np.diff(begin) < 0
    if falls.any():
        text = int(falls.argmax())
        raise ValueError(f"starts must never fall: text {text} begins at {begin[text]} and ends at {begin[text + 1]}")
    return begin


def sums(values: Float64, starts: Int64) -> Float64:
    """Sum of each text's values, shape (n,); O(words)."""
    return _reduced(np.add, values, starts)


def means(values: Float64, starts: Int64) -> Float64:
    """Mean of each text's values, shape (n,); O(words)."""
    return np.asarray(sums(values, starts) / np.maximum(np.diff(starts), 1), np.float64)


def peaks(values: Float64, starts: Int64) -> Float64:
    """Largest of each text's values, shape (n,); O(words)."""
    return _reduced(np.maximum, values, starts)


def top_means(values: Float64, starts: Int64, k: int) -> Float64:
    """Mean of each text's k largest values, of all where there are fewer, shape (n,); O(k * words)."""
    totals = np.zeros(len(starts) - 1)
    for texts, words in largest(values, starts, k):
        totals[texts] += values[words]
    return np.asarray(totals / np.clip(np.diff(starts), 1, k), np.float64)


def largest(values: Float64, starts: Int64, k: int) -> Iterator[tuple[Int64, Int64]]:
    """Each text's largest value, then each one's second largest, up to the k-th; of equal ones the first.

    Parameters
    ----------
    values : array of shape (words,), float64, above minus infinity
    starts : array of shape (n + 1,), int64
    k : int

    Yields
    ------
    texts : array of shape (m,), int64, ascending: the texts that have so many words
    words : array of shape (m,), int64: where in `values` each one's is

    Examples
    --------
    >>> for texts, words in largest(np.array([0.2, 0.9, 0.5]), np.array([0, 2, 2, 3]), k=2):
    ...     print(texts, words)
    [0 2] [1 2]
    [0] [0]
    """
    lengths = np.diff(starts)
    text_of = np.repeat(np.arange(len(lengths)), lengths)
    left = values.copy()
    for turn in range(k):
        texts = np.flatnonzero(lengths > turn)
        if not len(texts):
            return
        tops = np.flatnonzero(left == peaks(left, starts)[text_of])
        owner = text_of[tops]
        words = tops[np.flatnonzero(np.diff(owner, prepend=-1))]
        words = words[left[words] > -np.inf]  # of a text whose words are used up nothing is left
        yield texts, words
        left[words] = -np.inf


def _reduced(operation: np.ufunc, values: Float64, starts: Int64) -> Float64:
    folded = np.zeros(len(starts) - 1)
    filled = np.flatnonzero(np.diff(starts))
    if len(filled):  # without the texts that have no words each one ends where the next begins
        folded[filled] = operation.reduceat(values, starts[filled])
    return folded
