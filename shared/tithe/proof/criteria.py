"""The classical criteria for stopping, each a figure beside its threshold. They inform; none of them decides alone."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import entr, ndtr

from tithe.proof.curve_fit_readings import Points, read

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Models are stable when so many pairs in a row agree so well.
_PAIRS, _AGREEMENT = 3, 0.99
#: Mean entropy, as a share of the largest, below which little is left in doubt.
_DOUBT = 0.1
#: A plateau: less than so much of the score in so many rounds, with this probability.
_FLAT, _FLAT_ROUNDS, _SURE = 0.005, 3, 0.9


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of them.

    Attributes
    ----------
    name
        stable, certain, plateau or budget.
    value
        What was measured; None where nothing can be said yet.
    threshold
        What it is held against.
    met
        Whether it speaks for stopping. False where nothing can be said.
    words
        The same in a sentence.
    source
        The paper; "" for the budget.
    """

    name: str
    value: float | None
    threshold: float
    met: bool
    words: str
    source: str


def kappa(before: Bool, after: Bool) -> float:
    """Cohen's kappa of two models' answers, at most 1: agreement beyond what their shares of classes explain.

    Parameters
    ----------
    before, after
        bool, shape (M, classes): of the same items. With one class an item it is counted by items, otherwise by
        single yes-or-no answers. Where both always give the same single answer, 1.

    Examples
    --------
    Nine of ten agree, each says the first class half of the time or nearly so:

    >>> before = np.eye(2, dtype=bool)[[0] * 5 + [1] * 5]
    >>> after = np.eye(2, dtype=bool)[[0] * 4 + [1] * 6]
    >>> round(kappa(before, after), 3), kappa(before, before)
    (0.8, 1.0)
    """
    if before.size == 0:
        return 1.0
    single = bool((before.sum(axis=1) == 1).all() and (after.sum(axis=1) == 1).all())
    if single:
        agreed, chance = float((before & after).sum(axis=1).mean()), float(before.mean(axis=0) @ after.mean(axis=0))
    else:
        yes, then = float(before.mean()), float(after.mean())
        agreed, chance = float((before == after).mean()), yes * then + (1 - yes) * (1 - then)
    return (agreed - chance) / (1 - chance) if chance < 1 else 1.0


def span_agreement(before: Sequence[Collection[Hashable]], after: Sequence[Collection[Hashable]]) -> float:
    """F1 of two models' entities against each other, in [0, 1]; 1 if neither finds any.

    Parameters
    ----------
    before, after
        Of each item, its entities: each (type, start, end) or anything that can be compared.

    Examples
    --------
    >>> span_agreement([{("PER", 0, 5)}, set()], [{("PER", 0, 5)}, {("LOC", 3, 9)}]).__round__(3)
    0.667
    """
    both = sum(len(set(one) & set(other)) for one, other in zip(before, after, strict=True))
    found = sum(map(len, map(set, before))) + sum(map(len, map(set, after)))
    return 2 * both / found if found else 1.0


def stable(agreements: Sequence[float]) -> Criterion:
    """Stabilising predictions: successive models say the same of the drawn items, labeled or not.

    Each of the last three pairs has to agree, so that one lucky pair is not enough.

    Parameters
    ----------
    agreements
        Of each two successive models, oldest first: :func:`kappa`, or :func:`span_agreement` of entities.
    """
    source = "Bloodgood & Vijay-Shanker 2009, CoNLL, pp. 39-47"
    if len(agreements) < _PAIRS:
        words = f"whether models agree is known after {_PAIRS + 1} rounds; there are {len(agreements) + 1} or fewer"
        return Criterion("stable", None, _AGREEMENT, met=False, words=words, source=source)
    least = min(agreements[-_PAIRS:])
    words = f"the last {_PAIRS + 1} models agree with one another to at least {least:.3f} (stable from {_AGREEMENT})"
    return Criterion("stable", least, _AGREEMENT, met=least >= _AGREEMENT, words=words, source=source)


def certain(probabilities: Float64, *, single: bool) -> Criterion:
    """Overall uncertainty: the mean entropy of the drawn items, as a share of the largest there could be.

    Parameters
    ----------
    probabilities
        float64, shape (M, classes), of the newest model.
    single
        Whether an item carries exactly one class; otherwise each class is a question of its own.
    """
    source = "Zhu, Wang & Hovy 2008, Multi-criteria-based strategy to stop active learning, COLING, pp. 1129-1136"
    if probabilities.size == 0 or (single and probabilities.shape[1] == 1):
        words = "how uncertain the model is cannot be told without predictions of two classes"
        return Criterion("certain", None, _DOUBT, met=False, words=words, source=source)
    if single:
        share = float(entr(probabilities).sum(axis=1).mean() / np.log(probabilities.shape[1]))
    else:
        share = float((entr(probabilities) + entr(1 - probabilities)).mean() / np.log(2))
    words = f"the model's mean uncertainty is {share:.1%} of the largest (little in doubt below {_DOUBT:.0%})"
    return Criterion("certain", share, _DOUBT, met=share < _DOUBT, words=words, source=source)


def plateau(points: Points, *, flat: float = _FLAT, rounds: int = _FLAT_ROUNDS) -> Criterion:
    """Performance plateau: the score surely rose by less than `flat` over the last `rounds` rounds.

    The value is the rise; whether it is surely small is decided with the interval of the paired difference, so that
    few control labels never make a plateau.
    """
    source = "Laws & Schütze 2008, Stopping criteria for active learning of named entity recognition, COLING, p. 465"
    if len(points) <= rounds or not len(points[-1][1].rows):
        words = f"a plateau is looked for after {rounds + 1} rounds with control labels"
        return Criterion("plateau", None, flat, met=False, words=words, source=source)
    if points[-1][1].metric != "accuracy" and not any(tally.seen.any() for _, tally in points):
        words = "a plateau cannot be told: nothing is there to be found in the control labels so far, and nothing was"
        return Criterion("plateau", None, flat, met=False, words=words, source=source)
    curve = read([points[-1 - rounds], points[-1]])
    rise = float(curve.scores[1] - curve.scores[0])
    away = np.array([-1.0, 1.0])
    deviation = float(np.sqrt(away @ curve.covariance @ away))
    chance = float(ndtr((flat - rise) / deviation))
    words = (
        f"the score changed by {100 * rise:+.1f} points (give or take {164.5 * deviation:.1f}) in {rounds} rounds: "
        f"less than {100 * flat:.1f} with probability {chance:.0%} (flat from {_SURE:.0%})"
    )
    return Criterion("plateau", rise, flat, met=chance >= _SURE, words=words, source=source)


def budget(spent: float, limit: float) -> Criterion:
    """Whether the budget is spent, in labels or in money."""
    words = f"{spent:,g} of {limit:,g} are spent"
    return Criterion("budget", spent, limit, met=spent >= limit, words=words, source="")
