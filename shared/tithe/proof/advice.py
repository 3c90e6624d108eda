"""What the next labels are expected to buy and to cost, beside the classical criteria for stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tithe.proof.criteria import Criterion
from tithe.proof.curve_fit import Mixture, gains
from tithe.proof.curve_fit_readings import Points, read
from tithe.proof.tallies import Metric, Tally, shared_rows

#: Below so many rounds or labeled control items nothing is said: the answer would be the prior's alone.
MIN_ROUNDS, MIN_ITEMS = 3, 10
#: Of macro-F1 also below so many a class: with fewer (77 classes, 300 items) intervals were measured not to hold.
MIN_ITEMS_A_CLASS = 5


@dataclass(frozen=True, slots=True)
class Gain:
    """What further labels buy.

    Attributes
    ----------
    next
        How many further labels.
    gain, low, high
        The expected rise of the score in [-1, 1], and its interval; a rise may be negative.
    cost
        In the project's money; None without a price.
    """

    next: int
    gain: float
    low: float
    high: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether going on is worth it.

    Attributes
    ----------
    metric
        The score that gains are gains of.
    gains
        For each number of further labels; empty where nothing can be said.
    criteria
        The classical ones, as given.
    stop
        Whether this measurement speaks for stopping: the next 100 labels (or the number of those asked about that is
        nearest to 100) buy less than the least gain with the certainty asked for, and a classical criterion is met.
    words
        The same in a sentence.
    missing
        What is needed before anything can be said; None where gains are given.
    """

    metric: Metric
    gains: tuple[Gain, ...]
    criteria: tuple[Criterion, ...]
    stop: bool
    words: str
    missing: str | None


def advise(
    points: Points,
    *,
    gold: Points = (),
    metric: Metric = "accuracy",
    ahead: Sequence[int] = (50, 100, 500),
    price: float | None = None,
    money: str = "",
    level: float = 0.9,
    criteria: Sequence[Criterion] = (),
    min_gain: float = 0.005,
    certainty: float = 0.8,
) -> Advice:
    """What the next labels are expected to buy.

    Parameters
    ----------
    points
        Of each round, oldest first: labels in all when its model was trained, and the model's tally of the control
        items that have a label now. The last is now.
    gold
        The same models' tallies of a gold test set. Both are read as two looks at one curve: what each says counts by
        how precise it is, and neither has to be of the same kind of items.
    metric
        Said where there are no points; otherwise theirs.
    ahead
        Further labels, each at least 1.
    price
        Of a label, and `money`, its currency; None: costs are not told.
    level
        Of the intervals, in (0, 1).
    criteria
        To show beside it; at least one has to be met for `stop`.
    min_gain, certainty
        What 100 labels have to buy to be worth it, and how sure it has to be that they do not.
    """
    sources = [source for source in (points, gold) if source]
    metric = sources[0][-1][1].metric if sources else metric
    usable = [source for source in sources if not _lack(source)]
    if not usable:
        lack = _lack(points)
        words = f"what further labels buy cannot be told yet: {lack}"
        return Advice(metric, (), tuple(criteria), stop=False, words=words, missing=lack)
    found = gains([read(source) for source in usable], ahead)
    told = tuple(_gain(count, gain, level, price) for count, gain in zip(ahead, found, strict=True))
    usual = int(np.argmin([abs(count - 100) for count in ahead]))
    chance = found[usual].below(min_gain)
    stop = chance >= certainty and any(one.met for one in criteria)
    words = "; ".join(_words(one, money) for one in told) + (
        f". That {ahead[usual]:,} labels buy less than {100 * min_gain:.1f} points has a probability of {chance:.0%}"
    )
    return Advice(metric, told, tuple(criteria), stop=stop, words=words, missing=None)


def _lack(points: Points) -> str:
    """What is missing for a curve; "" if nothing is."""
    rounds = len({count for count, _ in points if 1 <= count <= points[-1][0]}) if points else 0
    if rounds < MIN_ROUNDS:
        return f"a curve needs {MIN_ROUNDS} rounds of different label counts, there are {rounds}"
    tallies = [tally for _, tally in points]
    items = len(shared_rows(tallies))
    needed = max(MIN_ITEMS, _for_classes(tallies[-1]))
    if items < needed:
        return f"a curve needs {needed} labeled control items, there are {items}: label on, or raise the control share"
    if tallies[-1].metric != "accuracy" and not any(tally.seen.any() for tally in tallies):
        return "no labeled control item has an entity yet, by its labels or by a model"
    return ""


def _for_classes(tally: Tally) -> int:
    return MIN_ITEMS_A_CLASS * (tally.seen.shape[1] // 3) if tally.metric == "macro_f1" else 0


def _gain(count: int, gain: Mixture, level: float, price: float | None) -> Gain:
    low, high = gain.quantile((1 - level) / 2), gain.quantile((1 + level) / 2)
    return Gain(count, gain.mean(), low, high, None if price is None else price * count)


def _words(gain: Gain, money: str) -> str:
    cost = "" if gain.cost is None else f" for {gain.cost:,.2f} {money}".rstrip().replace(".00", "")
    return (
        f"the next {gain.next:,} labels are expected to buy {100 * gain.gain:.1f} points "
        f"({100 * gain.low:.1f} to {100 * gain.high:.1f}){cost}"
    )
