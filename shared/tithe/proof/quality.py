"""How good the model is on items like the pool's, by the control arm: an estimate and interval, or why there is none.

Control labels are a simple random sample that no model was trained on, so what they say is unbiased, but they are few.
What the model expects of every other drawn item narrows the interval: the score is worked out at what the model
expects, then corrected by how far labels and expectation are apart on the labeled items. Where the model is wrong about
itself the correction says so; it costs width, not truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from tithe.proof import quality_expected
from tithe.proof.tallies import Bool, Float64, Metric, Tally, score_of

#: Fewer control labels than this give no interval: coverage was measured from 25 on.
LEAST_ROWS = 20
#: Without the model's expectations: every class must be said or true so often among the control labels.
LEAST_OF_CLASS = 5

# How much is believed before labels speak, in labels. Chosen on simulated projects: benchmarks/proof_quality.py.
_OF_CLASS = 5.0  #: of a class's expected counts, in labels that touch the class
_OF_WEIGHT = 20.0  #: that expectations are worth their full weight
_OF_VARIANCE = 10.0  #: of the variance a right model would leave
#: Labels with expectations are worth at most so many times the labels: about the most that was found of models that
#: were right about themselves, and a bound on those that are certain of everything and have not been caught yet.
_MOST_WORTH = 1.5
#: Scores nearer to 0 or 1 than this are taken for that near where variances are compared.
_NEAREST = 1e-3


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model's score on items like the pool's.

    Attributes
    ----------
    metric
        Which score.
    score, low, high
        In [0, 1]; None where `missing` says why.
    level
        How often such an interval holds the true score, 0.95 for 95 %.
    rows
        Control labels it rests on.
    classes_unseen
        Of macro-F1: classes the model says or expects that no control label carries. Their share of the score rests on
        the model's word, the interval allows for that.
    method
        What was used, in words.
    missing
        Why there is no interval, and what would help; None where there is one.
    """

    metric: Metric
    score: float | None
    low: float | None
    high: float | None
    level: float
    rows: int
    classes_unseen: tuple[int, ...]
    method: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A score, and how many plain labels' worth of certainty there is about it."""

    score: float
    worth: float
    weight: float | None  #: of the model's expectations; None: labels alone


def estimate(tally: Tally, *, level: float = 0.95, class_names: Sequence[str] | None = None) -> Estimate:
    """The model's true score, with an interval that holds it `level` of the time.

    The difference estimator (prediction-powered inference) on the score's linear expansion, with a weight tuned on the
    labels; accuracy from labels alone where that is narrower. The interval is Wilson's at the number of plain labels
    that the estimate is worth, with Student's t: it keeps to [0, 1] and holds near 1.

    Parameters
    ----------
    tally
        Of the drawn items, by :mod:`tithe.proof.tallies`.
    level
        In (0, 1).
    class_names
        How `missing` calls classes; by number where absent.

    References
    ----------
    Angelopoulos, Duchi & Zrnic 2023, PPI++: efficient prediction-powered inference, arXiv:2311.01453.
    Särndal, Swensson & Wretman 1992, Model assisted survey sampling, ch. 6.
    Korn & Graubard 1998, Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data, Survey Methodology 24(2), pp. 193-201.

    Examples
    --------
    Of 40 items 34 are right, and the model has nothing to say of the others:

    >>> seen = np.stack([np.arange(40) < 34, np.ones(40)], axis=1).astype(float)
    >>> found = estimate(Tally("accuracy", np.arange(40), seen, None))
    >>> found.score, round(found.low, 3), round(found.high, 3), found.method
    (0.85, 0.704, 0.931, 'labels alone')
    >>> estimate(Tally("accuracy", np.arange(3), seen[:3], None)).missing
    '3 control labels say too little: about 17 more are needed for an interval'
    """
    telling = _telling(tally)
    lacking = _lacking(tally, telling, class_names)
    if lacking is not None:
        return Estimate(tally.metric, None, None, None, level, len(tally.rows), (), "none", lacking)
    ways = []
    if tally.expected is not None:
        ways.append(_assisted(tally, tally.expected))
    if tally.expected is None or tally.metric == "accuracy":
        ways.append(_alone(tally, telling))
    best = max(ways, key=lambda found: found.worth)
    low, high = _wilson(best, telling, level)
    said = "labels alone" if best.weight is None else f"labels and the model's expectations (weight {best.weight:.2f})"
    score = float(np.clip(best.score, low, high))
    return Estimate(tally.metric, score, low, high, level, len(tally.rows), _unseen(tally), said, None)


def _telling(tally: Tally) -> int:
    """Labeled items that say anything: alone, one without an entity found or marked says nothing."""
    return len(tally.rows) if tally.expected is not None else int(tally.seen.any(axis=1).sum())


def _lacking(tally: Tally, telling: int, class_names: Sequence[str] | None) -> str | None:
    if not len(tally.rows):
        return f"no control label yet: about {LEAST_ROWS} are needed for an interval"
    if telling < LEAST_ROWS:
        more = -(-(LEAST_ROWS - telling) * len(tally.rows) // telling) if telling else LEAST_ROWS
        what = "control labels" if telling == len(tally.rows) else "control labels with something found or marked"
        one = what.replace("labels", "label", 1) + " says" if telling == 1 else what + " say"
        return f"{telling} {one} too little: about {more} more are needed for an interval"
    if tally.metric != "macro_f1" or tally.expected is not None:
        return None
    touched = np.logical_or(*np.split(tally.seen > 0, 3, axis=1)[1:]).sum(axis=0)
    few = np.flatnonzero(touched < LEAST_OF_CLASS)
    if not len(few):
        return None
    rarest = int(few[touched[few].argmin()])
    name, has, of = class_names[rarest] if class_names else f"class {rarest}", int(touched[rarest]), len(tally.rows)
    others = f" (and so with {len(few) - 1} more)" if len(few) > 1 else ""
    help_ = f"about {-(-(LEAST_OF_CLASS - has) * of // has)} more control labels" if has else "many more control labels"
    return (
        f"{name} is in {has} of {of} control labels, an interval needs {LEAST_OF_CLASS}{others}: {help_}, or a larger "
        f"control share, would help"
    )


def _unseen(tally: Tally) -> tuple[int, ...]:
    if tally.metric != "macro_f1" or tally.expected is None:
        return ()
    carried = np.split(tally.seen > 0, 3, axis=1)[2].any(axis=0)
    return tuple(np.flatnonzero(_counted(tally, tally.expected) & ~carried).tolist())


def _counted(tally: Tally, expected: Float64) -> Bool:
    """Classes that macro-F1 is a mean over: said of a drawn item, true of a labeled one, or to be expected once."""
    _, said, sure = np.split(expected, 3, axis=1)
    counted: Bool = said.any(axis=0) | np.split(tally.seen > 0, 3, axis=1)[2].any(axis=0) | (sure.sum(axis=0) >= 1)
    return counted


def _alone(tally: Tally, telling: int) -> _Found:
    """From labels alone: the score at their means, its variance by linear expansion.

    Where hardly one is wrong, the spread of what was seen is too small: a binomial's, two labels of each kind added, is
    mixed in.
    """
    m, means = len(tally.rows), tally.seen.mean(axis=0)
    score = float(score_of(tally.metric, means))
    if tally.metric == "accuracy":
        return _Found(score, m, None)
    near = (telling * score + 2) / (telling + 4)
    binomial = near * (1 - near) * m / telling
    slope = _slope(tally.metric, means, np.add(*np.split(means, 3)[1:]) > 0)
    seen = float((tally.seen @ slope).var(ddof=1))
    variance = max(seen, (_OF_VARIANCE * binomial + m * seen) / (_OF_VARIANCE + m)) / m
    return _Found(score, near * (1 - near) / variance, None)


def _assisted(tally: Tally, raw: Float64) -> _Found:
    """From labels and what the model expects of every drawn item."""
    expected = quality_expected.corrected(tally, raw)
    m, everywhere = len(tally.rows), expected.mean(axis=0)
    counted = _counted(tally, expected) if tally.metric == "macro_f1" else np.ones(2, dtype=np.bool_)
    about = _about(tally, expected, everywhere)
    slope = _slope(tally.metric, about, counted)
    # What was said is known of every drawn item: nothing is left to estimate of it but the draw.
    known = np.zeros_like(slope)
    if tally.metric == "macro_f1":
        said = slice(len(slope) // 3, 2 * len(slope) // 3)
        known[said] = slope[said]
    unknown = slope - known
    seen, all_ = tally.seen @ unknown, expected @ unknown
    mine = all_[tally.rows]
    weight = _weight(seen, mine, float(all_.var()))
    left = seen - weight * mine
    at = _score_at(tally.metric, about, counted)
    score = at + float(slope @ (everywhere - about)) + float(left.mean() - (1 - weight) * all_.mean())
    single = tally.metric == "macro_f1" and quality_expected.one_class_each(tally, raw)
    variance = _residual_variance(left, *quality_expected.spread(expected, slope, weight, single=single))
    drawn = float((weight * all_ + expected @ known).var()) / len(expected)
    near = float(np.clip(at, _NEAREST, 1 - _NEAREST))
    total = variance / m + drawn
    worth = _MOST_WORTH * m if total <= 0 else min(near * (1 - near) / total, _MOST_WORTH * m)
    return _Found(score, worth, weight)


def _about(tally: Tally, expected: Float64, everywhere: Float64) -> Float64:
    """Where the score is expanded: what the model expects, moved toward the labels class by class as these grow.

    Expanding at the labels' own means would bend the score down where a class has one or two of them.
    """
    if tally.metric == "accuracy":
        return everywhere
    off = (tally.seen - expected[tally.rows]).mean(axis=0)
    _, said, true = np.split(everywhere, 3)
    touched = len(tally.rows) * (said + true) / 2
    both, _, true = np.split(everywhere + np.tile(touched / (touched + _OF_CLASS), 3) * off, 3)
    both = np.clip(both, 0, said)
    return np.concatenate([both, said, np.maximum(true, both)])


def _slope(metric: Metric, means: Float64, counted: Bool) -> Float64:
    """The score's gradient at means of what items add, shape (K,)."""
    if metric == "accuracy":
        return np.array([1.0, 0.0])
    both, said, true = means.reshape(3, -1)
    either = said + true
    inverse = np.divide(1.0, either, out=np.zeros_like(either), where=either > 0)
    share = counted / max(1, counted.sum())
    of_both, of_either = 2 * inverse * share, -2 * both * inverse**2 * share
    return np.concatenate([of_both, of_either, of_either])


def _score_at(metric: Metric, means: Float64, counted: Bool) -> float:
    if metric == "accuracy":
        return float(means[0])
    both, said, true = means.reshape(3, -1)
    either = said + true
    f1 = np.divide(2 * both, either, out=np.zeros_like(either), where=either > 0)
    return float(f1[counted].sum() / max(1, counted.sum()))


def _weight(seen: Float64, expected: Float64, spread: float) -> float:
    """Of expectations: what narrows most on the labels, drawn toward 1, which is best of a model that is right."""
    m = len(seen) - 1
    together = float(np.cov(seen, expected)[0, 1])
    least = m * float(expected.var(ddof=1)) + _OF_WEIGHT * spread
    return float(np.clip((m * together + _OF_WEIGHT * spread) / least, 0, 1)) if least > 0 else 0.0


def _residual_variance(left: Float64, expected: float, fourth: float) -> float:
    """An item's: as seen, but no less than that mixed with what a right model would leave.

    A heavy tail (a rare class) shows in few of the labels, so then what was seen counts for fewer of them.
    """
    seen = float(left.var(ddof=1))
    tail = fourth - expected**2
    worth = len(left) * min(1.0, expected**2 / tail) if tail > 0 else float(len(left))
    return max(seen, (_OF_VARIANCE * expected + worth * seen) / (_OF_VARIANCE + worth))


def _wilson(found: _Found, rows: int, level: float) -> tuple[float, float]:
    """The interval of a share, at the number of labels that would vary as much."""
    t = float(stdtrit(rows - 1, (1 + level) / 2))
    score, worth = float(np.clip(found.score, 0, 1)), found.worth
    middle = (score + t * t / 2 / worth) / (1 + t * t / worth)
    half = t / (1 + t * t / worth) * float(np.sqrt(score * (1 - score) / worth + (t / 2 / worth) ** 2))
    return max(0.0, middle - half), min(1.0, middle + half)
