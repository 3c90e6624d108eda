"""The stages of the demo, in order, against a stack that runs."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tithe.cli.demo import options as defaults
from tithe.cli.demo import random_baseline
from tithe.cli.demo.annotators import Crew, Pace
from tithe.cli.demo.board import Board, Stage
from tithe.cli.demo.data import Sample
from tithe.cli.demo.kill import Killer
from tithe.cli.demo.ledger import Ledger
from tithe.cli.demo.memory import PeakMemory
from tithe.cli.demo.options import DemoOptions
from tithe.cli.demo.random_baseline import RandomCurve
from tithe.cli.demo.report import Outcome
from tithe.client import ProjectHandle, Tithe
from tithe.contracts.insight import Status
from tithe.contracts.proof import Measured
from tithe.embedded.stack import Stack
from tithe.errors import Unavailable
from tithe.loop.audit import audit
from tithe.runtime import Runtime

STAGES = ("reviews", "stack", "import", "vectors", "labels", "random", "proof", "check")
_LOOK_SECONDS = 0.3
#: How long a stage may wait for the workers without getting anywhere.
_PATIENCE_SECONDS = 120.0
#: What is under way at the end is no violation; it gets so long to settle, and nothing may be older than this.
_SETTLE_SECONDS = 20.0


@dataclass
class Demo:
    """One run against one stack."""

    options: DemoOptions
    sample: Sample
    stack: Stack
    board: Board
    memory: PeakMemory
    ledger: Ledger = field(default_factory=Ledger)
    _seen_by_ranking: int = 0

    def run(self, runtime: Runtime) -> Outcome:
        """Every stage that needs the stack."""
        with Tithe(self.stack.endpoints.gateway_url, retries=defaults.RETRIES) as tithe:
            project = self._import(tithe)
            self._vectors(project)
            self._labels(project)
            curve = [(point.labels, point.score) for point in project.history().points if point.score is not None]
            compared = self._random(runtime, project, curve)
            worth = self._worth(project, curve)
            lost, violations = self._check(runtime, project)
        self._look(None)
        return Outcome(
            self.options,
            curve,
            compared,
            self.ledger,
            self.board,
            self.memory.measured_as,
            lost,
            violations,
            worth,
        )

    def _import(self, tithe: Tithe) -> ProjectHandle:
        options, sample = self.options, self.sample
        with self.board.stage("import") as stage:
            project = tithe.create_project(
                "reviews", labels=sample.classes, **_strategy(options), metric=options.metric, encoder=options.encoder,
                batch_size=options.batch_size, retrain_every=options.retrain_every,
                lease_seconds=defaults.LEASE_SECONDS, budget=options.budget, seed=options.seed,
            )  # fmt: skip
            # The labels of the pool stay here: the server learns them from the annotators, or not at all.
            held_out = [{"id": r.id, "text": r.text, "split": "test", "label": r.label} for r in sample.test]
            pool = [{"id": r.id, "text": r.text, "split": "pool"} for r in sample.pool]
            done = project.import_items(held_out + pool, progress=_rows(stage))
            stage.note = f"{done.accepted:,} items, {done.labeled:,} of them held out with their labels"
            if done.rejected:
                raise Unavailable(f"the server refused {done.rejected} reviews: {done.rejected_lines[0].reason}")
        return project

    def _vectors(self, project: ProjectHandle) -> None:
        with self.board.stage("vectors"):
            for now in self._watch(project, "encoding", lambda now: (now.embedding.rows_ready, now.round)):
                encoded = now.embedding.rows_ready >= now.embedding.rows and not now.embedding.imports_running
                if encoded and now.round is None and now.ranking.round is not None:
                    return

    def _labels(self, project: ProjectHandle) -> None:
        options, truth = self.options, {review.id: review.label for review in self.sample.pool}
        pace = Pace(defaults.SECONDS_PER_ITEM, options.retrain_every)
        killer = Killer(options.kill, self.stack) if options.kill else None
        crew = Crew(
            self.stack.endpoints.gateway_url, project.id, truth, self.ledger,
            people=options.annotators, pace=pace, seed=options.seed, behind=self._behind,
        )  # fmt: skip
        with self.board.stage("labels") as stage, crew:
            for now in self._watch(project, "labeling", lambda now: (self.ledger.labels, now.round, now.ranking.round)):
                if crew.failure is not None:
                    raise crew.failure
                if killer is not None and (said := killer.look(self.ledger.labels / options.budget, now.round)):
                    stage.note = said
                trained_on = self.board.curve[-1][0] if self.board.curve else 0
                if not crew.at_work and now.round is None and trained_on >= self.ledger.labels:
                    return

    def _random(self, runtime: Runtime, project: ProjectHandle, curve: list[tuple[int, float]]) -> RandomCurve:
        with self.board.stage("random") as stage:
            task = random_baseline.read_task(runtime, project.id, self.sample, self.options.metric)

            def say(line: str) -> None:
                stage.note = line
                self._look(None)

            result = random_baseline.grow(
                task, curve, seeds=range(defaults.RANDOM_SEEDS), seconds=self.options.random_seconds, say=say
            )
            stage.note = f"samples of up to {result.tried:,}"
        return result

    def _worth(self, project: ProjectHandle, curve: list[tuple[int, float]]) -> Measured | None:
        """What the server itself measured of the last model, without any comparison; None: not in time."""
        with self.board.stage("proof") as stage:
            until = time.monotonic() + _SETTLE_SECONDS
            while curve and time.monotonic() < until:
                latest = project.proof().latest
                if latest is not None and latest.labels >= curve[-1][0]:
                    stage.note = f"from {latest.measured.control_labels} control labels"
                    return latest.measured
                time.sleep(_LOOK_SECONDS)
                self._look(None)
            stage.note = "the prover is not done"
        return None

    def _check(self, runtime: Runtime, project: ProjectHandle) -> tuple[int, list[str]]:
        """Labels acknowledged but not exported, and invariants that do not hold."""
        with self.board.stage("check") as stage:
            lost = len(self.ledger.counted.items() - _exported(project).items())
            until = time.monotonic() + _SETTLE_SECONDS
            while True:
                found = audit(runtime.database, runtime.artifacts, patience_seconds=_SETTLE_SECONDS)
                if not found or time.monotonic() > until:
                    break
                time.sleep(1.0)
            stage.note = "clean" if not found else f"{len(found)} invariants violated"
        return lost, [f"{one.invariant}: {one.detail}" for one in found]

    def _behind(self) -> int:
        return self.ledger.labels - self._seen_by_ranking

    def _watch(self, project: ProjectHandle, what: str, progress: Callable[[Status], Any]) -> Iterator[Status]:
        """The project's status, again and again. Raises Unavailable where `progress` stays the same for too long."""
        before, since = None, time.monotonic()
        while True:
            now = project.status()
            self._look(now)
            version = now.model.version if now.model else 0
            if version > len(self.board.curve):
                points = project.history().points
                self.board.curve = [(point.labels, point.score) for point in points if point.score is not None]
            yield now
            if (reached := progress(now)) != before:
                before, since = reached, time.monotonic()
            elif time.monotonic() - since > _PATIENCE_SECONDS:
                failure = (
                    f"; last failure: {now.last_failure.what}: {now.last_failure.reason}" if now.last_failure else ""
                )
                raise Unavailable(f"{what} stands still since {_PATIENCE_SECONDS:.0f} seconds{failure}")
            time.sleep(_LOOK_SECONDS)

    def _look(self, now: Status | None) -> None:
        board, ledger = self.board, self.ledger
        board.processes, board.memory_mb = self.stack.processes, self.memory.megabytes
        board.labels, board.budget = ledger.labels, self.options.budget
        board.p50_ms, board.p99_ms = ledger.wait_ms(0.50), ledger.wait_ms(0.99)
        if now is None:
            return
        self._seen_by_ranking = now.budget.received - now.ranking.labels_since
        board.encoded, board.to_encode = now.embedding.rows_ready, now.embedding.rows
        if now.round is not None:
            shards = f", {now.round.shards_done} of {now.round.shards} shards" if now.round.shards else ""
            board.round = f"round {now.round.number} {now.round.state}{shards}"
        elif now.ranking.round is not None:
            board.round = f"round {now.ranking.round} ready"


def _rows(stage: Stage) -> Callable[[int, int | None], None]:
    def progress(sent: int, whole: int | None) -> None:
        stage.note = f"{sent:,} of {whole:,} rows" if whole else f"{sent:,} rows"

    return progress


def _exported(project: ProjectHandle) -> Mapping[str, str]:
    """Item → label, as the server gives them out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.ndjson"
        project.export(path)
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
    return {row["id"]: row["label"] for row in rows}


def _strategy(options: DemoOptions) -> dict[str, str]:
    """What to send: nothing where the product is to choose by itself."""
    return {} if options.strategy == defaults.STRATEGY else {"strategy": options.strategy}
