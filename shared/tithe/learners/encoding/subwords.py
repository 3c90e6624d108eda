"""A text as a model's tokenizer cuts it: sub-words with offsets in code points, in windows the model can read."""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tithe.learners.encoding.alignment import Pairs, overlaps
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.encoding.windows import Window, windows
from tithe.learners.words import Document

#: Of a window's tokens, the share that its neighbour reads too: on either side of a border a word sees half of it.
_OVERLAP = 0.25
#: Texts that show which special tokens stand around a text: the first that the tokenizer keeps anything of.
_SAMPLES = ("a", "1", "the", "的", "и")
Ids = NDArray[np.int64]


class Piece(NamedTuple):
    """What goes through a model as one sequence."""

    ids: Ids  #: special tokens included
    pairs: Pairs  #: positions in `ids` beside words of the document; special tokens belong to none


class Subwords:
    """A tokenizer, and how much of a text its model reads at once.

    Parameters
    ----------
    file
        A ``tokenizer.json``: what a fast tokenizer is saved as, and the only kind that knows offsets.
    most
        Tokens that the model reads at once, special ones included.
    lower
        Lower-case texts first, without moving a code point.
    prompt
        Goes before every text.

    Raises
    ------
    ModelUnusable
        When the file is damaged, or the window has no room for a text.
    """

    def __init__(self, file: Path, most: int, *, lower: bool = False, prompt: str = "") -> None:
        self._tokenizer = _opened(file)
        self._prefix, self._suffix = _around(self._tokenizer, file)
        self._lower, self._prompt = lower, prompt
        self.most = most
        self.room = most - len(self._prefix) - len(self._suffix)
        if self.room < 1:
            raise ModelUnusable(f"a window of {most} tokens has no room beside the special tokens of {file}")

    def ids(self, text: str) -> Ids:
        """The tokens a model is given of a text: as many as it reads at once, special ones included."""
        return self._dressed(self._cut(text).ids[: self.room])

    def pieces(self, document: Document) -> list[Piece]:
        """The text's windows, each with the words whose states it gives.

        The first reads exactly what :meth:`ids` gives. A word whose sub-words one window reads in full comes from one
        window; only a word too long for that is put together out of several.
        """
        cut = self._cut(document.text)
        ids = cut.ids
        pairs = overlaps(document.words, np.array(cut.offsets, np.int64).reshape(-1, 2) - len(self._prompt))
        found = windows(len(ids), self.room, int(self.room * _OVERLAP))
        edges = [0, *(_beside_a_word(pairs, *neighbours) for neighbours in pairwise(found)), len(ids)]
        return [
            Piece(self._dressed(ids[window.start : window.stop]), self._kept(pairs, window.start, *keep))
            for window, keep in zip(found, pairwise(accumulate(edges, max)), strict=True)
        ]

    def _kept(self, pairs: Pairs, start: int, keep_start: int, keep_stop: int) -> Pairs:
        inside = slice(*np.searchsorted(pairs.subwords, (keep_start, keep_stop)))
        return Pairs(pairs.subwords[inside] - start + len(self._prefix), pairs.words[inside])

    def _dressed(self, ids: list[int]) -> Ids:
        return np.array([*self._prefix, *ids, *self._suffix], np.int64)

    def _cut(self, text: str) -> Any:
        shown = lowered(text) if self._lower else text
        return self._tokenizer.encode(whole(self._prompt + shown), add_special_tokens=False)


def whole(text: str) -> str:
    r"""Replace halves of surrogate pairs: no text has them, but one must not stop a million others.

    Examples
    --------
    >>> whole("a\ud800b") == "a\ufffdb"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return text


def lowered(text: str) -> str:
    """In lower case, code point by code point: one that would become two stays as it is.

    Examples
    --------
    >>> lowered("İstanbul NÜRNBERG")
    'İstanbul nürnberg'
    """
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _opened(file: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ModelUnusable(
            f"{file} is no tokenizer that can be read: {error}", remedy="get the model's files again"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _around(tokenizer: Any, file: Path) -> tuple[list[int], list[int]]:
    """Special tokens before and after every text."""
    for sample in _SAMPLES:
        bare, dressed = (tokenizer.encode(sample, add_special_tokens=special).ids for special in (False, True))
        if bare:
            before = next(at for at in range(len(dressed)) if dressed[at : at + len(bare)] == bare)
            return dressed[:before], dressed[before + len(bare) :]
    raise ModelUnusable(f"the tokenizer in {file} makes nothing of any letter", remedy="get the model's files again")


def _beside_a_word(pairs: Pairs, left: Window, right: Window) -> int:
    """Where two windows part: next to the middle of what both read, but not inside a word where that can be helped."""
    edge = left.keep_stop
    at = int(np.searchsorted(pairs.subwords, edge))
    if not 0 < at < len(pairs.words) or pairs.words[at - 1] != pairs.words[at]:
        return edge
    word, first, stop = pairs.words[at], at, at
    while first and pairs.words[first - 1] == word and pairs.subwords[first] >= right.start:
        first -= 1
    if pairs.subwords[first] >= right.start:
        return int(pairs.subwords[first])
    while stop < len(pairs.words) and pairs.words[stop] == word and pairs.subwords[stop] < left.stop:
        stop += 1
    whole = stop == len(pairs.words) or pairs.words[stop] != word
    return int(pairs.subwords[stop - 1]) + 1 if whole else edge
