"""Which sub-words make up which words, and the fold of their states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32
from tithe.learners.words import Int64, Stretch


class Pairs(NamedTuple):
    """Sub-words beside the words they belong to: int64 arrays of one length, sorted by sub-word."""

    subwords: Int64
    words: Int64


def overlaps(words: Sequence[Stretch], offsets: NDArray[np.int64]) -> Pairs:
    """The sub-words of each word: those that share at least one code point with it.

    A sub-word that reaches over several words (``n't`` cut elsewhere than the words are) belongs to each of them; one
    that only covers what lies between words, or nothing at all, belongs to none.

    Parameters
    ----------
    words
        In order, without overlap, none empty.
    offsets
        int64, shape (t, 2): where each sub-word starts and stops, in code points; in any order.

    Returns
    -------
    :class:`Pairs`.

    Notes
    -----
    O((words + t) log words), whatever the text's length.

    Examples
    --------
    >>> overlaps([(0, 5), (6, 9)], np.array([(0, 3), (3, 5), (5, 9), (9, 9)]))
    Pairs(subwords=array([0, 1, 2]), words=array([0, 0, 1]))
    """
    edges = np.asarray(words, np.int64).reshape(-1, 2)
    spots = np.asarray(offsets, np.int64).reshape(-1, 2)
    first = np.searchsorted(edges[:, 1], spots[:, 0], side="right")
    stop = np.searchsorted(edges[:, 0], spots[:, 1], side="left")
    many = np.where(spots[:, 1] > spots[:, 0], np.maximum(stop - first, 0), 0)
    subwords = np.repeat(np.arange(len(spots)), many)
    found = np.repeat(first - (np.cumsum(many) - many), many) + np.arange(len(subwords))
    return Pairs(subwords, found)


def add_up(states: Float32, pairs: Pairs, into: Float32, counts: Int64) -> None:
    """Add the states of sub-words to the rows of their words, and count them.

    Parameters
    ----------
    states
        float32, shape (t, w): of the sub-words that ``pairs.subwords`` names.
    pairs
        In any order.
    into
        float32, shape (W, w), written to: row ``pairs.words[i]`` gains ``states[pairs.subwords[i]]``.
    counts
        int64, shape (W,), written to likewise.
    """
    if not len(pairs.words):
        return
    order = np.argsort(pairs.words, kind="stable")
    words = pairs.words[order]
    heads = np.flatnonzero(np.diff(words, prepend=-1))
    into[words[heads]] += np.add.reduceat(states[pairs.subwords[order]], heads, axis=0)
    counts[words[heads]] += np.diff(heads, append=len(words))


def mean(sums: Float32, counts: Int64) -> Float32:
    """Means of what :func:`add_up` collected, in place; a word without sub-words keeps its zeros."""
    sums /= np.maximum(counts, 1)[:, None].astype(np.float32)
    return sums
