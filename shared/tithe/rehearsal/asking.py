"""Who is asked for next: a round's choice, with the functions that scorers call, of a pool in memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tithe.choosing.answers import Asked
from tithe.choosing.choose import choose
from tithe.choosing.kept import merge
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import Shard, sift_all
from tithe.choosing.slipped_in import Slice, slipped_in
from tithe.choosing.worth_asking import worth_asking
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32
from tithe.loop.folding import fold
from tithe.policy import ready_depth, shard_rows
from tithe.proof import draw
from tithe.rehearsal.problem import Rows
from tithe.rehearsal.settings import Mix
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.catalog import lookup
from tithe.strategies.strategy import Needs

CONTROL = "control"
#: Sets that are chosen one after the other, so that the first are the same however many are asked for; with scores
#: they always are. Asking for few is many times faster.
_ONE_BY_ONE = {"variance_reduction", "badge", "falcun", "max_herding", "uncertainty_herding"}
#: Heads of a committee, as many as a trainer's settings have it.
_MEMBERS = 5
#: Rows a round asks a model about where each answer is a network's pass, as a scorer's settings have it.
_COSTLY_ROWS = 20_000


@dataclass(frozen=True)
class Asking:
    """How rounds of a project choose.

    Attributes
    ----------
    strategy
        A name of the catalog, or a mix.
    task
        What a label is, as projects name it.
    batch
        Labels between two rounds.
    seed
        The project's.
    near_duplicate
        The cosine similarity from which two items are near-duplicates; None: never.
    control
        The share of every hand-out that is drawn at random, and of the pool that is set aside for it.
    """

    strategy: Mix
    task: str
    batch: int
    seed: int
    near_duplicate: float | None
    control: float

    @property
    def members(self) -> int:
        """Heads of the committee that the strategy wants; other heads are the same with and without one."""
        names = [self.strategy] if isinstance(self.strategy, str) else list(self.strategy)
        wanted = any(lookup(name).needs in (Needs.COMMITTEE, Needs.TAG_COMMITTEE) for name in names)
        return _MEMBERS if wanted else 0

    def next(self, vectors: Float32, closed: Int64, trained: Int64, model: Asked | None, seed: int) -> Picked:
        """The next batch, as a round would hand it out.

        Parameters
        ----------
        vectors
            float32, shape (n, d): the whole pool.
        closed
            int64: ordinals that have a label.
        trained
            int64: those of them that the model is trained on.
        model
            None before there is one.
        seed
            The round's.
        """
        parts = parts_of(self.strategy, model=model is not None)
        deep = Plan(parts, ready_depth(self.batch, self.batch, 1), seed, self.task, self.near_duplicate)
        if all(not one.strategy.needs.a_set or one.strategy.name in _ONE_BY_ONE for one in parts):
            plan = replace(deep, depth=min(deep.depth, 3 * self.batch))
            picked, left_out = self._picked(plan, vectors, closed, trained, model)
            # No list has come to its end within the batch: it is the same batch.
            if plan.depth == deep.depth or 2 * self.batch + left_out <= plan.depth:
                return picked
        return self._picked(deep, vectors, closed, trained, model)[0]

    def _picked(
        self, plan: Plan, vectors: Float32, closed: Int64, trained: Int64, model: Asked | None
    ) -> tuple[Picked, int]:
        """The batch, and how many near-duplicates were left out on the way."""
        seed = plan.seed
        everything = np.arange(len(vectors), dtype=np.int64)
        aside = everything[draw.reserved(self.seed, everything, self.control)]
        shards = list(self._shards(vectors, np.union1d(closed, aside), trained, model, seed))
        sieves = plan.sieves()
        kept = [sift_all(shard, sieves) for shard in shards]
        lists = {sieve.name: merge(sieve, [one[at] for one in kept], seed) for at, sieve in enumerate(sieves)}
        around = Pool(
            gather=Rows(vectors, 0, len(vectors)).gather,
            model=model,
            labeled=lambda: vectors[trained],
            nearest=lambda _, rows: _nearest(rows, vectors[trained]),
        )
        made = choose(plan, lists, around, np.empty(0, dtype=np.int64))
        arm = draw.in_turn(self.seed, everything, self.control)
        arm = arm[~np.isin(arm, closed)][: plan.depth]
        queue = slipped_in(plan, made.chosen, [Slice(CONTROL, arm.tolist(), self.control)], self.seed)[: self.batch]
        picked = Picked(
            np.array([one.ordinal for one in queue], dtype=np.int64),
            np.array([one.strategy == CONTROL for one in queue], dtype=bool),
        )
        return picked, int(made.facts["near_duplicates_left_out"])

    def _shards(
        self, vectors: Float32, closed: Int64, trained: Int64, model: Asked | None, seed: int
    ) -> Iterator[Shard]:
        step, known = shard_rows(len(vectors)), vectors[trained]
        for start in range(0, len(vectors), step):
            rows = Rows(vectors, start, min(start + step, len(vectors)))
            mine = closed[(closed >= rows.start) & (closed < rows.stop)]
            here = vectors[rows.start : rows.stop]
            shard = Shard(rows, mine, self.task, model, functools.partial(_nearest, here, known), seed)
            if model is not None and not isinstance(model, LinearModel):
                shard = replace(shard, considered=_considered(shard, model, vectors, trained))
            yield shard


@dataclass(frozen=True)
class Picked:
    """A batch."""

    ordinals: Int64  #: in the order they are handed out
    control: Any  #: bool, shape (n,): which of them no model is trained on


def at_random(pool: int, labeled: Int64, k: int, seed: int) -> Int64:
    """Every item equally likely, from the first batch on: what labels cost without a model, and without Tithe."""
    left = np.setdiff1d(np.arange(pool), labeled)
    return np.random.default_rng([seed, 9]).permutation(left)[:k]


def _considered(shard: Shard, model: Any, vectors: Float32, trained: Int64) -> Int64:
    """Every open row whose answer is cheap, and of the others the shard's part of those worth a network's pass."""
    cheap = model.cheap(shard.opened)
    costly = shard.opened[~cheap]
    most = max(1, _COSTLY_ROWS * len(shard.rows.ordinals()) // max(1, len(vectors)))
    if len(costly) > most:
        costly = worth_asking(costly, vectors[costly], vectors[trained], most, shard.seed)
    return np.sort(np.concatenate([shard.opened[cheap], costly]))


def _nearest(rows: Float32, known: Float32) -> Float64:
    """Euclidean distance of each row to the nearest labeled one; infinity where nothing is labeled."""
    distances = np.full(len(rows), np.inf, dtype=np.float32)
    fold(distances, rows, known)
    return distances.astype(np.float64)
