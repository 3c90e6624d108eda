"""The control arm's estimate: by hand, on drawn projects whose truth is known, and where there is too little to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from tithe.learners import scores
from tithe.proof.quality import LEAST_ROWS, Estimate, estimate
from tithe.proof.tallies import Metric, Tally, of_classes, of_entities, score_of

EVERYONE = 20_000  #: items the truth of a drawn project is worked out on
DRAWN = 1000


class World:
    """Items with a model's probabilities and truths that follow what the model ought to have said."""

    def __init__(self, shares: list[float], sharp: float, *, single: bool = True, seed: int = 0) -> None:
        rng, self.single = np.random.default_rng(seed), single
        hidden = rng.choice(len(shares), EVERYONE, p=shares)
        signal = np.eye(len(shares))[hidden] * sharp + rng.gumbel(size=(EVERYONE, len(shares)))
        odds = signal + np.log(shares)
        if single:
            self.right = np.exp(odds - odds.max(axis=1, keepdims=True))
            self.right /= self.right.sum(axis=1, keepdims=True)
            at = (rng.random((EVERYONE, 1)) < self.right.cumsum(axis=1)).argmax(axis=1)
            self.truth = np.eye(len(shares), dtype=bool)[at]
        else:
            self.right = 1 / (1 + np.exp(3 - odds))
            self.truth = rng.random(self.right.shape) < self.right
        self.decided = scores.decide(self.right, single=single)

    def score(self, metric: Metric) -> float:
        return scores.score(metric, self.truth, self.decided)

    def tally(self, metric: Metric, labels: int, seed: int, said: np.ndarray | None = None) -> Tally:
        rows = np.random.default_rng([seed, 3]).permutation(EVERYONE)[:DRAWN]
        sure = (self.right if said is None else said)[rows]
        of = np.arange(labels)
        return of_classes(metric, sure, self.decided[rows], of, self.truth[rows][:labels], single=self.single)


def held(world: World, metric: Metric, labels: int, times: int, said: np.ndarray | None = None) -> tuple[float, float]:
    """How often intervals hold the truth, and how far estimates are off on average."""
    found = [estimate(world.tally(metric, labels, seed, said)) for seed in range(times)]
    true = world.score(metric)
    assert all(0 <= one.low <= one.score <= one.high <= 1 for one in found)
    return np.mean([one.low <= true <= one.high for one in found]), np.mean([one.score for one in found]) - true


EVEN = World([0.25] * 4, 4.0)
NEARLY_PERFECT = World([0.2] * 5, 8.0)
RARE = World([0.55, 0.3, 0.12, 0.03], 4.0)
MANY = World(list(np.linspace(1, 4, 20) / np.linspace(1, 4, 20).sum()), 7.0)
SEVERAL = World([0.3, 0.3, 0.2, 0.2], 5.0, single=False)
WORLDS = {"even": EVEN, "nearly perfect": NEARLY_PERFECT, "rare": RARE, "many": MANY, "several": SEVERAL}


@pytest.mark.parametrize("labels", [25, 100])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_holds_the_truth_and_the_estimate_has_no_bias(name: str, metric: Metric, labels: int):
    share, bias = held(WORLDS[name], metric, labels, 100)
    assert share >= 0.91  # nominal 95 % less two standard errors of 100 draws
    assert abs(bias) < 0.03


@pytest.mark.parametrize("wrong", ["overconfident", "uniform", "upside down", "of other items"])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_model_that_is_wrong_about_itself_costs_width_not_truth(metric: Metric, wrong: str):
    right = np.clip(EVEN.right, 1e-4, 1)
    power = {"overconfident": 6.0, "uniform": 0.0, "upside down": -1.0, "of other items": 1.0}[wrong]
    said = right**power / (right**power).sum(axis=1, keepdims=True)
    if wrong == "of other items":
        said = np.random.default_rng(5).permutation(said)
    share, bias = held(EVEN, metric, 60, 100, said)
    assert share >= 0.91
    assert abs(bias) < 0.03


def test_what_the_model_expects_narrows_the_interval_where_it_knows_when_it_is_wrong():
    tallies = [EVEN.tally("accuracy", 200, seed) for seed in range(20)]
    with_it = [estimate(one) for one in tallies]
    without = [estimate(replace(one, expected=None)) for one in tallies]
    width = [np.mean([one.high - one.low for one in found]) for found in (with_it, without)]
    assert width[0] < 0.95 * width[1]
    assert all(one.method.startswith("labels and the model's expectations (weight ") for one in with_it)
    assert {one.method for one in without} == {"labels alone"}


def test_labels_alone_give_wilsons_interval_with_students_t():
    seen = np.stack([np.arange(50) < 45, np.ones(50)], axis=1).astype(float)
    found = estimate(Tally("accuracy", np.arange(50), seen, None), level=0.9)
    t, p = stdtrit(49, 0.95), 0.9
    for end in (found.low, found.high):
        assert abs(end - p) == pytest.approx(t * np.sqrt(end * (1 - end) / 50))
    assert found.score == p


def test_a_model_that_is_always_the_same_adds_nothing():
    seen = np.stack([np.arange(50) < 40, np.ones(50)], axis=1).astype(float)
    alone = estimate(Tally("accuracy", np.arange(50), seen, None))
    found = estimate(Tally("accuracy", np.arange(50), seen, np.tile([0.8, 1.0], (500, 1))))
    assert found.score == pytest.approx(alone.score)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.02)


def test_where_every_drawn_item_is_labeled_the_score_is_theirs():
    tally = EVEN.tally("accuracy", DRAWN, 0)
    assert estimate(tally).score == pytest.approx(tally.seen[:, 0].mean())


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_the_order_of_labels_does_not_matter(metric: Metric):
    tally = RARE.tally(metric, 80, 1)
    order = np.random.default_rng(0).permutation(80)
    turned = replace(tally, seen=tally.seen[order], rows=tally.rows[order])
    first, again = estimate(tally), estimate(turned)
    assert (again.score, again.low, again.high) == pytest.approx((first.score, first.low, first.high))


def test_all_right_is_no_proof_of_perfection():
    seen = np.ones((40, 2))
    for expected in (None, np.tile([0.97, 1.0], (500, 1)), np.ones((500, 2))):
        found = estimate(Tally("accuracy", np.arange(40), seen, expected))
        assert 0.85 < found.low < 0.97
        assert found.high == pytest.approx(1.0, abs=1e-6)


def test_all_wrong_is_no_proof_of_the_opposite():
    seen = np.stack([np.zeros(40), np.ones(40)], axis=1)
    found = estimate(Tally("accuracy", np.arange(40), seen, np.tile([0.9, 1.0], (500, 1))))
    assert found.low == pytest.approx(0.0, abs=1e-6)
    assert 0.05 < found.high < 0.25


def test_a_higher_level_is_wider():
    tally = RARE.tally("macro_f1", 60, 2)
    narrow, wide = estimate(tally, level=0.8), estimate(tally, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("labels", [0, 1, LEAST_ROWS - 1])
def test_too_few_labels_give_words_and_no_number(metric: Metric, labels: int):
    tally = EVEN.tally(metric, labels, 0)
    for one in (tally, replace(tally, expected=None)):
        found = estimate(one)
        assert (found.score, found.low, found.high) == (None, None, None)
        assert str(LEAST_ROWS - labels) in found.missing
        assert "need" in found.missing
        assert found.rows == labels


def test_one_label_is_spoken_of_as_one():
    assert estimate(EVEN.tally("accuracy", 1, 0)).missing == (
        "1 control label says too little: about 19 more are needed for an interval"
    )


def test_a_class_no_control_label_carries_is_named_and_widens_the_interval():
    tally = next(one for seed in range(50) if not (one := RARE.tally("macro_f1", 25, seed)).seen[:, 11].any())
    found, known = estimate(tally), estimate(EVEN.tally("macro_f1", 25, 0))
    assert found.classes_unseen == (3,)
    assert found.high - found.low > 1.2 * (known.high - known.low)


def test_without_expectations_a_rare_class_is_named_with_what_would_help():
    tally = replace(RARE.tally("macro_f1", 40, 0), expected=None)
    said = tally.seen[:, 7].astype(bool) | tally.seen[:, 11].astype(bool)
    found = estimate(tally, class_names=["a", "b", "c", "spam"])
    assert found.score is None
    assert found.missing.startswith(f"spam is in {said.sum()} of 40 control labels, an interval needs 5")
    assert "more control labels, or a larger control share" in found.missing


def test_a_class_that_is_listed_and_never_said_true_or_expected_is_left_out():
    tally = EVEN.tally("macro_f1", 60, 0)

    def with_another(sums: np.ndarray) -> np.ndarray:
        return np.concatenate([np.pad(one, ((0, 0), (0, 1))) for one in np.split(sums, 3, axis=1)], axis=1)

    wider = Tally("macro_f1", tally.rows, with_another(tally.seen), with_another(tally.expected))
    first, again = estimate(tally), estimate(wider)
    assert again.classes_unseen == ()
    assert (again.score, again.low, again.high) == pytest.approx((first.score, first.low, first.high), abs=1e-4)


def test_a_pool_of_one_class_is_scored():
    sure = np.tile([1.0, 0.0], (300, 1))
    only = np.tile([True, False], (300, 1))
    for metric in ("accuracy", "macro_f1"):
        found = estimate(of_classes(metric, sure, only, np.arange(30), only[:30], single=True))
        assert isinstance(found, Estimate)
        assert found.score == pytest.approx(1.0, abs=1e-3)
        assert 0.8 < found.low < 1


def entities(seed: int, documents: int, found: float) -> Tally:
    """Documents of none to a dozen entities; in some, more is missed than in others."""
    rng = np.random.default_rng([seed, 8])
    marked = rng.poisson(rng.gamma(1.0, 2.0, documents))
    both = rng.binomial(marked, rng.beta(8 * found, 8 * (1 - found), documents))
    return of_entities(np.arange(documents), both, both + rng.poisson(0.1 * marked), marked)


@pytest.mark.parametrize("found", [0.6, 0.9])
@pytest.mark.parametrize("documents", [40, 150])
def test_the_interval_of_entities_holds_though_documents_differ(documents: int, found: float):
    true = float(score_of("entity_f1", entities(10**6, 400_000, found).seen.sum(axis=0)))
    made = [estimate(entities(seed, documents, found)) for seed in range(200)]
    assert np.mean([one.low <= true <= one.high for one in made if one.missing is None]) >= 0.92


def test_documents_without_entities_do_not_count_toward_an_interval():
    none = np.zeros(100, np.int64)
    some = np.where(np.arange(100) < 10, 1, 0)
    assert "about 20 more" in estimate(of_entities(np.arange(100), none, none, none)).missing
    assert estimate(of_entities(np.arange(100), some, some, some)).missing == (
        "10 control labels with something found or marked say too little: about 100 more are needed for an interval"
    )


def test_what_is_given_is_left_as_it_was():
    tally = RARE.tally("macro_f1", 60, 0)
    seen, expected = tally.seen.copy(), tally.expected.copy()
    estimate(tally)
    assert (tally.seen == seen).all()
    assert (tally.expected == expected).all()
