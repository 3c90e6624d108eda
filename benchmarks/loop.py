"""The loop's two speeds: hand-outs and labels a second, and how soon a label changes what is handed out.

Run by ``make bench-loop``. Starts its own stack in a temporary folder, with durable commits, and throws it away.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import numpy as np
from harness import percentile, report

from tithe.artifacts import ArtifactStore
from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.embedded.stack import Stack, StackOptions
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors, block_key
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent, record
from tithe.storage import pool, projects
from tithe.storage.database import Database
from tithe.storage.migrate import migrate
from tithe.storage.pool import Block

CONNECTIONS = 16
BATCH = 10
ITEMS = 200_000
DIMENSION = 384
BLOCK = 131_072


def preload(database: Database, project_id: UUID, rows: int, *, queue: int) -> None:
    """A pool straight into the tables (the import is another benchmark), `queue` of it ready to be handed out."""
    with database.unit() as unit:
        run = unit.connection.execute
        run("SET LOCAL statement_timeout = 0")
        values: dict[str, Any] = {"p": project_id, "n": rows, "q": queue, "r": uuid4()}
        run(
            "INSERT INTO items (project_id, ordinal, external_id, digest, split, text) SELECT %(p)s, n, 'i' || n,"
            " decode(md5(n::text), 'hex'), 'pool', 'text ' || n FROM generate_series(0, %(n)s - 1) n",
            values,
        )
        run("UPDATE pools SET item_count = %(n)s, planned_count = %(n)s WHERE project_id = %(p)s", values)
        if queue:
            run(
                "INSERT INTO rounds (id, project_id, number, state, reason, strategy, seed, depth, watermark,"
                " label_count)"
                " VALUES (%(r)s, %(p)s, 0, 'ready', 'cold_start', 'margin', 0, %(q)s, 0, 0)",
                values,
            )
            run("UPDATE progress SET round_number = 0, current_round = %(r)s WHERE project_id = %(p)s", values)
            run(
                "INSERT INTO ready (project_id, round_id, rank, ordinal, open_slots, chosen_by)"
                " SELECT %(p)s, %(r)s, n, n, 1, 'margin' FROM generate_series(0, %(q)s - 1) n",
                values,
            )


def make_project(database: Database, name: str, **changes: Any) -> Project:
    """A project that never asks for a round unless told."""
    spec: dict[str, Any] = {"task": Task.TEXT, "labels": ["a", "b"], "encoder": "hashing", "strategy": "margin"}
    spec |= {"batch_size": BATCH, "retrain_every": 1_000_000, "lease_seconds": 600, **changes}
    return database.run(lambda unit: projects.create(unit, ProjectSpec(name=name, **spec)))


# ---- hand-outs and labels a second ----


def http_labeler(url: str, project_id: str, name: str, seconds: float) -> list[tuple[float, float]]:
    """Lease, answer, again, over one kept connection: (lease, submit) seconds each."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    head = {"Content-Type": "application/json"}
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection.request("POST", f"/v1/projects/{project_id}/batches", json.dumps({"annotator": name}), head)
        batch = json.loads(connection.getresponse().read())
        leased = time.perf_counter()
        labels = [{"item_id": item["item_id"], "label": "a"} for item in batch["items"]]
        body = json.dumps({"labels": labels})
        key = {"Idempotency-Key": str(uuid4())}
        connection.request("POST", f"/v1/batches/{batch['batch_id']}/labels", body, head | key)
        answer = connection.getresponse()
        if answer.status != 201:
            raise RuntimeError(answer.read())
        answer.read()
        times.append((leased - began, time.perf_counter() - leased))
    return times


def http_process(url: str, project_id: str, number: int, threads: int, seconds: float) -> list[tuple[float, float]]:
    """Some of the connections, in a process of their own."""
    with ThreadPoolExecutor(threads) as workers:
        runs = [workers.submit(http_labeler, url, project_id, f"h{number}-{n}", seconds) for n in range(threads)]
        return [one for run in runs for one in run.result()]


def sql_process(url: str, project_id: str, number: int, threads: int, seconds: float) -> list[tuple[float, float]]:
    """The same calls on the same rows, without HTTP."""
    with Database(url, connections=threads) as database, ThreadPoolExecutor(threads) as workers:
        runs = [
            workers.submit(sql_labeler, database, UUID(project_id), f"s{number}-{n}", seconds) for n in range(threads)
        ]
        return [one for run in runs for one in run.result()]


def sql_labeler(database: Database, project_id: UUID, name: str, seconds: float) -> list[tuple[float, float]]:
    """Lease, answer, again."""
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        handed = hand_out(database, project_id, name, None)
        leased = time.perf_counter()
        assert handed.batch is not None
        sent = [Sent(item.external_id, "a") for item in handed.items]
        record(database, project_id, handed.batch.id, sent, str(uuid4()))
        times.append((leased - began, time.perf_counter() - leased))
    return times


def throughput(database: Database, gateway: str, seconds: float) -> list[dict[str, Any]]:
    """Both ways, one after the other, the same number of connections."""
    rows = []
    for system, target, work in (("sql", database.url, sql_process), ("http", gateway, http_process)):
        project = make_project(database, f"throughput {system}")
        preload(database, project.id, ITEMS, queue=ITEMS)
        began = time.perf_counter()
        with ProcessPoolExecutor(2) as workers:
            runs = [workers.submit(work, target, str(project.id), n, CONNECTIONS // 2, seconds) for n in range(2)]
            times = [one for run in runs for one in run.result()]
        wall = time.perf_counter() - began
        leases, submits = [a * 1000 for a, _ in times], [b * 1000 for _, b in times]
        rows.append(
            {
                "work": f"lease {BATCH} items, label them; {CONNECTIONS} connections", "system": system, "n": ITEMS,
                "cycles": len(times), "wall_s": round(wall, 2), "calls_per_s": round(2 * len(times) / wall),
                "labels_per_s": round(BATCH * len(times) / wall),
                "lease_p50_ms": round(percentile(leases, 50), 1), "lease_p99_ms": round(percentile(leases, 99), 1),
                "submit_p50_ms": round(percentile(submits, 50), 1), "submit_p99_ms": round(percentile(submits, 99), 1),
            }
        )  # fmt: skip
    rows[1]["share_of_sql"] = round(rows[1]["labels_per_s"] / rows[0]["labels_per_s"], 2)
    return rows


# ---- from the label that crosses the threshold to the new ready queue ----


def vector_pool(database: Database, store: ArtifactStore, rows: int) -> Project:
    """A pool of two noisy clusters, its blocks on disk as a scorer would have written them."""
    project = make_project(
        database, f"round trip {rows}", task=Task.VECTORS, encoder=None, retrain_every=100, labels=["a", "b", "c", "d"]
    )
    preload(database, project.id, rows, queue=0)
    rng = np.random.default_rng(0)
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        block = rng.standard_normal((size, DIMENSION), dtype=np.float32)
        block[:, 0] += 4 * (np.arange(start, start + size) % 4)
        stored = store.write_block(block_key(project.id, start, 0), block)
        with database.unit() as unit:
            unit.connection.execute(
                "INSERT INTO blocks VALUES (%s, %s, %s, 'ready', %s, %s, %s, %s)",
                (project.id, start, size, stored.key, stored.sha256, stored.size, DIMENSION),
            )
    database.run(lambda unit: turns.maybe_open(unit, project))
    return project


def wait_for_round(database: Database, project: Project, number: int) -> tuple[Any, ...]:
    """The stages' times of a round, once it is ready."""
    for _ in range(6000):
        with database.unit() as unit:
            row = unit.connection.execute(
                "SELECT state, failure, training_at - requested_at, scoring_at - coalesce(training_at, requested_at),"
                " selecting_at - scoring_at, ended_at - selecting_at, ended_at - requested_at,"
                " (facts ->> 'rows_scored')::bigint, (facts ->> 'scoring_seconds')::float"
                " FROM rounds WHERE project_id = %s AND number = %s",
                (project.id, number),
            ).fetchone()
        if row and row[0] == "failed":
            raise RuntimeError(row[1])
        if row and row[0] == "ready":
            return row[2:]
        time.sleep(0.05)
    raise TimeoutError(f"round {number}")


def round_trip(database: Database, store: ArtifactStore, rows: int, rounds: int) -> list[dict[str, Any]]:
    """Labels in batches of ten until the threshold is crossed, `rounds` times; medians over the rounds."""
    project = vector_pool(database, store, rows)
    wait_for_round(database, project, 0)
    stages = []
    for number in range(1, rounds + 1):
        for _ in range(10):
            handed = hand_out(database, project.id, "ada", BATCH)
            assert handed.batch is not None
            sent = [Sent(i.external_id, "abcd"[i.ordinal % 4]) for i in handed.items]
            record(database, project.id, handed.batch.id, sent)
        stages.append(wait_for_round(database, project, number))
    with database.unit() as unit:
        blocks = pool.ready_blocks(unit, project.id)
    median = [float(np.median([stage[i].total_seconds() for stage in stages])) for i in range(5)]
    total = median[4]
    names = ("to_trainer", "training", "scoring", "selecting")
    return [
        {
            "work": "label that crosses the threshold → new ready queue", "system": "tithe, 2 scorers", "n": rows,
            "d": DIMENSION, "k": project.retrain_every, "wall_s": round(total, 3),
            **{f"{name}_s": round(value, 3) for name, value in zip(names, median, strict=False)},
            **{f"{name}_share": round(value / total, 2) for name, value in zip(names, median, strict=False)},
            "rows_scored": stages[-1][5], "scorer_s": stages[-1][6],
            "one_pass_s": round(one_pass(store, blocks), 3),
        }
    ]  # fmt: skip


def one_pass(store: ArtifactStore, blocks: list[Block]) -> float:
    """The bare limit: one matrix product with a head's weights over the same files, in this process, nothing else."""
    weights = np.ones((DIMENSION, 4), dtype=np.float32)
    vectors = PoolVectors(store, blocks)
    for _ in vectors.runs(BLOCK):  # the checksums, which a scorer too computes once per process
        pass
    began = time.perf_counter()
    for _, rows in vectors.runs(16_384):
        rows @ weights
    return time.perf_counter() - began


def main() -> None:
    """Both benchmarks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="per contestant of the throughput run")
    parser.add_argument("--pools", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tithe-bench-") as folder:
        stack = Stack(
            StackOptions(data=Path(folder), scorers=2, flower=False), migrate=lambda url: migrate(url) and None
        )
        stack.start()
        try:
            rows = measure(stack, Path(folder), options)
        finally:
            stack.stop()
    report("loop", rows)


def measure(stack: Stack, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every row of the table."""
    with Database(stack.endpoints.database_url, connections=6) as database:
        rows = throughput(database, stack.endpoints.gateway_url, options.seconds)
        for size in options.pools:
            rows += round_trip(database, ArtifactStore(folder / "artifacts"), size, options.rounds)
    return rows


if __name__ == "__main__":
    main()
