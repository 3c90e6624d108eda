"""Distances of pool rows to their nearest labeled item, kept between rounds: only what is new is folded in.

Kept by block, because blocks are immutable while shards are cut anew as the pool grows; the distances of all blocks
that were brought up to date together are one file. All of it is a cache. A lost file, a block that was made again, a
label that went away: these blocks start again from all labeled vectors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from tithe.errors import Conflict
from tithe.loop.features import PoolVectors
from tithe.loop.folding import fold
from tithe.loop.labeled import HasDatabase, read_up_to
from tithe.storage import labeled
from tithe.storage import minima as kept_minima
from tithe.storage.database import Database, Unit
from tithe.storage.labeled import LabeledSet, Page
from tithe.storage.minima import BlockPart, KeptMinima
from tithe.storage.pool import Block

Distances = npt.NDArray[np.float32]
_CHUNK_ROWS = 16_384
_PAGE = 8_192


class HasStores(HasDatabase, Protocol):
    """What has a database and an artifact store: a runtime."""

    @property
    def artifacts(self) -> ArtifactStore:
        """The store."""


@dataclass(frozen=True)
class Minima:
    """Distances of some blocks' rows to the nearest labeled vector, and what it took to know them."""

    distances: Distances  #: shape (rows,), float32, Euclidean, in the order of the blocks; infinity: nothing is labeled
    labeled: int  #: vectors they are the minimum over
    folded: int  #: vectors folded in now: those of the block that lacked most
    begun: int  #: blocks that started from nothing


def minima_key(project_id: UUID, upto: int, content: str) -> str:
    """Where distances are kept in the artifact store. Named by their content: writing the same again is no change."""
    return str(PurePosixPath(str(project_id)) / "minima" / f"{upto:012d}-{content[:32]}.npy")


def distances(runtime: HasStores, project_id: UUID, blocks: Sequence[Block], watermark: int) -> npt.NDArray[np.float64]:
    """Each row's distance to its nearest labeled item, for a scorer: :func:`current` without the rest, as float64.

    Parameters
    ----------
    runtime
        A service's.
    project_id
        The project.
    blocks
        A shard's, in state ready.
    watermark
        The round's. Its trainer has brought every vector up to there; those of a later round count as well.

    Returns
    -------
    ndarray
        Shape (rows,), in the order of the rows' ordinals; infinity where nothing is labeled.

    Raises
    ------
    Conflict
        Where the labeled vectors are not up to the watermark.
    """
    read_up_to(runtime.database, project_id, watermark)
    return current(runtime.database, runtime.artifacts, project_id, blocks).distances.astype(np.float64)


def current(database: Database, store: ArtifactStore, project_id: UUID, blocks: Sequence[Block]) -> Minima:
    """The distances of the blocks' rows as of now; what was folded in is kept for the next time.

    Equal to computing them from every labeled vector, bit by bit, whatever was kept and whoever kept it: see
    :func:`tithe.loop.folding.fold`. A row that is labeled itself is at distance 0. Two workers at the same blocks both
    get the answer; what one of them keeps is kept.

    Parameters
    ----------
    database, store
        Where the labeled vectors and the rows about what is kept are; where blocks and kept distances are.
    project_id
        The project.
    blocks
        Blocks in state ready: a shard's.

    Raises
    ------
    BlockLost
        When a block's file is gone or damaged.
    Conflict
        When labels go away faster than this can follow.

    Notes
    -----
    O(rows · new · d) for `new` vectors labeled since the last time. Memory: the distances, 8,192 vectors, 10 MiB.
    """
    blocks = sorted(blocks, key=lambda block: block.start)
    for _ in range(3):
        found = _bring_up(database, store, project_id, blocks)
        if found is not None:
            return found
    raise Conflict("labels of this project go away while its distances are computed", remedy="try again in a while")


@dataclass
class _Part:
    """A block on its way."""

    block: Block
    distances: Distances
    upto: int  #: vectors with numbers up to here are folded in


def _bring_up(database: Database, store: ArtifactStore, project_id: UUID, blocks: Sequence[Block]) -> Minima | None:
    """One attempt; None: a vector left meanwhile, or the labels moved on."""

    def look(unit: Unit) -> tuple[LabeledSet | None, dict[int, KeptMinima]]:
        return labeled.read(unit, project_id), kept_minima.read(unit, project_id, [block.start for block in blocks])

    of, kept = database.run(look)
    if of is None or of.vectors == 0 or not blocks:
        return Minima(np.full(sum(block.rows for block in blocks), np.inf, dtype=np.float32), 0, 0, 0)
    if any(one.epoch == of.epoch and one.upto > of.seq for one in kept.values()):
        return None  # the trainer was faster than this look: look again
    parts = [_begin(store, of, block, kept.get(block.start)) for block in blocks]
    begun = sum(part.upto == 0 for part in parts)
    stale = [part for part in parts if part.upto < of.seq]
    folded = _fold_in(database, store, of, stale)
    if folded is None:
        return None
    if stale:
        _keep(database, store, of, stale)
    return Minima(np.concatenate([part.distances for part in parts]), of.vectors, folded, begun)


def _begin(store: ArtifactStore, of: LabeledSet, block: Block, kept: KeptMinima | None) -> _Part:
    """What is kept of the block, if it is of this set and of these vectors; otherwise nothing yet."""
    nothing = _Part(block, np.full(block.rows, np.inf, dtype=np.float32), 0)
    if kept is None or (kept.epoch, kept.block_sha256, kept.rows) != (of.epoch, block.sha256, block.rows):
        return nothing
    try:
        file = store.open_block(kept.path, kept.sha256)
    except (ArtifactMissing, ArtifactDamaged):
        return nothing
    return _Part(block, np.array(file[kept.position : kept.position + kept.rows, 0]), kept.upto)


def _fold_in(database: Database, store: ArtifactStore, of: LabeledSet, stale: Sequence[_Part]) -> int | None:
    """Fold in what is missing, page by page; how many vectors that were, or None: a vector left meanwhile."""
    folded, after = 0, min((part.upto for part in stale), default=of.seq)

    def page(unit: Unit) -> Page | None:
        now = labeled.read(unit, of.project_id)
        return None if now is None or now.epoch != of.epoch else labeled.page(unit, of, after, _PAGE)

    while after < of.seq:
        found = database.run(page)
        if found is None:
            return None
        if not len(found.seqs):
            break
        for part in stale:
            _fold_page(store, part, found)
        folded, after = folded + len(found.seqs), int(found.seqs[-1])
    for part in stale:
        part.upto = of.seq
    return folded


def _fold_page(store: ArtifactStore, part: _Part, page: Page) -> None:
    """Fold in those of the page that the part lacks."""
    new = page.vectors[page.seqs > part.upto]
    if not len(new):
        return
    for first, rows in PoolVectors(store, [part.block]).runs(_CHUNK_ROWS):
        at = first - part.block.start
        fold(part.distances[at : at + len(rows)], rows, new)


def _keep(database: Database, store: ArtifactStore, of: LabeledSet, parts: Sequence[_Part]) -> None:
    """Write the distances, point the blocks at them, delete the files that nothing points at any more."""
    content = np.concatenate([part.distances for part in parts]).reshape(-1, 1)
    ends = np.cumsum([part.block.rows for part in parts]).tolist()
    places = [
        BlockPart(part.block.start, part.block.rows, part.block.sha256 or "", end - part.block.rows)
        for part, end in zip(parts, ends, strict=True)
    ]
    digest = hashlib.sha256(f"{of.epoch} {[(place.start, place.block_sha256) for place in places]}".encode())
    digest.update(content.data)
    stored = store.write_block(minima_key(of.project_id, of.seq, digest.hexdigest()), content)
    unused = database.run(
        lambda unit: kept_minima.keep(unit, of, of.seq, path=stored.key, sha256=stored.sha256, parts=places)
    )
    for path in unused:
        store.delete_prefix(path)
