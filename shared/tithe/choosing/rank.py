"""One strategy's ranking, from the merged lists that shards kept for it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.choosing.alike import Measure
from tithe.choosing.core_set import Centers
from tithe.choosing.kept import Kept
from tithe.choosing.mix import Part
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import doubt
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.candidates import Candidates
from tithe.strategies.catalog import Strategy

#: Where an answer costs a pass through a network, sets are chosen from so many of each list, its best.
MOST_COSTLY = 2000
#: Strategies that look at sets rank this many times the queue's depth, so that near-duplicates can be left out.
_SPARE = 1.25
Walk = Iterator[tuple[int, Float32 | None]]


@dataclass(slots=True)
class Ranking:
    """A strategy's items, best first, walked from the front."""

    strategy: str
    ordinals: Int64
    vectors: Float32  #: (found, d)
    found: npt.NDArray[np.bool_]  #: which ordinals have a vector
    scores: Float64 | None  #: None: the strategy ranks sets
    why: list[dict[str, Any]]
    centers: Centers | None = None  #: of a core-set: what the shards kept

    def walk(self) -> Walk:
        """Place in the list and the vector, None where there is none."""
        each = iter(self.vectors)
        for place, here in enumerate(self.found):
            yield place, next(each) if here else None


def rank(plan: Plan, part: Part, lists: Mapping[str, Kept], pool: Pool, measure: Measure | None = None) -> Ranking:
    """The part's ranking: a list as it is where each row has its score, a choice from the lists where it ranks sets.

    Parameters
    ----------
    plan, part
        How the round chooses; one of its parts, or the filler.
    lists
        The merged lists of all shards, by the sieves' names.
    pool
        What may be looked at beside them.
    measure
        In which strategies that rank sets compare vectors; not asked for otherwise.
    """
    sieves = part.strategy.sieves(plan.depth)
    kept = [lists[sieve.name] for sieve in sieves]
    if part.strategy.needs.a_set:
        if kept[0].radius is not None and kept[0].shards == 1:
            return _whole_core_set(part.strategy, kept[0], pool)
        return _of_sets(plan, part.strategy, kept, pool, measure)
    best = kept[0].first(sieves[0].rows)  # it may share a longer list with another
    found, vectors = pool.gather(best.ordinals)
    return Ranking(part.strategy.name, best.ordinals, vectors, found, best.scores, [{}] * len(best.ordinals))


def _whole_core_set(strategy: Strategy, kept: Kept, pool: Pool) -> Ranking:
    """One shard's centers are the pool's: the order is final."""
    found, vectors = pool.gather(kept.ordinals)
    ordinals, nearest = kept.ordinals[found], kept.scores[found]  # a block may have been lost meanwhile
    places = np.arange(len(ordinals))
    why = [_why(row, None, nearest) for row in places.tolist()]
    centers = Centers(ordinals, vectors, nearest, places, kept.radius or 0.0, 1)
    return Ranking(strategy.name, ordinals, vectors, np.ones(len(ordinals), dtype=bool), None, why, centers)


def _of_sets(plan: Plan, strategy: Strategy, kept: Sequence[Kept], pool: Pool, measure: Measure | None) -> Ranking:
    """Let the strategy look at its candidates, in the order of their ordinals: no matter which shard was first."""
    most = MOST_COSTLY if strategy.needs.a_model and _costly(pool) else None
    offered = np.unique(np.concatenate([one.ordinals[:most] for one in kept]))
    found, vectors = pool.gather(offered)
    ordinals = offered[found]
    if not len(ordinals):
        return Ranking(strategy.name, ordinals, vectors, np.ones(0, dtype=bool), None, [])
    # Ordinals of centers are in order once they are of several shards, and so are their distances.
    known = kept[0].scores[found] if kept[0].radius is not None else None
    candidates = _candidates(plan, strategy, pool, measure, ordinals, vectors, known)
    rng = np.random.default_rng([plan.seed, zlib.crc32(strategy.name.encode())])
    picked = strategy.function_for(plan.task)(candidates, int(_SPARE * plan.depth) + 1, rng)
    centers = None
    if kept[0].radius is not None and known is not None:
        centers = Centers(ordinals, vectors, known, picked, kept[0].radius, kept[0].shards)
    why = [_why(row, candidates.uncertainty, candidates.nearest_distance) for row in picked.tolist()]
    everything = np.ones(len(picked), dtype=bool)
    return Ranking(strategy.name, ordinals[picked], vectors[picked], everything, None, why, centers)


def _costly(pool: Pool) -> bool:
    return pool.model is not None and not isinstance(pool.model, LinearModel) and pool.model.costly


def _candidates(
    plan: Plan,
    strategy: Strategy,
    pool: Pool,
    measure: Measure | None,
    ordinals: Int64,
    vectors: Float32,
    known: Float64 | None,
) -> Candidates:
    asked = pool.model is not None and (strategy.needs.a_model or isinstance(pool.model, LinearModel))
    answers, uncertainty = doubt(plan.task, pool.model, ordinals, vectors) if pool.model and asked else (None, None)
    if strategy.wants_distance:  # as Postgres and the shards measure it: of the vectors as they are
        nearest = pool.nearest(ordinals, vectors) if known is None else known
        return Candidates(vectors, answers, uncertainty, None, nearest)
    labeled = pool.labeled() if strategy.wants_labeled else vectors[:0]
    in_measure = (lambda rows: rows) if measure is None else measure.of
    return Candidates(in_measure(vectors), answers, uncertainty, in_measure(labeled) if len(labeled) else None)


def _why(row: int, uncertainty: Float64 | None, nearest: Float64 | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if uncertainty is not None:
        told["uncertainty"] = round(float(uncertainty[row]), 4)
    if nearest is not None and np.isfinite(nearest[row]):
        told["distance_to_labeled"] = round(float(nearest[row]), 4)
    return told
