"""When a project stops by itself: at a score that is surely reached, or when further labels surely buy too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import logit, ndtr, ndtri

#: So many measurements running have to say so.
_RUNNING = 2
#: Of measurements on control labels only those count that have so many times the labels of the one before: the others
#: see nearly the same labels, and who looks often enough sees what they hope for.
_GROWN = 1.25
#: A score is kept so far from 0 and 1, where its logit ends.
_EDGE = 1e-4


@dataclass(frozen=True, slots=True)
class StopWhen:
    """What a project is to stop at. None: not by that.

    Attributes
    ----------
    score
        Stop when the true score is at least this, in (0, 1).
    min_gain
        Stop when the next 100 labels buy less than this of the score: 0.005 is half a point.
    certainty
        With what probability, in [0.5, 1).
    """

    score: float | None = None
    min_gain: float | None = None
    certainty: float = 0.8


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was known after a round. Scores and gains in [-1, 1]; None: could not be told.

    Attributes
    ----------
    labels
        In all.
    score, low, high
        The estimate and its interval.
    gain, gain_low, gain_high
        What the next 100 labels are expected to buy, and its interval.
    met
        Names of the classical criteria that are met.
    level
        Of both intervals.
    control
        Control labels the score was measured on; None: on a test set, the same items each time.
    """

    labels: int
    score: float | None = None
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    met: tuple[str, ...] = ()
    level: float = 0.9
    control: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a project stops: by what, and a sentence for its history."""

    by: Literal["score", "advice"]
    words: str


def stop_due(settings: StopWhen, measurements: Sequence[Measurement]) -> Reason | None:
    """Whether the measurements, oldest first, say that a project stops. None: it goes on.

    By score: the true score misses the target with at most half the doubt that was allowed, in each of the last two
    measurements whose control labels grew by a quarter: who looks after every round would otherwise stop at the first
    lucky one. Of simulated projects whose score lies exactly at the target for ever, looked at every ten control labels
    up to 1,000, this stops 24 / 12 / 6 % where a certainty of .8 / .9 / .95 is asked for (two measurements running,
    whatever grew, stop 53 / 34 / 21 %); of those half a point below 17 / 7 / 4 %. By advice:
    in each of the last two the gain of the next 100 labels is below `min_gain` with that certainty, and at least one
    classical criterion is met. What could not be told never stops a project.

    Examples
    --------
    >>> calm = Measurement(900, 0.90, 0.88, 0.92, gain=0.001, gain_low=-0.001, gain_high=0.003, met=("stable",))
    >>> stop_due(StopWhen(score=0.88), [calm, calm]).words
    'stopped with 900 labels: the score is at least 88.0 with probability 95% (80% was asked for)'
    >>> kin = Measurement(900, 0.90, 0.88, 0.92, control=200)
    >>> stop_due(StopWhen(score=0.88), [kin, kin]) is None
    True
    >>> stop_due(StopWhen(min_gain=0.005), [calm]) is None, stop_due(StopWhen(min_gain=0.005), [calm, calm]).by
    (True, 'advice')
    """
    if not measurements:
        return None
    now = measurements[-1]
    reached = _reached(settings.score, _apart(measurements)[-_RUNNING:]) if settings.score is not None else None
    if settings.score is not None and reached is not None and reached >= 1 - (1 - settings.certainty) / 2:
        return Reason(
            "score",
            f"stopped with {now.labels:,} labels: the score is at least {100 * settings.score:.1f} with probability "
            f"{_percent(reached)} ({settings.certainty:.0%} was asked for)",
        )
    if settings.min_gain is None or len(measurements) < _RUNNING:
        return None
    chances = [chance_below(settings.min_gain, one) for one in measurements[-_RUNNING:]]
    if any(chance is None or chance < settings.certainty for chance in chances):
        return None
    if not all(one.met for one in measurements[-_RUNNING:]):
        return None
    return Reason(
        "advice",
        f"stopped with {now.labels:,} labels: the next 100 buy less than {100 * settings.min_gain:.1f} points with "
        f"probability {_percent(chances[-1] or 0.0)}, in {_RUNNING} measurements running; also met: "
        f"{', '.join(now.met)}",
    )


def _apart(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Those that count, oldest first: the newest, and going back each with a fifth fewer control labels."""
    kept: list[Measurement] = []
    for one in reversed(measurements):
        after = kept[-1].control if kept else None
        if after is None or one.control is None or one.control * _GROWN <= after:
            kept.append(one)
    return kept[::-1]


def _reached(target: float, last: Sequence[Measurement]) -> float | None:
    """The least of the chances; None: one of them is not known, or there are too few."""
    chances = [chance for one in last if (chance := chance_reached(target, one)) is not None]
    return min(chances) if len(chances) == _RUNNING else None


def chance_reached(target: float, now: Measurement) -> float | None:
    """The probability that the true score is at least the target, by a normal distribution of its logit.

    Each side of the score has the spread that its end of the interval shows. None without an estimate.
    """
    if now.score is None or now.low is None or now.high is None:
        return None
    score, low, high, wanted = (
        float(logit(min(max(value, _EDGE), 1 - _EDGE))) for value in (now.score, now.low, now.high, target)
    )
    return 1 - _below(wanted, score, low, high, now.level)


def chance_below(threshold: float, now: Measurement) -> float | None:
    """The probability that the next 100 labels buy less than the threshold, by a normal distribution. None: unknown."""
    if now.gain is None or now.gain_low is None or now.gain_high is None:
        return None
    return _below(threshold, now.gain, now.gain_low, now.gain_high, now.level)


def _percent(chance: float) -> str:
    """Never 100%: nothing here is that sure."""
    return ">99%" if chance > 0.99 else f"{chance:.0%}"


def _below(value: float, middle: float, low: float, high: float, level: float) -> float:
    wide = max(middle - low if value < middle else high - middle, 1e-6) / float(ndtri((1 + level) / 2))
    return float(ndtr((value - middle) / wide))
