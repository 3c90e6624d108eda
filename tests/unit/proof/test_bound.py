"""The threshold's promise, kept: whatever the model says of itself, too many mistakes are let through too seldom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom

from tithe.proof import exact
from tithe.proof.bound import find_threshold


@pytest.mark.parametrize(("wrong", "of"), [(0, 1), (0, 59), (1, 59), (5, 100), (99, 100), (100, 100), (300, 5000)])
def test_exact_bounds_are_scipys(wrong: int, of: int):
    for certainty in (0.5, 0.95, 0.999):
        high = 1.0 if wrong == of else beta.ppf(certainty, wrong + 1, of - wrong)
        low = 0.0 if wrong == 0 else beta.ppf(1 - certainty, wrong, of - wrong + 1)
        assert exact.upper(wrong, of, certainty) == pytest.approx(high, abs=1e-9)
        assert exact.lower(wrong, of, certainty) == pytest.approx(low, abs=1e-9)
    for share in (0.0, 0.001, 0.05, 0.5, 1.0):
        assert exact.at_most(wrong, of, share) == pytest.approx(binom.cdf(wrong, of, share), abs=1e-9)


def test_so_many_without_a_mistake_are_needed_and_not_one_less():
    for error in (0.01, 0.05, 0.1, 0.3):
        for certainty in (0.8, 0.95, 0.99):
            needed = exact.needed_without_mistake(error, certainty)
            assert exact.upper(0, needed, certainty) <= error + 1e-9
            assert exact.upper(0, needed - 1, certainty) > error


def test_with_too_few_labels_nothing_is_found_and_with_just_enough_all_is():
    pool = np.linspace(0.5, 1, 1000)
    for known, expected in ((58, None), (59, 0.0)):
        found = find_threshold(np.full(known, 0.9), np.ones(known, bool), pool, error=0.05, certainty=0.95)
        assert (found.confidence, found.known) == (expected, known)


def test_what_is_found_is_borne_out_by_its_own_count():
    rng = np.random.default_rng(0)
    found_some = 0
    for _ in range(100):
        pool = rng.uniform(0.3, 1, 2000)
        sure = rng.choice(pool, 300)
        right = rng.random(300) < sure ** rng.uniform(0, 2)
        found = find_threshold(sure, right, pool, error=0.1, certainty=0.9)
        if found.confidence is not None:
            found_some += 1
            above = sure >= found.confidence
            assert (found.above, found.wrong) == (above.sum(), (~right[above]).sum())
            assert exact.upper(found.wrong, found.above, 0.9) <= 0.1 + 1e-9
    assert 20 < found_some < 100


@pytest.mark.parametrize("honest", [True, False], ids=["calibrated", "sure of itself and wrong"])
def test_the_error_is_above_the_bound_in_no_more_runs_than_was_allowed(honest: bool):
    """Exactly: the share that is wrong above a threshold is known here."""
    rng = np.random.default_rng(1)
    sure = np.sort(rng.uniform(0.5, 1, 4000))
    chance_of_right = sure if honest else np.full(4000, 0.895)
    runs, broken, found_some = 400, 0, 0
    for _ in range(runs):
        drawn = rng.integers(0, 4000, 150)
        right = rng.random(150) < chance_of_right[drawn]
        found = find_threshold(sure[drawn], right, sure, error=0.1, certainty=0.9)
        if found.confidence is not None:
            found_some += 1
            broken += (1 - chance_of_right[sure >= found.confidence]).mean() > 0.1
    assert found_some > 10
    assert broken <= binom.ppf(0.99, runs, 0.1)


def test_nothing_that_is_no_confidence_is_taken():
    pool = np.linspace(0, 1, 10)
    for bad in (np.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match="numbers in"):
            find_threshold(np.array([bad]), np.array([True]), pool, error=0.1, certainty=0.9)
    with pytest.raises(ValueError, match="shapes"):
        find_threshold(pool, np.ones(3, bool), pool, error=0.1, certainty=0.9)
