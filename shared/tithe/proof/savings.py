"""What choosing saved: labels at random that would have reached the same score, less the labels paid for.

Random's own curve (`tithe.proof.random_arm`) ends at the few control labels there are, far below the labels in all. So
it is carried on by many curves that learning curves may follow (`tithe.proof.curve_prior`), each weighed by how well it
fits; what they disagree on is the interval. It is wide where the control arm is small, often too wide to be of use, and
says so rather than guess. Narrower is the same question of an earlier model, one of about as many labels as random's
largest fit: there no curve is carried on far.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from tithe.proof import curve_prior
from tithe.proof.random_arm import RandomArm
from tithe.proof.savings_paired import Paired, paired
from tithe.proof.savings_words import in_words
from tithe.proof.tallies import Float64, Metric, Tally

_DRAWN, _KEPT = 20_000, 4_000
#: Choosing is worth its while where it takes away this share of random's errors.
WORTH = 0.05
#: How far a model of so many random labels is from the mean of its kind, in log-odds: this, and more below 100 labels.
_TRAINING_SPREAD, _TRAINING_SPREAD_FEW = 0.06, 6.0
#: How far real learners' curves are from any smooth one, in log-odds: anywhere, and each e-fold below the largest fit.
_WIGGLE, _WIGGLE_BELOW = 0.05, 0.15


@dataclass(frozen=True, slots=True)
class Savings:
    """One measurement. Intervals are of the stated level as far as learning curves look like `curve_prior`'s.

    Attributes
    ----------
    metric
        What scores are in: accuracy in place of macro-F1 while a class has too few control labels.
    spent, control
        Labels paid for in all; of them in the control arm and compared here.
    score
        Of the active model; None, as all that follows, where `missing` says why.
    random_score, random_low, random_high
        Of a model of `spent` random labels.
    gap, gap_low, gap_high
        The active model's score less that.
    needed, needed_low, needed_high
        Random labels that reach the active model's score; None: more than the pool has.
    saved, saved_low, saved_high
        `needed` less `spent`; negative where choosing cost labels.
    ratio, ratio_low, ratio_high
        `needed` by `spent`.
    gain
        The probability that anything is saved.
    worth
        The probability that choosing takes away at least `WORTH` of random's errors.
    missing
        Why there is no figure; empty where there is.
    words
        All this in a sentence.
    """

    metric: Metric
    spent: int
    control: int
    level: float
    score: float | None = None
    random_score: float | None = None
    random_low: float | None = None
    random_high: float | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    needed: int | None = None
    needed_low: int | None = None
    needed_high: int | None = None
    saved: int | None = None
    saved_low: int | None = None
    saved_high: int | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    gain: float | None = None
    worth: float | None = None
    missing: str = ""
    words: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """What `to_json` gave."""
        return cls(**json.loads(line))


def savings(
    active: Tally, spent: int, arm: RandomArm | None, *, pool_items: int, seed: int, level: float = 0.95
) -> Savings:
    """Labels saved against random at equal score, with an interval.

    Parameters
    ----------
    active
        Of the model of today, on the control labels.
    spent
        Labels paid for so far: active and control.
    arm
        Random's models on the same control labels; None where not one could be fitted.
    pool_items
        Items of the pool: random can take no more labels than that.
    seed
        Of the draws: the same input gives the same figures.
    level
        Of the intervals.
    """
    compared = "the control labels are too few to fit a model to" if arm is None else paired(active, arm)
    if isinstance(compared, str):
        nothing = Savings(active.metric, spent, len(active.rows), level, missing=compared)
        return replace(nothing, words=in_words(nothing))
    figures = _figures(compared, spent, pool_items, np.random.default_rng(seed), (1 - level) / 2)
    told = Savings(compared.metric, spent, compared.labels, level, **figures)
    return replace(told, words=in_words(told))


def _figures(compared: Paired, spent: int, pool_items: int, rng: np.random.Generator, tail: float) -> dict[str, Any]:
    curves, actives = _posterior(compared, rng)
    wiggle = rng.normal(0, _WIGGLE, _KEPT)
    needed = curves.labels_for(curve_prior.log_odds(actives) - wiggle)
    randoms = curve_prior.score_at(curves.at(np.array([float(spent)]))[:, 0] + wiggle)
    gaps = actives - randoms
    at = (0.5, tail, 1 - tail)
    figures: dict[str, Any] = {"score": float(compared.scores[-1])}
    for name, values in (("random", randoms), ("gap", gaps)):
        middle, low, high = (float(value) for value in np.quantile(values, at))
        figures |= {name if name == "gap" else "random_score": middle, f"{name}_low": low, f"{name}_high": high}
    # whole labels, at least one, and none beyond the pool
    for end, quantile in zip(("", "_low", "_high"), np.quantile(needed, at, method="inverted_cdf"), strict=True):
        labels = None if quantile > pool_items else max(1, round(float(quantile)))
        if end == "_low" and labels is None:
            labels = pool_items
        figures[f"needed{end}"] = labels
        figures[f"saved{end}"] = None if labels is None else labels - spent
        figures[f"ratio{end}"] = None if labels is None else labels / spent
    return figures | {"gain": float(np.mean(gaps > 0)), "worth": float(np.mean(gaps > WORTH * (1 - randoms)))}


def _posterior(compared: Paired, rng: np.random.Generator) -> tuple[curve_prior.Curves, Float64]:
    """Curves as likely as the control labels make them, and with each a score of the active model."""
    count = len(compared.sizes)
    observed, reference = compared.scores, float(compared.sizes[-1])
    noise = compared.covariance + np.diag(np.append(_spread_of_fits(compared), 0.0))
    # the rule of succession: a few labels all right, or all wrong, are no proof of the next
    largest = (observed[count - 1] * compared.labels + 1) / (compared.labels + 2)
    middle = curve_prior.log_odds(np.array([largest]))[0]
    width = 2 * np.sqrt(noise[count - 1, count - 1]) / (largest * (1 - largest))
    step = rng.standard_normal(_DRAWN)
    drawn = curve_prior.draw(rng, _DRAWN, reference, middle + width * step)
    randoms = curve_prior.score_at(drawn.at(compared.sizes.astype(np.float64)))
    off = observed[:count] - randoms
    solved = np.linalg.solve(noise[:count, :count], off.T)
    # the level was drawn around what was seen: its own density is taken out again
    logs = -0.5 * (off.T * solved).sum(axis=0) + 0.5 * step**2
    weights = np.exp(logs - logs.max())
    kept = rng.choice(_DRAWN, _KEPT, p=weights / weights.sum())
    across = noise[count, :count]
    left = noise[count, count] - across @ np.linalg.solve(noise[:count, :count], across)
    center = observed[count] - across @ solved[:, kept]
    actives = np.clip(center + np.sqrt(max(left, 0.0)) * rng.standard_normal(_KEPT), 0, 1)
    return curve_prior.Curves(
        reference, drawn.level[kept], drawn.power[kept], drawn.speed[kept], drawn.bend[kept]
    ), actives


def _spread_of_fits(compared: Paired) -> Float64:
    """Variance of each size's score because its fits are few, and because no curve is as smooth as ours; shape (S,)."""
    sizes = compared.sizes.astype(np.float64)
    alone = np.minimum(compared.repeats, compared.labels / sizes)
    training = (_TRAINING_SPREAD**2 + (_TRAINING_SPREAD_FEW / sizes) ** 2) / alone
    shape = (_WIGGLE_BELOW * np.log(sizes[-1] / sizes)) ** 2
    scores = np.clip(compared.scores[:-1], 0.02, 0.98)
    variance: Float64 = (training + shape) * (scores * (1 - scores)) ** 2
    return variance
