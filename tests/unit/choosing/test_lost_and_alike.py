"""The choice when blocks are lost on the way, when strategies share it, and what counts as alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tithe.choosing.alike import Admission, Measure
from tithe.choosing.choose import Choice, choose
from tithe.choosing.kept import merge
from tithe.choosing.plan import Pool
from tithe.choosing.sift import Shard, sift
from tithe.learners.linear import LinearLearner
from tithe.strategies.catalog import CATALOG
from tithe.strategies.draws import draw_keys
from tithe.strategies.ranking import random_scores, top_k

from .pools import ArrayRows, Made, pool

EVERY_RULE = ["margin", "badge", "class_balanced_margin", "falcun", "uncertainty_herding", "k_center", "random"]


def radius(made: Made, choice: Choice) -> float:
    centers = np.concatenate([made.labeled, [one.ordinal for one in choice.chosen]]).astype(np.int64)
    gaps = np.linalg.norm(made.vectors[:, None].astype(np.float64) - made.vectors[centers][None], axis=2)
    return float(gaps.min(axis=1)[np.setdiff1d(np.arange(len(made.vectors)), made.labeled)].max())


@pytest.mark.parametrize("strategy", EVERY_RULE)
def test_a_shard_whose_blocks_are_lost_keeps_nothing(strategy: str):
    made = pool()
    rows = ArrayRows(0, made.vectors[:0])
    shard = Shard(rows, np.empty(0, np.int64), made.task, made.model, lambda: np.empty(0), 1)
    for sieve in CATALOG[strategy].sieves(10):
        kept = sift(shard, sieve)
        assert len(kept.ordinals) == len(kept.scores) == 0


@pytest.mark.parametrize("strategy", EVERY_RULE)
def test_without_any_shard_the_queue_is_empty(strategy: str):
    made = pool()
    plan = made.plan(strategy, 10, 0.95)
    lists = {sieve.name: merge(sieve, [], plan.seed) for sieve in plan.sieves()}
    nothing = Pool(
        lambda ordinals: (np.zeros(len(ordinals), bool), made.vectors[:0]),
        made.model,
        lambda: made.vectors[made.labeled],
        lambda ordinals, _: np.full(len(ordinals), np.inf),
    )
    assert choose(plan, lists, nothing).chosen == []


@pytest.mark.parametrize("strategy", EVERY_RULE)
@pytest.mark.parametrize("cuts", [[], [200]])
def test_a_block_that_is_lost_before_the_choice_is_chosen_around(strategy: str, cuts: list[int]):
    made = pool(labels=30, seed=6)
    plan = made.plan(strategy, 25)
    lists = {sieve.name: merge(sieve, [sift(one, sieve) for one in made.shards(cuts)], 11) for sieve in plan.sieves()}

    def gather(ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = (ordinals < 100) | (ordinals >= 200)
        return found, made.vectors[ordinals[found]]

    around = Pool(gather, made.model, lambda: made.vectors[made.labeled], lambda _, rows: made.nearest(rows))
    assert len(choose(plan, lists, around).chosen) == 25


@pytest.mark.parametrize("cuts", [[], [200], [50, 150, 300]])
@pytest.mark.parametrize("mix", ["k_center", {"k_center": 0.1, "random": 0.9}])
@pytest.mark.parametrize("threshold", [None, 0.95])
def test_the_radius_that_is_reported_is_the_queues_whoever_chose(
    cuts: list[int], mix: str | dict[str, float], threshold: float | None
):
    made = pool(d=3, labels=5, model=False, seed=5)
    choice = made.choose(made.plan(mix, 60, threshold), cuts)
    true = radius(made, choice)
    assert choice.facts["radius_of_any_choice_at_least"] <= true + 1e-6
    assert true <= choice.facts["radius_at_most"] + 1e-6


def test_what_is_left_out_is_counted_once_whoever_offers_it():
    made = pool(copies=200, seed=3)
    mix = {"margin": 0.5, "entropy": 0.3, "least_confident": 0.2}
    choice = made.choose(made.plan(mix, 300, 0.7), [])
    assert 0 < choice.facts["near_duplicates_left_out"] <= 360 - len(choice.chosen)


def test_nothing_like_an_item_that_waits_for_a_second_opinion_joins_it():
    made = pool(copies=200, seed=3)
    plan = made.plan("margin", 60, 0.95)
    first = [one.ordinal for one in made.choose(plan, []).chosen][:20]
    lists = {sieve.name: merge(sieve, [sift(one, sieve) for one in made.shards([])], 11) for sieve in plan.sieves()}

    def gather(ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(len(ordinals), dtype=bool), made.vectors[ordinals]

    around = Pool(gather, made.model, lambda: made.vectors[made.labeled], lambda _, rows: made.nearest(rows))
    joined = [one.ordinal for one in choose(plan, lists, around, np.array(first)).chosen]
    assert not set(first) & set(joined)
    assert (made.vectors[joined] @ made.vectors[first].T).max() < 0.95


def test_a_draw_of_equal_weights_is_not_the_random_sample_over_again():
    ordinals = np.arange(100_000)
    drawn = top_k(draw_keys(np.ones(len(ordinals)), ordinals, 7), ordinals, 1000, 7)
    random = top_k(random_scores(ordinals, 7), ordinals, 1000, 7)
    assert len(np.intersect1d(drawn, random)) < 50  # 10 are expected


def test_votes_on_several_labels_are_the_same_from_shards_of_one_row():
    rng = np.random.default_rng(0)
    made = pool(n=120, d=8, labels=0, model=False)
    truth = rng.random((120, 40)) < 0.3
    model = LinearLearner().fit(made.vectors, truth, 40, task="multi", seed=1, members=5)
    made = replace(made, model=model, task="multilabel_classification")
    plan = made.plan("vote_entropy", 120)
    assert made.choose(plan, list(range(1, 120))) == made.choose(plan, [])


def test_one_row_that_is_off_does_not_change_the_measure_of_the_pool():
    rng = np.random.default_rng(0)
    rows = (3 * rng.normal(size=64) + rng.normal(size=(1000, 64))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[500] *= 1.02
    assert Measure(rows).plain
    door = Admission(0.85, Measure(rows))
    assert door.admit(rows[0])
    assert not door.admit(rows[1])


def test_a_narrow_column_counts_beside_a_wide_one():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 16)).astype(np.float32)
    rows[:, 0] *= 1e7
    same_first = rows[:1].copy()
    same_first[0, 1:] += 3
    door = Admission(0.95, Measure(rows))
    assert door.admit(rows[0])
    assert door.admit(same_first[0])
    rows[:, 3] = 1234.5  # tells nothing, and must not be blown up
    assert np.isfinite(Measure(rows).of(rows)).all()
    assert np.abs(Measure(rows).of(rows)[:, 3]).max() == 0


def test_a_few_rows_far_off_do_not_make_the_others_alike():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 8)).astype(np.float32)
    rows[:30] = -999_999  # a sentinel for what is missing
    rows[30] = 1e12
    door = Admission(0.95, Measure(rows[40:440]))
    assert sum(door.admit(row) for row in rows[40:440]) > 390
    far = Measure(rows)
    door = Admission(0.95, far)
    assert sum(door.admit(row) for row in rows[40:440]) > 390
    assert np.isfinite(far.of(np.full((1, 8), 1e13, np.float32))).all()


def test_a_column_too_narrow_for_float32_tells_nothing():
    rows = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    rows[:, 3] *= np.float32(1e-40)
    assert np.isfinite(Measure(rows).of(rows)).all()
    model = LinearLearner().fit(rows, (rows[:, 0] > 0).astype(np.int64), 2, task="single", seed=1, members=2)
    assert np.isfinite(model.predict_proba(rows)).all()


def test_a_core_set_that_nothing_can_join_says_nothing_of_its_radius():
    made = pool(labels=0, model=False)
    made.vectors[:] = made.vectors[0]
    plan = made.plan("k_center", 5, 0.95)
    lists = {sieve.name: merge(sieve, [sift(one, sieve) for one in made.shards([])], 11) for sieve in plan.sieves()}

    def gather(ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(len(ordinals), dtype=bool), made.vectors[ordinals]

    around = Pool(gather, None, lambda: made.vectors[:0], lambda _, rows: made.nearest(rows))
    choice = choose(plan, lists, around, np.array([7]))
    assert choice.chosen == []
    assert all(np.isfinite(value) for value in choice.facts.values())
