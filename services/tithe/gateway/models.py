"""The current model of a project as the gateway uses it: some arrays and a matrix product, kept while it is current."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tithe.errors import Unavailable
from tithe.runtime import Runtime
from tithe.storage.rounds import Model

if TYPE_CHECKING:
    from tithe.artifacts import ArtifactStore
    from tithe.learners.linear_model import LinearModel


def current_model(here: Runtime, row: Model) -> LinearModel:
    """The model of that row. Raises Unavailable where its file cannot be read."""
    try:
        return _read(here.artifacts, row.path, row.sha256)
    except (OSError, ValueError, LookupError) as error:
        raise Unavailable(
            f"the file of model {row.version} cannot be read", remedy="look at the artifact folder; a new round makes a new file"
        ) from error


@functools.lru_cache(maxsize=8)
def _read(artifacts: ArtifactStore, path: str, sha256: str) -> LinearModel:
    from tithe.learners.linear_model import LinearModel

    return LinearModel.from_tensors(*artifacts.read_model(path, sha256))
