"""One block of features: texts encoded, or vectors as they came, written once and never changed."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from tithe.contracts.projects import Project
from tithe.contracts.tasks import EmbedBlock
from tithe.errors import Hopeless
from tithe.learners import registry
from tithe.learners.protocol import Encoder
from tithe.loop import ingest
from tithe.loop.features import Vectors, block_key
from tithe.runtime import Runtime
from tithe.storage import jobs, pool, projects
from tithe.storage.jobs import Claim

_TEXTS_AT_ONCE = 512


def embed_block(runtime: Runtime, message: EmbedBlock, claim: Claim) -> None:
    """Write the block's file, then point its row at it. Done before: nothing."""
    block, project = runtime.database.run(
        lambda unit: (pool.block(unit, message.project_id, message.start), projects.get(unit, message.project_id))
    )
    if block is None:
        raise Hopeless(f"no block begins at {message.start}")
    if block.state == "ready":
        runtime.database.run(lambda unit: jobs.finish(unit, claim))
        return
    stop = block.start + block.rows
    read = _given if project.encoder is None else _encoded
    chunks = read(runtime, project, block.start, stop)
    first = next(chunks)
    with runtime.artifacts.block_writer(
        block_key(project.id, block.start, claim.fence), block.rows, first.shape[1]
    ) as writer:
        writer.append(first)
        for chunk in chunks:
            writer.append(chunk)
    stored = writer.stored
    runtime.database.run(
        lambda unit: ingest.finish_block(
            unit, claim, block.start, path=stored.key, sha256=stored.sha256, size=stored.size, dimension=first.shape[1]
        )
    )


def _given(runtime: Runtime, project: Project, start: int, stop: int) -> Iterator[Vectors]:
    with runtime.database.unit() as unit:
        yield from pool.vectors(unit, project.id, start, stop)


def _encoded(runtime: Runtime, project: Project, start: int, stop: int) -> Iterator[Vectors]:
    texts = runtime.database.run(lambda unit: pool.texts(unit, project.id, start, stop))
    encode = encoder(project.encoder or "", runtime.settings.encoder_threads).encode
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield encode(texts[first : first + _TEXTS_AT_ONCE])


@functools.cache
def encoder(name: str, threads: int) -> Encoder:
    """Loading an encoder takes seconds: one per process."""
    return registry.get_encoder(name, threads=threads)
