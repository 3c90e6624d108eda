"""What routes are given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from tithe.errors import BadInput, UnsupportedMedia
from tithe.runtime import Runtime

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant


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


async def known_query(request: Request) -> None:
    """A parameter that the route does not know is refused: misspelled, it would change nothing, silently."""
    known = _query_names(request.scope["route"].dependant)
    if unknown := sorted(set(request.query_params) - known):
        raise BadInput(
            f"this call knows no parameter {', '.join(repr(name[:80]) for name in unknown[:5])}",
            place=f"query.{unknown[0][:80]}",
            remedy=f"it knows {', '.join(sorted(known))}" if known else "it takes none",
        )


def _query_names(dependant: Dependant) -> set[str]:
    return {one.alias for one in dependant.query_params}.union(*map(_query_names, dependant.dependencies))


Here = Annotated[Runtime, Depends(_runtime)]
ProjectId = Annotated[UUID, Path(description="the project's id")]
JsonOnly = Depends(_json_only)
