"""Tallies, added up, give exactly what tithe.learners.scores gives on the same items."""

from __future__ import annotations

import numpy as np
import pytest

from tithe.learners import scores
from tithe.proof.tallies import Tally, of_classes, of_entities, score_of, shared_rows


def drawn(seed: int, rows: int, classes: int, *, single: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, what is said, and what is true; the last class is never either."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.4), rows) if single else rng.random((rows, classes)) ** 2
    probabilities[:, -1] = 0.0
    if single:
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        truth = np.eye(classes, dtype=bool)[[rng.choice(classes, p=row) for row in probabilities]]
    else:
        truth = rng.random((rows, classes)) < probabilities
    return probabilities, scores.decide(probabilities, single=single), truth


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("classes", [2, 3, 9])
def test_a_tally_adds_up_to_the_score_of_its_labels(metric: str, classes: int, single: bool):
    for seed in range(20):
        probabilities, decided, truth = drawn(seed, 60, classes, single=single)
        rows = np.sort(np.random.default_rng(seed).permutation(60)[:25])
        tally = of_classes(metric, probabilities, decided, rows, truth[rows], single=single)
        assert tally.rows is rows
        assert score_of(metric, tally.seen.sum(axis=0)) == pytest.approx(
            scores.score(metric, truth[rows], decided[rows])
        )
        assert score_of(metric, tally.seen.mean(axis=0)) == pytest.approx(score_of(metric, tally.seen.sum(axis=0)))


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_what_is_expected_is_what_truths_drawn_from_the_probabilities_add_on_average(metric: str, single: bool):
    probabilities, decided, _ = drawn(1, 8, 4, single=single)
    rng, rows = np.random.default_rng(2), np.arange(8)
    draws = []
    for _ in range(4000):
        if single:
            truth = (rng.random((8, 1)) < probabilities.cumsum(axis=1)).argmax(axis=1)[:, None] == np.arange(4)
        else:
            truth = rng.random((8, 4)) < probabilities
        draws.append(of_classes(metric, probabilities, decided, rows, truth, single=single))
    assert np.mean([one.seen for one in draws], axis=0) == pytest.approx(draws[0].expected, abs=0.04)


def test_entities_by_hand():
    tally = of_entities(np.array([0, 2, 5]), np.array([1, 0, 2]), np.array([2, 0, 2]), np.array([1, 1, 2]))
    assert score_of("entity_f1", tally.seen.sum(axis=0)) == pytest.approx(2 * 3 / (4 + 4))
    assert tally.expected is None


def test_means_of_many_draws_are_scored_at_once():
    means = np.random.default_rng(0).random((5, 7, 12))
    assert score_of("macro_f1", means).shape == (5, 7)
    assert score_of("macro_f1", means)[2, 3] == score_of("macro_f1", means[2, 3])


def test_nothing_said_and_nothing_true_scores_nothing():
    assert score_of("macro_f1", np.zeros(9)) == 0
    assert score_of("entity_f1", np.zeros(3)) == 0
    assert score_of("accuracy", np.zeros(2)) == 0


def test_models_are_compared_on_the_labels_all_of_them_know():
    def known(*rows: int) -> Tally:
        return Tally("accuracy", np.array(rows), np.ones((len(rows), 2)), None)

    assert shared_rows([known(1, 2, 5, 8), known(2, 3, 5), known(0, 2, 5)]).tolist() == [2, 5]
    assert shared_rows([known(1, 2)]).tolist() == [1, 2]
    assert shared_rows([known(1, 2), known(3)]).tolist() == []
