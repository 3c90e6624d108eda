"""Figures against what a hand computes."""

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest

import tithe.rehearsal
from tithe.rehearsal.figures import Ratio, area, interval_rank, labels_for, ratio, spread


@pytest.mark.parametrize("name", [one.name for one in pkgutil.iter_modules(tithe.rehearsal.__path__)])
def test_examples(name: str):
    assert doctest.testmod(importlib.import_module(f"tithe.rehearsal.{name}")).failed == 0


def test_a_target_is_met_on_the_line_between_two_points_and_never_before_the_first():
    assert labels_for([20, 40, 100], [0.1, 0.5, 0.8], 0.6) == pytest.approx(60)
    assert labels_for([20, 40], [0.9, 0.95], 0.5) == 20
    assert labels_for([20, 40, 60], [0.2, 0.6, 0.4], 0.6) == 40
    assert math.isinf(labels_for([20, 40], [0.9, 0.95], 0.96))


def test_ratios_are_of_the_same_seeds():
    found = ratio([100, 200, 300, 400, 500], [800] * 5, [200, 600, 900, 800, 500], [4000] * 5)
    assert found == Ratio(median=2.0, low=1.0, high=3.0, bound=None)  # 2, 3, 3, 2, 1


def test_what_random_does_not_reach_is_a_lower_bound():
    found = ratio([100, 100, 100, 100, 100], [800] * 5, [math.inf] * 3 + [300, 200], [1000] * 5)
    assert found == Ratio(median=10.0, low=2.0, high=None, bound="at least")


def test_what_the_strategy_does_not_reach_is_an_upper_bound():
    found = ratio([math.inf] * 3 + [400, 400], [800] * 5, [200] * 5, [1000] * 5)
    assert found == Ratio(median=0.25, low=None, high=0.5, bound="at most")


def test_of_two_seeds_one_of_which_never_arrives_nothing_is_averaged():
    assert ratio([100.0, math.inf], [800, 800], [500.0, math.inf], [1000, 1000]).median is None


def test_where_neither_arrives_nothing_is_known():
    assert ratio([math.inf] * 5, [800] * 5, [math.inf] * 5, [900] * 5) == Ratio(None, None, None, None)


def test_fewer_than_five_seeds_have_no_interval():
    assert spread([1.0, 2.0, 3.0, 4.0]).low is None
    assert (spread([5.0, 2.0, 3.0, 4.0, 1.0]).low, spread([5.0, 2.0, 3.0, 4.0, 1.0]).high) == (1.0, 5.0)


@pytest.mark.parametrize("n", [5, 8, 13, 20])
def test_the_interval_holds_the_median_as_often_as_it_says(n: int):
    rank = interval_rank(n)
    assert rank is not None
    drawn = np.sort(np.random.default_rng(n).exponential(size=(20_000, n)), axis=1)
    inside = (drawn[:, rank - 1] <= math.log(2)) & (math.log(2) <= drawn[:, -rank])
    assert inside.mean() >= 0.9 - 0.007
    narrower = (drawn[:, rank] <= math.log(2)) & (math.log(2) <= drawn[:, -rank - 1])
    assert narrower.mean() < 0.9 + 0.007


def test_the_area_ends_where_it_is_told_to():
    assert area([20, 40, 60, 500], [0.0, 1.0, 1.0, 0.0], until=60) == pytest.approx(0.75)
