"""Shares of a queue: kept in every stretch of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.choosing.mix import parts_of, turns


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 1000))
def test_every_stretch_holds_the_shares(weights: list[int], seed: int):
    shares = np.array(weights) / sum(weights)
    order = list(itertools.islice(turns(shares.tolist(), np.random.default_rng(seed)), 200))
    for start in (0, 13, 77):
        for n in range(1, 200 - start):
            counts = np.bincount(order[start : start + n], minlength=len(shares))
            assert (np.abs(counts - n * shares) <= 2).all()


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_of_two_each_is_never_more_than_one_place_off(share: float):
    for seed in range(20):
        order = np.array(list(itertools.islice(turns([1 - share, share], np.random.default_rng(seed)), 1000)))
        assert (np.abs(np.cumsum(order) - share * np.arange(1, 1001)) <= 1.0 + 1e-9).all()


def test_the_places_of_a_small_share_differ_from_round_to_round():
    firsts = {
        list(itertools.islice(turns([0.9, 0.1], np.random.default_rng(seed)), 20)).index(1) for seed in range(200)
    }
    assert firsts == set(range(10))


def test_a_share_of_nothing_never_has_a_turn():
    assert set(itertools.islice(turns([0.0, 0.4, 0.6], np.random.default_rng(1)), 500)) == {1, 2}


def test_without_a_model_what_needs_one_is_replaced_and_shares_are_joined():
    parts = parts_of({"margin": 0.4, "badge": 0.3, "typical": 0.2, "random": 0.1}, model=False)
    assert [(part.strategy.name, round(part.share, 6)) for part in parts] == [
        ("typical_in_stages", 0.7),
        ("typical", 0.2),
        ("random", 0.1),
    ]
    assert [part.strategy.name for part in parts_of("vote_entropy", model=True)] == ["vote_entropy"]
    with pytest.raises(ValueError, match="did you mean 'margin'"):
        parts_of({"margim": 1.0}, model=True)
