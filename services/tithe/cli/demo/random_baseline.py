"""What choosing at random would have cost: same vectors, same learner, same held-out set, several seeds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tithe.cli.demo.data import Review, Sample
from tithe.cli.demo.machine import cores
from tithe.cli.demo.options import Metric
from tithe.errors import NotFound
from tithe.learners import registry, scores
from tithe.learners.protocol import NotEnoughClasses
from tithe.loop.features import PoolVectors
from tithe.runtime import Runtime
from tithe.storage import pool
from tithe.storage.database import Unit

#: Samples grow by this beyond the strategy's own budget, until they are good enough; then the gap is halved so often.
_GROWTH = 1.6
_BISECTIONS = 2
#: Seeds fitted side by side, at most: each process takes about 150 MB.
_PROCESSES = 3
#: Unlabeled rows the learner is shown, as the trainer does.
_SAMPLE_ROWS = 3000


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
        every = np.concatenate([self.features, self.test_features])
        rng = np.random.default_rng([seed, len(chosen)])
        unlabeled = every[np.sort(rng.choice(len(every), min(len(every), _SAMPLE_ROWS), replace=False))]
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

    target: float  #: the strategy's final score
    pool_rows: int
    points: list[Point] = field(default_factory=list)  #: by size
    full_pool_score: float | None = None
    ran_out_of_time: bool = False

    @property
    def tried(self) -> int:
        """The largest sample every seed was tried with."""
        return self.points[-1].labels if self.points else 0

    @property
    def reached_at(self) -> int | None:
        """The first size whose median is the strategy's final score or better; None: none that was tried."""
        return next((point.labels for point in self.points if point.median >= self.target), None)

    def at(self, labels: int) -> Point | None:
        """The point of that size."""
        return next((point for point in self.points if point.labels == labels), None)

    def add(self, point: Point) -> None:
        """Put a point where it belongs."""
        self.points = sorted([*self.points, point], key=lambda one: one.labels)


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


def grow(
    task: Task, curve: Sequence[tuple[int, float]], *, seeds: Sequence[int], seconds: float, say: Callable[[str], None]
) -> RandomCurve:
    """Score random samples until their median is as good as the curve's last point, the pool ends, or time is up.

    What counts comes first: the curve's last size, then growing ones; then sizes between the last that was not enough
    and the first that was; then the rest of the curve, for the picture. Seeds are fitted side by side, a core each.
    """
    final, target = curve[-1] if curve else (0, 1.0)
    result = RandomCurve(target, len(task.features))
    until = time.monotonic() + seconds
    side_by_side = ProcessPoolExecutor(
        min(cores(), len(seeds), _PROCESSES), multiprocessing.get_context("spawn"), initializer=_begin, initargs=(task,)
    )
    try:
        say("every label of the pool")
        everything = side_by_side.submit(_score, seeds[0], result.pool_rows)
        for size in _sizes(result, [labels for labels, _ in curve], final):
            say(f"{size:,} random labels, {len(seeds)} seeds")
            # The first comparison is always made: it is the one that counts.
            left = max(0.0, until - time.monotonic()) if result.points or not seconds else None
            found = list(side_by_side.map(_score, seeds, [size] * len(seeds), timeout=left))
            result.add(Point(size, found))
        result.full_pool_score = everything.result(None)
    except TimeoutError:
        result.ran_out_of_time = True
        result.full_pool_score = everything.result(None) if result.points else None
    finally:
        side_by_side.shutdown(cancel_futures=True)
    return result


#: What a process of the comparison fits; set when it begins.
_task: Task | None = None


def _begin(task: Task) -> None:
    """Make a process ready: matrices are small, so threads of its own would only wait for one another."""
    global _task  # noqa: PLW0603 -- handed over once, instead of with every fit
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the demo itself
    threadpool_limits(limits=1)  # for libraries that are loaded already; the others read the environment
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))


def _score(seed: int, size: int) -> float:
    if _task is None:
        raise RuntimeError("the process was not made ready")
    return _task.score(np.random.default_rng([seed, 1]).permutation(len(_task.features))[:size], seed)


def _sizes(result: RandomCurve, curve: Sequence[int], final: int) -> Iterator[int]:
    """The sizes to try, one by one; each is tried before the next is asked for."""
    if final:
        yield final
    size = final
    while result.reached_at is None and size < result.pool_rows:
        size = min(result.pool_rows, round(size * _GROWTH) + 1)
        yield size
    for _ in range(_BISECTIONS):
        enough = result.reached_at
        short = max((point.labels for point in result.points if enough and point.labels < enough), default=0)
        if enough is None or enough - short < 10:
            break
        yield (short + enough) // 2
    yield from (labels for labels in curve if result.at(labels) is None)
