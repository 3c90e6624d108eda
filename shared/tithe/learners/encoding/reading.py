"""From texts to vectors and word states, whatever computes them: equal texts once, texts of a length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tithe.learners.encoding.alignment import Pairs, mean
from tithe.learners.encoding.batches import Positions, batches
from tithe.learners.encoding.subwords import Ids, Piece, Subwords
from tithe.learners.protocol import Float32, Progress
from tithe.learners.words import Document, Int64, Read

_NO_WORDS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
#: A budget that memory does not grant is halved, but never below this.
_FEWEST_TOKENS = 16


class TooMuchAtOnce(Exception):
    """The batch does not fit the memory there is."""


class Batch(NamedTuple):
    """Sequences that go through a model together."""

    ids: Sequence[Ids]  #: special tokens included, from long to short
    pairs: Pairs  #: rows of the tokens, sequence after sequence without padding, beside positions in `words`
    words: Int64  #: numbers of the words that are spoken of, ascending


class States(NamedTuple):
    """What a model makes of a batch."""

    vectors: Float32  #: float32, shape (sequences, d), of any length
    sums: Float32  #: float32, shape (words, w): the states of each word's sub-words, added up


class Forward(Protocol):
    """A model, seen from here. Safe to call from several threads."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    @property
    def word_dimension(self) -> int:
        """Numbers in a word's state."""

    def __call__(self, batch: Batch) -> States:
        """Compute. Raises TooMuchAtOnce where memory ends."""


class Reader:
    """Encodes and reads with one tokenizer and one model.

    Parameters
    ----------
    subwords
        The tokenizer.
    forward
        The model.
    most_tokens
        What a padded batch may hold; halved for good when memory ends.
    threads
        Batches computed side by side.
    """

    def __init__(self, subwords: Subwords, forward: Forward, *, most_tokens: int, threads: int = 1) -> None:
        self.subwords, self.forward = subwords, forward
        self.most_tokens = most_tokens
        self._threads = max(1, threads)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32:
        """As :meth:`tithe.learners.protocol.Encoder.encode`; each distinct text is computed once."""
        distinct: dict[str, int] = {}
        place = np.fromiter((distinct.setdefault(text, len(distinct)) for text in texts), np.intp, len(texts))
        pieces = [Piece(self.subwords.ids(text), _NO_WORDS) for text in distinct]
        vectors = np.zeros((len(pieces), self.forward.dimension), np.float32)
        done = _Done(progress, np.bincount(place, minlength=len(pieces)))
        for positions, _, states in self._states(pieces):
            vectors[positions] = states.vectors
            done.more(positions)
        return unit_rows(vectors)[place]

    def read(self, documents: Sequence[Document], progress: Progress | None = None) -> Read:
        """As :meth:`tithe.learners.words.WordEncoder.read`."""
        starts = np.cumsum([0, *(len(document.words) for document in documents)], dtype=np.int64)
        pieces: list[Piece] = []
        owners: list[int] = []
        for owner, document in enumerate(documents):
            found = self.subwords.pieces(document)
            pieces += [Piece(p.ids, Pairs(p.pairs.subwords, p.pairs.words + starts[owner])) for p in found]
            owners += [owner] * len(found)
        owner_of = np.array(owners, np.int64)
        leads = np.diff(owner_of, prepend=-1) > 0  # a text's vector is its first window's, as where it is only encoded
        vectors = np.zeros((len(documents), self.forward.dimension), np.float32)
        words = np.zeros((int(starts[-1]), self.forward.word_dimension), np.float32)
        counts = np.zeros(len(words), np.int64)
        done = _Done(progress, leads.astype(np.int64))
        for positions, batch, states in self._states(pieces):
            words[batch.words] += states.sums
            counts[batch.words] += np.bincount(batch.pairs.words, minlength=len(batch.words))
            heads = leads[positions]
            vectors[owner_of[positions[heads]]] = states.vectors[heads]
            done.more(positions)
        return Read(unit_rows(vectors), mean(words, counts), starts)

    def _states(self, pieces: Sequence[Piece]) -> Iterator[tuple[Positions, Batch, States]]:
        """Every batch and what the model makes of it, from long sequences to short ones."""
        cut = batches([len(piece.ids) for piece in pieces], self.most_tokens)
        if self._threads == 1 or len(cut) < 2:
            for positions in cut:
                yield from self._computed(pieces, positions)
            return
        with ThreadPoolExecutor(self._threads) as crew:
            for found in crew.map(lambda positions: list(self._computed(pieces, positions)), cut):
                yield from found

    def _computed(self, pieces: Sequence[Piece], positions: Positions) -> Iterator[tuple[Positions, Batch, States]]:
        if len(positions) == 1 or len(positions) * len(pieces[positions[0]].ids) <= self.most_tokens:
            batch = _batch([pieces[at] for at in positions])
            try:
                yield positions, batch, self.forward(batch)
            except TooMuchAtOnce:
                if len(positions) == 1:
                    raise
                self.most_tokens = max(_FEWEST_TOKENS, self.most_tokens // 2)
            else:
                return
        half = len(positions) // 2
        yield from self._computed(pieces, positions[:half])
        yield from self._computed(pieces, positions[half:])


def unit_rows(vectors: Float32) -> Float32:
    """Scaled to length one, in place; a row of zeros becomes the first unit vector."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[lengths[:, 0] == 0, :1] = 1
    vectors /= np.where(lengths == 0, 1, lengths)
    return vectors


def _batch(pieces: Sequence[Piece]) -> Batch:
    firsts = np.cumsum([0, *(len(piece.ids) for piece in pieces)])
    rows = np.concatenate([piece.pairs.subwords + first for piece, first in zip(pieces, firsts, strict=False)])
    words, local = np.unique(np.concatenate([piece.pairs.words for piece in pieces]), return_inverse=True)
    return Batch([piece.ids for piece in pieces], Pairs(rows, local), words)


class _Done:
    """Tells how many texts are done."""

    def __init__(self, progress: Progress | None, texts: NDArray[np.int64]) -> None:
        self._progress, self._texts, self._done = progress, texts, 0
        self._total = int(texts.sum())

    def more(self, positions: Positions) -> None:
        if self._progress is not None:
            self._done += int(self._texts[positions].sum())
            self._progress(self._done, self._total)
