"""One run: the loop from its first batch to its last, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tithe.learners.protocol import NotEnoughClasses
from tithe.policy import round_seed
from tithe.proof import draw
from tithe.rehearsal.asking import Asking, at_random
from tithe.rehearsal.fitting import Measured, learned_of
from tithe.rehearsal.problem import Problem, problem_of
from tithe.rehearsal.settings import RANDOM, TARGETS, Mix, Settings
from tithe.rehearsal.stage import Stage
from tithe.strategies.arrays import Int64

#: Beyond the budget random's samples grow by this.
_GROWTH = 1.25
Tell = Callable[[], None]  #: called after each round


def full_pool(stage: Stage, settings: Settings, seed: int, error_rate: float | None = None) -> dict[str, Any]:
    """The scores with every label of the pool: what targets are shares of. `error_rate` None: as the settings say."""
    problem = problem_of(stage, settings, seed, error_rate)
    learned = learned_of(problem, settings)
    every = np.arange(len(problem.rows))
    began = time.perf_counter()
    try:
        model = learned.fit(every, round_seed(seed, 0), None, 0)
    except NotEnoughClasses:
        model = None
    seconds = time.perf_counter() - began
    return {**_plain(learned.measure(model, every)), "labels": len(every), "fit_seconds": round(seconds, 3)}


def replay(stage: Stage, settings: Settings, strategy: Mix, seed: int, full: float, tell: Tell) -> dict[str, Any]:
    """A run of a strategy: its scores after each batch, the F1 of each class at the end, what it took.

    Round r trains on all labels so far, with the seed r has in a project, and chooses with that same seed; round 0 has
    no labels. ``random`` chooses without a model and without a control arm; it goes on after the budget, in growing
    steps, until it has reached every target or ``settings.beyond`` budgets are spent.

    Parameters
    ----------
    full
        The seed's full-pool score, in the metric of the settings.
    """
    problem = problem_of(stage, settings, seed)
    run = Course(problem, settings, strategy)
    for number in range(settings.rounds):
        run.label(number)
        run.learn(number + 1)
        tell()
        if run.dry:
            break
    told = run.told()
    if strategy == RANDOM:
        run.go_on(full)
        told |= {"labels": run.labels, "scores": run.scores}
    return told


class Course:
    """A run as it goes: label, learn, label, learn."""

    def __init__(self, problem: Problem, settings: Settings, strategy: Mix) -> None:
        self.problem, self.settings, self.strategy = problem, settings, strategy
        self.learned = learned_of(problem, settings)
        self.asking = Asking(
            strategy, problem.stage.task.value, settings.batch, problem.seed, settings.near_duplicate, settings.control
        )
        self.labeled: Int64 = np.empty(0, np.int64)
        self.trained: Int64 = np.empty(0, np.int64)
        self.model: Any = None
        self.labels: list[int] = []
        self.scores: dict[str, list[float]] = {}
        self.f1: list[float | None] = []
        self.choose_seconds: list[float] = []
        self.fit_seconds: list[float] = []
        self.unranked = 0  #: labels that no strategy asked for: the queue was empty
        self.dry = False

    def label(self, number: int) -> None:
        """Choose a batch, and have it labeled."""
        turn, began = round_seed(self.problem.seed, number), time.perf_counter()
        if self.strategy == RANDOM:
            picked = at_random(len(self.problem.rows), self.labeled, self.settings.batch, turn)
            trains = picked
        else:
            model = None if self.model is None else self.learned.asked(self.model)
            found = self.asking.next(self.problem.vectors, np.sort(self.labeled), self.trained, model, turn)
            picked, trains = found.ordinals, found.ordinals[~found.control]
            if len(picked) < self.settings.batch:
                picked, trains = self._filled_up(picked, trains, turn)
        self.choose_seconds.append(time.perf_counter() - began)
        self.dry = len(picked) < self.settings.batch
        self._add(picked, trains)

    def _filled_up(self, picked: Int64, trains: Int64, turn: int) -> tuple[Int64, Int64]:
        """A batch that the queue could not fill, all else being near-duplicates: with chance, as hand-outs do.

        Of what chance finds in the reserve no model learns, either.
        """
        missing = self.settings.batch - len(picked)
        found = at_random(len(self.problem.rows), np.concatenate([self.labeled, picked]), missing, turn)
        self.unranked += len(found)
        kept = found[~draw.reserved(self.asking.seed, found, self.settings.control)]
        return np.concatenate([picked, found]), np.concatenate([trains, kept])

    def learn(self, number: int) -> None:
        """Train as round `number` of a project would, and measure."""
        began = time.perf_counter()
        try:
            self.model = self.learned.fit(
                self.trained, round_seed(self.problem.seed, number), self.model, self.asking.members
            )
        except NotEnoughClasses:
            self.model = None
        self.fit_seconds.append(time.perf_counter() - began)
        measured = _plain(self.learned.measure(self.model, self.trained))
        self.labels.append(len(self.labeled))
        self.f1 = measured.pop("f1")
        for name, score in measured.items():
            self.scores.setdefault(name, []).append(score)

    def go_on(self, full: float) -> None:
        """More and more labels at random, until every target is reached or enough was tried."""
        pool, metric = len(self.problem.rows), self.settings.metric
        most = min(pool, round(self.settings.beyond * self.settings.budget))
        number = self.settings.rounds
        while len(self.labeled) < most and max(self.scores[metric]) < max(TARGETS) * full:
            number += 1
            step = max(self.settings.batch, round((_GROWTH - 1) * len(self.labeled)))
            turn = round_seed(self.problem.seed, number)
            picked = at_random(pool, self.labeled, min(step, most - len(self.labeled)), turn)
            self._add(picked, picked)
            self.learn(number + 1)

    def told(self) -> dict[str, Any]:
        """What is known at the budget's end."""
        return {
            "labels": list(self.labels),
            "scores": {name: list(found) for name, found in self.scores.items()},
            "f1": self.f1,
            "control": len(self.labeled) - len(self.trained),
            "unranked": self.unranked,
            "choose_seconds": [round(one, 4) for one in self.choose_seconds],
            "fit_seconds": [round(one, 4) for one in self.fit_seconds],
        }

    def _add(self, picked: Int64, trains: Int64) -> None:
        self.labeled = np.concatenate([self.labeled, picked])
        self.trained = np.concatenate([self.trained, trains])


def _plain(measured: Measured) -> Measured:
    """Rounded to what a score can tell."""
    f1 = [None if one is None else round(one, 5) for one in measured["f1"]]
    return {name: round(float(one), 5) for name, one in measured.items() if name != "f1"} | {"f1": f1}
