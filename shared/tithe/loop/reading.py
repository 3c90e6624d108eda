"""A project's items as models read them: texts, documents, states of words; kept ones from disk, others made again."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from tithe.contracts.projects import Project
from tithe.errors import BlockLost, Hopeless
from tithe.learners import registry
from tithe.learners.protocol import Encoder
from tithe.learners.tagging.words import document, document_of
from tithe.learners.word_features import Float16, joined, portions, read_features, take
from tithe.learners.words import Document, Int64, WordEncoder
from tithe.settings import Settings
from tithe.storage import pool
from tithe.storage.database import Database
from tithe.storage.pool import Block

#: Words whose states are made at a time.
READ_WORDS = 20_000
Content = tuple[str | None, list[str] | None]


class Parts(Protocol):
    """What items are read with: a runtime."""

    @property
    def settings(self) -> Settings:
        """The settings."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store."""


@functools.cache
def encoder(name: str, threads: int) -> Encoder:
    """Loading an encoder takes seconds: one per process."""
    return registry.get_encoder(name, threads=threads)


def word_encoder(name: str, threads: int) -> WordEncoder:
    """The encoder, which must know words. Raises Hopeless where it does not."""
    found = encoder(name, threads)
    if not hasattr(found, "read"):
        raise Hopeless(
            f"the encoder {name!r} knows no words",
            remedy="token_classification takes minilm, hashing, torch:…, onnx:… or static:…",
        )
    return cast("WordEncoder", found)


def documents_of(contents: Sequence[Content]) -> list[Document]:
    """Texts are cut into words; what came as tokens keeps them."""
    return [document(text) if text is not None else document_of(tokens or []) for text, tokens in contents]


class Items:
    """Items of a project, by ordinal.

    Parameters
    ----------
    parts
        Database, artifact store and settings.
    project
        Whose items.
    blocks
        Ready ones, in the order of their ordinals: where kept word states are looked for.
    """

    def __init__(self, parts: Parts, project: Project, blocks: Sequence[Block]) -> None:
        self._parts, self._project = parts, project
        self._blocks = list(blocks)
        self._starts = np.array([block.start for block in self._blocks], dtype=np.int64)
        stops = [block.start + (block.rows if block.words_path else 0) for block in self._blocks]
        self._kept_until = np.array(stops, dtype=np.int64)

    def texts(self, ordinals: Int64) -> list[str]:
        """Their texts, in order; tokens joined by single spaces."""
        return self._parts.database.run(lambda unit: pool.texts_of(unit, self._project.id, ordinals.tolist()))

    def documents(self, ordinals: Int64) -> list[Document]:
        """Them as documents, in order."""
        return documents_of(
            self._parts.database.run(lambda unit: pool.contents_of(unit, self._project.id, ordinals.tolist()))
        )

    def kept(self, ordinals: Int64) -> npt.NDArray[np.bool_]:
        """Which of them have their word states on disk."""
        return self._block_of(ordinals) >= 0

    def lengths(self, ordinals: Int64) -> Int64:
        """How many words each of them has: int64, shape (n,)."""
        found = np.empty(len(ordinals), np.int64)
        for number, here in self._by_block(ordinals):
            if number < 0:
                found[here] = [len(one.words) for one in self.documents(ordinals[here])]
            else:
                rows = ordinals[here] - self._blocks[number].start
                found[here] = np.diff(self._opened(number)[0])[rows]
        return found

    def words(self, ordinals: Int64) -> tuple[Float16, Int64]:
        """Features of their words, shape (W, w), and starts, shape (n + 1,): read from disk, or made from the texts."""
        found = [(self._words(number, ordinals[here]), here) for number, here in self._by_block(ordinals)]
        if not found:
            return np.empty((0, 0), np.float16), np.zeros(1, np.int64)
        order = np.concatenate([here for _, here in found])
        words, starts = joined([part for part, _ in found]) if len(found) > 1 else found[0][0]
        if (np.diff(order) > 0).all():
            return words, starts
        return take(words, starts, np.argsort(order, kind="stable"))

    def _by_block(self, ordinals: Int64) -> Iterator[tuple[int, Int64]]:
        """Numbers of blocks that keep words, and the positions of the items whose words these are; -1: none does."""
        block_of = self._block_of(ordinals)
        for number in np.unique(block_of).tolist():
            yield number, np.flatnonzero(block_of == number)

    def _block_of(self, ordinals: Int64) -> Int64:
        """The number of the block that keeps each item's words; -1: they are not kept."""
        if not self._blocks:
            return np.full(len(ordinals), -1, dtype=np.int64)
        at = np.searchsorted(self._starts, ordinals, side="right") - 1
        return np.where((at >= 0) & (ordinals < self._kept_until[at]), at, -1)

    def _words(self, number: int, ordinals: Int64) -> tuple[Float16, Int64]:
        if number < 0:
            return self._made(ordinals)
        starts, words = self._opened(number)
        return take(words, starts, ordinals - self._blocks[number].start)

    def _opened(self, number: int) -> tuple[Int64, Float16]:
        store, block = self._parts.artifacts, self._blocks[number]
        try:
            return store.open_words(block.words_path or "", block.words_sha256 or "")
        except (ArtifactMissing, ArtifactDamaged) as error:
            if not store.root.is_dir():  # the whole store is away, a mount perhaps: its files are not lost
                raise
            gone = {one.start for one in self._blocks if one.words_path and not store.present(one.words_path)}
            raise BlockLost(error.message, starts=sorted(gone | {block.start})) from error

    def _made(self, ordinals: Int64) -> tuple[Float16, Int64]:
        documents = self.documents(ordinals)
        reader = word_encoder(self._project.encoder or "", self._parts.settings.encoder_threads)
        lengths = np.array([len(one.words) for one in documents], dtype=np.int64)
        parts = [
            read_features(reader, documents[first:stop])[1:]
            for first, stop in portions(lengths, most_words=READ_WORDS, most=len(documents))
        ]
        return joined(parts)
