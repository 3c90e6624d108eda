"""Accounts, keys and members by the command line; and how whoever runs a server comes in first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from click.testing import Result
from typer.testing import CliRunner

from tithe.cli.let_in import first_admin, keep_local_key
from tithe.cli.main import app
from tithe.client import Tithe, TitheProblem
from tithe.embedded.folder import DataFolder
from tithe.gateway.app import create_app
from tithe.runtime import Runtime


@pytest.fixture
def gateway(runtime: Runtime, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that asks who calls; commands reach its database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TITHE_DATABASE_URL", database_url)
    monkeypatch.delenv("TITHE_API_KEY", raising=False)
    closed = Runtime(runtime.settings.model_copy(update={"open_loopback": False}), runtime.database)
    server = uvicorn.Server(uvicorn.Config(create_app(closed), port=0, log_config=None, ws="none"))
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


def test_accounts_keys_and_members(gateway: str, monkeypatch: pytest.MonkeyPatch):
    link = tithe("user", "add", "lee", "--role", "manager").stdout.strip()
    assert link.startswith("/welcome/")
    assert httpx.post(gateway + link, json={"password": "seven green umbrellas"}).status_code == 204
    assert "already" in tithe("user", "add", "LEE", ok=False).output
    tithe("user", "add", "ada")
    assert "nobody is signed in" in tithe("project", "list", ok=False).output
    key = tithe("key", "add", "lee", "--for", "tests", "--days", "2").stdout.strip()
    monkeypatch.setenv("TITHE_API_KEY", key)
    tithe("project", "create", "mail", "-l", "ham,spam", "--encoder", "hashing")
    tithe("member", "set", "mail", "ada", "--role", "reviewer")
    listed = tithe("member", "list", "mail").output
    assert "ada" in listed
    assert "reviewer" in listed
    tithe("member", "drop", "mail", "ada")
    assert "no member" in tithe("member", "drop", "mail", "ada", ok=False).output
    assert "no account" in tithe("member", "set", "mail", "nobody", ok=False).output
    assert key not in tithe("key", "list", "lee").output
    tithe("key", "revoke", "lee", key[:12])
    with Tithe(gateway) as refused, pytest.raises(TitheProblem, match="does not count"):
        refused.projects()
    assert "no such key" in tithe("key", "revoke", "lee", "tithe_nothing", ok=False).output
    tithe("user", "change", "lee", "--lock-out")
    assert "locked out" in tithe("user", "list").output
    assert "no account" in tithe("user", "invite", "lee", ok=False).output
    tithe("user", "change", "lee", "--let-in", "--role", "admin")
    assert tithe("user", "invite", "lee").stdout.startswith("/welcome/")
    assert "only admin" in tithe("user", "change", "lee", "--role", "annotator", ok=False).output


def test_whoever_starts_a_server_is_its_first_admin_and_so_are_commands_there(
    gateway: str, database_url: str, tmp_path: Path
):
    data = tmp_path / "data"
    data.mkdir()
    keep_local_key(database_url, data)
    file = DataFolder(data).local_key
    assert not file.exists(), "there is no admin it could be of"
    assert first_admin(database_url)
    assert first_admin(database_url) is None, "once"
    keep_local_key(database_url, data)
    first = file.read_text()
    assert file.stat().st_mode & 0o077 == 0, "for nobody else"
    keep_local_key(database_url, data)
    assert file.read_text() == first, "one that counts stays"
    with Tithe(gateway, key=first.strip()) as local:
        assert local.projects() == []
    file.write_text("tithe_old\n")
    keep_local_key(database_url, data)
    assert file.read_text() not in (first, "tithe_old\n")
    with Tithe(gateway, key=first.strip()) as stale, pytest.raises(TitheProblem):
        stale.projects()
