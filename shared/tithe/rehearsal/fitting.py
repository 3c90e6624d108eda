"""Fitting and measuring, as the trainer does it, of what lies in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from tithe.choosing.answers import Asked
from tithe.contracts.projects import Task
from tithe.learners import scores
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Metric
from tithe.learners.protocol import Task as LearnerTask
from tithe.learners.registry import get_learner
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.word_features import Float16, take
from tithe.learners.words import Document
from tithe.loop.models import Reader
from tithe.loop.reading import Items
from tithe.rehearsal.problem import Problem
from tithe.rehearsal.settings import Settings
from tithe.strategies.arrays import Int64

#: Unlabeled rows the learner is shown, as many as the trainer gives.
_SAMPLE_ROWS = 3000
Measured = dict[str, Any]  #: a score by each metric, and `f1`: one number a class, None where there is none


class Learned(Protocol):
    """A way to fit models to a problem."""

    def fit(self, labeled: Int64, seed: int, previous: Any, members: int) -> Any:
        """The model of the labeled positions, in the order they were labeled. Raises NotEnoughClasses."""

    def measure(self, model: Any, labeled: Int64) -> Measured:
        """The model's scores on the test part; of None those of the commonest answer."""

    def asked(self, model: Any) -> Asked:
        """The model as the choice asks it about the pool."""


def learned_of(problem: Problem, settings: Settings) -> Learned:
    """The way the settings name."""
    if problem.stage.task is Task.TOKENS:
        return Entities(problem, settings)
    return Texts(problem, settings) if settings.learner == "transformer" else Vectors(problem, settings)


@dataclass(frozen=True)
class Vectors:
    """Heads over vectors."""

    problem: Problem
    settings: Settings

    def fit(self, labeled: Int64, seed: int, previous: Any, members: int) -> LinearModel:
        """As :func:`tithe.trainer.classes.fit`."""
        pool = self.problem.vectors
        sample = np.random.default_rng(seed).choice(len(pool), min(len(pool), _SAMPLE_ROWS), replace=False)
        model = get_learner().fit(
            pool[labeled], self.problem.answers[labeled], len(self.problem.stage.classes),
            task=_task(self.problem), metric=cast("Metric", self.settings.metric), seed=seed, members=members,
            previous=previous, pool=pool[np.sort(sample)],
        )  # fmt: skip
        return cast("LinearModel", model)

    def measure(self, model: Any, labeled: Int64) -> Measured:
        """Accuracy, macro-F1, F1 of each class."""
        if model is None:
            return _of_the_commonest(self.problem, labeled)
        found = scores.evaluate(model, self.problem.stage.vectors[self.problem.test_rows], self.problem.test_truth)
        return {name: found[name] for name in ("accuracy", "macro_f1", "f1")}

    def asked(self, model: Any) -> Asked:
        """A linear model reads the vectors themselves."""
        return cast("Asked", model)


@dataclass(frozen=True)
class Texts:
    """Transformers tuned to texts."""

    problem: Problem
    settings: Settings

    def fit(self, labeled: Int64, seed: int, previous: Any, members: int) -> Any:
        """As :func:`tithe.trainer.classes.fit`; each round begins at the base."""
        del previous
        from tithe.learners.transformer.classifier import TransformerLearner
        from tithe.learners.transformer.settings import TransformerSettings

        return TransformerLearner(self.settings.encoder or "").fit(
            self._texts(self.problem.rows[labeled]), self.problem.answers[labeled], len(self.problem.stage.classes),
            task=_task(self.problem), metric=cast("Metric", self.settings.metric), seed=seed, members=members,
            settings=TransformerSettings(threads=1),
        )  # fmt: skip

    def measure(self, model: Any, labeled: Int64) -> Measured:
        """Accuracy, macro-F1, F1 of each class."""
        if model is None:
            return _of_the_commonest(self.problem, labeled)
        texts: Any = self._texts(self.problem.test_rows)
        found = scores.evaluate(model, texts, self.problem.test_truth)
        return {name: found[name] for name in ("accuracy", "macro_f1", "f1")}

    def asked(self, model: Any) -> Asked:
        """The model beside the pool's texts."""
        return Reader(model, cast("Items", _Pool(self.problem)))

    def _texts(self, rows: Int64) -> list[str]:
        return [self.problem.stage.texts[at] for at in rows.tolist()]


@dataclass(frozen=True)
class Entities:
    """Taggers: over kept states of words, or a transformer tuned to the documents."""

    problem: Problem
    settings: Settings

    def fit(self, labeled: Int64, seed: int, previous: Any, members: int) -> Any:
        """As :func:`tithe.trainer.entities.fit`. Raises NotEnoughClasses while no entity is marked."""
        marked = [self.problem.answers[at] for at in labeled.tolist()]
        types, pool = len(self.problem.stage.classes), _Pool(self.problem)
        if self.settings.learner == "transformer":
            from tithe.learners.transformer.settings import TransformerSettings
            from tithe.learners.transformer.tagger import TransformerTagLearner

            return TransformerTagLearner(self.settings.encoder or "").fit(
                pool.documents(labeled), marked, types, seed=seed, members=members,
                settings=TransformerSettings(threads=1),
            )  # fmt: skip
        from tithe.learners.tagging.tagger import TagLearner

        words, starts = pool.words(labeled)
        return TagLearner().fit(words, starts, marked, types, seed=seed, members=members, previous=previous)

    def measure(self, model: Any, labeled: Int64) -> Measured:
        """Entity F1, strict, and that of each type."""
        del labeled
        classes = self.problem.stage.classes
        if model is None:
            return {"entity_f1": 0.0, "f1": [0.0] * len(classes)}
        rows = np.arange(len(self.problem.test_rows))
        asked = Reader(model, cast("Items", _Pool(self.problem, self.problem.test_rows)))
        found = [
            [(one.first, one.stop, one.type) for one in entities]
            for some in asked.portions(rows)
            for entities in model.entities(asked.of(some))
        ]
        told = entity_f1(self.problem.test_truth, found, classes)
        return {"entity_f1": told["f1"], "f1": [None if one is None else one["f1"] for one in told["per_type"]]}

    def asked(self, model: Any) -> Asked:
        """The model beside the pool's words."""
        return Reader(model, cast("Items", _Pool(self.problem)))


class _Pool:
    """A problem's items as :class:`tithe.loop.reading.Items` gives those of a project."""

    def __init__(self, problem: Problem, rows: Int64 | None = None) -> None:
        self._stage, self._rows = problem.stage, problem.rows if rows is None else rows

    def kept(self, ordinals: Int64) -> Any:
        return np.full(len(ordinals), self._stage.words is not None)

    def texts(self, ordinals: Int64) -> list[str]:
        return [self._stage.texts[at] for at in self._rows[ordinals].tolist()]

    def documents(self, ordinals: Int64) -> list[Document]:
        return [self._stage.documents[at] for at in self._rows[ordinals].tolist()]

    def lengths(self, ordinals: Int64) -> Int64:
        if self._stage.starts is None:
            return np.array([len(one.words) for one in self.documents(ordinals)], dtype=np.int64)
        rows = self._rows[ordinals]
        return self._stage.starts[rows + 1] - self._stage.starts[rows]

    def words(self, ordinals: Int64) -> tuple[Float16, Int64]:
        if self._stage.words is None or self._stage.starts is None:
            raise ValueError("the words of these items were not read")
        return take(self._stage.words, self._stage.starts, self._rows[ordinals])


def _task(problem: Problem) -> LearnerTask:
    return "multi" if problem.stage.task is Task.MULTILABEL else "single"


def _of_the_commonest(problem: Problem, labeled: Int64) -> Measured:
    """The scores of one answer for all: what there is before there is a model."""
    classes = len(problem.stage.classes)
    truth = scores.as_bool(problem.test_truth, classes)
    said = np.zeros_like(truth)
    if problem.stage.task is not Task.MULTILABEL:
        said[:, Counter(problem.answers[labeled].tolist()).most_common(1)[0][0]] = True
    each = scores.f1_per_class(truth, said)
    return {
        "accuracy": scores.accuracy(truth, said),
        "macro_f1": scores.macro_f1(truth, said),
        "f1": [None if np.isnan(one) else float(one) for one in each],
    }
