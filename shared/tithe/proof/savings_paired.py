"""The active model and random's models on the same control labels: scores, and how their errors go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tithe.proof.random_arm import RandomArm
from tithe.proof.tallies import Float64, Int64, Metric, Tally, score_of

#: Control labels below which nothing is said of savings.
FEWEST = 40
#: Of every class so many control labels, or macro-F1 is not compared.
OF_EACH_CLASS = 5
#: Entities annotators must have marked in the control labels.
ENTITIES = 30


@dataclass(frozen=True, slots=True)
class Paired:
    """Scores on the same items.

    Attributes
    ----------
    metric
        What they are scores in: the tallies' own, or accuracy where that cannot be told yet.
    labels
        Control labels they rest on.
    sizes, repeats
        int64, shape (S,): random labels fitted to, ascending; fits of each.
    scores
        float64, shape (S + 1,): of random's models by size, then of the active one.
    covariance
        float64, shape (S + 1, S + 1): of their errors, because the control labels are few.
    """

    metric: Metric
    labels: int
    sizes: Int64
    repeats: Int64
    scores: Float64
    covariance: Float64


@dataclass(frozen=True, slots=True)
class _Columns:
    """One model's sums by item: seen and expected, shape (m, K), and expected of all drawn items, shape (K,)."""

    seen: Float64
    expected: Float64 | None
    drawn_mean: Float64 | None


def paired(active: Tally, arm: RandomArm) -> Paired | str:
    """Compare them, or say in words why that cannot be done yet."""
    rows = np.intersect1d(active.rows, arm.rows, assume_unique=True)
    if len(rows) < FEWEST:
        return f"{len(rows)} control labels: savings are told from {FEWEST} on"
    if active.metric != arm.metric:
        raise ValueError(f"the active model is scored in {active.metric}, random's in {arm.metric}")
    models = _columns(active, arm, rows)
    metric = _metric(active.metric, models[-1].seen)
    if metric is None:
        return _why(active.metric, models[-1].seen)
    if metric != active.metric:
        models = [_accuracy_of(model) for model in models]
    scores, influence, guessed = zip(*(_estimate(metric, model) for model in models), strict=True)
    return Paired(
        metric=metric,
        labels=len(rows),
        sizes=arm.sizes,
        repeats=arm.repeats,
        scores=np.array(scores),
        covariance=_covariance(np.stack(influence), np.stack(guessed), arm.drawn),
    )


def _columns(active: Tally, arm: RandomArm, rows: Int64) -> list[_Columns]:
    """Random's models by size, then the active one."""
    theirs, ours = np.searchsorted(arm.rows, rows), np.searchsorted(active.rows, rows)
    models = [
        _Columns(
            arm.seen[at, theirs],
            None if arm.expected is None else arm.expected[at, theirs],
            None if arm.drawn_mean is None else arm.drawn_mean[at],
        )
        for at in range(len(arm.sizes))
    ]
    if active.expected is None:
        return [*models, _Columns(active.seen[ours], None, None)]
    return [*models, _Columns(active.seen[ours], active.expected[rows], active.expected.mean(axis=0))]


def _metric(metric: Metric, seen: Float64) -> Metric | None:
    """What can be told from these labels: the metric itself, accuracy in its stead, or nothing."""
    if metric == "accuracy":
        return metric
    if metric == "entity_f1":
        return metric if seen[:, 2].sum() >= ENTITIES else None
    _, said, true = np.split(seen, 3, axis=1)
    if true.sum(axis=0).min() >= OF_EACH_CLASS:
        return metric
    one_each = (said.sum(axis=1) == 1).all() and (true.sum(axis=1) == 1).all()
    return "accuracy" if one_each else None


def _why(metric: Metric, seen: Float64) -> str:
    if metric == "entity_f1":
        return f"{int(seen[:, 2].sum())} entities marked in the control labels: savings are told from {ENTITIES} on"
    short = int((np.split(seen, 3, axis=1)[2].sum(axis=0) < OF_EACH_CLASS).sum())
    return f"{short} classes have fewer than {OF_EACH_CLASS} control labels each: too few to compare macro-F1"


def _accuracy_of(model: _Columns) -> _Columns:
    """An item of one class is right where what was said and what is true are both that class."""

    def right(columns: Float64) -> Float64:
        both = columns[..., : columns.shape[-1] // 3].sum(axis=-1)
        return np.stack([both, np.ones_like(both)], axis=-1)

    return _Columns(
        right(model.seen),
        None if model.expected is None else right(model.expected),
        None if model.drawn_mean is None else right(model.drawn_mean),
    )


def _estimate(metric: Metric, model: _Columns) -> tuple[float, Float64, Float64]:
    """The score, and each control label's pull on it, apart for what was seen and for what was merely expected.

    A difference estimator: what the model expects of all drawn items, put right by how far the labels differ from it;
    as much of it as the labels bear out.

    References
    ----------
    Angelopoulos, Duchi & Zrnic 2023, PPI++: efficient prediction-powered inference, arXiv:2311.01453, section 6.
    """
    means = model.seen.mean(axis=0)
    slope = _slope(metric, means)
    pull = (model.seen - means) @ slope
    if model.expected is None or model.drawn_mean is None:
        return float(score_of(metric, means)), pull, np.zeros_like(pull)
    guess = (model.expected - model.expected.mean(axis=0)) @ slope
    spread = float(guess @ guess)
    share = min(1.0, max(0.0, float(pull @ guess) / spread)) if spread > 0 else 0.0
    shifted = means + share * (model.drawn_mean - model.expected.mean(axis=0))
    return float(score_of(metric, np.clip(shifted, 0, None))), pull - share * guess, share * guess


def _slope(metric: Metric, means: Float64, step: float = 1e-5) -> Float64:
    """By how much the score grows with each sum, shape (K,)."""
    moved = step * np.eye(len(means))
    slope: Float64 = (score_of(metric, means + moved) - score_of(metric, np.clip(means - moved, 0, None))) / (2 * step)
    return slope


def _covariance(influence: Float64, guessed: Float64, drawn: int) -> Float64:
    """Of the scores' errors, from pulls of shape (S + 1, m).

    Where models never disagree on these few items, they may on the next: each gets one item's worth on its own.
    """
    count = influence.shape[1]
    unseen = np.eye(len(influence)) / count**2
    covariance: Float64 = (
        influence @ influence.T / (count * (count - 2)) + guessed @ guessed.T / (count * drawn) + unseen
    )
    return covariance
