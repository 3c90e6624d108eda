"""A connector that somebody else brings: a package of its own with an entry point, and the tool it speaks to."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest

from tithe.connectors import registry

MODULE = """
import hmac, json
from pydantic import BaseModel, ConfigDict, Field
from tithe.connectors.errors import CredentialRefused, HookRefused, SchemaUnfit, ToolUnreachable
from tithe.connectors.protocol import Capabilities, Changes, Health, Hint, Preview, Remote
from tithe.contracts.projects import Task
import httpx

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str = Field(description="where the box is")
    project: int | None = Field(default=None, ge=1)
    window: int = 200
    poll_seconds: float = 1.0
    aliases: dict[str, str] = {}

class Box:
    capabilities = Capabilities(
        frozenset({Task.TEXT}), False, False, True, True, True, True, False, True, False, False, 10
    )
    def __init__(self, settings, secret, outside):
        self.secret = secret
        self.http = outside.client(settings.url, headers={"Authorization": f"Bearer {secret}"})
    def ask(self, path):
        try:
            answer = self.http.get(path)
        except httpx.HTTPError as error:
            raise ToolUnreachable(f"the box does not answer: {error}") from error
        if answer.status_code == 401:
            raise CredentialRefused(f"the box does not know {self.secret}", remedy="make another")
        return answer.json()
    def health(self):
        return Health("1", "ada", self.ask("/health")["detail"])
    def preview(self, schema):
        told = self.ask("/preview")
        if told.get("broken"):
            raise RuntimeError(f"secret {self.secret}")
        return Preview((f"{schema.title} with {len(schema.labels)} labels.",), tuple(told.get("faults", ())), 3)
    def ensure_project(self, schema, known):
        self.ask("/ensure")
        return Remote("7", "http://box.example/7", {})
    def push(self, remote, items, group): return []
    def rerank(self, remote, ranked, version): pass
    def withdraw(self, remote, tasks): return {}
    def poll(self, remote, cursor):
        self.ask("/poll")
        return Changes((), {"at": 1})
    def read(self, remote, tasks): return []
    def task_of(self, remote, annotations): return []
    def everything(self, remote):
        self.ask("/everything")
        return iter(())
    def close(self): self.http.close()

class Kind:
    name = "letter-box"
    title = "Letter Box"
    settings = Settings
    secret_help = "the box's key"
    def open(self, settings, secret, outside):
        return Box(settings, secret, outside)
    def parse_hook(self, settings, hook_secret, headers, body):
        if not hmac.compare_digest(headers.get("x-box", ""), hook_secret):
            raise HookRefused("the hook does not carry the box's key")
        said = json.loads(body)
        return [Hint(tasks=tuple(said["tasks"]))] if said["tasks"] else []

KIND = Kind()
NOT_A_KIND = object()
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, entries: dict[str, str] | None = None) -> None:
    """As pip would: a module and its metadata on the path."""
    points = {"letter-box": "letter_box_connector:KIND"} if entries is None else entries
    (folder / "letter_box_connector.py").write_text(MODULE)
    meta = folder / "letter_box-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: letter-box\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(
        "[tithe.connectors]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
    )
    monkeypatch.syspath_prepend(str(folder))
    registry.kinds.cache_clear()


class LetterBox:
    """The tool: it knows one key, and answers what the test wants."""

    key = "open-sesame"

    def __init__(self) -> None:
        self.preview: dict[str, object] = {}
        self.asked: list[str] = []
        self.pause = threading.Event()
        self.pause.set()
        box = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                box.asked.append(self.path)
                box.pause.wait(5)
                known = self.headers["Authorization"] == f"Bearer {box.key}"
                body = json.dumps({"detail": "a box", **box.preview}).encode()
                try:
                    self.send_response(200 if known else 401)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.pause.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
