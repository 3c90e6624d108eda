"""Who competes for the product: its strategies exactly as rounds run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learning_curves.replay import Contestant, Now
from learning_curves.sets import Int64, Vectors
from tithe.choosing.choose import Plan, Pool, choose
from tithe.choosing.mix import parts_of
from tithe.choosing.sift import Shard, sift


@dataclass(frozen=True)
class Rows:
    """A pool in memory, in the shape shards are read in."""

    vectors: Vectors

    def runs(self, chunk_rows: int) -> Iterator[tuple[int, Vectors]]:
        """Every row in order, as (first ordinal, rows)."""
        for first in range(0, len(self.vectors), chunk_rows):
            yield first, self.vectors[first : first + chunk_rows]

    def ordinals(self) -> Int64:
        """Every ordinal that has a row, ascending."""
        return np.arange(len(self.vectors))

    def gather(self, ordinals: Int64) -> tuple[npt.NDArray[np.bool_], Vectors]:
        """All of them, in order."""
        return np.ones(len(ordinals), dtype=bool), self.vectors[ordinals]


def of_the_product(strategy: str | Mapping[str, float], near_duplicate: float | None = 0.95) -> Contestant:
    """A strategy or a mix exactly as rounds run it: sifted by a shard, chosen from what the shard kept.

    The queue is as deep as the batch: rounds rank more, but what a labeler gets first is the same.
    """

    def contestant(now: Now, k: int) -> Int64:
        parts = parts_of(strategy, model=now.model is not None)
        plan = Plan(parts, k, now.seed, now.task, near_duplicate)

        def nearest(rows: Vectors) -> npt.NDArray[np.float64]:
            if not len(now.labeled):
                return np.full(len(rows), np.inf)
            most = (rows @ now.vectors[now.labeled].T).max(axis=1).astype(np.float64)
            return np.sqrt(np.maximum(0.0, 2.0 - 2.0 * most))

        closed = np.sort(now.labeled)
        rows = Rows(now.vectors)
        shard = Shard(rows, closed, now.task, now.model, lambda: nearest(now.vectors), now.seed)
        lists = {sieve.name: sift(shard, sieve) for sieve in plan.sieves()}
        pool = Pool(
            gather=rows.gather,
            model=now.model,
            labeled=lambda: now.vectors[now.labeled],
            nearest=lambda _, rows: nearest(rows),
        )
        made = choose(plan, lists, pool)
        return np.array([one.ordinal for one in made.chosen], dtype=np.int64)

    return contestant


def at_random(now: Now, k: int) -> Int64:
    """Every item equally likely, from the first batch on: what labels cost without a model."""
    left = np.setdiff1d(np.arange(len(now.vectors)), now.labeled)
    return np.random.default_rng([now.seed, 9]).permutation(left)[:k]
