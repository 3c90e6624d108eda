"""One simulated project: a replay with a reserve, and at every point what its model says of test and reserve.

A fifth of the pool is set aside in a random order; the product's default chooses from the rest, and its learner is
fitted to what it chose. A control arm of any size is then a prefix of the reserve, and what it estimates can be held
against the test set. Runs are kept in the cache folder as they are made.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from learning_curves.contestants import of_the_product
from learning_curves.replay import Now, steps, the_learner
from learning_curves.sets import SETS, Answers, Int64, Problem, draw

from tithe.cli.demo.data import cache_folder
from tithe.contracts.projects import Task, default_strategy
from tithe.learners import scores
from tithe.learners.protocol import NotEnoughClasses
from tithe.policy import round_seed

Float64 = npt.NDArray[np.float64]

#: Share of the pool that is set aside, and how many of it have predictions: what a project keeps at most.
RESERVE, PREVIEWED = 0.2, 2000
#: A set of this ending has its vectors permuted: nothing can be learned, no strategy can help.
SHUFFLED = "+shuffled"


@dataclass(frozen=True)
class Run:
    """One simulated project.

    Attributes
    ----------
    set, metric, classes, seed
        Which.
    order
        int64, shape (pool,): the pool in the order of its keys; the first fifth is the reserve.
    preview
        int64, shape (M,): the first of the reserve, pool positions: what there are predictions of.
    labeled
        int64, shape (n,): what the strategy chose, pool positions in the order of choice; none is of the reserve.
    answers, test_answers
        int64, shape (pool,) and (test,), or bool with a second axis of classes: the truth.
    labels
        int64, shape (points,): of `labeled`, so many trained the model of each point.
    test_acc, test_f1
        float64, shape (points,): the model's scores on the test set.
    test_pred
        uint8, shape (points, test): the class said; with several classes an item bool, shape (points, test, classes).
    reserve_proba
        float16, shape (points, M, classes).
    thresholds
        float64, shape (points, classes).
    """

    set: str
    metric: str
    classes: int
    seed: int
    order: Int64
    preview: Int64
    labeled: Int64
    answers: Answers
    test_answers: Answers
    labels: Int64
    test_acc: Float64
    test_f1: Float64
    test_pred: npt.NDArray[Any]
    reserve_proba: npt.NDArray[np.float16]
    thresholds: Float64


@dataclass(frozen=True)
class RandomCurve:
    """What random labels reach, up to the whole pool: labels, and accuracy and macro-F1 on the test, each (points,)."""

    labels: Int64
    accuracy: Float64
    macro_f1: Float64


def load(name: str, seed: int, limit: int) -> Run:
    """The run of a set and a seed to so many labels, made first where it is not kept. Raises NoData."""
    path = folder() / f"{_stem(name)}-{seed}-{limit}.npz"
    if not path.is_file():
        _keep(path, _active(problem(name, seed), name, seed, limit))
    with np.load(path) as kept:
        plain = {"set": str, "metric": str, "classes": int, "seed": int}
        return Run(**{one.name: plain.get(one.name, np.asarray)(kept[one.name]) for one in fields(Run)})


def load_random(name: str, seed: int) -> RandomCurve:
    """Random's curve on the set's pool of a seed, made first where it is not kept. Raises NoData."""
    path = folder() / "random" / f"{_stem(name)}-{seed}.npz"
    if not path.is_file():
        _keep(path, _at_random(problem(name, seed), seed))
    with np.load(path) as kept:
        return RandomCurve(**{one.name: kept[one.name] for one in fields(RandomCurve)})


def problem(name: str, seed: int) -> Problem:
    """The set's pool and test that belong to a seed. Raises NoData."""
    data = os.environ.get("TITHE_BENCH_DATA")
    drawn = draw(
        SETS[name.removesuffix(SHUFFLED)], Path(data).expanduser() if data else None, cache_folder() / "curves", seed
    )
    if not name.endswith(SHUFFLED):
        return drawn
    rng = np.random.default_rng([seed, 5])
    pool, test = rng.permutation(len(drawn.pool)), rng.permutation(len(drawn.test))
    return replace(drawn, pool=drawn.pool[pool], test=drawn.test[test])


def folder() -> Path:
    """Where runs are kept."""
    return cache_folder() / "simulated"


def _stem(name: str) -> str:
    return name.replace(" ", "_").replace(",", "").replace("%", "pc")


def _keep(path: Path, made: dict[str, Any]) -> None:
    """Written aside and moved into place, so that what was interrupted is not taken for a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}-{os.getpid()}.npz")
    np.savez(part, **made)
    part.replace(path)


def _active(given: Problem, name: str, seed: int, limit: int, growth: float = 0.15) -> dict[str, Any]:
    began = time.perf_counter()
    order = np.random.default_rng([seed, 1234]).permutation(len(given.pool))
    reserve, rest = np.split(order, [int(RESERVE * len(order))])
    rest, preview = np.sort(rest), reserve[:PREVIEWED]
    open_ = replace(given, pool=given.pool[rest], answers=given.answers[rest])
    task = Task.MULTILABEL if given.set.several else Task.VECTORS
    choose = of_the_product(default_strategy(task, given.classes))
    labeled, model = np.empty(0, np.int64), None
    points: dict[str, list[Any]] = {}
    for number, count in enumerate(steps(min(limit, len(rest) // 2), growth)):
        turn, wanted = round_seed(seed, number), count - len(labeled)
        now = Now(open_.pool, labeled, open_.answers[labeled], given.classes, task.value, model, turn)
        labeled = np.concatenate([labeled, choose(now, wanted)[:wanted]])
        try:
            model = the_learner(open_, labeled, turn, model)
        except NotEnoughClasses:
            continue
        for field, value in (_point(model, given, preview) | {"labels": count}).items():
            points.setdefault(field, []).append(value)
    print(f"simulated {name}, seed {seed}, to {limit} labels: {time.perf_counter() - began:.0f} s", flush=True)
    return {
        "set": name,
        "metric": given.set.metric,
        "classes": given.classes,
        "seed": seed,
        "order": order,
        "preview": preview,
        "labeled": rest[labeled],
        "answers": given.answers,
        "test_answers": given.test_answers,
        **{field: np.array(values) for field, values in points.items()},
    }


def _point(model: Any, given: Problem, preview: Int64) -> dict[str, Any]:
    told, sure = scores.evaluate(model, given.test, given.test_answers), model.predict_proba(given.test)
    return {
        "test_acc": told["accuracy"],
        "test_f1": told["macro_f1"],
        "test_pred": sure >= model.thresholds if given.set.several else sure.argmax(axis=1).astype(np.uint8),
        "reserve_proba": model.predict_proba(given.pool[preview]).astype(np.float16),
        "thresholds": model.thresholds,
    }


def _at_random(given: Problem, seed: int, growth: float = 0.25) -> dict[str, Any]:
    order, model = np.random.default_rng([seed, 4321]).permutation(len(given.pool)), None
    points: list[tuple[int, float, float]] = []
    for number, count in enumerate([*steps(len(order), growth), len(order)]):
        try:
            model = the_learner(given, order[:count], round_seed(seed, number), model)
        except NotEnoughClasses:
            continue
        told = scores.evaluate(model, given.test, given.test_answers)
        points.append((count, told["accuracy"], told["macro_f1"]))
    labels, accuracy, macro_f1 = map(np.array, zip(*points, strict=True))
    return {"labels": labels, "accuracy": accuracy, "macro_f1": macro_f1}
