"""What routes are given."""

from __future__ import annotations

import time
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from tithe.errors import UnsupportedMedia
from tithe.runtime import Runtime


def _runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found


def leaving_seconds(request: Request) -> float:
    """How long ago the process was told to stop; 0: it was not."""
    since: float | None = request.app.state.leaving_since
    return 0.0 if since is None else time.monotonic() - since


async def _json_only(request: Request) -> None:
    """A body that is not said to be JSON is refused before anybody guesses."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (media == "application/json" or media.endswith("+json")) or not await request.body():
        return
    raise UnsupportedMedia(
        f"this call takes JSON, not {media or 'a body without a content type'}",
        place="header.Content-Type",
        remedy="send Content-Type: application/json",
    )


Here = Annotated[Runtime, Depends(_runtime)]
ProjectId = Annotated[UUID, Path(description="the project's id")]
JsonOnly = Depends(_json_only)
