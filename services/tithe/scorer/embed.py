"""One block of features: texts encoded, or vectors as they came, written once and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tithe.artifacts import BlockWriter, Float16
from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import EmbedBlock
from tithe.errors import Hopeless
from tithe.learners.word_features import portions, read_features
from tithe.learners.words import Int64
from tithe.loop import ingest, same_encoder
from tithe.loop.features import Vectors, block_key, words_key
from tithe.loop.reading import READ_WORDS, documents_of, encoder, word_encoder
from tithe.runtime import Runtime
from tithe.storage import jobs, pool, projects
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.pool import StoredWords

_TEXTS_AT_ONCE = 512
#: So much stays free on the disk whatever the limit says.
_ROOM_BYTES = 2 << 30


class _Part(NamedTuple):
    """Some rows of a block."""

    vectors: Vectors
    words: Float16 | None = None  #: of texts with entities: features of their words


def embed_block(runtime: Runtime, message: EmbedBlock, claim: Claim) -> None:
    """Write the block's files, then point its row at them. Done before: nothing."""
    block, project = runtime.database.run(
        lambda unit: (pool.block(unit, message.project_id, message.start), projects.get(unit, message.project_id))
    )
    if block is None:
        raise Hopeless(f"no block begins at {message.start}")
    if block.state == "ready":
        runtime.database.run(lambda unit: jobs.finish(unit, claim))
        return
    block = replace(block, encoder=_identity(runtime, project))
    if project.task is Task.TOKENS:
        _write_with_words(runtime, project, block, claim)
        return
    read = _given if project.encoder is None else _encoded
    parts = read(runtime, project, block.start, block.start + block.rows)
    first = next(parts)
    with _vectors_writer(runtime, project, block, claim, first) as writer:
        for part in parts:
            writer.append(part.vectors)
    _finish(runtime, claim, block, writer, first, None)


def _identity(runtime: Runtime, project: Project) -> str | None:
    """Of the project's encoder; None: its vectors come as they are. Raises Hopeless where the pool has another's."""
    if project.encoder is None:
        return None
    mine = encoder(project.encoder, runtime.settings.encoder_threads).identity
    runtime.database.run(lambda unit: same_encoder.check(unit, project.id, mine))
    return mine


def _write_with_words(runtime: Runtime, project: Project, block: pool.Block, claim: Claim) -> None:
    """Vectors of texts, and states of their words as long as there is room for them."""
    contents = runtime.database.run(lambda unit: pool.contents(unit, project.id, block.start, block.start + block.rows))
    documents = documents_of(contents)
    starts = np.cumsum([0, *(len(one.words) for one in documents)]).astype(np.int64)
    name, threads = project.encoder or "", runtime.settings.encoder_threads

    def read() -> Iterator[_Part]:
        for first, stop in portions(np.diff(starts), most_words=READ_WORDS, most=_TEXTS_AT_ONCE):
            yield _Part(*read_features(word_encoder(name, threads), documents[first:stop])[:2])

    parts = read()
    first = next(parts)
    with ExitStack() as files:
        vectors = files.enter_context(_vectors_writer(runtime, project, block, claim, first))
        words = None
        if first.words is not None and _may_keep(runtime, project, int(starts[-1]) * first.words.shape[1] * 2):
            words = files.enter_context(_words_writer(runtime, project, block, claim, starts, first.words))
        for part in parts:
            vectors.append(part.vectors)
            if words is not None and part.words is not None:
                words.append(part.words)
    kept = words.stored if words is not None else None
    stored = StoredWords(kept.key, kept.sha256, kept.size, int(starts[-1])) if kept is not None else None
    _finish(runtime, claim, block, vectors, first, stored)


def _may_keep(runtime: Runtime, project: Project, size: int) -> bool:
    """Whether so many bytes more are within the limit, and the disk has them to spare."""
    kept = runtime.database.run(lambda unit: pool.kept_states_bytes(unit, project.id))
    within = kept + size <= runtime.settings.word_states_limit_bytes
    return within and runtime.artifacts.room() > size + _ROOM_BYTES


@contextmanager
def _vectors_writer(
    runtime: Runtime, project: Project, block: pool.Block, claim: Claim, first: _Part
) -> Iterator[BlockWriter]:
    key = block_key(project.id, block.start, claim.fence)
    with runtime.artifacts.block_writer(key, block.rows, first.vectors.shape[1]) as writer:
        writer.append(first.vectors)
        yield writer


@contextmanager
def _words_writer(
    runtime: Runtime, project: Project, block: pool.Block, claim: Claim, starts: Int64, first: Float16
) -> Iterator[BlockWriter]:
    key = words_key(project.id, block.start, claim.fence)
    with runtime.artifacts.words_writer(key, starts, first.shape[1]) as writer:
        writer.append(first)
        yield writer


def _finish(
    runtime: Runtime, claim: Claim, block: pool.Block, writer: BlockWriter, first: _Part, words: StoredWords | None
) -> None:
    file, dimension = writer.stored, first.vectors.shape[1]

    def work(unit: Unit) -> None:
        ingest.finish_block(
            unit,
            claim,
            block.start,
            path=file.key,
            sha256=file.sha256,
            size=file.size,
            dimension=dimension,
            words=words,
            encoder=block.encoder,
        )

    runtime.database.run(work)


def _given(runtime: Runtime, project: Project, start: int, stop: int) -> Iterator[_Part]:
    with runtime.database.unit() as unit:
        for vectors in pool.vectors(unit, project.id, start, stop):
            yield _Part(vectors)


def _encoded(runtime: Runtime, project: Project, start: int, stop: int) -> Iterator[_Part]:
    texts = runtime.database.run(lambda unit: pool.texts(unit, project.id, start, stop))
    encode = encoder(project.encoder or "", runtime.settings.encoder_threads).encode
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield _Part(encode(texts[first : first + _TEXTS_AT_ONCE]))
