"""A real gateway for the commands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from tithe.cli.main import app
from tithe.client import Tithe
from tithe.gateway.app import create_app
from tithe.runtime import Runtime

Command = Callable[..., str]


@pytest.fixture
def tithe(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tithe]:
    server = uvicorn.Server(uvicorn.Config(create_app(runtime), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TITHE_URL", url)
    monkeypatch.delenv("TITHE_TRACE", raising=False)
    with Tithe(url) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture
def command(tithe: Tithe) -> Command:
    """Runs `tithe …`; what it said."""

    def run(*arguments: object, ok: bool = True) -> str:
        result = CliRunner().invoke(app, [str(one) for one in arguments])
        assert "Traceback" not in result.output
        assert (result.exit_code == 0) is ok, result.output
        return result.output

    return run
