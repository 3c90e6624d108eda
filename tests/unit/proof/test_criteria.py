"""Classical stopping criteria, and the rule by which a project stops by itself."""

import doctest
import importlib

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tithe.proof.criteria import budget, certain, kappa, plateau, span_agreement, stable
from tithe.proof.stopping import Measurement, StopWhen, chance_below, chance_reached, stop_due
from tithe.proof.tallies import Tally


@pytest.mark.parametrize("module", ["criteria", "curve_fit", "stopping"])
def test_the_examples_in_the_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"tithe.proof.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(20):
        before, after = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
        every = np.eye(4, dtype=bool)
        assert kappa(every[before], every[after]) == pytest.approx(cohen_kappa_score(before, after))


def test_kappa_of_several_classes_an_item_counts_every_answer():
    rng = np.random.default_rng(0)
    before, after = rng.random((50, 3)) < 0.5, rng.random((50, 3)) < 0.5
    assert kappa(before, after) == pytest.approx(cohen_kappa_score(before.ravel(), after.ravel()))


def test_models_that_always_say_the_same_agree():
    one = np.eye(2, dtype=bool)[np.zeros(10, dtype=int)]
    assert kappa(one, one) == 1.0
    assert kappa(one[:0], one[:0]) == 1.0
    assert kappa(np.zeros((5, 2), bool), np.zeros((5, 2), bool)) == 1.0
    assert span_agreement([set(), set()], [set(), set()]) == 1.0


def test_predictions_are_stable_after_three_pairs_that_agree():
    assert stable([]).value is None
    assert not stable([0.999, 0.999]).met
    assert stable([0.5, 0.999, 0.991, 0.995]).met
    assert not stable([0.999, 0.98, 0.999]).met
    assert stable([0.999, 0.98, 0.999]).value == 0.98


def test_uncertainty_is_a_share_of_the_largest():
    assert certain(np.full((5, 4), 0.25), single=True).value == pytest.approx(1)
    assert certain(np.eye(4), single=True).value == 0
    assert certain(np.eye(4), single=True).met
    assert certain(np.full((5, 4), 0.5), single=False).value == pytest.approx(1)


def test_uncertainty_without_predictions_or_with_one_class_is_not_known():
    assert certain(np.zeros((0, 4)), single=True).value is None
    assert not certain(np.ones((5, 1)), single=True).met


def accuracies(items, wrong):
    right = np.ones((len(wrong), items))
    for row, count in zip(right, wrong, strict=True):
        row[:count] = 0
    rows = np.arange(items)
    tallies = [Tally("accuracy", rows, np.stack([one, np.ones(items)], 1), None) for one in right]
    return [(100 * (i + 1), tally) for i, tally in enumerate(tallies)]


def test_a_plateau_needs_control_labels_enough_to_see_it():
    assert plateau(accuracies(20_000, [1000] * 4)).met
    assert not plateau(accuracies(20, [1] * 4)).met
    assert not plateau(accuracies(20_000, [2000, 1500, 1200, 1000])).met
    assert plateau(accuracies(500, [20] * 3)).value is None
    assert plateau(accuracies(0, [0] * 5)).value is None


def test_the_plateaus_value_is_the_rise_of_the_last_three_rounds():
    assert plateau(accuracies(1000, [500, 200, 150, 120, 100])).value == pytest.approx(0.1)


def test_a_budget_is_met_when_it_is_spent():
    assert not budget(99, 100).met
    assert budget(100, 100).met
    assert budget(1200, 1000).words == "1,200 of 1,000 are spent"


def calm(labels=900, **changes):
    return Measurement(
        **{"labels": labels, "gain": 0.001, "gain_low": -0.001, "gain_high": 0.003, "met": ("stable",)} | changes
    )


def test_nothing_stops_without_measurements_or_settings():
    assert stop_due(StopWhen(score=0.5, min_gain=0.5), []) is None
    assert stop_due(StopWhen(), [calm(score=0.99, low=0.98, high=1.0)] * 3) is None


def test_a_score_stops_when_it_is_surely_reached():
    narrow, wide = calm(score=0.9, low=0.89, high=0.91), calm(score=0.9, low=0.75, high=0.97)
    assert stop_due(StopWhen(score=0.88), [narrow, narrow]).by == "score"
    assert stop_due(StopWhen(score=0.88), [narrow]) is None  # one look alone may be luck
    assert stop_due(StopWhen(score=0.88), [narrow, wide]) is None
    assert stop_due(StopWhen(score=0.91), [narrow, narrow]) is None


def test_the_chance_of_a_score_is_even_at_the_estimate_and_known_at_the_ends():
    seen = calm(score=0.9, low=0.85, high=0.94)
    assert chance_reached(0.9, seen) == pytest.approx(0.5)
    assert chance_reached(0.85, seen) == pytest.approx(0.95)
    assert chance_reached(0.94, seen) == pytest.approx(0.05)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_perfect_or_hopeless_score_has_a_chance(score):
    chance = chance_reached(0.5, calm(score=score, low=score, high=score))
    assert chance == pytest.approx(score)


def test_advice_stops_in_two_measurements_running_with_a_criterion_met():
    wanted, steep = StopWhen(min_gain=0.005), calm(gain=0.004, gain_low=-0.01, gain_high=0.02)
    assert stop_due(wanted, [calm()]) is None
    assert stop_due(wanted, [steep, calm()]) is None
    assert stop_due(wanted, [calm(), steep]) is None
    assert stop_due(wanted, [calm(met=()), calm()]) is None
    reason = stop_due(wanted, [steep, calm(), calm(labels=950)])
    assert reason.by == "advice"
    assert reason.words == (
        "stopped with 950 labels: the next 100 buy less than 0.5 points with probability >99%, in 2 measurements "
        "running; also met: stable"
    )


def test_what_could_not_be_told_never_stops_a_project():
    unknown = Measurement(500, met=("stable",))
    assert chance_below(0.005, unknown) is None
    assert chance_reached(0.5, unknown) is None
    assert stop_due(StopWhen(score=0.1, min_gain=1.0), [unknown, unknown]) is None
    assert stop_due(StopWhen(min_gain=0.005), [calm(), unknown]) is None


def test_looking_often_does_not_stop_what_never_gets_there() -> None:
    """Projects whose score is a point below the target for ever, looked at every ten control labels: few ever stop."""
    rng, target, certainty = np.random.default_rng(0), 0.9, 0.9
    sizes = np.arange(20, 601, 10)
    right = np.cumsum(rng.random((150, sizes[-1])) < target - 0.01, axis=1)[:, sizes - 1]
    stopped = 0
    for row in right:
        scores = (row + 1) / (sizes + 2)
        wide = 1.645 * np.sqrt(scores * (1 - scores) / sizes)
        looks = [
            Measurement(int(20 * m), float(s), float(s - w), float(s + w), control=int(m))
            for m, s, w in zip(sizes, scores, wide, strict=True)
        ]
        stopped += any(
            stop_due(StopWhen(score=target, certainty=certainty), looks[: at + 1]) for at in range(len(looks))
        )
    assert stopped / len(right) < 0.1
