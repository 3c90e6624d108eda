"""Small pools for tests: clustered vectors, a model fitted to some of them, shards cut anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tithe.choosing.choose import Choice, choose
from tithe.choosing.kept import merge
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import Shard, sift
from tithe.learners.linear import LinearLearner
from tithe.learners.linear_model import LinearModel
from tithe.strategies.distances import Distances

CLASSES = 4


@dataclass
class ArrayRows:
    """Rows held in memory, numbered from `first`."""

    first: int
    rows: np.ndarray

    def runs(self, chunk_rows: int) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(self.rows), chunk_rows):
            yield self.first + start, self.rows[start : start + chunk_rows]

    def ordinals(self) -> np.ndarray:
        return np.arange(self.first, self.first + len(self.rows), dtype=np.int64)

    def gather(self, ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = (ordinals >= self.first) & (ordinals < self.first + len(self.rows))
        return here, self.rows[ordinals[here] - self.first]


@dataclass
class Made:
    """A pool of vectors of length one, what is labeled, and a model of it."""

    vectors: np.ndarray
    labeled: np.ndarray  # ordinals
    model: LinearModel | None
    task: str = "text_classification"

    def plan(self, strategy: str | dict[str, float], depth: int, near_duplicate: float | None = None) -> Plan:
        parts = parts_of(strategy, model=self.model is not None)
        return Plan(parts, depth, seed=11, task=self.task, near_duplicate=near_duplicate)

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        if not len(self.labeled) or not len(rows):
            return np.full(len(rows), np.inf)
        return np.sqrt(Distances(rows).nearest(self.vectors[self.labeled])[1])

    def shards(self, cuts: list[int]) -> list[Shard]:
        edges = [0, *sorted(cuts), len(self.vectors)]
        made = []
        for start, stop in itertools.pairwise(edges):
            rows = ArrayRows(start, self.vectors[start:stop])
            closed = self.labeled[(self.labeled >= start) & (self.labeled < stop)]
            made.append(Shard(rows, closed, self.task, self.model, lambda rows=rows: self.nearest(rows.rows), 11))
        return made

    def choose(self, plan: Plan, cuts: list[int]) -> Choice:
        shards = self.shards(cuts)
        lists = {sieve.name: merge(sieve, [sift(one, sieve) for one in shards], plan.seed) for sieve in plan.sieves()}

        def gather(ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.ones(len(ordinals), dtype=bool), self.vectors[ordinals]

        around = Pool(gather, self.model, lambda: self.vectors[self.labeled], lambda _, rows: self.nearest(rows))
        return choose(plan, lists, around)


def pool(n: int = 400, d: int = 12, *, seed: int = 0, copies: int = 0, labels: int = 40, model: bool = True) -> Made:
    """Clusters on the unit sphere, the last `copies` rows being near-copies of the first ones."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(CLASSES * 3, d))
    kind = rng.integers(len(centers), size=n)
    vectors = centers[kind] + rng.normal(scale=0.8, size=(n, d))
    if copies:
        vectors[-copies:] = vectors[rng.integers(n // 4, size=copies)] + rng.normal(scale=1e-3, size=(copies, d))
        kind[-copies:] = 0
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    labeled = np.sort(rng.choice(n, labels, replace=False)).astype(np.int64)
    if not model:
        return Made(vectors, labeled, None)
    fitted = LinearLearner().fit(vectors[labeled], kind[labeled] % CLASSES, CLASSES, task="single", seed=1, members=3)
    return Made(vectors, labeled, fitted)
