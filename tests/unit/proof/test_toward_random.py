"""When the mix moves toward random by itself, and back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tithe.proof.savings import Savings
from tithe.proof.toward_random import ENOUGH, next_share


def measured(gain: float, worth: float, control: int = 2 * ENOUGH) -> Savings:
    return Savings("accuracy", 5 * control, control, 0.95, saved_low=-100, gain=gain, worth=worth)


NONE, GAIN, UNSURE = measured(0.3, 0.02), measured(0.9, 0.8), measured(0.6, 0.4)


def grown(*said: Savings) -> list[Savings]:
    """The same with a quarter more control labels each time; the last has twice ENOUGH."""
    last = len(said) - 1
    return [replace(one, control=math.ceil(one.control / 1.25 ** (last - at))) for at, one in enumerate(said)]


@pytest.mark.parametrize(("share", "to"), [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.75)])
def test_three_measurements_without_gain_move_it_a_step(share: float, to: float) -> None:
    shift = next_share(grown(*[NONE] * 3), share)
    assert shift.share == to
    assert bool(shift.words) == (to != share)


@pytest.mark.parametrize(("share", "to"), [(0.75, 0.5), (0.25, 0.0), (0.0, 0.0)])
def test_three_with_gain_move_it_back(share: float, to: float) -> None:
    shift = next_share(grown(*[GAIN] * 3), share)
    assert shift.share == to
    assert ("went back" in shift.words) == (to != share)


@pytest.mark.parametrize(
    "recent",
    [
        [],
        grown(NONE, NONE),
        grown(NONE, NONE, UNSURE),
        grown(NONE, GAIN, NONE),
        grown(*[UNSURE] * 5),
        grown(*[measured(0.3, 0.02, ENOUGH - 1)] * 3),
        grown(*[measured(0.9, 0.8, ENOUGH - 1)] * 3),
        [NONE] * 9,  # the same labels, looked at nine times
        [NONE, NONE, Savings("accuracy", 500, 25, 0.95, missing="25 control labels")],
    ],
)
def test_anything_less_moves_nothing(recent: list[Savings]) -> None:
    for share in (0.0, 0.5, 0.75):
        assert next_share(recent, share).share == share
        assert not next_share(recent, share).words


def test_between_no_gain_and_gain_it_stays_where_it_is() -> None:
    """What moved it toward random must turn plainly before it moves back."""
    share = next_share(grown(*[NONE] * 3), 0.0).share
    assert next_share(grown(*[measured(0.55, 0.3)] * 3), share).share == share
    assert next_share(grown(*[GAIN] * 3), share).share == 0.0


def test_the_words_say_why() -> None:
    assert next_share(grown(*[NONE] * 3), 0.0).words == (
        "Random's share of the mix went from 0% to 25%: 3 measurements in a row saw no gain from choosing. "
        "That it takes away 5% of random's errors has a probability of 2% (400 control labels)."
    )


def test_a_share_between_the_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.3 is no share the mix takes"):
        next_share([], 0.3)
