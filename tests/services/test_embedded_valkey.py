"""The embedded Valkey, with the real binary: kept, killed, locked, left behind."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest
import redis

from tithe.embedded.ports import choose_port
from tithe.embedded.process import Backoff, State
from tithe.embedded.strays import servers_in
from tithe.embedded.supervisor import Supervisor
from tithe.embedded.valkey import Valkey


@pytest.fixture
def valkey(tmp_path):
    valkey = Valkey(tmp_path / "a folder with spaces" / ("and a long name " * 10).strip(), choose_port(None, ()))
    valkey.prepare()
    return valkey


@contextlib.contextmanager
def running(valkey: Valkey) -> Iterator[Supervisor]:
    supervisor = Supervisor(backoff=Backoff(first_seconds=0.1))
    try:
        supervisor.start([valkey.spec(valkey.folder.parent / "valkey.log")])
        yield supervisor
    finally:
        supervisor.stop()


@contextlib.contextmanager
def connected(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


def test_it_keeps_its_data_over_a_stop_and_a_kill_on_the_same_port(valkey):
    with running(valkey), connected(valkey) as client:
        client.set("kept", "over a stop")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("append*")["appendfsync"] == "everysec"
    assert not servers_in(valkey.folder, "valkey-server")

    with running(valkey) as supervisor:
        with connected(valkey) as client:
            assert client.get("kept") == "over a stop"
            client.set("kept", "over a kill")
        os.kill(supervisor.statuses[0].pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while not (supervisor.statuses[0].restarts and supervisor.statuses[0].state is State.RUNNING):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with connected(valkey) as client:
            assert client.get("kept") == "over a kill"


def test_nobody_without_the_password_gets_in_and_ps_does_not_show_it(valkey):
    with running(valkey) as supervisor:
        with socket.create_connection(("127.0.0.1", valkey.port)) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
        command = " ".join(psutil.Process(supervisor.statuses[0].pid).cmdline())
        assert valkey.url.split(":")[2].partition("@")[0] not in command
    assert stat.S_IMODE((valkey.folder / "valkey.conf").stat().st_mode) == 0o600


def test_a_server_left_running_in_the_folder_is_ended_first(valkey):
    spec = valkey.spec(valkey.folder.parent / "stray.log")
    with subprocess.Popen(spec.argv, cwd=spec.cwd, stdout=subprocess.DEVNULL) as stray:
        deadline = time.monotonic() + 10
        while not spec.ready():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with running(valkey), connected(valkey) as client:
            assert client.ping()
            assert stray.wait(10) == 0


def test_readiness_is_not_fooled_by_a_stranger_on_the_port(valkey):
    with socket.create_server(("127.0.0.1", valkey.port)) as stranger:
        stranger.settimeout(0.1)
        assert not valkey.spec(valkey.folder / "log").ready()


def test_a_new_port_is_written_into_the_configuration(valkey):
    moved = Valkey(valkey.folder, choose_port(None, {valkey.port}))
    moved.prepare()
    assert moved.port != valkey.port
    with running(moved), connected(moved) as client:
        assert client.ping()
