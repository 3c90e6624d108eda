"""Models of classes: a head over frozen vectors, or a transformer tuned to the texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.contracts.projects import Project, Task
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Metric
from tithe.learners.protocol import Task as LearnerTask
from tithe.learners.registry import get_learner
from tithe.learners.scores import evaluate
from tithe.learners.stored import StoredModel
from tithe.loop.features import PoolVectors, Vectors
from tithe.loop.reading import Items
from tithe.runtime import Runtime
from tithe.storage.rounds import Round
from tithe.trainer.given import Fitted, Given, Labels, opinions
from tithe.trainer.progress import telling

Targets = npt.NDArray[Any]
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
        ordinals, targets = _targets(given.project, labels)
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


def _targets(project: Project, labels: Labels) -> tuple[npt.NDArray[np.int64], Targets]:
    """Ordinals and targets, one row an item. Where several people answered, the majority counts.

    Of a tie, what was said first.
    """
    number = {name: at for at, name in enumerate(project.labels)}
    if project.task is Task.MULTILABEL:
        sets = opinions(labels, _by_most)
        targets: Targets = np.zeros((len(sets), len(number)), dtype=bool)
        for row, names in enumerate(sets.values()):
            targets[row, [number[name] for name in names]] = True
        return np.array(list(sets), dtype=np.int64), targets
    agreed = opinions(labels, lambda values: number[Counter(values).most_common(1)[0][0]])
    return np.array(list(agreed), dtype=np.int64), np.array(list(agreed.values()), dtype=np.int64)


def _by_most(values: list[list[str]]) -> list[str]:
    votes = Counter(name for value in values for name in value)
    return [name for name, count in votes.items() if 2 * count > len(values)]


def _sample(vectors: PoolVectors, current: Round) -> Vectors:
    """A random sample of the pool, for learners that look at unlabeled vectors too; the same for the same round."""
    rows = vectors.ordinals()
    chosen = np.random.default_rng(current.seed).choice(rows, min(len(rows), _SAMPLE_ROWS), replace=False)
    return vectors.gather(np.sort(chosen))[1]
