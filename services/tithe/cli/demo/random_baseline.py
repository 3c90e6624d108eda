"""What choosing at random would have cost: same vectors, same learner, same held-out set, several seeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tithe.cli.demo.data import Review, Sample
from tithe.contracts.projects import Metric
from tithe.errors import NotFound
from tithe.learners import registry, scores
from tithe.learners.protocol import NotEnoughClasses
from tithe.loop.features import PoolVectors
from tithe.runtime import Runtime
from tithe.storage import pool
from tithe.storage.database import Unit

#: Samples grow by this beyond the strategy's own budget.
_GROWTH = 1.15


@dataclass(frozen=True)
class Task:
    """The demo's pool as arrays: everything a learner needs, with the true labels."""

    features: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]
    test_features: npt.NDArray[np.float32]
    test_targets: npt.NDArray[np.int64]
    classes: int
    metric: Metric

    def score(self, chosen: npt.NDArray[np.intp], seed: int) -> float:
        """Fit on the chosen rows as the trainer fits, and score on the held-out set."""
        rest = np.random.default_rng(seed).permutation(len(self.features))[: 2 * len(chosen) + 3000]
        unlabeled = self.features[np.setdiff1d(rest, chosen)]
        try:
            model = registry.get_learner().fit(
                self.features[chosen], self.targets[chosen], self.classes, task="single", metric=self.metric,
                seed=seed, members=0, pool=unlabeled,
            )  # fmt: skip
        except NotEnoughClasses:
            return 0.0
        return float(scores.evaluate(model, self.test_features, self.test_targets)[self.metric])


@dataclass(frozen=True)
class Point:
    """Random samples of one size: a score per seed."""

    labels: int
    scores: list[float]

    @property
    def median(self) -> float:
        """Of the seeds."""
        return statistics.median(self.scores)


@dataclass
class RandomCurve:
    """What random samples of growing size reached."""

    pool_rows: int
    points: list[Point] = field(default_factory=list)
    full_pool_score: float | None = None
    reached_at: int | None = None  #: the first size whose median reached the strategy's final score
    ran_out_of_time: bool = False

    @property
    def tried(self) -> int:
        """The largest sample every seed was tried with."""
        return self.points[-1].labels if self.points else 0

    def at(self, labels: int) -> Point | None:
        """The point of that size."""
        return next((point for point in self.points if point.labels == labels), None)


def read_task(runtime: Runtime, project_id: UUID, sample: Sample, metric: Metric) -> Task:
    """Read the project's own feature blocks, so that random sees exactly what the strategy saw. Raises NotFound."""

    def work(unit: Unit) -> tuple[list[pool.Block], list[str]]:
        blocks = pool.ready_blocks(unit, project_id)
        stop = max((block.start + block.rows for block in blocks), default=0)
        return blocks, pool.texts(unit, project_id, 0, stop)

    blocks, texts = runtime.database.run(work)
    row_of = {text: row for row, text in enumerate(texts)}
    vectors = PoolVectors(runtime.artifacts, blocks)

    def gather(reviews: Sequence[Review]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        rows = np.array([row_of.get(review.text, -1) for review in reviews], dtype=np.int64)
        found, features = vectors.gather(rows)
        if not found.all():
            raise NotFound(f"{int((~found).sum())} reviews have no vectors")
        return features, np.array([sample.classes.index(review.label) for review in reviews], dtype=np.int64)

    return Task(*gather(sample.pool), *gather(sample.test), len(sample.classes), metric)


def sizes_to_try(curve: Sequence[int], pool_rows: int) -> Iterator[int]:
    """The strategy's own label counts, then growing ones up to the whole pool.

    Examples
    --------
    >>> list(sizes_to_try([40, 80], 120))
    [40, 80, 92, 106, 120]
    """
    size = 0
    for size in curve:
        yield size
    while size < pool_rows:
        size = min(pool_rows, max(size + 1, round(size * _GROWTH)))
        yield size


def grow(
    task: Task, target: float, curve: Sequence[int], *, seeds: Sequence[int], seconds: float, say: Callable[[str], None]
) -> RandomCurve:
    """Score random samples of growing size until their median reaches `target`, the pool ends, or time is up."""
    began = time.monotonic()
    rows = len(task.features)
    result = RandomCurve(rows)
    say("every label of the pool")
    result.full_pool_score = task.score(np.arange(rows), seeds[0])
    order = {seed: np.random.default_rng([seed, 1]).permutation(rows) for seed in seeds}
    for size in sizes_to_try(curve, rows):
        say(f"{size} random labels, {len(seeds)} seeds")
        point = Point(size, [])
        for seed in seeds:
            if time.monotonic() - began > seconds:
                result.ran_out_of_time = True
                return result
            point.scores.append(task.score(order[seed][:size], seed))
        result.points.append(point)
        if result.reached_at is None and point.median >= target:
            result.reached_at = size
        if result.reached_at is not None and size >= max(curve, default=0):
            return result
    return result
