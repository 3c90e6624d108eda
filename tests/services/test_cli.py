"""The command line: what it prints, what it exits with, and that it never shows a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import uvicorn
from typer.testing import CliRunner, Result

from tithe.cli.main import app
from tithe.embedded.endpoints import Endpoints
from tithe.embedded.folder import DataFolder
from tithe.embedded.ports import choose_port
from tithe.embedded.state import StateFile
from tithe.gateway.app import create_app
from tithe.runtime import Runtime


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder where nothing runs, and a wide terminal, so that lines stay whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("TITHE_URL", "TITHE_DATA", "TITHE_DATABASE_URL", "TITHE_BROKER_URL", "TITHE_TRACE", "TITHE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gateway(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(runtime), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setenv("TITHE_URL", url)
    yield url
    server.should_exit = True
    thread.join()


def tithe(*arguments: str, ok: bool = True) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert "Traceback" not in result.output
    assert (result.exit_code == 0) is ok, result.output
    return result


def items(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_a_project_is_made_shown_changed_and_deleted(gateway: str):
    tithe("project", "create", "mail", "-l", "ham,spam", "-l", "eggs", "--encoder", "hashing", "--budget", "9")
    shown = json.loads(tithe("project", "show", "mail", "--json").output)
    assert (shown["labels"], shown["budget"]) == (["ham", "spam", "eggs"], 9)
    assert shown["strategy"] == {"entropy": 0.5, "variance_reduction": 0.5}
    assert "entropy" in tithe("project", "patch", "mail", "--strategy", "entropy", "--no-budget").output
    assert json.loads(tithe("project", "list", "--json").output)[0]["budget"] is None
    assert "mail" in tithe("project", "list").output
    assert "ham, spam, eggs" in tithe("project", "show", "mail").output
    assert CliRunner().invoke(app, ["project", "delete", "mail"], input="n\n").exit_code == 1
    tithe("project", "delete", "mail", "--yes")
    assert "no projects yet" in tithe("project", "list").output


def test_how_texts_are_learned_shown_and_paid_is_said_when_a_project_is_made(gateway: str, tmp_path: Path):
    tithe("project", "create", "people", "-l", "PER,LOC", "--task", "token_classification", "--blind", "--budget", "9",
          "--budget-unit", "words", "--learner", "transformer", "--strategy", "random")  # fmt: skip
    shown = json.loads(tithe("project", "show", "people", "--json").output)
    assert [shown[name] for name in ("pre_annotate", "budget_unit", "learner", "metric")] == [
        False, "words", "transformer", "entity_f1"
    ]  # fmt: skip
    tithe("project", "patch", "people", "--pre-annotate", "--learner", "linear")
    shown = json.loads(tithe("project", "show", "people", "--json").output)
    assert (shown["pre_annotate"], shown["learner"]) == (True, "linear")
    assert "9 words" in tithe("project", "list").output
    tithe("import", str(items(tmp_path / "p.jsonl", ['{"text": "Ada"}'])), "-p", "people")
    assert "0 of 9 words" in tithe("status", "people").output
    bad = tithe("project", "create", "x", "-l", "a,b", "--encoder", "hashing", "--learner", "transformer", ok=False)
    assert "torch:NAME_OR_FOLDER" in bad.stderr


def test_items_go_in_labels_come_out_and_bad_lines_are_told(gateway: str, tmp_path: Path):
    tithe("project", "create", "mail", "-l", "ham,spam", "--encoder", "hashing")
    file = items(tmp_path / "mail.csv", ["review,mark", "hello,ham", ",spam", "win,eggs", "bye,"])
    out = tithe("import", str(file), "--project", "mail", "--text-column", "review", "--label-column", "mark").output
    assert "4 lines: 2 new items, 0 with the content of an item that is there, 1 labels" in out
    assert "2 lines were not taken" in out
    assert "'eggs' is no class" in out
    again = tithe("import", str(file), "-p", "mail", "--text-column", "review", "--label-column", "mark").output
    assert "0 new items, 2 with the content of an item that is there" in again
    assert "wrote" in tithe("export", "mail", "labels.jsonl", "--all").output
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(row["text"], row["label"]) for row in rows] == [("hello", "ham"), ("bye", None)]
    assert json.loads(tithe("export", "mail", "-", "--format", "jsonl").output)["label"] == "ham"


def test_an_import_of_which_nothing_was_taken_fails(gateway: str, tmp_path: Path):
    tithe("project", "create", "mail", "-l", "ham,spam", "--encoder", "hashing")
    result = tithe("import", str(items(tmp_path / "mail.jsonl", ["{", "[]"])), "-p", "mail", ok=False)
    assert "not one of 2 lines could be taken" in result.stderr
    assert "2 lines were not taken" in result.stdout
    assert "send lines such as" in result.stdout  # the second line's remedy
    more = tithe("import", str(items(tmp_path / "m.jsonl", ['{"text": "a", "x": 1}'])), "-p", "mail", ok=False)
    assert "--extra meta" in more.stdout
    assert "--extra meta" in more.stderr
    assert "?extra" not in more.output
    named = items(tmp_path / "mail.txt", ["{}"])
    assert "--format" in tithe("import", str(named), "-p", "mail", ok=False).stderr


def test_status_tells_of_all_projects_and_of_one(gateway: str, tmp_path: Path):
    assert "no projects yet" in tithe("status").output
    tithe("project", "create", "mail", "-l", "ham,spam", "--encoder", "hashing", "--budget", "9")
    tithe("import", str(items(tmp_path / "m.jsonl", [f'{{"text": "t{n}"}}' for n in range(12)])), "-p", "mail")
    assert "0 of 9" in tithe("status").output
    one = tithe("status", "mail").output
    assert "12: 0 labeled, 0 skipped, 12 unlabeled, 0 held out" in one
    assert json.loads(tithe("status", "mail", "--json").output)["counts"]["items"] == 12
    assert json.loads(tithe("status", "--json").output)[0]["name"] == "mail"


def test_what_users_and_servers_wrote_is_shown_as_it_is(gateway: str, tmp_path: Path, runtime: Runtime):
    name = "a [bold]b[/x] :bell:"
    tithe("project", "create", name, "-l", "[red],spam", "--encoder", "hashing", "--budget", "9")
    lines = ['{"text": "t", "label": "[red]"}', '{"text": "u"}']
    tithe("import", str(items(tmp_path / "m.jsonl", lines)), "-p", name)
    assert "labeling" in tithe("status", name).output
    with runtime.database.unit() as unit:
        unit.connection.execute(
            "UPDATE jobs SET state = 'failed', ended_at = now(), last_error = %s WHERE topic = 'block.embed'",
            ("pip install 'tithe[text]'",),
        )
    one = tithe("status", name).output
    assert "pip install 'tithe[text]'" in one
    assert "[red] 1" in one
    assert "encoding fails" in one
    assert "encoding fails" in tithe("status").output
    for command in (("status",), ("project", "list"), ("status", name)):
        assert name in tithe(*command).output
    assert "[red], spam" in tithe("project", "show", name).output


def test_a_round_needs_vectors_and_says_so(gateway: str):
    tithe("project", "create", "mail", "-l", "ham,spam", "--encoder", "hashing")
    assert "no vectors yet" in tithe("round", "mail", ok=False).stderr


def test_a_refusal_is_one_line_with_the_remedy_and_exit_code_one(gateway: str):
    tithe("project", "create", "mail", "-l", "ham,spam")
    taken = tithe("project", "create", "mail", "-l", "ham,spam", ok=False)
    assert taken.exit_code == 1
    assert taken.stderr == "a project named 'mail' exists already — choose another name\n"
    unknown = tithe("project", "show", "post", ok=False)
    assert unknown.stderr == "there is no project 'post' — there are: 'mail'\n"


def test_without_a_running_stack_the_remedy_is_named():
    result = tithe("status", ok=False)
    assert result.exit_code == 1
    assert result.stderr.startswith("no stack is running on .tithe — start one with `tithe up`")
    away = f"http://127.0.0.1:{choose_port(None, ())}"
    assert "does not answer" in tithe("status", "--url", away, ok=False).stderr


def test_the_stack_running_on_the_data_folder_is_found(gateway: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("TITHE_URL")
    port = int(gateway.rpartition(":")[2])
    folder = DataFolder(tmp_path / "data")
    folder.lock()
    endpoints = Endpoints("127.0.0.1", port, "postgresql://nowhere", "redis://nowhere")
    StateFile(folder.state_file).save(os.getpid(), {"gateway": port}, endpoints, ())
    assert "no projects yet" in tithe("status", "--data", "data").output
    folder.unlock()  # as after kill -9: the file still names a process and where it answered
    assert "no stack is running" in tithe("status", "--data", "data", ok=False).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["nonsense"], ["project", "create", "mail"], ["project", "patch", "mail"], ["worker", "chef"],
        ["import", "nofile.csv", "-p", "mail"], ["demo", "--kill", "nobody"], ["demo", "--metric", "luck"],
        ["demo", "--pool", "100", "--budget", "101"], ["project", "patch", "mail", "--budget", "3", "--no-budget"],
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_code_two(arguments: list[str]):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_setting_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TITHE_PORT", "many")
    assert tithe("up", ok=False).stderr.startswith("TITHE_PORT: Input should be a valid integer")


def test_a_clean_database_is_said_to_be_clean_and_another_is_not(database_url: str, monkeypatch: pytest.MonkeyPatch):
    assert "TITHE_DATABASE_URL is not set" in tithe("check", ok=False).stderr
    monkeypatch.setenv("TITHE_DATABASE_URL", database_url)
    assert "clean" in tithe("check").output
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "WITH made AS (INSERT INTO projects (name, task, labels, strategy, metric, batch_size, retrain_every,"
            " lease_seconds, overlap, seed) VALUES ('m', 'text_classification', '{a,b}', 'margin',"
            " 'accuracy', 1, 1, 1, 1, 0) RETURNING id), p AS (INSERT INTO pools (project_id, item_count)"
            " SELECT id, 3 FROM made)"
            " INSERT INTO progress (project_id) SELECT id FROM made"
        )
    result = tithe("check", ok=False)
    assert result.exit_code == 1
    assert "i1_counters_equal_a_recount" in result.output
    assert "3 items counted, 0 are there" in result.output


def test_migrating_twice_is_no_error_and_nobody_there_is_said(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TITHE_DATABASE_URL", database_url)
    assert "the database is at" in tithe("migrate").output
    assert "the database is at" in tithe("migrate").output
    monkeypatch.setenv("TITHE_DATABASE_URL", f"postgresql://a:b@127.0.0.1:{choose_port(None, ())}/x")
    assert tithe("migrate", ok=False).stderr.startswith("the database does not answer")
    assert len(tithe("check", ok=False).stderr.splitlines()) == 1


def test_an_error_nobody_expected_is_still_one_line(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("tithe.cli.status.connect", broken)
    assert tithe("status", ok=False).stderr == (
        "unexpected RuntimeError: boom — TITHE_TRACE=1 shows where; please report it\n"
    )
    monkeypatch.setenv("TITHE_TRACE", "1")
    assert isinstance(CliRunner().invoke(app, ["status"]).exception, RuntimeError)


def test_help_and_version_import_nothing_heavy():
    heavy = {"numpy", "httpx", "psycopg", "fastapi", "celery", "pydantic", "pyarrow", "sqlalchemy", "psutil", "sklearn"}
    code = (
        "import sys; from tithe.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "project" in done.stdout
    assert done.stderr.strip() == "[]"
    assert tithe("version").output.strip()[0].isdigit()


def test_a_worker_that_knows_no_server_says_which_setting_it_lacks(monkeypatch: pytest.MonkeyPatch):
    assert tithe("worker", "gateway", ok=False).stderr.startswith("TITHE_DATABASE_URL is not set")
    monkeypatch.setenv("TITHE_DATABASE_URL", "postgresql://nowhere")
    monkeypatch.setenv("TITHE_BROKER_URL", "")
    assert tithe("worker", "scorer", ok=False).stderr.startswith("TITHE_BROKER_URL is not set")


def test_a_worker_becomes_its_service(database_url: str, tmp_path: Path):
    port = choose_port(None, ())
    environment = {
        **os.environ, "TITHE_DATABASE_URL": database_url, "TITHE_DATA": str(tmp_path), "TITHE_PORT": str(port)
    }  # fmt: skip
    command = [sys.executable, "-c", "from tithe.cli.main import app; app()", "worker", "gateway"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 30
            while CliRunner().invoke(app, ["status", "--url", f"http://127.0.0.1:{port}"]).exit_code != 0:
                assert time.monotonic() < until
        finally:
            process.terminate()
