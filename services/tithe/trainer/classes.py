"""Models of classes: a head over frozen vectors, or a transformer tuned to the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.contracts.projects import Task
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Metric
from tithe.learners.protocol import Task as LearnerTask
from tithe.learners.registry import get_learner
from tithe.learners.scores import evaluate
from tithe.learners.stored import StoredModel
from tithe.loop.features import PoolVectors, Vectors
from tithe.loop.opinions import Targets, class_targets
from tithe.loop.reading import Items
from tithe.runtime import Runtime
from tithe.storage.rounds import Round
from tithe.trainer.given import Fitted, Given
from tithe.trainer.progress import telling

_SAMPLE_ROWS = 3000


@dataclass(frozen=True)
class Examples:
    """Labeled items that are encoded: what is fitted to, and what is measured on."""

    read: Any  #: vectors, float32 (n, d), or texts
    targets: Targets  #: int64 classes, or a bool matrix where an item carries several
    held_out: Any
    held_out_targets: Targets

    @property
    def count(self) -> int:
        """Items fitted to."""
        return len(self.targets)

    @property
    def held_out_count(self) -> int:
        """Items measured on."""
        return len(self.held_out_targets)


def examples(runtime: Runtime, given: Given) -> Examples:
    """The labeled items as the project's learner reads them."""
    sides = []
    for labels in (given.labels, given.held_out):
        ordinals, targets = class_targets(given.project, labels)
        if given.project.learner == "transformer":
            read: Any = Items(runtime, given.project, given.blocks).texts(ordinals)
        else:
            found, read = given.vectors.gather(ordinals)
            targets = targets[found]
        sides += [read, targets]
    return Examples(*sides)


def fit(runtime: Runtime, given: Given, seen: Examples, previous: StoredModel | None) -> Fitted:
    """Fit, and measure on the held-out items. Raises NotEnoughClasses."""
    project, members, seed = given.project, runtime.settings.committee_members, given.round.seed
    task: LearnerTask = "multi" if project.task is Task.MULTILABEL else "single"
    metric: Metric = "accuracy" if project.metric == "accuracy" else "macro_f1"
    classes = len(project.labels)
    model: Any
    if project.learner == "transformer":
        from tithe.learners.transformer.classifier import TransformerLearner
        from tithe.learners.transformer.settings import TransformerSettings

        settings = TransformerSettings(threads=runtime.settings.encoder_threads)
        model = TransformerLearner(project.encoder or "").fit(
            seen.read, seen.targets, classes, task=task, metric=metric, seed=seed, members=members, settings=settings,
            progress=telling(runtime, given.round.id),
        )  # fmt: skip
    else:
        head = previous if isinstance(previous, LinearModel) else None
        model = get_learner().fit(
            seen.read, seen.targets, classes, task=task, metric=metric, seed=seed, members=members, previous=head,
            pool=_sample(given.vectors, given.round),
        )  # fmt: skip
    if not seen.held_out_count:
        return Fitted(model, None)
    measured = evaluate(model, seen.held_out, seen.held_out_targets)
    measured["f1"] = dict(zip(project.labels, measured["f1"], strict=True))
    return Fitted(model, measured)


def _sample(vectors: PoolVectors, current: Round) -> Vectors:
    """A random sample of the pool, for learners that look at unlabeled vectors too; the same for the same round."""
    rows = vectors.ordinals()
    chosen = np.random.default_rng(current.seed).choice(rows, min(len(rows), _SAMPLE_ROWS), replace=False)
    return vectors.gather(np.sort(chosen))[1]
