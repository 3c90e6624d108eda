"""What a server may answer that a healthy Label Studio does not: each is told as what it means."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tithe.connectors.errors import CredentialRefused, RemoteGone, ToolMisbehaves, ToolUnreachable
from tithe.connectors.label_studio.client import Client, Declined, Forbidden
from tithe.connectors.outside import Outside

Answering = Callable[..., Client]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A client of a server that gives one answer to everything."""
    opened: list[Callable[[], object]] = []

    def answering(status: int, body: Any = None, kind: str = "application/json", **headers: str) -> Client:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        client = Client(f"http://127.0.0.1:{server.server_port}", "t0ken", Outside(allowed=("127.0.0.1",)))
        opened.extend([server.server_close, thread.join, server.shutdown, client.close])
        return client

    yield answering
    for close in reversed(opened):
        close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "error", "words"),
    [
        (500, {"detail": "boom"}, "application/json", ToolUnreachable, "boom"),
        (502, "<html>", "text/html", ToolUnreachable, "502"),
        (401, {"detail": "Invalid token."}, "application/json", CredentialRefused, "Invalid token"),
        (403, {"detail": "no"}, "application/json", Forbidden, "no"),
        (404, {"detail": "No Project matches"}, "application/json", RemoteGone, "project 7"),
        (404, "<html>", "text/html", ToolMisbehaves, "not with JSON"),
        (200, "<html>", "text/html", ToolMisbehaves, "not with JSON"),
        (200, [], "application/json", ToolMisbehaves, "no object"),
        (200, "{", "application/json", ToolMisbehaves, "not with JSON"),
        (
            400,
            {"detail": "Validation error", "validation_errors": {"a": ["bad"]}},
            "application/json",
            Declined,
            "a: bad",
        ),
    ],
)
def test_answers_are_told_as_what_they_mean(
    answering: Answering, status: int, body: Any, kind: str, error: type[Exception], words: str
):
    client = answering(status, body, kind)
    with pytest.raises(error, match=words) as told:
        client.project("7")
    assert type(told.value) is error
    assert "t0ken" not in str(vars(told.value))


def test_a_busy_server_says_when_to_come_again(answering: Answering):
    with pytest.raises(ToolUnreachable) as told:
        answering(429, {}, Retry_After="17").project("7")
    assert told.value.facts["retry_after_seconds"] == 17
    with pytest.raises(ToolUnreachable) as told:
        answering(503, {}).project("7")
    assert told.value.facts["retry_after_seconds"] is None


def test_a_redirect_is_named(answering: Answering):
    with pytest.raises(ToolMisbehaves, match="/there"):
        answering(301, "", "text/html", Location="http://127.0.0.1/there").project("7")


@pytest.mark.parametrize(
    "told",
    [
        {}, {"tasks": {}}, {"tasks": [], "total": "many"}, {"tasks": [7], "total": 1},
        {"tasks": [{"id": "x"}], "total": 1},
    ],
)  # fmt: skip
def test_lists_that_are_none(answering: Answering, told: Any):
    with pytest.raises(ToolMisbehaves):
        answering(200, told).tasks("7")


@pytest.mark.parametrize("told", [{}, {"task_ids": [1]}, {"task_ids": [1, "2"]}])
def test_imports_that_answer_too_few_ids(answering: Answering, told: Any):
    with pytest.raises(ToolMisbehaves):
        answering(201, told).import_tasks("7", [{}, {}])


def test_nothing_selected_deletes_nothing(answering: Answering):
    answering(500).delete_tasks("7", [], [])
