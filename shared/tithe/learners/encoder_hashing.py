"""Sentence vectors without a model: hashed words and letter sequences, projected at random. Starts at once."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from tithe.learners.protocol import Float32, Progress
from tithe.learners.words import Document, Read

_BUCKETS = 1 << 15
_SEED = 20_240_229
_WORD = re.compile(r"\w+")
_PORTION = 1000
_WORD_PART = 128  #: numbers that stand for a word's letters


class HashingEncoder:
    """Words, word pairs and letters in threes to fives, hashed into buckets and projected to 256 numbers of length one.

    Each of the two views, words and letters, weighs its terms by the root of their count and is scaled to length one;
    each bucket has a fixed row of Gaussian numbers, and a text's vector is the scaled sum of its terms' rows. Dot
    products of the long sparse vectors survive that to within about ``1 / sqrt(256)``. Nothing is learned, so it
    knows spelling and no meaning: good for tests, for trying things out, and for texts that sentence encoders do not
    read (codes, logs).

    Parameters
    ----------
    threads
        Taken and not used: it is one thread's work.

    References
    ----------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning, ICML, 1113-1120.
    Johnson & Lindenstrauss (1984), Extensions of Lipschitz mappings into a Hilbert space, Contemp. Math. 26, 189-206.
    """

    dimension = 256
    word_dimension = 3 * _WORD_PART
    identity = "hashing/1/256"

    def __init__(self, *, threads: int = 1) -> None:
        del threads
        rng = np.random.default_rng(_SEED)
        self._rows = rng.standard_normal((_BUCKETS, self.dimension), np.float32)

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """Encode the texts, letter case aside.

        Parameters
        ----------
        texts
            Any texts. One without a letter or digit gets the first unit vector.
        progress
            Called after every thousand texts with (texts done, texts in all).

        Returns
        -------
        float32, shape (len(texts), 256), rows of length one.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for at, text in enumerate(texts):
            vectors[at] = self._vector(text)
            if progress is not None and ((at + 1) % _PORTION == 0 or at + 1 == len(texts)):
                progress(at + 1, len(texts))
        return vectors

    def read(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Read:
        """As :meth:`tithe.learners.words.WordEncoder.read`: a word is its letters, beside those of its neighbours.

        A word's state is three parts of length one or zero, the letters of the word, of the one before and of the one
        after, side by side, so that a tagger can tell whose they are.
        """
        starts = np.cumsum([0, *(len(document.words) for document in documents)], dtype=np.int64)
        rows = np.zeros((int(starts[-1]), self.word_dimension), np.float32)
        parts = rows.reshape(-1, 3, _WORD_PART)
        known: dict[str, Float32] = {}
        for document, first in zip(documents, starts, strict=False):
            for at, (start, stop) in enumerate(document.words, int(first)):
                word = document.text[start:stop].lower()
                if word not in known:
                    known[word] = self._view([word, *_letter_terms([word])])[:_WORD_PART]
                    known[word] /= np.linalg.norm(known[word])
                parts[at, 0] = known[word]
            inside = slice(int(first) + 1, int(first) + len(document.words))
            before = slice(int(first), int(first) + max(0, len(document.words) - 1))
            parts[inside, 1], parts[before, 2] = parts[before, 0], parts[inside, 0]
        return Read(self.encode([document.text for document in documents], progress=progress), rows, starts)

    def _vector(self, text: str) -> Float32:
        words = _WORD.findall(text.lower())
        total = self._view(_word_terms(words)) + self._view(_letter_terms(words))
        length = np.linalg.norm(total)
        if length == 0:
            total[0] = length = np.float32(1)
        unit: Float32 = total / length
        return unit

    def _view(self, terms: Iterable[str]) -> Float32:
        counts = Counter(zlib.crc32(term.encode()) % _BUCKETS for term in terms)
        weights = np.sqrt(np.fromiter(counts.values(), np.float32, len(counts)))
        total: Float32 = weights @ self._rows[list(counts)]
        return total / np.linalg.norm(weights) if counts else np.zeros(self.dimension, np.float32)


def _word_terms(words: list[str]) -> Iterable[str]:
    yield from words
    for pair in pairwise(words):
        yield " ".join(pair)


def _letter_terms(words: list[str]) -> Iterable[str]:
    for word in words:
        edged = f"<{word}>"
        for size in (3, 4, 5):
            for first in range(len(edged) - size + 1):
                yield edged[first : first + size]
