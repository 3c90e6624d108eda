"""A whole scoring round through the queue, beside the same strategy in one bare process over the same files.

Run by ``make bench-round``. Starts its own stack with two scorers in a temporary folder and throws it away. Through the
queue: the message, the shards, the choice, the swap of the ready queue. Bare: one process that reads the same blocks,
keeps the same lists and makes the same choice, with no database and no broker.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the scorers set it for themselves
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from harness import report

from loop import BATCH, vector_pool, wait_for_round
from tithe.artifacts import ArtifactStore
from tithe.choosing.choose import choose
from tithe.choosing.kept import merge
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.sift import Shard, sift
from tithe.contracts.projects import Project, Task, default_strategy, said, stored_as
from tithe.embedded.stack import Stack, StackOptions
from tithe.learners.linear_model import LinearModel
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors
from tithe.loop.folding import fold
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent, record
from tithe.storage import pool, projects, rounds
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

STRATEGIES: tuple[str | dict[str, float], ...] = (
    default_strategy(Task.VECTORS, 4),
    default_strategy(Task.VECTORS, 77),
    "margin",
    "vote_entropy",
    "class_balanced_margin",
    "badge",
    "uncertainty_herding",
    "k_center",
)


def through_the_queue(
    database: Database, project: Project, strategy: str | dict[str, float]
) -> tuple[rounds.Round, float]:
    """A round that somebody asks for, once there is nothing new to train on; its scoring and choosing in seconds."""
    with database.unit() as unit:
        unit.connection.execute("UPDATE projects SET strategy = %s WHERE id = %s", (stored_as(strategy), project.id))
    asked = turns.ask_for_round(database, project.id)
    wait_for_round(database, project, asked.number)
    done = database.run(lambda unit: rounds.get(unit, asked.id))
    assert done is not None
    assert done.scoring_at is not None
    assert done.ended_at is not None
    return done, (done.ended_at - done.scoring_at).total_seconds()


def bare(database: Database, store: ArtifactStore, done: rounds.Round, project: Project) -> tuple[list[int], float]:
    """The same choice in this process: its ordinals and seconds."""
    with database.unit() as unit:
        row = rounds.model(unit, done.model_id) if done.model_id else None
        assert row is not None
        blocks = pool.ready_blocks(unit, project.id)
        closed = pool.closed_ordinals(unit, project.id, 0, 1 << 40)
        labels = unit.connection.execute(
            "SELECT DISTINCT ordinal FROM answers WHERE project_id = %s AND state = 'counted'", (project.id,)
        ).fetchall()
    model = LinearModel.from_tensors(*store.read_model(row.path, row.sha256))
    vectors = PoolVectors(store, blocks)
    labeled = vectors.gather(np.sort(np.array([one[0] for one in labels], dtype=np.int64)))[1]

    def distances(rows: np.ndarray) -> np.ndarray:
        found = np.full(len(rows), np.inf, dtype=np.float32)
        fold(found, rows, labeled)
        return found.astype(np.float64)

    def whole_pool() -> np.ndarray:
        return np.concatenate([distances(rows) for _, rows in vectors.runs(16_384)])

    began = time.perf_counter()
    plan = Plan(parts_of(done.strategy, model=True), done.depth, done.seed, project.task.value, done.near_duplicate)
    shard = Shard(vectors, closed, project.task.value, model, whole_pool, done.seed)
    lists = {sieve.name: merge(sieve, [sift(shard, sieve)], plan.seed) for sieve in plan.sieves()}
    around = Pool(vectors.gather, model, lambda: labeled, lambda _, rows: distances(rows))
    made = choose(plan, lists, around)
    return [one.ordinal for one in made.chosen], time.perf_counter() - began


def compare(database: Database, store: ArtifactStore, rows: int, repeats: int) -> list[dict[str, Any]]:
    """Both ways for each strategy, medians; the queue's picks are checked to be the bare ones."""
    project = vector_pool(database, store, rows)
    wait_for_round(database, project, 0)
    for _ in range(10):
        handed = hand_out(database, project.id, "ada", BATCH)
        assert handed.batch is not None
        sent = [Sent(i.external_id, "abcd"[i.ordinal % 4]) for i in handed.items]
        record(database, project.id, handed.batch.id, sent)
    wait_for_round(database, project, 1)
    project = database.run(lambda unit: projects.get(unit, project.id))
    table = []
    for strategy in STRATEGIES:
        queue, alone, same = [], [], True
        for _ in range(repeats):
            done, seconds = through_the_queue(database, project, strategy)
            queue.append(seconds)
            picks, seconds = bare(database, store, done, project)
            alone.append(seconds)
            with database.unit() as unit:
                ready = "SELECT ordinal FROM ready WHERE round_id = %s ORDER BY rank"
                same &= [one[0] for one in unit.connection.execute(ready, (done.id,)).fetchall()] == picks
        table.append(
            {
                "work": f"a scoring round over {rows:,} x 384 vectors, queue of {done.depth}", "system": said(strategy),
                "queue_s": round(float(np.median(queue)), 3), "bare_s": round(float(np.median(alone)), 3),
                "ratio": round(float(np.median(queue) / np.median(alone)), 2), "same_picks": same,
            }
        )  # fmt: skip
        print(table[-1], flush=True)
    return table


def main() -> None:
    """Every pool size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pools", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tithe-bench-") as folder:
        stack = Stack(
            StackOptions(data=Path(folder), scorers=2, flower=False), migrate=lambda url: migrate(url) and None
        )
        stack.start()
        try:
            with Database(stack.endpoints.database_url, connections=6) as database:
                store = ArtifactStore(Path(folder) / "artifacts")
                rows = [row for size in options.pools for row in compare(database, store, size, options.repeats)]
        finally:
            stack.stop()
    report("scoring_round", rows)


if __name__ == "__main__":
    main()
