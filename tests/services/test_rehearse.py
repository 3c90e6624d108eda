"""`tithe rehearse` as people run it, and against a project that the services run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

import tiny_transformer
from tithe.connectors.files.row import Row
from tithe.contracts.projects import ProjectSpec, Task
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent, record
from tithe.rehearsal.problem import Problem
from tithe.rehearsal.records import Records
from tithe.rehearsal.replay import Course
from tithe.rehearsal.settings import Settings
from tithe.rehearsal.stage import Stage, build
from tithe.runtime import Runtime
from tithe.storage import projects
from tithe.storage.pool import NewItem

from .topics import text_items
from .turning import bring_in, work_off

TITHE = str(Path(sys.executable).parent / "tithe")


def command(*arguments: str, at: Path) -> list[str]:
    return [TITHE, "rehearse", *arguments, "--out", str(at)]


def run(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments, at=at), capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those from 0 to 3: enough to be learned from, few enough to be quick."""
    pixels, named = load_digits(n_class=4, return_X_y=True)
    path = tmp_path_factory.mktemp("digits") / "digits.parquet"
    pq.write_table(pa.table({"pixels": pixels.tolist(), "digit": named}), path)
    return path


def told(at: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((at / "report.json").read_text())
    return report


SHORT = ("--vectors", "pixels", "--label", "digit", "--rounds", "3", "--seeds", "2", "--strategy", "margin")


def test_digits_are_played_and_reported(digits: Path, tmp_path: Path):
    done = run(str(digits), *SHORT, "--price", "0.08", "--jobs", "2", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "margin" in done.stdout
    assert "report.html" in done.stdout
    report = told(tmp_path)
    assert set(report) == {"format", "data", "settings", "full_pool", "strategies", "seconds", "recommendation"}
    assert report["format"] == "tithe.rehearsal/1"
    assert [one["name"] for one in report["strategies"]] == ["random", "margin"]
    assert report["data"]["pool"] + report["data"]["test"] == 720
    assert report["full_pool"]["score"]["median"] > 0.93
    for one in report["strategies"]:
        assert [target["share"] for target in one["targets"]] == [0.9, 0.95, 0.98, 0.99]
        assert one["curve"]["labels"][:3] == [20, 40, 60]
        assert set(one["f1"]) == {str(digit) for digit in range(4)}
        assert one["at_the_end"]["score"]["median"] > 0.75
    assert "2 seeds are too few for an interval" in " ".join(report["recommendation"]["words"])
    assert (tmp_path / "report.html").read_text().count("<svg") == 3


def test_killed_and_run_again_it_ends_with_the_same_report(digits: Path, tmp_path: Path):
    arguments = (str(digits), *SHORT, "--jobs", "2")
    assert run(*arguments, at=tmp_path / "whole").returncode == 0
    at = tmp_path / "killed"
    process = subprocess.Popen(
        command(*arguments, at=at), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 150
    while time.monotonic() < until:
        if (at / "runs.jsonl").exists() and len((at / "runs.jsonl").read_bytes().splitlines()) >= 3:
            break
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len((at / "runs.jsonl").read_bytes().splitlines())
    assert 3 <= before < 6
    assert not psutil.wait_procs(children, timeout=20)[1]  # nobody is left behind
    assert run(*arguments, at=at).returncode == 0
    whole, resumed = told(tmp_path / "whole"), told(at)
    assert {**whole, "seconds": None} == {**resumed, "seconds": None}
    lines = (at / "runs.jsonl").read_text().splitlines()
    assert len({json.loads(line)["fingerprint"] for line in lines}) == 6


def test_ctrl_c_leaves_what_is_done_and_no_process(digits: Path, tmp_path: Path):
    process = subprocess.Popen(
        command(str(digits), *SHORT, "--jobs", "2", "--rounds", "30", at=tmp_path), stdout=subprocess.PIPE, text=True
    )
    while not (tmp_path / "runs.jsonl").exists():
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on" in out
    assert not psutil.wait_procs(children, timeout=20)[1]


def test_texts_are_encoded_once(tmp_path: Path):
    items, truth = text_items(200, tests=0)
    rows = [{"text": item.text, "topic": truth[item.external_id]} for item in items]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = (str(path), "--label", "topic", "--encoder", "hashing", "--rounds", "2", "--seeds", "1", "--jobs", "1")
    first = run(*arguments, "--strategy", "default", at=tmp_path / "out")
    assert first.returncode == 0, first.stderr
    kept = list((tmp_path / "out" / "data").iterdir())
    assert run(*arguments, "--strategy", "margin", at=tmp_path / "out").returncode == 0
    assert list((tmp_path / "out" / "data").iterdir()) == kept
    assert told(tmp_path / "out")["settings"]["encoder"] == "hashing"


def test_a_transformer_is_tuned_anew_each_round(tmp_path: Path):
    pytest.importorskip("torch", reason="the text extra is not installed: fine-tuning needs torch")
    topics = {"sport": ["goal", "match", "team", "coach"], "food": ["soup", "bread", "taste", "salt"]}
    tiny_transformer.make(tmp_path / "tiny", [word for words in topics.values() for word in words])
    rng = np.random.default_rng(0)
    rows = [
        {"text": " ".join([*rng.choice(words, 4), str(at)]), "label": topic}
        for at, (topic, words) in enumerate([*topics.items()] * 60)
    ]
    path = tmp_path / "news.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run(
        str(path), "--encoder", f"torch:{tmp_path / 'tiny'}", "--learner", "transformer", "--rounds", "2", "--batch",
        "16", "--seeds", "1", "--strategy", "margin", "--near-duplicate", "0", "--jobs", "1", at=tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    margin = told(tmp_path / "out")["strategies"][1]
    assert margin["curve"]["labels"] == [16, 32]
    assert margin["at_the_end"]["score"]["median"] > 0.6
    assert "nan" not in done.stdout


def test_entities_are_played(tmp_path: Path):
    rng = np.random.default_rng(0)
    names, verbs, places = ["Ada", "Bob", "Eve", "Max"], ["saw", "met", "left", "liked"], ["Paris", "Rome", "Oslo"]
    rows = [
        {"tokens": [str(rng.choice(names)), str(rng.choice(verbs)), str(rng.choice(places)), "on", f"day{at}"],
         "tags": ["B-PER", "O", "B-LOC", "O", "O"]}
        for at in range(120)
    ]  # fmt: skip
    path = tmp_path / "tagged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run(
        str(path), "--label", "tags", "--encoder", "hashing", "--rounds", "2", "--batch", "10", "--seeds", "1",
        "--strategy", "default", "--error-rate", "0.1", "--jobs", "1", at=tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = told(tmp_path / "out")
    assert (report["data"]["task"], report["settings"]["metric"]) == ("token_classification", "entity_f1")
    assert report["strategies"][1]["at_the_end"]["score"]["median"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--label", "number"), "has no column 'number'"),
        (("--label", "digit"), "no column 'text'"),
        (("--vectors", "pixels", "--label", "digit", "--strategy", "margn"), "did you mean margin?"),
        (("--vectors", "pixels", "--label", "digit", "--encoder", "minilm"), "brings its vectors"),
        (("--vectors", "pixels", "--label", "digit", "--metric", "entity_f1"), "is not scored by entity_f1"),
        (("--vectors", "pixels", "--label", "digit", "--batch", "1000", "--test-share", "0.9"), "not one batch of"),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(digits: Path, tmp_path: Path, arguments: tuple[str, ...], said: str):
    done = run(str(digits), *arguments, at=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("strategy", ["margin", {"entropy": 0.5, "variance_reduction": 0.5}, "k_center"])
def test_a_project_asks_for_what_its_rehearsal_asked_for(runtime: Runtime, tmp_path: Path, strategy: Any):
    rng = np.random.default_rng(1)
    target = rng.integers(3, size=300)
    vectors = (rng.normal(size=(3, 8))[target] + rng.normal(size=(300, 8))).astype(np.float32)
    names = ["a", "b", "c"]
    spec = ProjectSpec(
        name="same", task=Task.VECTORS, labels=names, strategy=strategy, batch_size=10, retrain_every=10, seed=11,
        control=0.1, metric="accuracy",
    )  # fmt: skip
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    items = [
        NewItem(at, str(at), hashlib.sha256(row.tobytes()).digest(), "pool", vector=row)
        for at, row in enumerate(vectors)
    ]
    bring_in(runtime, project, items, block_rows=300)
    work_off(runtime)
    asked: list[int] = []
    for _ in range(4):
        handed = hand_out(runtime.database, project.id, "ada", 10)
        assert handed.batch is not None
        asked += [int(item.external_id) for item in handed.items]
        sent = [Sent(item.external_id, names[target[int(item.external_id)]]) for item in handed.items]
        record(runtime.database, project.id, handed.batch.id, sent)
        work_off(runtime)

    settings = Settings(Task.VECTORS, "accuracy", rounds=4, batch=10, control=0.1)
    rows = [Row(at, label=names[one]) for at, one in enumerate(target)]
    records = Records(Task.VECTORS, names, rows, vectors, 0, [])
    stage = Stage.opened(build(records, settings, tmp_path, 1, lambda *_: None))
    every = np.arange(300)
    course = Course(Problem(stage, 11, every, every[:0], vectors, target), settings, strategy)
    for number in range(4):
        course.label(number)
        course.learn(number + 1)
    assert course.labeled.tolist() == asked
