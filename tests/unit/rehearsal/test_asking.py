"""A rehearsal's picks are those of the services' choosing, whatever the strategy."""

from __future__ import annotations

import numpy as np
import pytest

from tithe.choosing.choose import choose
from tithe.choosing.kept import merge
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import Shard, sift
from tithe.choosing.slipped_in import Slice, slipped_in
from tithe.learners.linear import LinearLearner
from tithe.loop.set_aside import with_reserve
from tithe.policy import ready_depth
from tithe.proof import draw
from tithe.rehearsal.asking import Asking, at_random
from tithe.rehearsal.problem import Rows
from tithe.strategies.catalog import CATALOG
from tithe.strategies.distances import Distances

BATCH, SEED, TURN, CONTROL = 10, 4, 77, 0.1
ONE_LABEL = [name for name, one in CATALOG.items() if "vector_classification" in one.tasks]


def pool(n: int = 500):
    rng = np.random.default_rng(0)
    target = rng.integers(4, size=n)
    vectors = rng.normal(size=(4, 12))[target] + rng.normal(size=(n, 12))
    vectors[40:80] = vectors[:40] + 0.01 * rng.normal(size=(40, 12))  # near-duplicates
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), target


@pytest.mark.parametrize("strategy", [*ONE_LABEL, {"margin": 0.8, "badge": 0.2}])
@pytest.mark.parametrize("known", [0, 40])
def test_the_batch_is_the_head_of_the_queue_that_a_round_makes(strategy, known: int):
    vectors, target = pool()
    aside = draw.reserved(SEED, np.arange(500), CONTROL)
    trained = np.flatnonzero(~aside)[:known]
    arm = draw.in_turn(SEED, np.arange(500), CONTROL)
    closed = np.union1d(trained, arm[:3]) if known else trained
    asking = Asking(strategy, "vector_classification", BATCH, SEED, 0.95, CONTROL)
    model = None
    if known:
        fit = LinearLearner().fit
        model = fit(vectors[trained], target[trained], 4, task="single", seed=1, members=asking.members)
    found = asking.next(vectors, closed, trained, model, TURN)

    depth = ready_depth(BATCH, BATCH, 1)
    plan = Plan(parts_of(strategy, model=model is not None), depth, TURN, "vector_classification", 0.95)

    def nearest(rows):
        return np.sqrt(Distances(rows).nearest(vectors[trained])[1]) if known else np.full(len(rows), np.inf)

    rows = Rows(vectors, 0, 500)
    shut = with_reserve(closed, 0, 500, SEED, CONTROL)
    shard = Shard(rows, shut, plan.task, model, lambda: nearest(vectors), TURN)
    lists = {one.name: merge(one, [sift(shard, one)], TURN) for one in plan.sieves()}
    made = choose(plan, lists, Pool(rows.gather, model, lambda: vectors[trained], lambda _, some: nearest(some)))
    left = [int(one) for one in arm if one not in closed][:depth]
    queue = slipped_in(plan, made.chosen, [Slice("control", left, CONTROL)], SEED)[:BATCH]
    assert found.ordinals.tolist() == [one.ordinal for one in queue]
    assert found.control.tolist() == [one.strategy == "control" for one in queue]
    assert aside[found.ordinals].tolist() == found.control.tolist()


def test_random_draws_every_item_alike_and_none_twice():
    labeled = np.arange(0, 100, 2)
    found = at_random(100, labeled, 60, 3)
    assert sorted(found) == list(range(1, 100, 2))
    first = np.array([at_random(5, np.array([4]), 1, seed)[0] for seed in range(2000)])
    assert np.bincount(first, minlength=5)[:4].min() > 420
