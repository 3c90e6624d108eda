"""What a tagger is shown of a word: its state in the encoder, and what an encoder that lower-cases does not see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Progress
from tithe.learners.tagging.lexical import lexical
from tithe.learners.words import Document, Int64, Read, WordEncoder

Float16 = NDArray[np.float16]
#: States are kept as float16; some models have a few numbers far beyond the others.
_LARGEST = np.float32(60_000)


def read_features(encoder: WordEncoder, documents: Sequence[Document], progress: Progress | None = None) -> Read:
    """Read the documents; the words of what is returned are features.

    Returns
    -------
    :class:`Read`, its words rounded to float16, as they are kept on disk: whether they come from there or are made
    again, a model is shown the same numbers.
    """
    read = encoder.read(documents, progress=progress)
    states = np.clip(read.words, -_LARGEST, _LARGEST)
    features = np.hstack([states, lexical(documents)]).astype(np.float16).astype(np.float32)
    return Read(read.vectors, features, read.starts)


def take(words: NDArray[np.floating], starts: Int64, rows: Int64) -> tuple[NDArray[np.floating], Int64]:
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


def joined(parts: Sequence[tuple[Float32, Int64]]) -> tuple[Float32, Int64]:
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
