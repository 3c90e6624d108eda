"""The loop in memory: cold start, fit, choose, label, again; the product's own functions, no servers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from learning_curves.contestants import Rows

from tagging_curves.sets import Problem, Side
from tithe.choosing.choose import choose
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import Shard, sift_all
from tithe.choosing.worth_asking import worth_asking
from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.tagging.tagger import TagLearner
from tithe.learners.words import Int64, Tagged
from tithe.policy import round_seed
from tithe.strategies.distances import Distances

#: Sentences between two rounds at first, and so before the first model.
BATCH = 25
_AT_ONCE = 2048


@dataclass(frozen=True)
class Answers:
    """The fitted tagger and the pool's words: what rounds ask."""

    model: Any
    side: Side
    costly: bool = False

    def portions(self, ordinals: Int64) -> Iterator[Int64]:
        """Of sentences, so many at a time."""
        for first in range(0, len(ordinals), _AT_ONCE):
            yield ordinals[first : first + _AT_ONCE]

    def of(self, ordinals: Int64, *, committee: bool = False) -> Tagged:
        """What the model says of the sentences, with the committee an axis more."""
        return (self.model.tag_stacked if committee else self.model.tag)(*self.side.features(ordinals))


def steps(limit: int) -> Iterator[int]:
    """Label counts at which a curve has a point: every `BATCH` at first, then further apart by a third."""
    at = BATCH
    while at < limit:
        yield at
        at += max(BATCH, int(at / 3 / BATCH) * BATCH)
    yield limit


def replay(
    problem: Problem, strategy: str | Mapping[str, float], seed: int, limit: int, members: int = 0, most: int = 0
) -> dict[str, Any]:
    """One curve: sentences labeled, their words, entity F1 on the test set, CPU seconds in all and of choosing.

    `most`, if it is not 0, is how many sentences a round asks the model about, as where their words are not kept.
    ``"random"`` draws every sentence alike, from the first batch on: what labels cost without a model.
    """
    began, choosing = time.process_time(), 0.0
    labeled, model = np.empty(0, np.int64), None
    lengths = np.diff(problem.pool.starts)
    curve: dict[str, Any] = {"labels": [], "words": [], "entity_f1": []}
    for number, count in enumerate(steps(min(limit, len(problem.pool.documents)))):
        turn = round_seed(seed, number)
        before = time.process_time()
        pick = _at_random if strategy == "random" else _by_product
        picked = pick(problem, strategy, labeled, model, count - len(labeled), turn, most)
        choosing += time.process_time() - before
        labeled = np.concatenate([labeled, picked])
        if len(np.unique(labeled)) != count:
            raise AssertionError(f"{count - len(np.unique(labeled))} sentences were chosen twice or too few")
        model = fitted(problem, labeled, turn, members)
        curve["labels"].append(count)
        curve["words"].append(int(lengths[labeled].sum()))
        curve["entity_f1"].append(score(problem, model))
    return curve | {"cpu_s": round(time.process_time() - began, 1), "choosing_s": round(choosing, 2)}


def fitted(problem: Problem, labeled: Int64, seed: int, members: int = 0) -> Any:
    """The product's tagger, fitted to the labeled sentences; None while they hold no entity."""
    marked = [problem.pool.marked[at] for at in labeled.tolist()]
    try:
        return TagLearner().fit(*problem.pool.features(labeled), marked, len(problem.types), seed=seed, members=members)
    except NotEnoughClasses:
        return None


def score(problem: Problem, model: Any) -> float:
    """Entity F1 on the test set, strict."""
    if model is None:
        return 0.0
    said = model.entities(model.tag(problem.test.words.astype(np.float32), problem.test.starts))
    found = [[(one.first, one.stop, one.type) for one in row] for row in said]
    return round(float(entity_f1(problem.test.marked, found, problem.types)["f1"]), 5)


def _at_random(problem: Problem, _strategy: Any, labeled: Int64, _model: Any, k: int, seed: int, _most: int) -> Int64:
    left = np.setdiff1d(np.arange(len(problem.pool.documents)), labeled)
    return np.random.default_rng([seed, 9]).permutation(left)[:k]


def _by_product(problem: Problem, strategy: Any, labeled: Int64, model: Any, k: int, seed: int, most: int) -> Int64:
    """Exactly as a round chooses; the queue as deep as the batch."""
    side = problem.pool
    plan = Plan(parts_of(strategy, model=model is not None), k, seed, "token_classification", 0.95)
    rows = Rows(side.vectors)
    asked = None if model is None else Answers(model, side)

    def nearest(vectors: Any) -> Any:
        known = side.vectors[labeled]
        return np.sqrt(Distances(vectors).nearest(known)[1]) if len(known) else np.full(len(vectors), np.inf)

    shard = Shard(rows, np.sort(labeled), plan.task, asked, lambda: nearest(side.vectors), seed)
    if most:
        few = worth_asking(shard.opened, side.vectors[shard.opened], side.vectors[labeled], most, seed)
        shard = replace(shard, considered=few)
    sieves = plan.sieves()
    lists = {sieve.name: kept for sieve, kept in zip(sieves, sift_all(shard, sieves), strict=True)}
    around = Pool(rows.gather, asked, lambda: side.vectors[labeled], lambda _, found: nearest(found))
    return np.array([one.ordinal for one in choose(plan, lists, around).chosen], dtype=np.int64)
