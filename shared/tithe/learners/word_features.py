"""What a tagger is shown of a word: its state in the encoder, and what an encoder that lower-cases does not see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Progress
from tithe.learners.tagging.lexical import lexical
from tithe.learners.words import Document, Int64, WordEncoder

Float16 = NDArray[np.float16]
Number = TypeVar("Number", bound=np.floating[Any])
#: States are kept as float16; some models have a few numbers far beyond the others.
_LARGEST = np.float32(60_000)
_ROWS = 8192


class Features(NamedTuple):
    """What :func:`read_features` makes of n documents with W words in all."""

    vectors: Float32  #: (n, d), as the encoder gives them
    words: Float16  #: (W, w)
    starts: Int64  #: (n + 1,)


def read_features(encoder: WordEncoder, documents: Sequence[Document], progress: Progress | None = None) -> Features:
    """Read the documents.

    Words are rounded to float16, as they are kept on disk: whether they come from there or are made again, a model is
    shown the same numbers.
    """
    read = encoder.read(documents, progress=progress)
    seen = lexical(documents)
    states = read.words.shape[1]
    features = np.empty((len(read.words), states + seen.shape[1]), np.float16)
    for first in range(0, len(features), _ROWS):
        rows = slice(first, first + _ROWS)
        features[rows, :states] = np.clip(read.words[rows], -_LARGEST, _LARGEST)
    features[:, states:] = seen
    return Features(read.vectors, features, read.starts)


def portions(lengths: Int64, *, most_words: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut documents into stretches of at most so many words and documents: memory goes by words.

    A document with more words is a stretch by itself.

    Examples
    --------
    >>> list(portions(np.array([3, 3, 3, 9, 1]), most_words=6, most=10))
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        before = ends[first - 1] if first else 0
        stop = int(np.searchsorted(ends, before + most_words, side="right"))
        stop = min(max(stop, first + 1), first + most)
        yield first, stop
        first = stop


def take(words: NDArray[Number], starts: Int64, rows: Int64) -> tuple[NDArray[Number], Int64]:
    """The words of some documents, in the order of the rows.

    Parameters
    ----------
    words, starts
        Shape (W, w) and int64 (n + 1,): document i has the words ``starts[i]`` to ``starts[i + 1]``.
    rows
        int64, shape (m,), in [0, n).

    Returns
    -------
    Their words, and starts of shape (m + 1,).

    Examples
    --------
    >>> words, starts = take(np.arange(5.0)[:, None], np.array([0, 2, 2, 5]), np.array([2, 0]))
    >>> words[:, 0], starts
    (array([2., 3., 4., 0., 1.]), array([0, 3, 5]))
    """
    lengths = (starts[1:] - starts[:-1])[rows]
    found = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = np.repeat(starts[rows] - found[:-1], lengths) + np.arange(found[-1])
    return words[at], found


def joined(parts: Sequence[tuple[NDArray[Number], Int64]]) -> tuple[NDArray[Number], Int64]:
    """Several pairs of words and starts as one.

    Examples
    --------
    >>> one = (np.ones((2, 1)), np.array([0, 2]))
    >>> joined([one, one])[1]
    array([0, 2, 4])
    """
    offsets = np.cumsum([0, *(len(words) for words, _ in parts)])
    starts = [starts[:-1] + offset for (_, starts), offset in zip(parts, offsets[:-1], strict=True)]
    return np.concatenate([words for words, _ in parts]), np.concatenate([*starts, offsets[-1:]]).astype(np.int64)
