"""Stop advice: what it says of curves that are known, and that it never says what it cannot know."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.proof.advice import advise
from tithe.proof.criteria import Criterion
from tithe.proof.curve_fit import gains
from tithe.proof.curve_fit_readings import read
from tithe.proof.tallies import Tally, of_classes, of_entities

MET = Criterion("stable", 0.995, 0.99, met=True, words="", source="")
ROUNDS = (60, 90, 130, 190, 270, 400, 600, 900)


def rounds(score, items, labels=ROUNDS, seed=0):
    """Accuracy tallies of models whose true score follows a curve; an item that a model has right, a better one has."""
    hard = np.random.default_rng(seed).random(items)
    right = [(hard < score(count)).astype(float) for count in labels]
    return [
        (count, Tally("accuracy", np.arange(items), np.stack([one, np.ones(items)], 1), None))
        for count, one in zip(labels, right, strict=True)
    ]


def steep(count):
    return 0.95 - 5 / count**0.6


def flat(count):
    return 0.9


def numbers(advice):
    return [value for one in advice.gains for value in (one.gain, one.low, one.high)]


@pytest.mark.parametrize("points", [[], rounds(flat, 50)[:1], rounds(flat, 50)[:2]])
def test_with_fewer_than_three_rounds_nothing_is_said_but_what_is_missing(points):
    told = advise(points)
    assert told.gains == ()
    assert not told.stop
    assert told.missing == f"a curve needs 3 rounds of different label counts, there are {len(points)}"
    assert told.missing in told.words


def test_rounds_with_the_same_labels_are_one_round():
    assert advise(rounds(flat, 50, labels=(100, 100, 100, 100))).missing is not None


@pytest.mark.parametrize("items", [0, 1, 9])
def test_with_fewer_than_ten_control_labels_nothing_is_said_but_what_is_missing(items):
    told = advise(rounds(steep, items), criteria=[MET])
    assert (told.gains, told.stop) == ((), False)
    assert f"needs 10 labeled control items, there are {items}" in told.missing


def test_macro_f1_asks_for_control_labels_by_the_class():
    sure = np.full((15, 20), 0.05)
    every = np.eye(20, dtype=bool)[np.arange(15)]
    points = [(n, of_classes("macro_f1", sure, every, np.arange(15), every, single=True)) for n in (100, 200, 300)]
    assert "needs 100 labeled control items, there are 15" in advise(points).missing


def test_models_are_compared_on_the_items_that_all_of_them_know():
    points = rounds(steep, 9)
    longer = rounds(steep, 30)[-1]
    assert "there are 9" in advise([*points[:-1], longer]).missing


@pytest.mark.parametrize("items", [100, 1000, 10_000])
def test_the_interval_holds_what_a_known_curve_gains(items):
    for seed in range(5):
        told = advise(rounds(steep, items, seed=seed), level=0.99)
        for one in told.gains:
            assert one.low < steep(900 + one.next) - steep(900) < one.high


def test_many_control_labels_find_a_steep_curve_steeper_than_a_flat_one():
    climbing, resting = (advise(rounds(curve, 5000), ahead=(500,)).gains[0] for curve in (steep, flat))
    assert climbing.gain == pytest.approx(steep(1400) - steep(900), abs=0.006)
    assert resting.gain == pytest.approx(0, abs=0.003)
    assert climbing.gain > resting.gain + 0.01


def test_a_falling_curve_has_a_gain_that_may_be_negative():
    told = advise(rounds(lambda count: 0.95 - 0.05 * math.log(count / 60), 5000), ahead=(500,)).gains[0]
    assert told.low < 0
    assert told.gain < 0.005


def test_more_labels_ahead_are_less_sure_and_more_control_labels_are_surer():
    few, many = (advise(rounds(steep, items)).gains for items in (20, 2000))
    widths = [one.high - one.low for one in few]
    assert widths == sorted(widths)
    assert many[1].high - many[1].low < widths[1]


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_equal_scores_never_make_an_interval_of_no_width(score):
    told = advise(rounds(lambda _: score, 2000))
    assert all(one.high - one.low > 0.0005 for one in told.gains)
    assert all(math.isfinite(value) for value in numbers(told))


def test_advice_stops_only_where_a_classical_criterion_is_met_too():
    points = rounds(lambda _: 0.98, 5000)
    assert advise(points, criteria=[MET]).stop
    assert not advise(points).stop
    assert not advise(rounds(steep, 5000, labels=ROUNDS[:4]), criteria=[MET]).stop


def test_words_say_gain_interval_and_cost():
    told = advise(rounds(steep, 200), ahead=(100,), price=0.08, money="EUR")
    one = told.gains[0]
    assert one.cost == pytest.approx(8)
    points = f"{100 * one.gain:.1f} points ({100 * one.low:.1f} to {100 * one.high:.1f}) for 8 EUR"
    assert told.words.startswith(f"the next 100 labels are expected to buy {points}. That 100 labels buy less")
    assert " for " not in advise(rounds(steep, 200), ahead=(100,)).words


def test_a_price_keeps_its_cents():
    assert " for 1,100.50 EUR" in advise(rounds(steep, 200), ahead=(100,), price=11.005, money="EUR").words


def test_a_gold_test_set_alone_is_enough_and_beside_control_labels_makes_it_surer():
    gold = rounds(steep, 3000, seed=7)
    alone, both, control = advise([], gold=gold), advise(rounds(steep, 30), gold=gold), advise(rounds(steep, 30))
    assert alone.missing is None
    assert both.gains[1].high - both.gains[1].low < control.gains[1].high - control.gains[1].low


def test_gold_of_another_level_does_no_harm():
    gold = rounds(lambda count: steep(count) - 0.3, 3000, seed=7)
    told = advise(rounds(steep, 3000), gold=gold, ahead=(500,)).gains[0]
    assert told.gain == pytest.approx(steep(1400) - steep(900), abs=0.01)


def test_order_of_rounds_and_labels_withdrawn_do_not_matter():
    points = rounds(steep, 300)
    mixed = [points[2], points[0], *points[3:-1], points[1], points[-1]]
    beyond = (2000, points[-1][1])
    assert numbers(advise(mixed)) == pytest.approx(numbers(advise(points)))
    assert numbers(advise([beyond, *points])) == pytest.approx(numbers(advise(points)))


def test_hundreds_of_rounds_are_thinned_and_keep_the_last():
    labels = tuple(range(40, 4040, 10))
    curve = read(rounds(steep, 50, labels=labels))
    assert len(curve.labels) <= 40
    assert curve.labels[-1] == 4030


def test_a_curve_is_read_over_a_factor_of_sixteen_and_at_five_rounds_at_least():
    assert read(rounds(steep, 50, labels=(10, 20, 50, 100, 200, 400, 800))).labels[0] == 50
    assert len(read(rounds(steep, 50, labels=(2, 5, 10, 20, 40, 900))).labels) == 5


def test_entities_have_gains_and_no_entities_say_so():
    rng = np.random.default_rng(0)
    rows, marked = np.arange(300), rng.integers(0, 3, 300)
    points = [(n, of_entities(rows, rng.binomial(marked, steep(n)), marked, marked)) for n in ROUNDS]
    assert all(math.isfinite(value) for value in numbers(advise(points)))
    none = [(n, of_entities(rows, 0 * rows, 0 * rows, 0 * rows)) for n in ROUNDS]
    assert advise(none).missing == "no labeled control item has an entity yet, by its labels or by a model"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_tallies_make_a_number_that_is_none(data):
    classes, items = data.draw(st.integers(1, 4)), data.draw(st.integers(20, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    labels = sorted(data.draw(st.lists(st.integers(1, 5000), min_size=3, max_size=8)))
    truth, points = np.eye(classes, dtype=bool)[rng.integers(0, classes, items)], []
    for count in labels:
        sure = rng.dirichlet(np.full(classes, 0.3), items)
        said = np.eye(classes, dtype=bool)[sure.argmax(axis=1)]
        points.append((count, of_classes("macro_f1", sure, said, np.arange(items), truth, single=True)))
    told = advise(points)
    assert all(math.isfinite(value) for value in numbers(told))
    assert all(one.low < one.gain < one.high for one in told.gains)
    assert (told.missing is None) == bool(told.gains)


@pytest.mark.parametrize("items", [15, 60, 400])
def test_covariance_is_that_of_a_distribution_and_shrinks_with_items(items):
    curve = read(rounds(steep, items))
    assert np.linalg.eigvalsh(curve.covariance).min() > 0
    assert 0.4 < items * curve.covariance[-1, -1] / (curve.error * (1 - curve.error)) < 1.6


def test_what_was_not_seen_is_a_prior_that_sums_to_one():
    (told,) = gains([read(rounds(steep, 50))], (100,))
    assert told.weights.sum() == pytest.approx(1)
    assert told.below(told.quantile(0.25)) == pytest.approx(0.25, abs=1e-6)
