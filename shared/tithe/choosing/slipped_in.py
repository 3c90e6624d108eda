"""Items that strategies did not choose, slipped into the queue so that nobody can tell: the control arm, and audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tithe.choosing.choose import Chosen
from tithe.choosing.mix import turns
from tithe.choosing.plan import Plan
from tithe.contracts.blinding import BLIND, SHOWN_AS


@dataclass(frozen=True, slots=True)
class Slice:
    """Items for a share of the queue, in the order they are to be asked for."""

    name: str  #: what they are chosen by, as rows have it
    ordinals: Sequence[int]
    share: float  #: in [0, 1)


def slipped_in(plan: Plan, chosen: Sequence[Chosen], slices: Sequence[Slice]) -> list[Chosen]:
    """The queue with each slice at its share of every stretch of it, up to ``plan.depth`` items.

    A slice that ends leaves its places to what was chosen; where that ends first, the slices fill what is left. Nobody
    who labels can tell which is which: each item of a slice says that the strategy of some other item chose it, is
    asked without the model's opinion, and as many items that were chosen are asked without it too.
    """
    everything = [list(chosen)] + [[_disguised(plan, one, ordinal) for ordinal in one.ordinals] for one in slices]
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
    return _with_decoys(queue, rng)


def _disguised(plan: Plan, of: Slice, ordinal: int) -> Chosen:
    parts = plan.parts
    rng = np.random.default_rng([plan.seed, 3, ordinal])
    name = parts[int(rng.choice(len(parts), p=[part.share for part in parts]))].strategy.name
    return Chosen(ordinal, None, of.name, {BLIND: True, SHOWN_AS: name})


def _with_decoys(queue: list[Chosen], rng: np.random.Generator) -> list[Chosen]:
    """As many chosen items without the model's opinion as there are items that must be without it."""
    plain = [at for at, one in enumerate(queue) if BLIND not in one.why]
    hidden = len(queue) - len(plain)
    for at in rng.permutation(plain)[:hidden]:
        queue[at] = replace(queue[at], why={**queue[at].why, BLIND: True})
    return queue
