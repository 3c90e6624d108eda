"""What the gateway reads of the artifact store: the current model, and the vectors it is asked about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from tithe.contracts.projects import Project, Task
from tithe.errors import BlockLost, Unavailable, WorkFailed
from tithe.loop import ingest
from tithe.runtime import Runtime
from tithe.storage.pool import Block
from tithe.storage.rounds import Model

if TYPE_CHECKING:
    from tithe.artifacts import ArtifactStore
    from tithe.learners.linear_model import LinearModel
    from tithe.loop.features import Ordinals, PoolVectors, Vectors

T = TypeVar("T")


def reads_vectors(project: Project, row: Model) -> bool:
    """Whether the model answers from vectors alone: then the gateway asks it itself. Others are asked by a scorer."""
    return project.task is not Task.TOKENS and row.facts.get("learner", "linear") == "linear"


def current_model(here: Runtime, row: Model) -> LinearModel:
    """The model of that row, which :func:`reads_vectors`, kept while it is asked for.

    Raises Unavailable where its file cannot be read, or is of a kind that is not known here.
    """
    return _readable(f"model {row.version}", lambda: _read(here.artifacts, row.path, row.sha256))


def pool_vectors(here: Runtime, blocks: Sequence[Block]) -> PoolVectors:
    """The blocks' vectors, to gather from."""
    from tithe.loop.features import PoolVectors

    return PoolVectors(here.artifacts, blocks)


def gather(
    here: Runtime, project_id: UUID, vectors: PoolVectors, ordinals: Sequence[int]
) -> tuple[list[bool], Vectors]:
    """Which of the items have a vector, and these vectors in order.

    Blocks whose files are lost or damaged are asked for anew. Raises Unavailable, then too.
    """
    import numpy as np

    wanted: Ordinals = np.array(ordinals, dtype=np.int64)
    try:
        found, rows = _readable("a block of vectors", lambda: vectors.gather(wanted))
    except Unavailable as error:
        if isinstance(lost := error.__cause__, BlockLost):
            here.database.run(lambda unit: ingest.encode_again(unit, project_id, lost.facts["starts"]))
            error.remedy = "try again in a while: it is being made again"
        raise
    return found.tolist(), rows


def _readable(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (WorkFailed, OSError, ValueError) as error:
        raise Unavailable(f"{what} cannot be read", remedy="look at the artifact folder and its mount") from error


@functools.lru_cache(maxsize=8)
def _read(artifacts: ArtifactStore, path: str, sha256: str) -> LinearModel:
    from tithe.learners.linear_model import FORMAT, LinearModel

    tensors, meta = artifacts.read_model(path, sha256)
    if meta.get("format") != FORMAT:
        raise Unavailable(
            f"the gateway knows models of the format {FORMAT}, not {str(meta.get('format'))[:80]!r}",
            remedy="is a worker of a newer version running? Bring the gateway to the same one",
        )
    return LinearModel.from_tensors(tensors, meta)
