"""A whole stack under load: every process is killed with -9 in turn, and nothing labeled is lost or counted twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tithe.client import ProjectHandle, Tithe
from tithe.embedded.stack import Stack, StackOptions
from tithe.storage import checks
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

VICTIMS = ("keeper", "trainer", "scorer-1", "prover", "gateway", "valkey", "sync", "flower", "postgres")
BUDGET = 640
START = """
import pathlib, sys
from tithe.embedded.stack import Stack, StackOptions
from tithe.storage.migrate import migrate

options = StackOptions(data=pathlib.Path(sys.argv[1]), scorers=1, flower=False)
stack = Stack(options, migrate=lambda url: migrate(url) and None)
stack.start()
print(stack.endpoints.gateway_url, flush=True)
stack.wait()
"""
WORDS = {"sport": "match goal team coach", "money": "bank share market profit", "health": "doctor nurse vaccine ward"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The whole stack, with durable commits: what is acknowledged must survive."""
    options = StackOptions(data=tmp_path / "data", scorers=1, env={"TITHE_BLOCK_ROWS": "300"})
    with Stack(options, migrate=lambda url: migrate(url) and None) as running:
        running.start()
        yield running


def kill(stack: Stack, name: str) -> None:
    """Kill one process with -9 and wait until its successor runs."""
    (victim,) = [process for process in stack.processes if process.name == name]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (now,) = [process for process in stack.processes if process.name == name]
        if now.state == "running" and now.pid not in (None, victim.pid):
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} did not come back")


def label(project: ProjectHandle, name: str, truth: dict[str, str], seen: dict[str, str]) -> None:
    """Label until there is nothing more to label; note what was acknowledged as counted."""
    chance = random.Random(name)
    while True:
        batch = project.next_batch(name, wait=True)
        if not batch:
            if batch.finished:
                return
            time.sleep(0.2)
            continue
        time.sleep(chance.uniform(0.05, 0.3))
        stored = batch.submit({item.item_id: truth[item.item_id] for item in batch.items})
        for outcome in stored.outcomes:
            if outcome.outcome == "counted":
                seen[outcome.item_id] = truth[outcome.item_id]


def test_every_process_is_killed_in_turn_and_every_acknowledged_label_is_there_once(stack: Stack):
    chance = random.Random(0)
    truth = {f"i{n}": chance.choice(list(WORDS)) for n in range(1500)}
    rows = [
        {"id": key, "text": f"{' '.join(chance.sample(WORDS[topic].split(), 3))} {key}"} for key, topic in truth.items()
    ]
    seen: dict[str, str] = {}
    with Tithe(stack.endpoints.gateway_url, retries=12) as client:
        project = client.create_project(
            "news",
            labels=list(WORDS),
            encoder="hashing",
            batch_size=8,
            retrain_every=40,
            budget=BUDGET,
            lease_seconds=20,
        )
        assert project.import_items(rows).accepted == 1500
        with ThreadPoolExecutor(4) as threads:
            labeling = [threads.submit(label, project, f"annotator {n}", truth, seen) for n in range(4)]
            for name in VICTIMS:
                time.sleep(0.5)
                kill(stack, name)
            for future in labeling:
                future.result()
        wait_until_quiet(project)
        status = project.status()
    with Database(stack.endpoints.database_url) as database:
        assert database.run(lambda unit: checks.check(unit, patience_seconds=30)) == []
        with database.unit() as unit:
            stored = unit.connection.execute(
                "SELECT i.external_id, a.value FROM answers a JOIN items i USING (project_id, ordinal)"
                " WHERE a.state = 'counted'"
            ).fetchall()
            last = unit.connection.execute(
                "SELECT label_count, state FROM rounds ORDER BY number DESC LIMIT 1"
            ).fetchone()
    assert dict(stored) == {**dict(stored), **seen}, "an acknowledged label is missing"
    assert len(stored) == len(dict(stored)) == BUDGET
    assert last == (BUDGET, "ready"), "the history ends with the last label"
    assert status.budget.left == 0


def wait_until_quiet(project: ProjectHandle) -> None:
    """Until no round runs any more."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if project.status().round is None:
            return
        time.sleep(0.5)
    raise AssertionError("a round never ended")


def test_a_second_start_after_kill_9_of_everything_resumes(tmp_path: Path):
    """The power goes off: every process of the stack, at once. The next start finds every label."""
    data = tmp_path / "data"
    parent = subprocess.Popen([sys.executable, "-c", START, str(data)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    with Tithe(url) as client:
        project = client.create_project("news", labels=list(WORDS), encoder="hashing", batch_size=20, retrain_every=40)
        project.import_items([{"id": f"i{n}", "text": f"text {n}"} for n in range(200)])
        for _ in range(3):
            batch = project.next_batch("ada", wait=True)
            assert batch
            batch.submit(dict.fromkeys([item.item_id for item in batch.items], "sport"))
    family = [*psutil.Process(parent.pid).children(recursive=True), psutil.Process(parent.pid)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    parent.wait()
    parent.stdout.close()
    with Stack(StackOptions(data=data, scorers=1, flower=False), migrate=lambda u: migrate(u) and None) as again:
        again.start()
        assert again.endpoints.gateway_url == url, "bookmarks still work"
        with Tithe(url) as client:
            project = client.project("news")
            assert project.status().counts.labeled == 60
            batch = project.next_batch("ada", wait=True)
            assert batch
