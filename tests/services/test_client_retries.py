"""The client when the server is away, busy, or answers nonsense: a scripted server; test_client has the real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from tithe.client import SKIP, BatchHandle, Skip, Tithe, TitheProblem
from tithe.client.transport import Transport
from tithe.contracts.api import HandOut
from tithe.embedded.ports import choose_port

BATCH = UUID(int=9)
STORED = {"outcomes": [], "batch_state": "closed", "waiting": 0, "label_count": 1, "round_requested": None}


@dataclass
class Script:
    """Answers in the order they are given out; what came in is kept. An answer of None breaks the connection."""

    answers: list[tuple[int, dict[str, str], Any] | None]
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, Script]]]:
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: tuple[int, dict[str, str], Any] | None) -> tuple[str, Script]:
        script = Script(list(answers))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else self._chunks()
                script.seen.append((self.command, self.path, dict(self.headers), body))
                answer = script.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, content = answer
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                self.wfile.write(raw)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def _chunks(self) -> bytes:
                whole = b""
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        whole += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                return whole

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No waiting between attempts; what would have been waited is kept."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    return waited


@pytest.fixture
def batch() -> Iterator[Callable[..., BatchHandle]]:
    opened: list[Transport] = []

    def given(url: str, retries: int = 3) -> BatchHandle:
        opened.append(Transport(url, timeout=5, retries=retries))
        return handed_out(opened[-1])

    yield given
    for transport in opened:
        transport.close()


def handed_out(transport: Transport) -> BatchHandle:
    given = HandOut.model_validate(
        {
            "batch_id": str(BATCH), "expires_at": "2030-01-01T00:00:00Z", "round": 1,
            "ranking": {"round": 1, "model_version": 1, "labels_since": 0, "ranked_at": None, "age_seconds": None},
            "items": [{"item_id": "a", "text": "t", "tokens": None, "meta": None, "score": None, "chosen_by": "margin",
                       "prediction": None, "why": {}}],
        }
    )  # fmt: skip
    return BatchHandle(transport, given, annotator="ada", lease_seconds=600)


def test_one_submit_carries_one_idempotency_key_through_all_its_retries(serve, batch, quick):
    url, script = serve((503, {"Retry-After": "2"}, {"code": "unavailable"}), None, (201, {}, STORED))
    batch(url).submit({"a": "spam"})
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in script.seen}
    assert len(script.seen) == 3
    assert len(keys) == 1
    assert {body for *_, body in script.seen} == {b'{"labels":[{"item_id":"a","label":"spam"}]}'}


def test_the_same_answers_submitted_again_have_the_same_key_and_others_another(serve, batch):
    url, script = serve(*[(201, {}, STORED)] * 3)
    held = batch(url)
    for answers in ({"a": "spam"}, {"a": "spam"}, {"a": "ham"}):
        held.submit(answers)
    first, again, other = [headers["Idempotency-Key"] for _, _, headers, _ in script.seen]
    assert first == again != other


def test_skips_and_notes_are_sent_as_the_interface_takes_them(serve, batch):
    url, script = serve((201, {}, STORED))
    batch(url).submit({"a": SKIP, "b": Skip("two languages"), "c": ["x", "y"]})
    assert json.loads(script.seen[0][3]) == {
        "labels": [
            {"item_id": "a", "skip": True},
            {"item_id": "b", "skip": True, "note": "two languages"},
            {"item_id": "c", "label": ["x", "y"]},
        ]
    }


def test_a_server_that_says_when_is_not_asked_sooner(serve, quick):
    url, _ = serve((503, {"Retry-After": "7"}, {}), (200, {}, {"projects": [], "next": None}))
    with Tithe(url) as tithe:
        assert tithe.projects() == []
    assert quick == [pytest.approx(7.0)]


@pytest.mark.parametrize(("status", "headers", "calls"), [(409, {"Retry-After": "1"}, 2), (409, {}, 1), (422, {}, 1)])
def test_only_a_conflict_that_will_pass_is_tried_again(serve, batch, quick, status, headers, calls):
    refusal = (status, headers, {"code": "conflict", "detail": "not now"})
    url, script = serve(refusal, refusal)
    with pytest.raises(TitheProblem, match="not now"):
        batch(url, retries=1).submit({"a": "spam"})
    assert len(script.seen) == calls


def test_a_project_is_not_created_twice_by_a_lost_answer(serve, quick):
    url, script = serve(None, (201, {}, {}))
    with Tithe(url) as tithe, pytest.raises(TitheProblem) as caught:
        tithe.create_project("mail", labels=["a", "b"])
    assert caught.value.code == "unreachable"
    assert len(script.seen) == 1


def test_nobody_there_is_said_with_the_address_and_the_remedy(quick):
    url = f"http://127.0.0.1:{choose_port(None, ())}"
    with Tithe(url, retries=2) as tithe, pytest.raises(TitheProblem, match=url) as caught:
        tithe.projects()
    assert (caught.value.status, caught.value.code) == (0, "unreachable")
    assert "tithe up" in (caught.value.remedy or "")
    assert len(quick) == 2


def test_a_problem_carries_everything_the_server_said(serve, batch):
    fault = {"place": "body.labels[0].label", "code": "invalid_label", "detail": "no class", "remedy": "one of 'ham'"}
    url, _ = serve((422, {}, {**fault, "errors": [fault]}))
    with pytest.raises(TitheProblem) as caught:
        batch(url).submit({"a": "spma"})
    problem = caught.value
    assert (problem.status, problem.code, problem.detail) == (422, "invalid_label", "no class")
    assert (problem.place, problem.remedy, problem.errors) == (fault["place"], fault["remedy"], [fault])


@pytest.mark.parametrize("nonsense", [b"<html>Bad gateway</html>", b"\xff\xfe", b"[1]", b""])
def test_an_answer_that_is_no_problem_document_is_still_told(serve, nonsense):
    url, _ = serve((400, {"Content-Type": "text/html"}, nonsense))
    with Tithe(url, retries=0) as tithe, pytest.raises(TitheProblem, match="400"):
        tithe.projects()


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://here", "http://", "http://here:many", ""])
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(TitheProblem, match="no server's address"):
        Tithe(address)


def test_a_server_that_is_not_tithe_is_said_to_be_none(serve):
    url, _ = serve((200, {"Content-Type": "text/html"}, b"<html>It works!</html>"))
    with Tithe(url) as tithe, pytest.raises(TitheProblem, match="does not answer as Tithe does"):
        tithe.projects()


def test_a_file_whose_upload_breaks_is_sent_again_from_its_beginning(serve, quick, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("id,text\n1,a\n")
    imported = {"import_id": str(UUID(int=1)), "lines": 1, "accepted": 1, "duplicates": 0, "rejected": 0, "labeled": 0,
                "rejected_lines": []}  # fmt: skip
    url, script = serve((200, {}, project()), (503, {}, {}), (200, {}, imported))
    told: list[tuple[int, int | None]] = []
    with Tithe(url) as tithe:
        handle = tithe.project(UUID(int=3))
        assert handle.import_items(path, progress=lambda *sent: told.append(sent), text_column="review").accepted == 1
    uploads = script.seen[1:]
    assert [body for *_, body in uploads] == [path.read_bytes()] * 2
    assert all(
        headers["Content-Type"] == "text/csv" and "text_column=review" in where for _, where, headers, _ in uploads
    )
    assert told[-1] == (12, 12)


def test_objects_from_a_generator_are_sent_once_only(serve, quick):
    url, script = serve((200, {}, project()), (503, {}, {"detail": "away"}))
    with Tithe(url) as tithe, pytest.raises(TitheProblem, match="away"):
        tithe.project(UUID(int=3)).import_items({"text": str(n)} for n in range(3))
    assert script.seen[1][3] == b'{"text":"0"}\n{"text":"1"}\n{"text":"2"}\n'


def test_half_an_export_leaves_no_file(serve, tmp_path):
    url, _ = serve((200, {}, project()), (200, {"Content-Length": "100"}, b"only this"))
    with Tithe(url) as tithe, pytest.raises(TitheProblem):
        tithe.project(UUID(int=3)).export(tmp_path / "labels.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_lease_is_kept_in_the_background_until_the_server_says_it_is_over(serve, batch):
    beat = {"batch_id": str(BATCH), "expires_at": "2030-01-01T00:10:00Z"}
    url, script = serve((200, {}, beat), (409, {}, {"code": "batch_closed", "detail": "the batch is expired"}))
    held = batch(url)
    held._lease_seconds = 0.6
    with held:
        until = time.monotonic() + 10
        while not held.closed and time.monotonic() < until:
            time.sleep(0.02)
    assert held.expires_at.minute == 10
    assert [where for _, where, *_ in script.seen] == [f"/v1/batches/{BATCH}/heartbeat"] * 2


def test_what_is_not_answered_is_given_back_at_the_end(serve, batch):
    url, script = serve((204, {}, b""))
    with batch(url):
        pass
    assert script.seen[0][:2] == ("POST", f"/v1/batches/{BATCH}/release")


def project() -> dict[str, Any]:
    return {
        "id": str(UUID(int=3)), "name": "mail", "task": "text_classification", "labels": ["a", "b"],
        "strategy": "margin", "metric": "macro_f1", "encoder": "hashing", "batch_size": 5, "retrain_every": 10,
        "lease_seconds": 60, "overlap": 1, "budget": None, "seed": 0, "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
