"""When the mix of strategies moves toward random by itself, and back: a rule on the last savings measurements.

Slow to move, and only on evidence: a control arm too small to tell moves nothing, in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tithe.proof.savings import WORTH, Savings

#: Shares of random in the mix. Never all of it: what is chosen is how gain would show again.
STEPS = (0.0, 0.25, 0.5, 0.75)
#: Measurements in a row that must say the same, each with a quarter more control labels than the one before: those in
#: between see nearly the same labels, and say the same for that reason alone.
IN_A_ROW = 3
GROWN = 1.25
#: Control labels below which no measurement counts.
ENOUGH = 200
#: No gain: likelier than not nothing is saved, and a gain worth having at most this probable.
HARDLY = 0.1
#: Gain again: saved with at least this probability. Far from `HARDLY`, so that the mix does not swing.
SURELY = 0.75


@dataclass(frozen=True, slots=True)
class Shift:
    """The next share of random in the mix, and why; the words are empty where nothing changes."""

    share: float
    words: str = ""


def next_share(recent: Sequence[Savings], share: float) -> Shift:
    """The share of random in the mix after these measurements.

    Give it those made since the share last changed, oldest first: a step wants `IN_A_ROW` new ones.

    Parameters
    ----------
    share
        Of random today, one of `STEPS`.

    Raises
    ------
    ValueError
        When the share is none of `STEPS`.

    Examples
    --------
    >>> flat = [
    ...     Savings("accuracy", 5 * m, m, 0.95, saved_low=-700, saved_high=90, gain=0.2, worth=0.02)
    ...     for m in (200, 250, 260, 320)
    ... ]
    >>> next_share(flat, 0.25).share
    0.5
    >>> next_share(flat[:3], 0.25)
    Shift(share=0.25, words='')
    """
    if share not in STEPS:
        raise ValueError(f"{share} is no share the mix takes; those are {', '.join(map(str, STEPS))}")
    last = _apart(recent)[-IN_A_ROW:]
    if len(last) < IN_A_ROW or not all(_can_tell(one) for one in last):
        return Shift(share)
    at = STEPS.index(share)
    latest = last[-1]
    if all(_no_gain(one) for one in last) and share < STEPS[-1]:
        return Shift(STEPS[at + 1], _toward(share, STEPS[at + 1], latest))
    if all(_gain(one) for one in last) and share > STEPS[0]:
        return Shift(STEPS[at - 1], _back(share, STEPS[at - 1], latest))
    return Shift(share)


def _apart(recent: Sequence[Savings]) -> list[Savings]:
    """Those that count, oldest first: the newest, and going back each with a fifth fewer control labels."""
    kept: list[Savings] = []
    for one in reversed(recent):
        if not kept or one.control * GROWN <= kept[-1].control:
            kept.append(one)
    return kept[::-1]


def _can_tell(one: Savings) -> bool:
    return not one.missing and one.control >= ENOUGH and one.gain is not None and one.worth is not None


def _no_gain(one: Savings) -> bool:
    return one.gain is not None and one.worth is not None and one.gain < 0.5 and one.worth <= HARDLY


def _gain(one: Savings) -> bool:
    return one.gain is not None and one.gain >= SURELY


def _toward(share: float, to: float, one: Savings) -> str:
    return (
        f"Random's share of the mix went from {share:.0%} to {to:.0%}: {IN_A_ROW} measurements in a row saw no gain "
        f"from choosing. That it takes away {WORTH:.0%} of random's errors has a probability of {one.worth:.0%} "
        f"({one.control:,} control labels)."
    )


def _back(share: float, to: float, one: Savings) -> str:
    return (
        f"Random's share of the mix went back from {share:.0%} to {to:.0%}: {IN_A_ROW} measurements in a row saw a "
        f"gain from choosing, now with a probability of {one.gain:.0%} ({one.control:,} control labels)."
    )
