"""Rows of an export: an item, its answer if it has one, and what the model says of it if that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project
from tithe.gateway.models import current_model, gather, pool_vectors
from tithe.runtime import Runtime
from tithe.storage.answers import Exported
from tithe.storage.pool import Block
from tithe.storage.rounds import Model

if TYPE_CHECKING:
    from tithe.learners.linear_model import LinearModel
    from tithe.loop.features import PoolVectors


@dataclass(frozen=True)
class Row:
    """One row."""

    item: Exported
    prediction: Prediction | None

    def record(self, *, predicted: bool) -> dict[str, Any]:
        """The row by column. `status` is labeled, skipped or unlabeled."""
        one = self.item
        told: dict[str, Any] = {
            "id": one.external_id,
            "text": one.text,
            "tokens": one.tokens,
            "meta": one.meta,
            "split": one.split,
            "status": {"label": "labeled", "skip": "skipped"}.get(one.kind or "", "unlabeled"),
            "label": one.value,
            "annotator": one.annotator,
            "source": one.source,
            "note": one.note,
            "seq": one.seq,
            "at": one.created_at,
        }
        if predicted:
            said = self.prediction
            told["predicted"] = None if said is None else said.labels if said.labels is not None else said.label
            told["confidence"] = None if said is None else said.confidence
        return told


class Rows:
    """Turns pages of items into rows; with a model it predicts a page at a time, from the blocks on disk.

    Raises Unavailable where the model or a block cannot be read: before the first row, not in the middle.
    """

    def __init__(self, here: Runtime, project: Project, model: Model | None, blocks: Sequence[Block]) -> None:
        self.database = here.database
        self._here = here
        self._project = project
        self._model: LinearModel | None = None
        self._vectors: PoolVectors | None = None
        if model is not None:
            self._model = current_model(here, model)
            self._vectors = pool_vectors(here, blocks)
            gather(here, project.id, self._vectors, [block.start for block in blocks])  # opens every file

    def read(self, page: Sequence[Exported]) -> list[Row]:
        """The page's rows, in order. Items whose block is not on disk have no prediction."""
        if self._model is None or self._vectors is None:
            return [Row(one, None) for one in page]
        found, vectors = gather(self._here, self._project.id, self._vectors, [one.ordinal for one in page])
        said = iter(self._model.predict_proba(vectors).tolist() if len(vectors) else [])
        task, labels, limits = self._project.task, self._project.labels, self._model.thresholds.tolist()
        return [
            Row(one, Prediction.of(task, labels, next(said), limits) if there else None)
            for one, there in zip(page, found, strict=True)
        ]
