"""Fit the project's learner to control labels alone: what labels chosen at random would have made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.contracts.projects import Project, Task
from tithe.learners.protocol import NotEnoughClasses
from tithe.loop.features import PoolVectors
from tithe.loop.models import Reader
from tithe.loop.reading import Items
from tithe.prover.ask import ask
from tithe.prover.said import Said, Truth
from tithe.runtime import Runtime
from tithe.storage.pool import Block
from tithe.strategies.arrays import Int64

_SAMPLE_ROWS = 3000


@dataclass(frozen=True)
class Bench:
    """What fits are made with."""

    runtime: Runtime
    project: Project
    blocks: list[Block]
    vectors: PoolVectors

    def fitted(self, ordinals: Int64, truth: Truth, seed: int) -> Any:
        """A model fitted to these items alone. None: their labels hold too few classes."""
        try:
            if self.project.task is Task.TOKENS:
                return Reader(self._tagger(ordinals, truth, seed), self._items)
            return self._classes(ordinals, truth, seed)
        except NotEnoughClasses:
            return None

    def says(self, ordinals: Int64, truth: Truth, seed: int, of: Int64) -> Said | None:
        """What such a model says of other items."""
        model = self.fitted(ordinals, truth, seed)
        return None if model is None else ask(self.project, model, self.vectors, of)

    @property
    def _items(self) -> Items:
        return Items(self.runtime, self.project, self.blocks)

    def _classes(self, ordinals: Int64, truth: Truth, seed: int) -> Any:
        project, classes = self.project, len(self.project.labels)
        carried = np.array([truth[one] for one in ordinals.tolist()], dtype=bool).reshape(len(ordinals), classes)
        single = project.task is not Task.MULTILABEL
        targets: Any = carried.argmax(axis=1) if single else carried
        asked: dict[str, Any] = {
            "task": "single" if single else "multi", "seed": seed, "members": 0,
            "metric": "accuracy" if project.metric == "accuracy" else "macro_f1",
        }  # fmt: skip
        if project.learner == "transformer":
            from tithe.learners.transformer.classifier import TransformerLearner
            from tithe.learners.transformer.settings import TransformerSettings

            settings = TransformerSettings(threads=self.runtime.settings.encoder_threads)
            texts = self._items.texts(ordinals)
            model = TransformerLearner(project.encoder or "").fit(texts, targets, classes, settings=settings, **asked)
            return Reader(model, self._items)
        from tithe.learners.registry import get_learner

        return get_learner().fit(self.vectors.gather(ordinals)[1], targets, classes, pool=self._sample(seed), **asked)

    def _tagger(self, ordinals: Int64, truth: Truth, seed: int) -> Any:
        marked = [sorted(truth[one]) for one in ordinals.tolist()]
        types = len(self.project.labels)
        if self.project.learner == "transformer":
            from tithe.learners.transformer.settings import TransformerSettings
            from tithe.learners.transformer.tagger import TransformerTagLearner

            settings = TransformerSettings(threads=self.runtime.settings.encoder_threads)
            learner = TransformerTagLearner(self.project.encoder or "")
            return learner.fit(
                self._items.documents(ordinals), marked, types, seed=seed, members=0, settings=settings, progress=None
            )
        from tithe.learners.tagging.tagger import TagLearner

        words, starts = self._items.words(ordinals)
        return TagLearner().fit(words, starts, marked, types, seed=seed, members=0)

    def _sample(self, seed: int) -> Any:
        rows = self.vectors.ordinals()
        chosen = np.random.default_rng(seed).choice(rows, min(len(rows), _SAMPLE_ROWS), replace=False)
        return self.vectors.gather(np.sort(chosen))[1]
