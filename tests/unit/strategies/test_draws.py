"""A weighted draw that any number of shards make as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.strategies.draws import draw_keys
from tithe.strategies.ranking import merge_top_k, top_k


def drawn(weights: np.ndarray, k: int, seed: int) -> np.ndarray:
    ordinals = np.arange(len(weights))
    return ordinals[top_k(draw_keys(weights, ordinals, seed), ordinals, k, seed)]


def test_first_draws_fall_in_proportion_to_the_weights():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    firsts = np.bincount([drawn(weights, 1, seed)[0] for seed in range(20_000)], minlength=4) / 20_000
    np.testing.assert_allclose(firsts, weights / 10, atol=4 * np.sqrt(0.25 / 20_000))


def test_second_draws_fall_in_proportion_among_what_is_left():
    weights = np.array([1.0, 2.0, 5.0])
    pairs = np.array([drawn(weights, 2, seed) for seed in range(20_000)])
    after_the_last = pairs[pairs[:, 0] == 2, 1]
    assert np.mean(after_the_last == 1) == pytest.approx(2 / 3, abs=4 * 0.5 / np.sqrt(len(after_the_last)))


@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 0.5, 1.0, 1e300]), min_size=1, max_size=40), st.integers(0, 99))
def test_shards_draw_what_the_whole_draws(weights: list[float], seed: int):
    ordinals = np.random.default_rng(seed).permutation(1000)[: len(weights)]
    given_weights = np.array(weights)
    whole = merge_top_k([(ordinals, draw_keys(given_weights, ordinals, seed))], 7, seed)
    parts = [
        (part, draw_keys(w, part, seed))
        for part, w in zip(np.array_split(ordinals, 3), np.array_split(given_weights, 3), strict=True)
    ]
    merged = merge_top_k(parts, 7, seed)
    assert merged[0].tolist() == whole[0].tolist()
    assert merged[1].tobytes() == whole[1].tobytes()


@given(st.integers(0, 10_000))
def test_what_weighs_nothing_comes_last_and_in_random_order(seed: int):
    weights = np.array([0.0, 1e-308, 0.0, 1.0, 0.0])
    keys = draw_keys(weights, np.arange(5), seed)
    assert np.isfinite(keys).all()
    assert set(drawn(weights, 2, seed)) == {1, 3}
    assert len(np.unique(keys)) == 5


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_refused_by_row(bad: float):
    with pytest.raises(ValueError, match="row 1"):
        draw_keys(np.array([1.0, bad]), np.array([0, 1]), 0)
    with pytest.raises(ValueError, match="as long as"):
        draw_keys(np.ones(3), np.array([0, 1]), 0)
