"""The real gateway on a real port, in this process: started, stopped and started again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import uvicorn

from tithe.embedded.ports import choose_port
from tithe.gateway.app import create_app
from tithe.runtime import Runtime

HOST = "127.0.0.1"


class Gateway:
    """Tithe's HTTP interface on a port of its own; `stop` leaves the port closed."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.port = choose_port(None, ())
        self.url = f"http://{HOST}:{self.port}"
        self.calls: list[str] = []
        self.start()

    def start(self) -> None:
        app = create_app(self.runtime)

        @app.middleware("http")
        async def note(request: Any, call_next: Any) -> Any:
            self.calls.append(f"{request.method} {request.url.path}")
            return await call_next(request)

        config = uvicorn.Config(app, host=HOST, port=self.port, log_config=None, access_log=False, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def http(self, method: str, path: str, **more: Any) -> Any:
        """A call that succeeds."""
        response = httpx.request(method, self.url + path, trust_env=False, timeout=10, **more)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def project(self, name: str, task: str, labels: list[str], items: list[Any], **more: Any) -> str:
        """A project with these texts, or items; its id."""
        spec = {"name": name, "task": task, "labels": labels, "encoder": "hashing", **more}
        made = self.http("POST", "/v1/projects", json=spec)["id"]
        rows = [{"id": f"i{n}", "text": one} if isinstance(one, str) else one for n, one in enumerate(items)]
        body = "\n".join(json.dumps(row) for row in rows)
        headers = {"content-type": "application/x-ndjson"}
        told = self.http("POST", f"/v1/projects/{made}/items", content=body.encode(), headers=headers)
        assert told["accepted"] == len(rows), told
        return str(made)

    def rows(self, project: str) -> list[dict[str, Any]]:
        """The export, skips too."""
        text = httpx.get(f"{self.url}/v1/projects/{project}/export?skips=true", trust_env=False, timeout=10).text
        return [json.loads(line) for line in text.splitlines()]

    def answers(self, project: str) -> list[tuple[str, Any, str]]:
        """What counts: item, label (None: a skip), annotator, in the order it came."""
        return [(row["id"], row.get("label"), row["annotator"]) for row in self.rows(project)]


def eventually(check: Callable[[], object], seconds: float = 8.0) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.02)
