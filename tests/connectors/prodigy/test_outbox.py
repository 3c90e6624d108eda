"""What the outbox promises: no answer is lost or sent twice, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.prodigy.served import Gateway, eventually
from connectors.prodigy.simulator import Dataset, Json, Start, load

TESTS = Path(__file__).parents[2]
#: Another process: takes four answers, and dies before, or while, they are sent.
DIES = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from connectors.prodigy.simulator import Dataset, Prodigy

def setting(module):
    send = module.Desk._send
    def sent(desk, record):
        if sys.argv[5] == "after":
            desk.outbox.settle = lambda *_: None  # the server has it, and nobody here learns of it
            send(desk, record)
        sys.stdout.write("sending\\n")
        sys.stdout.flush()
        sys.stdin.read()
    module.Desk._send = sent

home, url = sys.argv[2:4]
line = f"tithe.textcat mail --project pool --url {url} --outbox {home}"
prodigy = Prodigy(Dataset("mail"), line, Path(sys.argv[4]), setting)
tasks = prodigy.questions(4)
prodigy.give(None, [{**task, "accept": ["ham"], "answer": "accept"} for task in tasks])
sys.stdout.write("taken\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_answers_outlive_a_process_that_is_killed_between_the_disk_and_the_server(
    gateway: Gateway, start: Start, recipe: Path, tmp_path: Path, when: str
):
    project = gateway.project("pool", "text_classification", ["ham", "spam"], [f"text {n}" for n in range(8)])
    argv = [sys.executable, "-c", DIES, str(TESTS), str(tmp_path / "home"), gateway.url, str(recipe), when]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert {dying.stdout.readline().strip() for _ in range(2)} == {"taken", "sending"}
        dying.send_signal(signal.SIGKILL)
    before = gateway.answers(project)
    assert len(before) == (0 if when == "before" else 1)
    prodigy = start("tithe.textcat", Dataset("mail"))
    eventually(lambda: len(gateway.answers(project)) == 4)
    rest = prodigy.questions(8, patience=0.2)
    answered = {item for item, _, _ in gateway.answers(project)}
    assert len(rest) == 4
    assert answered.isdisjoint(task["tithe"]["item"] for task in rest)
    assert gateway.answers(project)[: len(before)] == before


def outbox(recipe: Path, folder: Path, **settings: Any) -> Any:
    module = load(recipe)
    for name, value in settings.items():
        setattr(module, name, value)
    return module.Outbox(folder, "mail")


def answer(n: int, **more: Any) -> Json:
    return {"key": f"k{n}", "project": "p", "batch": "b", "item": f"i{n}", "annotator": "ada",
            "says": {"label": "ham 👩‍🚀"}, "nth": 0, "at": time.time(), **more}  # fmt: skip


def test_a_line_that_was_cut_by_a_crash_is_left_out_and_no_other(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    first = outbox(recipe, tmp_path)
    first.add([answer(n) for n in range(3)])
    first.close()
    whole = first.path.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for cut in [*range(last + 1, len(whole) - 1, 60), len(whole) - 1]:
        first.path.write_bytes(whole[:cut])
        again = outbox(recipe, tmp_path)
        complete = cut == len(whole) - 1  # only the end of the line is missing
        assert [record["item"] for record in again.waiting("p")] == ["i0", "i1", "i2"][: 3 if complete else 2]
        again.add([answer(7)])  # on a line of its own
        again.close()
        third = outbox(recipe, tmp_path)
        assert [record["item"] for record in third.waiting("p")][-1] == "i7"
        assert third.id == first.id
        third.close()
    assert "is damaged and left out" in capsys.readouterr().err


def test_what_is_settled_is_forgotten_in_time_and_what_waits_never(recipe: Path, tmp_path: Path):
    first = outbox(recipe, tmp_path)
    old = time.time() - 40 * 86_400
    part = {"part": "a", "verdict": "accept", "project": "p", "batch": "b", "item": "i0", "annotator": "ada", "at": old}
    records = [answer(0, at=old), answer(1, at=old), answer(2)]
    first.add([part, *records])
    first.settle(records[0], "counted")
    first.settle(records[2], "counted")
    first.close()
    second = outbox(recipe, tmp_path)
    assert [record["item"] for record in second.waiting("p")] == ["i1"]
    assert second.said("p", "i2", "ada") is not None
    second.close()
    third = outbox(recipe, tmp_path)
    assert third.said("p", "i0", "ada") is None
    assert third.parts("p", "b", "i0") == {}
    assert third.path.read_text().count('"key"') == 2
    third.close()


def test_datasets_of_any_name_have_files_of_their_own(recipe: Path, tmp_path: Path):
    module = load(recipe)
    boxes = [module.Outbox(tmp_path, name) for name in ("a/b", "a b", "../a", "ä" * 300, "a-b")]
    assert len({box.path for box in boxes}) == 5
    assert all(box.path.parent == tmp_path for box in boxes)
    for box in boxes:
        box.close()


class Odd(BaseHTTPRequestHandler):
    """A server that is not Tithe, or is behind one that is not."""

    says: ClassVar[tuple[int, bytes, dict[str, str]]]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body, headers = self.says
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (10 if status == 299 else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  (so it is called)

    def log_message(self, *_: Any) -> None:
        pass


def problem(status: int) -> bytes:
    told = {"type": "urn:tithe:problem:x", "status": status, "code": "x", "detail": "because", "remedy": "do that"}
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("says", "error", "told"),
    [
        ((200, b"<html>log in</html>", {}), "Trouble", "not Tithe's"),
        ((299, b'{"half":', {}), "Trouble", "does not answer"),
        ((404, b"<html>no such host</html>", {}), "Trouble", "404, and not in Tithe's words"),
        ((301, b"", {"Location": "https://elsewhere.example"}), "Trouble", "sends callers on to https://elsewhere"),
        ((503, problem(503), {}), "Trouble", "503: because"),
        ((500, problem(500), {}), "Stumble", "500: because"),
        ((429, problem(429), {}), "Trouble", "429"),
        ((422, problem(422), {}), "Refused", r"because \(do that\)"),
    ],
)
def test_only_a_no_in_tithes_own_words_is_a_no(recipe: Path, says: Any, error: str, told: str):
    module = load(recipe)
    handler = type("Says", (Odd,), {"says": says})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        called = module.Server(f"http://127.0.0.1:{server.server_port}")
        for method, body in (("GET", None), ("POST", {"labels": []})):
            with pytest.raises(getattr(module, error), match=told) as caught:
                called.call(method, "/v1/projects", body)
            assert type(caught.value).__name__ == error
        server.shutdown()
        thread.join()


def test_what_the_server_stumbles_over_keeps_back_its_item_and_no_other(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", ["ham", "spam"], [f"text {n}" for n in range(4)])
    prodigy = start("tithe.textcat", Dataset("mail"))
    tasks = {task["tithe"]["item"]: task for task in prodigy.questions(4, patience=0.2)}
    broken = True
    call = prodigy.module.Server.call

    def stumbling(server: Any, method: str, path: str, body: Json | None = None, *more: Any) -> Json:
        if broken and body and body.get("labels", [{}])[0].get("item_id") == "i1":
            raise prodigy.module.Stumble("500")
        return call(server, method, path, body, *more)

    prodigy.module.Server.call = stumbling
    for label in ("ham", "spam"):
        for item in ("i1", "i2"):
            prodigy.give(None, [{**tasks[item], "accept": [label], "answer": "accept"}])
    eventually(lambda: gateway.answers(project) == [("i2", "spam", "mail")])
    broken = False
    eventually(lambda: sorted(gateway.answers(project)) == [("i1", "spam", "mail"), ("i2", "spam", "mail")])


def test_the_file_is_one_for_old_pythons_too(recipe: Path):
    import ast

    tree = ast.parse(recipe.read_text("utf-8"), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert os.access(recipe, os.R_OK)
