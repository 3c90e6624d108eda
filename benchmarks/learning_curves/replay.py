"""The loop in memory: cold start, fit, choose, label, again; the product's own functions, no servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from learning_curves.sets import Int64, Problem, Vectors
from tithe.learners import scores
from tithe.learners.linear import LinearLearner
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import NotEnoughClasses
from tithe.policy import round_seed
from tithe.proof.draw import reserved

#: Labels between two rounds, and so before the first.
BATCH = 20
#: Vectors self-training looks at, as many as the trainer gives.
SAMPLE_ROWS = 3000


class Fitted(Protocol):
    """What a head must do to be drawn."""

    n_classes: int

    def predict_proba(self, vectors: Vectors) -> Any:
        """Probabilities, shape (n, classes)."""


class Head(Protocol):
    """A way to fit: the product's learner, or a plain one beside it."""

    def __call__(self, problem: Problem, labeled: Int64, seed: int, previous: Any) -> Fitted:
        """Fit to the labeled positions of the pool. Raises NotEnoughClasses."""


@dataclass(frozen=True)
class Now:
    """What a contestant sees when it is asked: never the test set, nor the answers of what is not labeled."""

    vectors: Vectors  #: of the whole pool
    labeled: Int64  #: positions in it, in the order they were labeled
    answers: Any  #: of the labeled
    classes: int
    task: str
    model: Any  #: the last fit; None before there is one
    seed: int  #: the round's


class Contestant(Protocol):
    """A way to choose."""

    def __call__(self, now: Now, k: int) -> Int64:
        """At least k distinct positions in the pool that are not labeled, best first."""


def the_learner(problem: Problem, labeled: Int64, seed: int, previous: LinearModel | None) -> LinearModel:
    """The product's learner as the trainer calls it; without its committee, which changes no other head."""
    sample = np.random.default_rng(seed).choice(len(problem.pool), min(len(problem.pool), SAMPLE_ROWS), replace=False)
    return LinearLearner().fit(
        problem.pool[labeled],
        problem.answers[labeled],
        problem.classes,
        task="multi" if problem.set.several else "single",
        metric=problem.set.metric,
        seed=seed,
        members=0,
        previous=previous,
        pool=problem.pool[np.sort(sample)],
    )


def plain(c: float, class_weight: str | None) -> Head:
    """scikit-learn's logistic regression and nothing else: what many would use instead of a learner."""

    def fit(problem: Problem, labeled: Int64, seed: int, previous: Any) -> Fitted:
        del seed, previous
        return _Plain(problem, labeled, c, class_weight)

    return fit


class _Plain:
    def __init__(self, problem: Problem, labeled: Int64, c: float, class_weight: str | None) -> None:
        from sklearn.linear_model import LogisticRegression

        answers = problem.answers[labeled]
        if len(np.unique(answers)) < 2:
            raise NotEnoughClasses
        self.n_classes = problem.classes
        self._head = LogisticRegression(C=c, class_weight=class_weight, max_iter=500)
        self._head.fit(problem.pool[labeled], answers)

    def predict_proba(self, vectors: Vectors) -> Any:
        answers = np.zeros((len(vectors), self.n_classes))
        answers[:, self._head.classes_] = self._head.predict_proba(vectors)
        return answers


HEADS: dict[str, Head] = {"tithe": the_learner, "plain C=10": plain(10.0, None), "balanced C=1": plain(1.0, "balanced")}


def steps(limit: int, growth: float) -> Iterator[int]:
    """Label counts at which the curve has a point: every `BATCH`, further apart by `growth` where that is more."""
    at = BATCH
    while at <= limit:
        yield at
        at += max(BATCH, int(growth * at / BATCH) * BATCH)


def replay(
    problem: Problem,
    choose: Contestant,
    head: Head,
    seed: int,
    *,
    limit: int,
    growth: float = 0.0,
    control: float = 0.0,
) -> dict[str, Any]:
    """One curve: label counts, accuracy and macro-F1 on the test set, CPU seconds in all and of choosing.

    The labels a contestant asked for all come. It chooses anew at every step, from the model of the last one. With a
    control arm its share of every count is labels that no model learns from; set them aside before (`open_to`).
    """
    began, choosing = time.process_time(), 0.0
    labeled, model = np.empty(0, np.int64), None
    curve: dict[str, Any] = {"labels": [], "accuracy": [], "macro_f1": []}
    task = "multilabel_classification" if problem.set.several else "vector_classification"
    for number, paid in enumerate(steps(min(limit, len(problem.pool)), growth)):
        turn, count = round_seed(seed, number), paid - round(control * paid)
        now = Now(problem.pool, labeled, problem.answers[labeled], problem.classes, task, model, turn)
        before = time.process_time()
        picked = np.asarray(choose(now, count - len(labeled)), dtype=np.int64)[: count - len(labeled)]
        choosing += time.process_time() - before
        labeled = np.concatenate([labeled, picked])
        if len(np.unique(labeled)) != count:
            raise AssertionError(f"a contestant gave {count - len(np.unique(labeled))} positions twice or too few")
        try:
            model = head(problem, labeled, turn, model)
        except NotEnoughClasses:
            model = None
        accuracy, macro_f1 = score(problem, model, labeled)
        curve["labels"].append(paid)
        curve["accuracy"].append(round(accuracy, 5))
        curve["macro_f1"].append(round(macro_f1, 5))
    return curve | {"cpu_s": round(time.process_time() - began, 2), "choosing_s": round(choosing, 3)}


def open_to(problem: Problem, seed: int, reserve: float) -> Problem:
    """What is left for strategies and models when the control arm's reserve is set aside."""
    left = ~reserved(seed, np.arange(len(problem.pool)), reserve)
    return replace(problem, pool=problem.pool[left], answers=problem.answers[left])


def score(problem: Problem, model: Fitted | None, labeled: Int64) -> tuple[float, float]:
    """Accuracy and macro-F1 on the test set; without a model the commonest answer so far is given to all."""
    if model is not None:
        told = scores.evaluate(model, problem.test, problem.test_answers)
        return told["accuracy"], told["macro_f1"]
    truth = scores.as_bool(problem.test_answers, problem.classes)
    said = np.zeros_like(truth)
    if not problem.set.several:
        said[:, np.bincount(problem.answers[labeled], minlength=problem.classes).argmax()] = True
    return scores.accuracy(truth, said), scores.macro_f1(truth, said)


def full_pool(problem: Problem, head: Head, seed: int) -> dict[str, Any]:
    """The score with every label of the pool: what targets are shares of."""
    model = head(problem, np.arange(len(problem.pool)), round_seed(seed, 0), None)
    accuracy, macro_f1 = score(problem, model, np.arange(0))
    return {"accuracy": round(accuracy, 5), "macro_f1": round(macro_f1, 5)}
