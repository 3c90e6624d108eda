"""What stands before every route: how large a body may be, that it is not compressed, and the last handler of all."""

from __future__ import annotations

import re

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tithe.errors import TooLarge, UnsupportedMedia
from tithe.gateway.problems import internal_error, tithe_problem

_UPLOAD = re.compile(r"^/v1/projects/[^/]+/items/?$")
_HOOK = re.compile(r"^/v1/(hooks|label-studio)/")
_log = structlog.get_logger("tithe.gateway")


class Guards:
    """Pure ASGI, so that bodies stream through.

    The body is counted as it is read, whatever its Content-Length claims; uploads of items and what tools send have
    limits of their own.
    (Starlette's own limit answers a Content-Length that is too large in plain text, so it cannot serve here.)
    """

    def __init__(self, app: ASGIApp, body_limit_bytes: int, upload_limit_bytes: int, hook_limit_bytes: int) -> None:
        self.app = app
        self.body_limit_bytes = body_limit_bytes
        self.upload_limit_bytes = upload_limit_bytes
        self.hook_limit_bytes = hook_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limit(scope)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        refusal = _refusal(Headers(scope=scope), limit)
        if refusal is not None:
            await tithe_problem(refusal)(scope, receive, send)
            return
        try:
            await self.app(scope, _counted(receive, limit), watched)
        # The last handler: whatever nobody expected is logged here, and told without its insides.
        except Exception:
            _log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise  # the server cuts the connection: half a response must not look like a whole one
            await internal_error()(scope, receive, send)

    def _limit(self, scope: Scope) -> int:
        if scope["method"] == "POST" and _UPLOAD.match(scope["path"]):
            return self.upload_limit_bytes
        return self.hook_limit_bytes if _HOOK.match(scope["path"]) else self.body_limit_bytes


def _refusal(headers: Headers, limit: int) -> TooLarge | UnsupportedMedia | None:
    """What can be said before anything of the body is read."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return UnsupportedMedia(
            f"bodies with Content-Encoding {encoding[:40]!r} are not unpacked", place="header.Content-Encoding",
            remedy="send the body as it is",
        )  # fmt: skip
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        return too_large(limit)
    return None


def too_large(limit: int) -> TooLarge:
    """The body is over the limit."""
    return TooLarge(f"the body is larger than {limit:,} bytes", place="body", remedy="send less at a time")


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:  # as HTTPException: FastAPI would turn any other error of reading into a 400
                raise HTTPException(413, too_large(limit).message)
        return message

    return counted
