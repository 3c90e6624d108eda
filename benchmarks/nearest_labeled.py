"""How far is the nearest labeled item: Postgres' exact scan, its HNSW index, and distances kept between rounds.

Run by ``make bench-nearest``. Starts its own Postgres in a temporary folder and throws it away.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
from harness import percentile, report

from tithe.artifacts import ArtifactStore
from tithe.contracts.projects import ProjectSpec, Task
from tithe.embedded.ports import choose_port
from tithe.embedded.postgres import Postgres
from tithe.embedded.supervisor import Supervisor
from tithe.loop import labeled as loop
from tithe.loop import minima
from tithe.loop.features import PoolVectors, block_key
from tithe.storage import labeled, pool, projects
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

DIMENSION = 384
LOOKUPS = 100
BULK = 500
NEW = 100


def vectors(rows: int, seed: int) -> np.ndarray:
    """As sentence encoders make them: of length one, in noisy clusters."""
    chance = np.random.default_rng(seed)
    centers = np.random.default_rng(0).standard_normal((200, DIMENSION), dtype=np.float32)
    found = centers[chance.integers(200, size=rows)] + 0.8 * chance.standard_normal((rows, DIMENSION), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def on_disk(database: Database, store: ArtifactStore, rows: np.ndarray) -> UUID:
    """A pool of one block."""
    spec = ProjectSpec(name=str(uuid4()), task=Task.VECTORS, labels=["a", "b"], strategy="random")
    project = database.run(lambda unit: projects.create(unit, spec))
    stored = store.write_block(block_key(project.id, 0, 0), rows)
    with database.unit() as unit:
        unit.connection.execute(
            "INSERT INTO blocks VALUES (%s, 0, %s, 'ready', %s, %s, %s, %s)",
            (project.id, len(rows), stored.key, stored.sha256, stored.size, DIMENSION),
        )
    return project.id


def each_ms(database: Database, of: labeled.LabeledSet, asked: np.ndarray, *, exact: bool) -> list[float]:
    """Five neighbours of one vector, again and again; milliseconds."""
    times = []
    for one in asked:
        began = time.perf_counter()
        database.run(lambda unit, one=one: labeled.nearest(unit, of, one[np.newaxis], 5, exact=exact))
        times.append(1000 * (time.perf_counter() - began))
    return times


def bulk_rate(database: Database, of: labeled.LabeledSet, asked: np.ndarray, *, exact: bool) -> float:
    """Vectors a second whose nearest is found, in one statement each hundred."""
    began = time.perf_counter()
    for at in range(0, len(asked), 100):
        database.run(lambda unit, at=at: labeled.nearest(unit, of, asked[at : at + 100], 1, exact=exact))
    return len(asked) / (time.perf_counter() - began)


def measure(database: Database, store: ArtifactStore, count: int, pool_rows: int) -> list[dict[str, Any]]:
    """One size of the labeled set, over a pool of `pool_rows`."""
    rows = vectors(pool_rows + count, seed=1)
    project_id = on_disk(database, store, rows)
    blocks = database.run(lambda unit: pool.ready_blocks(unit, project_id))
    reader = PoolVectors(store, blocks)
    reader.gather(np.arange(1))  # the checksum
    chosen = np.random.default_rng(2).permutation(len(rows))[:count]
    work = f"{count:,} labeled x {DIMENSION}"
    told: list[dict[str, Any]] = []

    began = time.perf_counter()
    loop.follow(database, project_id, chosen[:-NEW].tolist(), reader, watermark=1, label_count=1)
    told.append({"work": work, "system": "fill, binary COPY", "rows_per_s": round((count - NEW) / _since(began))})

    asked = rows[np.setdiff1d(np.arange(len(rows)), chosen)[:BULK]]
    of = database.run(lambda unit: labeled.read(unit, project_id))
    assert of is not None
    exact = each_ms(database, of, asked[:LOOKUPS], exact=True)
    told.append({"work": work, "system": "one lookup, exact scan", **_milliseconds(exact),
                 "bulk_rows_per_s": round(bulk_rate(database, of, asked, exact=True))})  # fmt: skip

    began = time.perf_counter()
    with database.unit() as unit:
        labeled.build_index(unit, labeled.lock(unit, project_id, DIMENSION))
    build = _since(began)
    of = database.run(lambda unit: labeled.read(unit, project_id))
    assert of is not None
    loop.measure(database, of, reader, 0)
    recall = database.run(lambda unit: labeled.recall(unit, project_id))
    assert recall is not None
    fast = each_ms(database, of, asked[:LOOKUPS], exact=False)
    told.append({"work": work, "system": "one lookup, HNSW", **_milliseconds(fast),
                 "bulk_rows_per_s": round(bulk_rate(database, of, asked, exact=False)), "build_s": round(build, 2),
                 "recall_at_1": round(recall.recall_at_1, 4), "recall_at_10": round(recall.recall_at_10, 4),
                 "distance_ratio": round(recall.distance_ratio, 6)})  # fmt: skip

    began = time.perf_counter()
    found = minima.current(database, store, project_id, blocks)
    told.append({"work": work, "system": "whole pool, from nothing", "pool_rows": len(rows),
                 "bulk_rows_per_s": round(len(rows) / _since(began)), "folded": found.folded})  # fmt: skip
    began = time.perf_counter()
    loop.follow(database, project_id, chosen.tolist(), reader, watermark=2, label_count=2)
    told.append({"work": work, "system": "fill, index in place", "rows_per_s": round(NEW / _since(began))})
    began = time.perf_counter()
    found = minima.current(database, store, project_id, blocks)
    seconds = _since(began)
    assert found.folded == NEW
    told.append({"work": work, "system": "whole pool, kept", "pool_rows": len(rows),
                 "bulk_rows_per_s": round(len(rows) / seconds), "folded": NEW,
                 "share_of_gemm": round(bare(reader, rows[chosen[-NEW:]]) / seconds, 2)})  # fmt: skip
    with psycopg.connect(database.url) as connection:
        size = connection.execute("SELECT pg_relation_size(%s), pg_relation_size(%s)", (of.name, f"{of.name}_near"))
        table, index = size.fetchone() or (0, 0)
    told.append({"work": work, "system": "size on disk", "table_mb": table >> 20, "index_mb": index >> 20})
    return told


def bare(reader: PoolVectors, new: np.ndarray) -> float:
    """The bare limit: one matrix product of the same block with the new vectors, and nothing else; seconds."""
    began = time.perf_counter()
    for _, rows in reader.runs(16_384):
        rows @ new.T
    return _since(began)


def _since(began: float) -> float:
    return time.perf_counter() - began


def _milliseconds(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(percentile(times, 50), 2), "p99_ms": round(percentile(times, 99), 2)}


def main() -> None:
    """Every size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--labeled", type=int, nargs="*", default=[1_000, 10_000, 50_000])
    parser.add_argument("--pool", type=int, default=20_000, help="rows that are not labeled")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tithe-bench-") as folder:
        server = Postgres(Path(folder) / "postgres", choose_port(None, ()), durable=True)
        server.prepare()
        supervisor = Supervisor()
        supervisor.start([server.spec(Path(folder) / "postgres.log")])
        try:
            server.create_database()
            migrate(server.url)
            with Database(server.url, connections=2, statement_seconds=600) as database:
                for count in options.labeled:
                    rows += measure(database, ArtifactStore(Path(folder) / "artifacts"), count, options.pool)
        finally:
            supervisor.stop()
    report("nearest_labeled", rows)


if __name__ == "__main__":
    main()
