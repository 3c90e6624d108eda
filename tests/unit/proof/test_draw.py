"""What the control arm draws: uniform, settled for ever, the same whatever else is in the pool."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from tithe.proof.draw import in_turn, keys, reserved

GOLDEN = {
    0: [0.15026428863126662, 0.46506748668278575, 0.12886291433859853, 0.9187105648960322],
    7: [0.6654558483804329, 0.010032052990825435, 0.830409237617749, 0.6172915367832115],
}


def test_an_items_key_never_changes():
    """Golden values: were they to change, labeled control items of running projects would leave the reserve."""
    assert keys(0, np.array([0, 1, 2, 999_999])).tolist() == GOLDEN[0]
    assert keys(7, np.array([0, 1, 2, 999_999])).tolist() == GOLDEN[7]


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_keys_are_uniform_in_the_unit_interval(seed: int):
    drawn = keys(seed, np.arange(100_000))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert kstest(drawn, "uniform").pvalue > 0.001
    assert len(np.unique(drawn)) == len(drawn)


def test_neighbours_and_neighbouring_seeds_have_nothing_in_common():
    drawn = keys(3, np.arange(100_000))
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.015
    assert abs(np.corrcoef(drawn, keys(4, np.arange(100_000)))[0, 1]) < 0.015


def test_a_reserve_holds_its_share_and_a_larger_one_holds_it_whole():
    ordinals = np.arange(100_000)
    small, large = reserved(5, ordinals, 0.05), reserved(5, ordinals, 0.2)
    assert small.mean() == pytest.approx(0.05, abs=0.003)
    assert large.mean() == pytest.approx(0.2, abs=0.005)
    assert large[small].all()
    assert not reserved(5, ordinals, 0.0).any()
    assert reserved(5, ordinals, 1.0).all()


def test_the_reserve_is_asked_in_the_order_of_its_keys():
    ordinals = np.arange(5000)
    turn = in_turn(9, ordinals, 0.1)
    assert set(turn) == set(ordinals[reserved(9, ordinals, 0.1)])
    assert (np.diff(keys(9, turn)) > 0).all()


def test_a_pool_that_grows_keeps_what_was_drawn_in_its_order():
    before, after = (in_turn(9, np.arange(rows), 0.1) for rows in (4000, 6000))
    assert after[np.isin(after, before)].tolist() == before.tolist()


def test_the_order_items_are_given_in_does_not_matter():
    ordinals = np.random.default_rng(0).permutation(5000)
    assert in_turn(9, ordinals, 0.1).tolist() == in_turn(9, np.arange(5000), 0.1).tolist()


def test_without_a_reserve_or_a_pool_nothing_is_drawn():
    assert in_turn(9, np.arange(5000), 0.0).tolist() == []
    assert in_turn(9, np.empty(0, np.int64), 0.5).tolist() == []
