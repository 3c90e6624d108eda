"""A pool's vectors, read from its blocks on disk: by run for scoring, by ordinal for training. Never from SQL rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from tithe.errors import BlockLost
from tithe.storage.pool import Block

Vectors = npt.NDArray[np.float32]
Ordinals = npt.NDArray[np.int64]


def block_key(project_id: UUID, start: int, fence: int) -> str:
    """Where a block of the project is kept in the artifact store.

    The claim's fence is part of it: a writer that was thought dead must not put its file in its successor's place.
    """
    return str(PurePosixPath(str(project_id)) / "blocks" / f"{start:012d}-{fence}.npy")


def words_key(project_id: UUID, start: int, fence: int) -> str:
    """Where the word states of a block of the project are kept in the artifact store."""
    return str(PurePosixPath(str(project_id)) / "words" / f"{start:012d}-{fence}.npy")


def model_key(project_id: UUID, model_id: UUID) -> str:
    """Where a model of the project is kept in the artifact store."""
    return str(PurePosixPath(str(project_id)) / "models" / f"{model_id}.safetensors")


class PoolVectors:
    """The rows of some blocks, memory-mapped.

    Parameters
    ----------
    store
        Where the blocks' files are.
    blocks
        Blocks in state ready, in the order of their ordinals, without overlap.
    """

    def __init__(self, store: ArtifactStore, blocks: Sequence[Block]) -> None:
        self._store = store
        self._blocks = list(blocks)
        self._starts = np.array([block.start for block in self._blocks], dtype=np.int64)

    def runs(self, chunk_rows: int) -> Iterator[tuple[int, Vectors]]:
        """Every row in order, as ``(first ordinal, (rows, d) float32)`` with at most `chunk_rows` rows each."""
        for block in self._blocks:
            rows = self._open(block)
            for first in range(0, block.rows, chunk_rows):
                yield block.start + first, rows[first : first + chunk_rows]

    def ordinals(self) -> Ordinals:
        """Every ordinal that has a row, ascending."""
        if not self._blocks:
            return np.empty(0, dtype=np.int64)
        return np.concatenate([np.arange(b.start, b.start + b.rows, dtype=np.int64) for b in self._blocks])

    def gather(self, ordinals: Ordinals) -> tuple[npt.NDArray[np.bool_], Vectors]:
        """The rows of the given ordinals.

        Returns
        -------
        tuple
            Which ordinals lie in a block, shape (n,) bool; their vectors in the order given, shape (found, d) float32.
        """
        at = np.searchsorted(self._starts, ordinals, side="right") - 1
        found = np.zeros(len(ordinals), dtype=bool)
        parts: list[tuple[Ordinals, Vectors]] = []
        for number in np.unique(at[at >= 0]):
            block = self._blocks[int(number)]
            here = np.flatnonzero((at == number) & (ordinals < block.start + block.rows))
            if here.size:
                found[here] = True
                parts.append((here, np.asarray(self._open(block)[ordinals[here] - block.start])))
        if not parts:
            return found, np.empty((0, self.dimension), dtype=np.float32)
        order = np.argsort(np.concatenate([where for where, _ in parts]), kind="stable")
        return found, np.concatenate([rows for _, rows in parts])[order]

    @property
    def dimension(self) -> int:
        """Of the vectors; 0 where there are no blocks."""
        return int(self._blocks[0].dimension or 0) if self._blocks else 0

    def _open(self, block: Block) -> Vectors:
        if block.path is None or block.sha256 is None:
            raise LookupError(f"block {block.start} has no file yet")
        try:
            return self._store.open_block(block.path, block.sha256)
        except (ArtifactMissing, ArtifactDamaged) as error:
            if not self._store.root.is_dir():  # the whole store is away, a mount perhaps: its files are not lost
                raise
            lost = [other.start for other in self._blocks if not self._readable(other)]
            raise BlockLost(error.message, starts=lost) from error

    def _readable(self, block: Block) -> bool:
        try:
            self._store.open_block(block.path or "", block.sha256 or "")
        except (ArtifactMissing, ArtifactDamaged):
            return False
        return True
