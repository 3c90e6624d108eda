"""`tithe connect`: what is asked, said, done and shown; a terminal is a real one."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from connectors.stranger import LetterBox, install
from services.turning import work_off
from tithe.cli.main import app
from tithe.connectors import registry
from tithe.contracts.projects import Project
from tithe.gateway.app import create_app
from tithe.runtime import Runtime
from tithe.settings import Settings
from tithe.vault import new_key

TITHE = [sys.executable, "-c", "from tithe.cli.main import app; app()"]


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder where nothing runs, a wide terminal, no secret about, and the kind `letter-box` installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    for name in ("TITHE_URL", "TITHE_DATA", "TITHE_TRACE", "TITHE_CONNECT_SECRET", "LABEL_STUDIO_API_KEY",
                 "SCALE_API_KEY", "SCALE_CALLBACK_KEY"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    site = tmp_path / "site"
    site.mkdir()
    install(site, monkeypatch)
    yield
    registry.kinds.cache_clear()


@pytest.fixture
def box() -> Iterator[LetterBox]:
    made = LetterBox()
    yield made
    made.close()


@pytest.fixture
def here(runtime: Runtime, database_url: str) -> Runtime:
    settings = Settings(
        database_url=database_url, data=runtime.settings.data, connect_allow="127.0.0.1", secret_key=new_key(),
        _env_file=None,
    )  # fmt: skip
    return Runtime(settings, runtime.database)


@pytest.fixture
def gateway(here: Runtime, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with the project `mail`."""
    server = uvicorn.Server(uvicorn.Config(create_app(here), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setenv("TITHE_URL", url)
    yield url
    server.should_exit = True
    thread.join()


@pytest.fixture
def sync(here: Runtime) -> Iterator[None]:
    """The sync process, making passes."""
    ending = threading.Event()

    def run() -> None:
        while not ending.wait(0.05):
            work_off(here)

    thread = threading.Thread(target=run)
    with capture_logs():  # else they stand among what the command prints
        thread.start()
        yield
        ending.set()
        thread.join()


def tithe(*arguments: str, ok: bool = True, stdin: str | None = None, code: int | None = None) -> Result:
    result = CliRunner().invoke(app, ["connect", *arguments], input=stdin)
    assert "Traceback" not in result.output
    assert (result.exit_code == 0) is ok, result.output
    assert code in (None, result.exit_code), result.output
    return result


def test_a_strangers_tool_is_connected_shown_and_left(gateway: str, sync: None, box: LetterBox):
    assert "no connections yet" in tithe("status").output
    settings = ["--set", f"url={box.url}", "--set", "window=50", "--set", 'aliases={"Spam": "spam"}']
    out = tithe("letter-box", "-p", "mail", *settings, "--token-stdin", "--yes", stdin=box.key + "\n").output
    assert "• mail (Tithe) with 2 labels." in out
    assert "letter-box works: people label at http://box.example/7" in out
    assert box.key not in out
    table = tithe("status").output
    assert re.search(r"mail .*letter-box .*works .* ago", table)
    assert "letter-box" in tithe("list", "-p", "mail").output
    shown = tithe("show", "letter-box").output
    for said in (
        "people label at",
        "http://box.example/7",
        "window=50",
        'aliases={"Spam": "spam"}',
        f"{gateway}/v1/hooks/",
    ):
        assert said in shown
    told = json.loads(tithe("show", "letter-box", "--json").output)
    assert (told["state"], told["quarantine"], told["settings"]["window"]) == ("healthy", [], 50)
    assert json.loads(tithe("status", "--json").output)[0]["project"] == "mail"
    assert "resume letter-box" in tithe("pause", "letter-box").output
    assert "is paused" in tithe("status").output
    assert "is paused" in tithe("sync", "letter-box", ok=False).stderr
    assert "goes on" in tithe("resume", "letter-box").output
    assert "being looked at" in tithe("sync", "letter-box").output
    assert "changed" in tithe("change", "letter-box", "--set", "window=60").output
    assert json.loads(tithe("show", "letter-box", "--json").output)["settings"]["window"] == 60
    assert "say --yes" in tithe("remove", "letter-box", ok=False, code=2).stderr
    assert "is being left" in tithe("remove", "letter-box", "--yes").output
    until = time.monotonic() + 10
    while "no connections yet" not in tithe("status").output:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_stands_in_the_way_is_said_before_anything_is_done(gateway: str, box: LetterBox):
    here = ["letter-box", "-p", "mail", "--set", f"url={box.url}", "--yes", "--token-stdin"]
    wrong = tithe(*here, ok=False, stdin="nonsense\n")
    assert wrong.stderr == "the box does not know *** — make another\n"
    box.preview = {"faults": ["it has no label 'spam'"]}
    assert "it has no label 'spam'" in tithe(*here, ok=False, stdin=box.key + "\n").stderr
    box.preview = {}
    asked = tithe(*here[:5], "--token-stdin", ok=False, code=2, stdin=box.key + "\n")
    assert "• mail (Tithe) with 2 labels." in asked.stdout
    assert "say --yes" in asked.stderr
    assert "no connections yet" in tithe("status").output


def test_an_address_that_may_not_be_called_is_said_with_the_setting(gateway: str):
    private = tithe("letter-box", "-p", "mail", "--set", "url=http://10.0.0.1", "--yes", "--token-stdin", ok=False,
                    stdin="x\n")  # fmt: skip
    assert "10.0.0.1 is not a public address" in private.stderr
    assert "TITHE_CONNECT_ALLOW=10.0.0.1" in private.stderr
    studio = tithe("label-studio", "-p", "mail", "--url", "http://169.254.169.254", "--yes", "--token-stdin", ok=False,
                   stdin="x\n")  # fmt: skip
    assert "169.254.169.254 is not a public address" in studio.stderr


def test_a_connection_that_needs_somebody_says_so_and_exits_with_one(gateway: str, sync: None, box: LetterBox):
    tithe("letter-box", "-p", "mail", "--set", f"url={box.url}", "--yes", "--token-stdin", stdin=box.key + "\n")
    box.key = "another"
    tithe("sync", "letter-box")
    until = time.monotonic() + 10
    while "needs you" not in tithe("status").output:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "letter-box: the box does not know" in tithe("status").output
    assert "make another" in tithe("status").output
    assert "make another" in tithe("show", "letter-box").output
    out = tithe("change", "letter-box", "--token-stdin", stdin="another\n").output
    assert "another" not in out.replace("changed; letter-box needs you", "")
    while "works" not in tithe("status").output:
        assert time.monotonic() < until
        time.sleep(0.1)


MISSING = [
    (["label-studio"], "-p PROJECT"),
    (["label-studio", "-p", "mail"], "--url URL"),
    (["label-studio", "-p", "mail", "--url", "http://x"], "LABEL_STUDIO_API_KEY"),
    (["label-studio", "-p", "mail", "--url", "http://x", "--alias", "x"], "TOOL=PROJECT"),
    (["scale", "-p", "mail"], "--project NAME"),
    (["scale", "-p", "mail", "--project", "x"], "SCALE_API_KEY"),
    (["letter-box", "-p", "mail"], "--set url="),
    (["letter-box", "-p", "mail", "--set", "url"], "KEY=VALUE"),
    (["letter-box", "-p", "mail", "--set", "url=x"], "TITHE_CONNECT_SECRET"),
    (["letter-box", "-p", "mail", "--set", "url=x", "--token-stdin"], "standard input is empty"),
    (["change", "letter-box"], "say what to change"),
]


def test_away_from_a_terminal_what_is_missing_is_named(gateway: str):
    for arguments, said in MISSING:
        assert said in tithe(*arguments, ok=False, code=2, stdin="").stderr


NOT_THERE = [
    (
        ["labelstudio", "-p", "mail"],
        "did you mean label-studio? there are: label-studio, letter-box, scale, prodigy",
    ),
    (["letter-box", "-p", "post", "--set", "url=x"], "there is no project 'post'"),
    (["show", "nothing"], "there are: none yet"),
    (
        ["letter-box", "-p", "mail", "--set", "url=http://x", "--set", "size=9", "--token-stdin", "-y"],
        "url, project",
    ),
]


def test_what_is_not_there_is_one_line_with_what_is(gateway: str):
    for arguments, said in NOT_THERE:
        result = tithe(*arguments, ok=False, code=1, stdin="key\n")
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_the_secret_comes_from_the_environment_too(gateway: str, box: LetterBox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TITHE_CONNECT_SECRET", box.key)
    out = tithe("letter-box", "-p", "mail", "--set", f"url={box.url}", "--yes", "--no-wait", "--name", "hall").output
    assert "• mail" in out
    assert "is starting" in tithe("status").output
    second = tithe(
        "letter-box", "-p", "mail", "--set", f"url={box.url}", "--yes", "--no-wait", "--name", "hall", ok=False
    )
    assert "named 'hall' already" in second.stderr


def test_a_connections_name_that_several_projects_have_wants_the_project(gateway: str, box: LetterBox, monkeypatch):
    monkeypatch.setenv("TITHE_CONNECT_SECRET", box.key)
    assert CliRunner().invoke(app, ["project", "create", "post", "-l", "a,b", "--encoder", "hashing"]).exit_code == 0
    for project in ("mail", "post"):
        tithe("letter-box", "-p", project, "--set", f"url={box.url}", "--yes", "--no-wait")
    assert "say which by -p" in tithe("show", "letter-box", ok=False).stderr
    assert "post" in tithe("show", "letter-box", "-p", "post").output


def test_the_recipe_is_written_with_the_line_that_runs_it(gateway: str, tmp_path: Path):
    out = tithe("prodigy", "-p", "mail").output
    assert f"prodigy tithe.textcat my_dataset --project mail --url {gateway} -F tithe_prodigy.py" in out
    ast.parse((tmp_path / "tithe_prodigy.py").read_text("utf-8"))
    assert tithe("prodigy", "mail").output == out  # the same again is no loss
    (tmp_path / "tithe_prodigy.py").write_text("mine")
    assert "say --force" in tithe("prodigy", "-p", "mail", ok=False).stderr
    assert (tmp_path / "tithe_prodigy.py").read_text() == "mine"
    tithe("prodigy", "-p", "mail", "--force")
    vectors = ["project", "create", "v", "-l", "a,b", "--task", "vector_classification"]
    assert CliRunner().invoke(app, vectors).exit_code == 0
    assert "given texts" in tithe("prodigy", "-p", "v", "-o", "other.py", ok=False).stderr


def converse(command: list[str], answers: list[tuple[str, str]]) -> tuple[str, int]:
    """Run a command on a terminal of its own and type the answers, each when its question stands there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env={**os.environ, "TERM": "dumb"}
    )
    os.close(follower)
    heard, until = "", time.monotonic() + 60
    seen = 0
    while time.monotonic() < until:
        if answers and answers[0][0] in heard[seen:]:
            seen = len(heard)
            time.sleep(0.1)  # the echo is switched off after the question is printed
            os.write(leader, (answers.pop(0)[1] + "\n").encode())
        if select.select([leader], [], [], 0.1)[0]:
            try:
                heard += os.read(leader, 65536).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                break
        elif process.poll() is not None:
            break
    code = process.wait(10)
    os.close(leader)
    assert answers == [], heard
    return heard, code


def test_on_a_terminal_what_is_missing_is_asked_for_and_the_secret_is_not_shown(
    gateway: str, sync: None, box: LetterBox
):
    heard, code = converse(
        [*TITHE, "connect", "letter-box"],
        [
            ("Which project? (mail)", "mail"),
            ("where the box is", box.url),
            ("not shown", box.key),
            ("Connect? [y/N]", "y"),
        ],
    )
    assert code == 0, heard
    assert "letter-box works" in heard
    assert box.key not in heard


def test_on_a_terminal_no_means_no(gateway: str, box: LetterBox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TITHE_CONNECT_SECRET", box.key)
    command = [*TITHE, "connect", "letter-box", "-p", "mail", "--set", f"url={box.url}"]
    heard, code = converse(command, [("Connect? [y/N]", "n")])
    assert code == 1, heard
    assert "no connections yet" in tithe("status").output
