"""Items that strategies did not choose, slipped into the queue so that nobody can tell: the control arm, and audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tithe.choosing.choose import Chosen
from tithe.choosing.mix import turns
from tithe.choosing.plan import Plan
from tithe.contracts.blinding import BLIND, SHOWN_AS
from tithe.proof.draw import keys

#: Apart from what else is drawn with the project's seed.
_NAMES, _DECOYS = 0x6E616D65, 0x6465636F


@dataclass(frozen=True, slots=True)
class Slice:
    """Items for a share of the queue, in the order they are to be asked for."""

    name: str  #: what they are chosen by, as rows have it
    ordinals: Sequence[int]
    share: float  #: in [0, 1)


def slipped_in(plan: Plan, chosen: Sequence[Chosen], slices: Sequence[Slice], seed: int) -> list[Chosen]:
    """The queue with each slice at its share of every stretch of it, up to ``plan.depth`` items.

    A slice that ends leaves its places to what was chosen; where that ends first, the slices fill what is left. Nobody
    who labels can tell which is which: each item of a slice says that the strategy of some other item chose it, is
    asked without the model's opinion, and about as many items that were chosen are asked without it too. Which these
    are follows from `seed`, the project's, for ever: an item that was asked without it is so in every round.
    """
    slipped = min(0.5, sum(one.share for one in slices))
    hidden = slipped / (1 - slipped)
    names = [one.strategy for one in chosen] or [part.strategy.name for part in plan.parts]
    everything = [_with_decoys(chosen, hidden, seed)]
    everything += [[_disguised(names, one, ordinal, seed) for ordinal in one.ordinals] for one in slices]
    shares = [max(0.0, 1.0 - sum(one.share for one in slices)), *(one.share for one in slices)]
    shares = [share if items else 0.0 for share, items in zip(shares, everything, strict=True)]
    rng = np.random.default_rng([plan.seed, 2])
    queue: list[Chosen] = []
    taken: set[int] = set()
    while len(queue) < plan.depth and any(everything):
        if not sum(shares):
            shares = [1.0 if items else 0.0 for items in everything]  # what is set aside is asked for at the end
        order = turns([share / sum(shares) for share in shares], rng)
        while len(queue) < plan.depth:
            turn = next(order)
            if not everything[turn]:
                shares[turn] = 0.0
                break
            if (one := everything[turn].pop(0)).ordinal not in taken:
                taken.add(one.ordinal)
                queue.append(one)
    return queue


def _disguised(names: Sequence[str], of: Slice, ordinal: int, seed: int) -> Chosen:
    """An item that says it was chosen as some other item of the queue was."""
    name = names[int(keys(seed ^ _NAMES, np.array([ordinal]))[0] * len(names))]
    return Chosen(ordinal, None, of.name, {BLIND: True, SHOWN_AS: name})


def _with_decoys(chosen: Sequence[Chosen], share: float, seed: int) -> list[Chosen]:
    """The same, so many of them without the model's opinion."""
    drawn = keys(seed ^ _DECOYS, np.array([one.ordinal for one in chosen], dtype=np.int64))
    return [
        replace(one, why={**one.why, BLIND: True}) if key < share else one
        for one, key in zip(chosen, drawn.tolist(), strict=True)
    ]
