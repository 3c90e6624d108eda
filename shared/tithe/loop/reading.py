"""A project's items as models read them: texts, documents, states of words; kept ones from disk, others made again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from tithe.contracts.projects import Project
from tithe.errors import BlockLost, Hopeless
from tithe.learners import registry
from tithe.learners.protocol import Encoder, Float32
from tithe.learners.tagging.words import document, document_of
from tithe.learners.word_features import joined, read_features, take
from tithe.learners.words import Document, Int64, WordEncoder
from tithe.settings import Settings
from tithe.storage import pool
from tithe.storage.database import Database
from tithe.storage.pool import Block

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
            remedy="token_classification takes minilm, hashing, torch:… or onnx:…",
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
        return np.array([number is not None for number in self._block_of(ordinals)], dtype=bool)

    def words(self, ordinals: Int64) -> tuple[Float32, Int64]:
        """Features of their words, shape (W, w), and starts, shape (n + 1,): read from disk, or made from the texts."""
        block_of = self._block_of(ordinals)
        parts: list[tuple[Float32, Int64]] = []
        rows: list[Int64] = []
        for number in sorted(set(block_of), key=lambda one: -1 if one is None else one):
            here = np.array([at for at, one in enumerate(block_of) if one == number], dtype=np.int64)
            found = self._made(ordinals[here]) if number is None else self._read(self._blocks[number], ordinals[here])
            parts.append(found)
            rows.append(here)
        if not parts:
            return np.empty((0, 0), np.float32), np.zeros(1, np.int64)
        words, starts = joined(parts)
        return take(words, starts, np.argsort(np.concatenate(rows), kind="stable"))

    def _block_of(self, ordinals: Int64) -> list[int | None]:
        """The number of the block that keeps each item's words; None: they are not kept."""
        at = np.searchsorted(self._starts, ordinals, side="right") - 1
        return [
            int(number) if number >= 0 and _holds(self._blocks[number], ordinal) else None
            for number, ordinal in zip(at.tolist(), ordinals.tolist(), strict=True)
        ]

    def _read(self, block: Block, ordinals: Int64) -> tuple[Float32, Int64]:
        store = self._parts.artifacts
        try:
            starts, words = store.open_words(block.words_path or "", block.words_sha256 or "")
        except (ArtifactMissing, ArtifactDamaged) as error:
            if not store.root.is_dir():  # the whole store is away, a mount perhaps: its files are not lost
                raise
            raise BlockLost(error.message, starts=[block.start]) from error
        found, where = take(words, starts, ordinals - block.start)
        return found.astype(np.float32), where

    def _made(self, ordinals: Int64) -> tuple[Float32, Int64]:
        name, threads = self._project.encoder or "", self._parts.settings.encoder_threads
        read = read_features(word_encoder(name, threads), self.documents(ordinals))
        return read.words, read.starts


def _holds(block: Block, ordinal: int) -> bool:
    return block.words_path is not None and ordinal < block.start + block.rows
