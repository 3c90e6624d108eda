"""Between Tithe and Label Studio: a line that can be down, or lose an answer; and a place hooks come to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_HOPS = {"connection", "transfer-encoding", "content-length", "keep-alive", "server", "date"}


class Line:
    """The line to a server: up, down, or about to lose an answer."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.down = False
        self.lose: int | None = None  #: after so many more requests one takes effect, unanswered, and the line is down


@contextmanager
def line_to(target: str) -> Iterator[Line]:
    """A proxy to `target` on a port of its own."""
    line = Line(target)
    with httpx.Client(timeout=120) as onward:

        class Handler(_Quiet):
            def _pass_on(self) -> None:
                if line.down:
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOPS}
                answer = onward.request(self.command, line.target + self.path, headers=kept, content=body)
                if line.lose == 0:
                    line.down = self.close_connection = True
                    return
                if line.lose is not None:
                    line.lose -= 1
                self.send_response_only(answer.status_code)
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
                for name, value in {**kept, "Date": answer.headers["Date"]}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the base class's names

        with _serving(Handler) as line.url:
            yield line


@contextmanager
def mailbox() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address hooks can be sent to, and what came: headers in lower case, and the body."""
    came: list[tuple[dict[str, str], bytes]] = []

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(202)
            self.end_headers()

    with _serving(Handler) as url:
        yield url, came


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
