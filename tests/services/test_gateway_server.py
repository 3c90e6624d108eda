"""The gateway as it runs: its own process, real sockets, senders that misbehave."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from tithe.embedded.ports import choose_port
from tithe.storage import checks
from tithe.storage.database import Database

HOST = "127.0.0.1"


class Server:
    """One gateway process."""

    def __init__(self, url: str, data: Path, run: Sequence[str] = ("-m", "tithe.gateway"), **settings: str) -> None:
        self.port = choose_port(None, ())
        environment = {
            **os.environ, "TITHE_DATABASE_URL": url, "TITHE_DATA": str(data), "TITHE_HOST": HOST,
            "TITHE_PORT": str(self.port), **settings,
        }  # fmt: skip
        self.log = data / "gateway.log"
        data.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, *run], env=environment, stderr=log, cwd=data)
        self.http = httpx.Client(base_url=f"http://{HOST}:{self.port}", timeout=20, trust_env=False)
        for _ in range(200):
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def socket(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=10)

    def stop(self) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    """A database for all tests of this file: a process takes seconds to start."""
    server, name = postgres.rpartition("/")[0], f"gateway_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE tithe").format(sql.Identifier(name)))
    return f"{server}/{name}"


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"TITHE_IMPORT_CHUNK_ROWS": "50", "TITHE_UPLOAD_LIMIT_BYTES": str(2 << 20)}
    running = Server(url, tmp_path_factory.mktemp("gateway"), **settings)
    yield running
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 5
    log = running.log.read_text()
    assert "Traceback" not in log, log
    with Database(url) as database:
        assert database.run(checks.check) == []


def project(server: Server) -> str:
    spec = {"name": uuid.uuid4().hex, "task": "text_classification", "labels": ["a", "b"], "encoder": "hashing"}
    return "/v1/projects/" + server.http.post("/v1/projects", json=spec).json()["id"]


def head(path: str, *more: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode()


def lines(count: int) -> bytes:
    return b"".join(json.dumps({"text": f"number {n}"}).encode() + b"\n" for n in range(count))


def items(server: Server, at: str) -> int:
    return server.http.get(f"{at}/status").json()["counts"]["items"]


def eventually(check: object, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def chunk(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def answer(sender: socket.socket) -> tuple[int, Any]:
    """The status and the JSON of the next response."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += sender.recv(65536)
    headers, _, body = got.partition(b"\r\n\r\n")
    length = int(headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sender.recv(65536)
    return int(headers.split()[1]), json.loads(body)


NDJSON = "Content-Type: application/x-ndjson"


def test_an_upload_that_is_cut_keeps_its_whole_lines_and_is_resumed_by_sending_it_again(server: Server, url: str):
    at = project(server)
    whole = lines(500)
    cut = whole[: len(whole) * 7 // 10]
    with server.socket() as sender:
        sender.sendall(head(f"{at}/items", NDJSON, f"Content-Length: {len(whole)}") + cut)
        eventually(lambda: items(server, at) >= 300)
    eventually(lambda: items(server, at) == cut.count(b"\n"))
    with Database(url) as database, database.unit() as unit:
        found = unit.connection.execute("SELECT state, accepted FROM imports WHERE project_id = %s", (at[-36:],))
        ((state, accepted),) = found.fetchall()
    assert (state, accepted) == ("broken", cut.count(b"\n"))
    again = server.http.post(f"{at}/items", content=whole, headers={"content-type": "application/x-ndjson"}).json()
    assert (again["accepted"], again["duplicates"]) == (500 - accepted, accepted)


def test_a_stream_of_chunks_is_stored_while_it_comes_and_stopped_at_its_limit(server: Server):
    at = project(server)
    with server.socket() as sender:
        sender.sendall(head(f"{at}/items", NDJSON, "Transfer-Encoding: chunked") + chunk(lines(120)))
        eventually(lambda: items(server, at) == 100)  # two chunks of fifty; the rest waits for its fellows
        running = server.http.get(f"{at}/status").json()["embedding"]["imports_running"]
        sender.sendall(chunk(b'{"text": "' + b"x" * 100_000 + b'"}\n') * 25)
        status, problem = answer(sender)
    assert running == 1
    assert (status, problem["code"], problem["facts"]["accepted"]) == (413, "too_large", 121)
    assert items(server, at) == 121  # the large line is one item, however often it comes


def test_senders_that_misbehave_are_answered_or_dropped_and_others_never_notice(server: Server):
    at = project(server)
    with server.socket() as slow, server.socket() as never, server.socket() as liar:
        slow.sendall(head("/v1/projects", "Content-Type: application/json", "Content-Length: 100") + b"{")
        never.sendall(b"POST /v1/projects HTTP/1.1\r\nHost: t")
        liar.sendall(head(f"{at}/items", NDJSON, "Content-Length: 10") + lines(3))
        assert liar.recv(65536).startswith(b"HTTP/1.1 4")  # ten bytes of JSON are none, and the rest is no request
        for _ in range(20):
            assert server.http.get("/healthz").status_code == 200
    for sent in (
        b"nonsense\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        head("/v1/projects", "Content-Length: -5"), head("/v1/projects", "Content-Length: 5", "Content-Length: 6"),
        head("/v1/projects", "Transfer-Encoding: chunked", "Content-Type: application/json") + b"zz\r\n",
    ):  # fmt: skip
        with server.socket() as sender:
            sender.sendall(sent)
            sender.shutdown(socket.SHUT_WR)
            assert not sender.recv(65536).startswith(b"HTTP/1.1 5"), sent
    with server.socket() as sender:
        sender.sendall(head("/v1/projects", "Content-Type: application/json", f"Content-Length: {1 << 40}"))
        assert sender.recv(65536).startswith(b"HTTP/1.1 413")


def test_many_headers_pipelines_and_strange_methods_are_served(server: Server):
    many = {f"X-Header-{n}": "v" * 20 for n in range(500)}
    assert server.http.get("/healthz", headers=many).status_code < 500
    with server.socket() as sender:
        sender.sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n" * 20)
        got = b""
        while got.count(b'"alive":true') < 20:
            got += sender.recv(65536)
    assert got.count(b"HTTP/1.1 200") == 20
    for method in ("BREW", "TRACE", "CONNECT"):
        with server.socket() as sender:
            sender.sendall(f"{method} /v1/projects HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            assert sender.recv(65536).startswith(b"HTTP/1.1 4")
    assert server.http.get("/healthz").headers.get("server") is None


#: The real thing, but for how long uploads are given when it is told to stop.
IMPATIENT = (
    "import runpy, tithe.gateway.items as items; items._LEAVING_SECONDS = 0.5;"
    "runpy.run_module('tithe.gateway', run_name='__main__')"
)


def test_a_gateway_that_is_told_to_stop_ends_its_uploads_in_time_and_keeps_what_came(database_url: str, tmp_path: Path):
    server = Server(database_url, tmp_path, ["-c", IMPATIENT], TITHE_IMPORT_CHUNK_ROWS="50")
    at = project(server)
    with server.socket() as sender:
        sender.sendall(head(f"{at}/items", NDJSON, "Transfer-Encoding: chunked") + chunk(lines(120)))
        eventually(lambda: items(server, at) == 100)
        assert server.stop() == 0
        status, problem = answer(sender)
    assert (status, problem["code"], problem["facts"]["accepted"]) == (503, "unavailable", 120)
    with Database(database_url) as database:
        with database.unit() as unit:
            assert unit.connection.execute("SELECT state, accepted FROM imports").fetchall() == [("broken", 120)]
        assert database.run(checks.check) == []
