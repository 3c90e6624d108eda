"""The choice: each strategy's ranking from the merged lists, the strategies in turns, near-duplicates left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.choosing.alike import Admission, Measure
from tithe.choosing.core_set import radius_facts
from tithe.choosing.kept import Kept
from tithe.choosing.mix import turns
from tithe.choosing.plan import FILLER, Plan, Pool
from tithe.choosing.rank import Ranking, Walk, rank
from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Int64


@dataclass(frozen=True, slots=True)
class Chosen:
    """One item of the queue and why it is there."""

    ordinal: int
    score: float | None  #: by its strategy, higher = more worth asking; None: the strategy ranks sets
    strategy: str
    why: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """The queue, best first, and facts about how it came about."""

    chosen: list[Chosen]
    facts: dict[str, Any]


def choose(plan: Plan, lists: Mapping[str, Kept], pool: Pool, beside: Int64 | None = None) -> Choice:
    """Choose up to ``plan.depth`` items from the merged lists of all shards.

    Every part ranks by itself; then they take turns in proportion to their shares, each giving its best item that is
    not in the queue and no near-duplicate of one that is. A part that has no more leaves its turns to the others, and
    random items fill what is left. The same lists, seed and model give the same queue, byte for byte.

    Parameters
    ----------
    plan
        How the round chooses.
    lists
        The merged lists of all shards, by the sieves' names.
    pool
        What may be looked at beside them.
    beside
        int64: ordinals that will stand in the same queue whatever is chosen here, for a second opinion say.
    """
    filler = rank(plan, FILLER, lists, pool)
    measure = Measure(filler.vectors)
    rankings = [rank(plan, part, lists, pool, measure) for part in plan.parts]
    queue = _Queue(plan, Admission(plan.near_duplicate, measure))
    if beside is not None and len(beside):
        queue.begin_with(beside, pool.gather(beside)[1])
    queue.take_turns(rankings, np.random.default_rng([plan.seed, 1]))
    ranked = len(queue.chosen)
    queue.fill_up(filler)
    facts: dict[str, Any] = {"near_duplicates_left_out": len(queue.left_out)}
    if len(queue.chosen) > ranked:
        facts["filled_up"] = len(queue.chosen) - ranked
    everything = np.array([one.ordinal for one in queue.chosen], dtype=np.int64)
    if beside is not None:
        everything = np.concatenate([beside, everything])
    for ranking in rankings:
        if ranking.centers is not None:
            facts |= radius_facts(ranking.centers, everything)
    return Choice(queue.chosen, facts)


class _Queue:
    """The queue as it grows."""

    def __init__(self, plan: Plan, door: Admission) -> None:
        self.plan, self.door = plan, door
        self.chosen: list[Chosen] = []
        self.left_out: set[int] = set()
        self._taken: set[int] = set()

    def begin_with(self, ordinals: Int64, vectors: Float32) -> None:
        """What is in the queue already: nothing like it is let in."""
        self._taken.update(ordinals.tolist())
        for vector in vectors:
            self.door.admit(vector)

    def take_turns(self, rankings: list[Ranking], rng: np.random.Generator) -> None:
        """Let the rankings give their best in turns, until the queue is full or none has more."""
        shares = [part.share for part in self.plan.parts]
        walks = [ranking.walk() for ranking in rankings]
        order = turns(shares, rng)
        while sum(shares) > 0 and len(self.chosen) < self.plan.depth:
            turn = next(order)
            if (place := self._next(rankings[turn], walks[turn])) is not None:
                self._append(rankings[turn], place)
                continue
            shares[turn] = 0.0  # at its end: its turns are the others'
            if left := sum(shares):
                order = turns([share / left for share in shares], rng)

    def fill_up(self, filler: Ranking) -> None:
        """Fill what is left of the queue."""
        walk = filler.walk()
        while len(self.chosen) < self.plan.depth and (place := self._next(filler, walk)) is not None:
            self.chosen.append(
                Chosen(int(filler.ordinals[place]), None, filler.strategy, {"place": place, "because": "filled_up"})
            )

    def _next(self, ranking: Ranking, walk: Walk) -> int | None:
        """The next place of the list whose item may go into the queue; None: the list is at its end."""
        for place, vector in walk:
            ordinal = int(ranking.ordinals[place])
            if ordinal in self._taken or ordinal in self.left_out:
                continue
            if vector is None or self.door.admit(vector):
                self._taken.add(ordinal)
                return place
            self.left_out.add(ordinal)
        return None

    def _append(self, ranking: Ranking, place: int) -> None:
        score = None if ranking.scores is None else float(ranking.scores[place])
        why = {**ranking.why[place], "place": place}
        self.chosen.append(Chosen(int(ranking.ordinals[place]), score, ranking.strategy, why))
