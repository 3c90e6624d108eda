"""The choice from lists of shards: the same whatever the shards, no near-duplicates, every share kept."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.catalog import CATALOG
from tithe.strategies.k_center import k_center_greedy
from tithe.strategies.sieves import Keep

from .pools import Made, pool

ONE_LABEL = [name for name, one in CATALOG.items() if "text_classification" in one.tasks]
MERGED_EXACTLY = [
    name for name in ONE_LABEL if all(sieve.keep is not Keep.CENTERS for sieve in CATALOG[name].sieves(10))
]


@pytest.fixture(scope="module")
def made() -> Made:
    return pool()


@pytest.mark.parametrize("strategy", MERGED_EXACTLY)
def test_the_queue_is_the_same_byte_for_byte_however_the_pool_is_cut(made: Made, strategy: str):
    plan = made.plan(strategy, 30, 0.95)
    whole = made.choose(plan, [])
    for cuts in ([200], [1, 2, 399], list(range(50, 400, 50))):
        assert made.choose(plan, cuts) == whole
    assert len(whole.chosen) == 30


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, 399), max_size=6, unique=True))
def test_a_mix_is_the_same_however_the_pool_is_cut(made: Made, cuts: list[int]):
    plan = made.plan({"margin": 0.6, "badge": 0.3, "random": 0.1}, 40, 0.9)
    assert made.choose(plan, cuts) == made.choose(plan, [])


@pytest.mark.parametrize("strategy", ONE_LABEL)
def test_nothing_is_chosen_twice_and_nothing_that_is_labeled(made: Made, strategy: str):
    chosen = [one.ordinal for one in made.choose(made.plan(strategy, 400), [100]).chosen]
    assert sorted(chosen) == np.setdiff1d(np.arange(400), made.labeled).tolist()  # exhausted by filling up


@pytest.mark.parametrize(
    "strategy", ["entropy", "vote_entropy", "class_balanced_margin", "badge", "k_center", "random"]
)
@pytest.mark.parametrize("threshold", [0.7, 0.95, 1.0])
def test_no_two_near_duplicates_are_in_one_queue(strategy: str, threshold: float):
    made = pool(copies=200, seed=3)
    made.vectors[350:] = made.vectors[300:350]  # exact copies
    choice = made.choose(made.plan(strategy, 60, threshold), [90, 300])
    rows = made.vectors[[one.ordinal for one in choice.chosen]].astype(np.float64)
    alike = rows @ rows.T - 2 * np.eye(len(rows))
    assert alike.max() < threshold + 1e-6
    assert choice.facts["near_duplicates_left_out"] > 0 or strategy in ("k_center", "badge")
    free = made.choose(made.plan(strategy, 60, None), [90, 300])
    assert free.facts["near_duplicates_left_out"] == 0


def test_without_near_duplicates_the_queue_is_the_plain_ranking(made: Made):
    from tithe.strategies import ranking, uncertainty

    chosen = made.choose(made.plan("margin", 25), [77]).chosen
    rest = np.setdiff1d(np.arange(400), made.labeled)
    scores = uncertainty.margin(made.model.predict_proba(made.vectors[rest]))
    expected = rest[ranking.top_k(scores, rest, 25, 11)]
    assert [one.ordinal for one in chosen] == expected.tolist()
    assert [one.strategy for one in chosen] == ["margin"] * 25


def test_a_walk_past_near_duplicates_keeps_the_best_of_each_kind():
    made = pool(copies=200, seed=3)
    free = made.choose(made.plan("margin", 360), []).chosen
    strict = made.choose(made.plan("margin", 20, 0.95), []).chosen
    kept: list[int] = []
    for one in free:
        if all(float(made.vectors[one.ordinal] @ made.vectors[other]) < 0.95 for other in kept):
            kept.append(one.ordinal)
    assert [one.ordinal for one in strict] == kept[:20]


def test_a_pool_of_copies_gives_one_of_each_and_no_more():
    made = pool(labels=0, model=False)
    made.vectors[:] = made.vectors[np.arange(400) % 5]
    choice = made.choose(made.plan("coverage", 50, 0.95), [133])
    assert len(choice.chosen) == 5
    assert len({made.vectors[one.ordinal].tobytes() for one in choice.chosen}) == len(choice.chosen)


def test_every_share_is_kept_and_every_item_says_why(made: Made):
    choice = made.choose(made.plan({"uncertainty_herding": 0.6, "entropy": 0.3, "random": 0.1}, 100, 0.99), [250])
    counts = Counter(one.strategy for one in choice.chosen)
    assert counts == {"uncertainty_herding": 60, "entropy": 30, "random": 10}
    for one in choice.chosen:
        assert one.why["place"] >= 0
        assert (one.score is None) == (one.strategy == "uncertainty_herding")
    first = Counter(one.strategy for one in choice.chosen[:20])
    assert abs(first["entropy"] - 6) <= 2


def test_a_strategy_that_runs_out_leaves_its_turns_and_random_items_fill_the_rest():
    made = pool(copies=0)
    plan = made.plan("uncertain_k_center", 350, 0.9)
    choice = made.choose(plan, [])
    assert {one.strategy for one in choice.chosen} <= {"uncertain_k_center", "random"}
    filled = [one for one in choice.chosen if one.strategy == "random"]
    assert len(filled) == choice.facts.get("filled_up", 0)
    assert all(one.why["because"] == "filled_up" for one in filled)


@pytest.mark.parametrize("cuts", [[], [200], list(range(40, 400, 40))])
@pytest.mark.parametrize("labels", [0, 40])
def test_the_radius_of_a_core_set_is_within_what_is_reported_and_its_bound(cuts: list[int], labels: int):
    made = pool(labels=labels, model=False, seed=5)
    plan = made.plan("k_center", 20)
    choice = made.choose(plan, cuts)
    centers = np.concatenate([made.labeled, [one.ordinal for one in choice.chosen]]).astype(np.int64)
    gaps = np.linalg.norm(made.vectors[:, None].astype(np.float64) - made.vectors[centers][None], axis=2)
    rest = np.setdiff1d(np.arange(400), made.labeled)
    radius = gaps.min(axis=1)[rest].max()
    at_most, at_least = choice.facts["radius_at_most"], choice.facts["radius_of_any_choice_at_least"]
    assert radius <= at_most + 1e-6
    assert at_least <= at_most
    factor = 2 if not cuts else 4
    assert at_most <= factor * at_least + 1e-6  # what the papers promise, seen from the reported numbers alone
    if not cuts:
        assert at_most == pytest.approx(radius, abs=1e-6)


def test_one_shard_gives_the_core_set_of_one_process():
    made = pool(labels=30, model=False, seed=6)
    chosen = [one.ordinal for one in made.choose(made.plan("k_center", 25), []).chosen]
    rest = np.setdiff1d(np.arange(400), made.labeled)
    nearest = made.nearest(made.vectors[rest])
    alone = rest[k_center_greedy(made.vectors[rest], 25, np.random.default_rng(0), nearest)]
    assert chosen == alone.tolist()


def test_a_model_whose_answers_are_no_numbers_is_found_by_the_shard():
    from dataclasses import replace

    made = pool()
    heads = made.model.heads.copy()
    heads[:] = np.nan
    broken = Made(made.vectors, made.labeled, replace(made.model, heads=heads))
    for strategy in ("margin", "vote_entropy", "class_balanced_margin", "badge"):
        with pytest.raises(ValueError, match=r"NaN|not finite"):
            broken.choose(broken.plan(strategy, 10), [])


def test_vectors_of_any_length_are_compared_by_distance_on_one_scale():
    made = pool(labels=0, model=False)
    rng = np.random.default_rng(2)
    made.vectors[:] = rng.normal(size=made.vectors.shape) * np.geomspace(1e-3, 1e3, made.vectors.shape[1])
    made.vectors[200:300] = 5 * made.vectors[:100]  # the same directions, not the same
    made.vectors[300:] = made.vectors[:100]  # the same
    chosen = [one.ordinal for one in made.choose(made.plan("random", 400, 0.999), [120]).chosen]
    assert len(chosen) == 300
    assert len({made.vectors[one].tobytes() for one in chosen}) == 300


def test_one_large_column_does_not_make_all_rows_alike():
    made = pool(labels=0, model=False)
    made.vectors[:, 0] += 1000  # one large column: by plain cosine all rows are alike
    choice = made.choose(made.plan("random", 50, 0.95), [])
    assert len(choice.chosen) == 50
