"""Who is held out, and that choosing an epoch by its score does not flatter the score."""

import numpy as np
import pytest

from tithe.learners.transformer.held_out import Judge, held_out, latest_good


def judged(said, truth, seed=0):
    """A judge that has seen these epochs' answers."""
    epochs = iter(said)
    judge = Judge(
        lambda: next(epochs),
        lambda one, other, in_one: np.where(in_one, one, other),
        lambda answers, rows: float((answers == truth)[rows].mean()),
        len(truth),
        np.random.default_rng(seed),
    )
    for _ in said:
        judge.look()
    return judge


def test_the_best_of_many_guesses_is_not_taken_for_knowledge():
    rng = np.random.default_rng(0)
    best, honest = [], []
    for trial in range(200):
        truth = rng.integers(2, size=40)
        judge = judged(rng.integers(2, size=(20, 40)), truth, trial)
        best.append(max(judge.scores))
        honest.append((judge.honest() == truth).mean())
    assert np.mean(best) > 0.6
    assert np.mean(honest) == pytest.approx(0.5, abs=0.02)


def test_an_epoch_that_is_clearly_best_answers_every_row():
    truth = np.arange(400) % 2
    judge = judged([1 - truth, truth, 1 - truth], truth)
    assert (judge.honest() == truth).all()
    assert latest_good(judge.scores, 400) == 1


@pytest.mark.parametrize("rows", [2, 7, 40, 399, 400, 3000, 40_000])
def test_every_class_stays_learnable(rows):
    rng = np.random.default_rng(rows)
    onehot = (rng.random((5, rows)) < [[0.5], [0.3], [0.9], [0.02], [2 / rows]]).astype(np.float32)
    aside = held_out(onehot, rng)
    for present in (onehot > 0, onehot == 0):
        assert ((present & ~aside).any(axis=1) == present.any(axis=1)).all()
    assert aside.sum() <= min(1000, rows / 5 + 1)
    assert aside.sum() >= min(1000, rows / 10) - 6


def test_the_held_out_rows_are_of_the_classes_in_proportion():
    onehot = np.repeat(np.eye(2, dtype=np.float32), [80, 20], axis=1)
    aside = held_out(onehot, np.random.default_rng(0))
    assert (onehot[:, aside].sum(axis=1) == [16, 4]).all()
