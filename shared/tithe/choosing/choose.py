"""The choice: each strategy's ranking from the merged lists, the strategies in turns, near-duplicates left out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.choosing.alike import Admission
from tithe.choosing.mix import Part, turns
from tithe.choosing.sift import Kept, doubt, radius_of_last
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.candidates import Candidates
from tithe.strategies.catalog import CATALOG
from tithe.strategies.sieves import Keep, Sieve, joined

_Walk = Iterator[tuple[int, Float32 | None]]
Gather = Callable[[Int64], tuple[npt.NDArray[np.bool_], Float32]]
#: Strategies that look at sets rank this many times the queue's depth, so that near-duplicates can be left out.
_SPARE = 1.25
#: What fills the queue where a strategy's list ends early, because of near-duplicates say.
FILLER = "random"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a round chooses.

    Attributes
    ----------
    parts
        The strategies and their shares.
    depth
        How many items the queue is to hold.
    seed
        The round's.
    task
        What a label is.
    near_duplicate
        The cosine similarity from which two items are near-duplicates; None: never.
    """

    parts: Sequence[Part]
    depth: int
    seed: int
    task: str
    near_duplicate: float | None

    def sieves(self) -> list[Sieve]:
        """What shards keep: every strategy's lists, and the filler's."""
        wanted = [sieve for part in self.parts for sieve in part.strategy.sieves(self.depth)]
        return joined([*wanted, *CATALOG[FILLER].sieves(self.depth)])


@dataclass(frozen=True, slots=True)
class Pool:
    """What a choice may look at beside the lists.

    Attributes
    ----------
    gather
        Which of the given ordinals have a vector, and those vectors, in order.
    model
        None before there is one.
    labeled
        Gives the labeled items' vectors, shape (m, d); of any d where m is 0.
    nearest
        Gives the Euclidean distance from each given ordinal's vector to the nearest labeled one.
    """

    gather: Gather
    model: LinearModel | None
    labeled: Callable[[], Float32]
    nearest: Callable[[Int64, Float32], Float64]


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


@dataclass(slots=True)
class _Ranking:
    """One strategy's list, best first, walked from the front."""

    strategy: str
    ordinals: Int64
    vectors: Float32  # (n, d); only rows that were found
    found: npt.NDArray[np.bool_]
    scores: Float64 | None
    why: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    def walk(self) -> _Walk:
        """Place in the list and the vector, None where there is none."""
        each = iter(self.vectors)
        for place, here in enumerate(self.found):
            yield place, next(each) if here else None


def choose(plan: Plan, lists: Mapping[str, Kept], pool: Pool) -> Choice:
    """Choose up to ``plan.depth`` items from the merged lists of all shards.

    Every part ranks by itself; then they take turns in proportion to their shares, each giving its best item that is
    not in the queue and no near-duplicate of one that is. A part that has no more leaves its turns to the others, and
    random items fill what is left. The same lists, seed and model give the same queue, byte for byte.
    """
    rankings = [_rank(plan, part, lists, pool) for part in plan.parts]
    filler = _rank(plan, Part(CATALOG[FILLER], 1.0), lists, pool)
    door = Admission(plan.near_duplicate, filler.vectors)
    walks = [ranking.walk() for ranking in rankings]
    alive = list(range(len(rankings)))
    shares = [part.share for part in plan.parts]
    rng = np.random.default_rng([plan.seed, 1])
    order = turns(shares, rng)
    taken: set[int] = set()
    chosen: list[Chosen] = []
    while alive and len(chosen) < plan.depth:
        turn = next(order)
        if turn not in alive:
            continue
        if (place := _next(rankings[turn], walks[turn], taken, door)) is None:
            alive.remove(turn)
            total = sum(shares[at] for at in alive)
            order = turns([shares[at] / total if at in alive else 0.0 for at in range(len(shares))], rng)
            continue
        chosen.append(_chosen(rankings[turn], place))
    short, walk = len(chosen), filler.walk()
    while len(chosen) < plan.depth and (place := _next(filler, walk, taken, door)) is not None:
        told = _chosen(filler, place)
        chosen.append(Chosen(told.ordinal, None, told.strategy, {**told.why, "because": "filled_up"}))
    facts: dict[str, Any] = {"near_duplicates_left_out": door.left_out}
    if len(chosen) > short:
        facts["filled_up"] = len(chosen) - short
    for ranking in rankings:
        facts |= ranking.facts
    return Choice(chosen, facts)


def _rank(plan: Plan, part: Part, lists: Mapping[str, Kept], pool: Pool) -> _Ranking:
    strategy = part.strategy
    kept = [lists[sieve.name] for sieve in strategy.sieves(plan.depth)]
    alone = kept[0].shards == 1 and kept[0].radius is not None  # one shard's centers: the order is the pool's own
    if strategy.needs.a_set and not alone:
        return _rank_set(plan, part, kept, pool)
    (best,) = kept
    best = best.first(strategy.sieves(plan.depth)[0].rows)  # it may share a longer list with another
    found, vectors = pool.gather(best.ordinals)
    if alone:
        facts = _radius(plan, vectors, np.arange(len(vectors)), best.scores, best)
        why = [_why(row, None, best.scores) for row in range(len(best.scores))]
        return _Ranking(strategy.name, best.ordinals, vectors, found, None, why, facts)
    return _Ranking(strategy.name, best.ordinals, vectors, found, best.scores, [{}] * len(best.ordinals))


def _rank_set(plan: Plan, part: Part, kept: Sequence[Kept], pool: Pool) -> _Ranking:
    """Let the strategy look at its candidates, in the order of their ordinals: no matter which shard was first."""
    strategy = part.strategy
    ordinals = np.unique(np.concatenate([one.ordinals for one in kept]))
    found, vectors = pool.gather(ordinals)
    ordinals = ordinals[found]
    answers, uncertainty = doubt(plan.task, pool.model, vectors) if pool.model is not None else (None, None)
    nearest: Float64 | None = None
    if strategy.wants_distance and len(ordinals):
        nearest = _known_distances(ordinals, kept, strategy.sieves(plan.depth))
        nearest = pool.nearest(ordinals, vectors) if nearest is None else nearest
    labeled = pool.labeled() if strategy.wants_labeled else None
    if labeled is not None and not len(labeled):
        labeled = None
    candidates = Candidates(vectors, answers, uncertainty, labeled, nearest)
    rng = np.random.default_rng([plan.seed, zlib.crc32(strategy.name.encode())])
    k = int(_SPARE * plan.depth) + 1
    picked = strategy.function_for(plan.task)(candidates, k, rng) if len(ordinals) else np.empty(0, np.int64)
    facts: dict[str, Any] = {}
    if strategy.name == "k_center" and nearest is not None:
        facts = _radius(plan, vectors, picked, nearest, kept[0])
    why = [_why(row, uncertainty, nearest) for row in picked.tolist()]
    return _Ranking(
        strategy.name, ordinals[picked], vectors[picked], np.ones(len(picked), dtype=bool), None, why, facts
    )


def _radius(plan: Plan, vectors: Float32, picked: Int64, nearest: Float64, centers: Kept) -> dict[str, Any]:
    """What is certain of the radius the queue leaves, in Euclidean distance, and of the least any queue could leave.

    A row is within the shards' radius of a row its shard kept (or of a labeled one), and that within the union's of a
    chosen one (or of a labeled one). And of k + 1 rows at least r apart from one another and from what is labeled,
    some two share a center, so no k centers leave less than r / 2.

    References
    ----------
    Malkomes, Kusner, Chen, Weinberger & Moseley 2015, Fast distributed k-center clustering with outliers on massive
    data, NIPS, pp. 1063-1071.
    """
    within = picked[: plan.depth + 1]
    of_union = radius_of_last(vectors, within, nearest) if len(within) > plan.depth else 0.0
    of_shards = (centers.radius or 0.0) if centers.shards > 1 else 0.0  # one shard's next row is the pool's
    return {
        "radius_at_most": of_shards + of_union,
        "radius_of_any_choice_at_least": max(of_shards, of_union) / 2,
    }


def _known_distances(ordinals: Int64, kept: Sequence[Kept], sieves: Sequence[Sieve]) -> Float64 | None:
    """The distances that came with centers; None: there are none, ask."""
    if len(kept) != 1 or sieves[0].keep is not Keep.CENTERS:
        return None
    return kept[0].scores[np.searchsorted(kept[0].ordinals, ordinals)]


def _why(row: int, uncertainty: Float64 | None, nearest: Float64 | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if uncertainty is not None:
        told["uncertainty"] = round(float(uncertainty[row]), 4)
    if nearest is not None and np.isfinite(nearest[row]):
        told["distance_to_labeled"] = round(float(nearest[row]), 4)
    return told


def _next(
    ranking: _Ranking, walk: Iterator[tuple[int, Float32 | None]], taken: set[int], door: Admission
) -> int | None:
    """The next place of the list whose item may go into the queue; None: the list is at its end."""
    for place, vector in walk:
        ordinal = int(ranking.ordinals[place])
        if ordinal not in taken and (vector is None or door.admit(vector)):
            taken.add(ordinal)
            return place
    return None


def _chosen(ranking: _Ranking, place: int) -> Chosen:
    score = None if ranking.scores is None else float(ranking.scores[place])
    return Chosen(int(ranking.ordinals[place]), score, ranking.strategy, {**ranking.why[place], "place": place})
