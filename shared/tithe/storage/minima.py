"""Where each block's distances to the nearest labeled vector are kept between rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tithe.storage.database import Unit
from tithe.storage.labeled import LabeledSet


@dataclass(frozen=True)
class KeptMinima:
    """A block's distances: `rows` numbers of a file, from `position` on; labeled vectors up to `upto` are in them."""

    start: int
    rows: int
    block_sha256: str
    epoch: UUID
    upto: int
    path: str
    sha256: str
    position: int


@dataclass(frozen=True)
class BlockPart:
    """A block's place in a file of distances."""

    start: int
    rows: int
    block_sha256: str
    position: int


def read(unit: Unit, project_id: UUID, starts: Sequence[int]) -> dict[int, KeptMinima]:
    """What is kept of the blocks that begin there: start → kept."""
    found = unit.all("minima.read", KeptMinima, project_id=project_id, starts=list(starts))
    return {one.start: one for one in found}


def keep(unit: Unit, of: LabeledSet, upto: int, *, path: str, sha256: str, parts: Sequence[BlockPart]) -> list[str]:
    """Point blocks at their part of a new file; which files nothing points at any more, the new one perhaps.

    What is there of the same set and is newer stays; what comes of a set that is void by now is not kept.
    """
    starts = [part.start for part in parts]
    unit.value("minima.take_turns", project_id=of.project_id)
    before = read(unit, of.project_id, starts).values()
    unit.run(
        "minima.keep", project_id=of.project_id, epoch=of.epoch, upto=upto, path=path, sha256=sha256,
        starts=starts, rows=[part.rows for part in parts], block_sha256s=[part.block_sha256 for part in parts],
        positions=[part.position for part in parts],
    )  # fmt: skip
    paths = sorted({path, *(one.path for one in before)})
    return [row[0] for row in unit.rows("minima.unused", project_id=of.project_id, paths=paths)]
