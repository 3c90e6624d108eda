"""The demo from beginning to end, small: the report it writes, and that nothing is lost when a process is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

SMALL = ("--encoder", "hashing", "--pool", "400", "--test", "150", "--budget", "60", "--retrain-every", "20",
         "--batch-size", "5", "--random-seconds", "5")  # fmt: skip
TITHE = (sys.executable, "-c", "from tithe.cli.main import app; app()")


def broken_promises(report: dict[str, Any]) -> list[str]:
    """What the landing's own look at a report finds."""
    spec = importlib.util.spec_from_file_location("check_report", Path(__file__).parent / "check_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.broken_promises(report)


def run(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    done = subprocess.run(
        [*TITHE, "demo", *SMALL, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, json.loads((folder / "demo" / "report.json").read_text())


def test_the_demo_runs_to_its_end_and_reports(tmp_path: Path):
    printed, report = run(tmp_path)
    assert broken_promises(report) == []
    assert (report["labels_used"], report["lost_labels"]) == (60, 0)
    assert [point["labels"] for point in report["curve"]][-1] == 60
    assert report["random_score_at_same_labels"] is not None
    assert (
        report["random_labels_for_same_score"]
        or report["random_labels_tried"] == 400
        or report["random_ran_out_of_time"]
    )
    assert 0 < report["batch_p50_ms"] <= report["batch_p99_ms"]
    assert (tmp_path / "demo" / "curve.png").stat().st_size > 10_000
    assert "labels: done" in printed
    assert list((tmp_path / ".tithe" / "demo").iterdir()) == [], "its data is removed"


def test_a_trainer_killed_in_the_middle_costs_nothing_but_time(tmp_path: Path):
    printed, report = run(tmp_path, "--kill", "trainer")
    assert "killed trainer" in printed
    assert broken_promises(report) == []
    assert (report["killed"], report["labels_used"], report["lost_labels"]) == ("trainer", 60, 0)


def test_with_keep_it_stays_to_be_looked_at_until_ctrl_c(tmp_path: Path):
    log = tmp_path / "out.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*TITHE, "demo", *SMALL, "--keep", "--data", "kept"], cwd=tmp_path, stdout=out, stderr=out
        )
    try:
        until = time.monotonic() + 240
        while "running; Ctrl-C stops" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        told = json.loads((tmp_path / "kept" / "stack.json").read_text())
        with urllib.request.urlopen(f"{told['gateway_url']}/v1/projects", timeout=10) as answer:
            assert json.load(answer)["projects"][0]["name"] == "reviews"
        assert told["endpoints"]["flower_password"] in log.read_text()
        status = subprocess.run(
            [*TITHE, "status", "reviews", "--data", "kept"], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert "finished: budget spent" in status.stdout
        checked = subprocess.run(
            [*TITHE, "check", "--data", "kept"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert checked.stdout.startswith("clean")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert not psutil.wait_procs(children, timeout=10)[1]
    finally:
        process.kill()
        process.wait()
