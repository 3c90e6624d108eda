"""Models as the scorer uses them: loaded once per process, checked against their rows."""

from __future__ import annotations

import functools
from uuid import UUID

from tithe.artifacts import ArtifactStore
from tithe.errors import Hopeless
from tithe.learners.linear_model import LinearModel
from tithe.runtime import Runtime
from tithe.storage import rounds


def load(runtime: Runtime, model_id: UUID) -> LinearModel:
    """The model with that id."""
    row = runtime.database.run(lambda unit: rounds.model(unit, model_id))
    if row is None:
        raise Hopeless(f"there is no model {model_id}")
    return _read(runtime.artifacts, row.path, row.sha256)


@functools.lru_cache(maxsize=4)
def _read(artifacts: ArtifactStore, path: str, sha256: str) -> LinearModel:
    return LinearModel.from_tensors(*artifacts.read_model(path, sha256))
