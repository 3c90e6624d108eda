"""Texts as a transformer reads them: windows of token ids, and where words begin in them. Tokenizers and NumPy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from tithe.learners.encoding.alignment import overlaps
from tithe.learners.encoding.windows import Window, windows
from tithe.learners.words import Document

Int64 = NDArray[np.int64]
#: Texts tokenized at a time: the tokenizer is told of many at once, and their encodings are let go soon.
_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of one text, special tokens included.

    Attributes
    ----------
    owner
        Which text it is of.
    ids
        int64, shape (tokens,): what the transformer reads.
    weight
        What it counts in its text's mean: the tokens that are kept from it.
    positions
        int64, shape (k,): where in `ids` the words kept from this window have their first sub-word.
    words
        int64, shape (k,): which of the text's words these are.
    """

    owner: int
    ids: Int64
    weight: float
    positions: Int64
    words: Int64


class Cutter:
    """Cuts texts into pieces for a transformer.

    Parameters
    ----------
    tokenizer
        The ``tokenizer.json`` of a fast tokenizer, as text; what it says of truncation and padding is not minded.
    window
        Tokens of a piece, special ones included.

    Raises
    ------
    ValueError
        When the special tokens alone fill a window.
    """

    def __init__(self, tokenizer: str, window: int) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        special = self._tokenizer.encode("a")
        own = np.flatnonzero(np.array(special.special_tokens_mask) == 0)
        ids = np.array(special.ids, np.int64)
        first, stop = (int(own[0]), int(own[-1]) + 1) if len(own) else (max(0, len(ids) - 1),) * 2
        self._before, self._after = ids[:first], ids[stop:]
        self._room = window - len(self._before) - len(self._after)
        if self._room < 1:
            raise ValueError(f"a window of {window} tokens has no room beside {window - self._room} special ones")

    def texts(self, texts: Sequence[str], most_windows: int) -> Iterator[Piece]:
        """The windows of each text, side by side; of a long one, `most_windows` evenly spread.

        A text without tokens has one window, with the special ones alone.
        """
        for owner, found in self._encoded(texts):
            ids = np.array(found.ids, np.int64)
            for window in spread(windows(len(ids), self._room, 0), most_windows):
                weight = max(1, window.keep_stop - window.keep_start)
                yield self._piece(owner, ids, window, weight, _NONE, _NONE)

    def documents(self, documents: Sequence[Document], overlap: int) -> Iterator[Piece]:
        """The windows of each document, with the words whose first sub-word is kept from them.

        A window without such words is left out: words without sub-words, and documents without words, have none.
        """
        overlap = min(overlap, self._room - 1)
        for owner, found in self._encoded([document.text for document in documents]):
            ids = np.array(found.ids, np.int64)
            words, first = first_tokens(documents[owner].words, found.offsets)
            for window in windows(len(ids), self._room, overlap):
                kept = (first >= window.keep_start) & (first < window.keep_stop)
                if kept.any():
                    positions = first[kept] - window.start + len(self._before)
                    yield self._piece(owner, ids, window, 1, positions, words[kept])

    def _piece(self, owner: int, ids: Int64, window: Window, weight: float, positions: Int64, words: Int64) -> Piece:
        read = np.concatenate([self._before, ids[window.start : window.stop], self._after])
        return Piece(owner, read, weight, positions, words)

    def _encoded(self, texts: Sequence[str]) -> Iterator[tuple[int, Encoding]]:
        for first in range(0, len(texts), _TOGETHER):
            portion = list(texts[first : first + _TOGETHER])
            try:
                found = self._tokenizer.encode_batch(portion, add_special_tokens=False)
            except (UnicodeEncodeError, TypeError):  # half a surrogate pair: no text, but it must not stop the others
                whole = [_without_halves(text) for text in portion]
                found = self._tokenizer.encode_batch(whole, add_special_tokens=False)
            yield from enumerate(found, first)


def first_tokens(words: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> tuple[Int64, Int64]:
    """Which words have a sub-word, and the first of each.

    Parameters
    ----------
    words
        Stretches in code points, in order.
    offsets
        Stretches of the sub-words, special ones aside, in order.

    Returns
    -------
    The words, int64, shape (k,), ascending; and the first sub-word that overlaps each, int64, shape (k,).

    Examples
    --------
    The second word is one the tokenizer drops:

    >>> words, first = first_tokens([(0, 4), (5, 6), (7, 9)], [(0, 2), (2, 4), (7, 9)])
    >>> words.tolist(), first.tolist()
    ([0, 2], [0, 2])
    """
    pairs = overlaps(words, np.array(offsets, np.int64).reshape(-1, 2))
    found, at = np.unique(pairs.words, return_index=True)
    return found, pairs.subwords[at]


def spread(found: list[Window], most: int) -> list[Window]:
    """At most so many of the windows: the first, the last, and others evenly between.

    Examples
    --------
    >>> [window.start for window in spread(windows(90, 10, 0), 4)]
    [0, 30, 50, 80]
    """
    if len(found) <= most:
        return found
    return [found[at] for at in np.linspace(0, len(found) - 1, most).round().astype(int)]


def _without_halves(text: str) -> str:
    """A stand-in for each half of a surrogate pair: no code point moves."""
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


_NONE = np.empty(0, np.int64)
