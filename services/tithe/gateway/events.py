"""What goes on in a project, as it goes on: server-sent events that say that something changed. What, is asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from sse_starlette.sse import EventSourceResponse

from tithe.errors import TitheError, TooManyTries
from tithe.gateway.context import Here, ProjectId, leaving_seconds
from tithe.gateway.problems import documented
from tithe.storage import status

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["looking on"])
#: Who listens at a time, in this process. Each costs a look a second at a few rows.
LISTENERS = 64
_LOOK_SECONDS = 1.0


@router.get("/events", summary="Hear what goes on", responses=documented(404, 422, 429),
            response_class=EventSourceResponse)  # fmt: skip
async def project_events(project_id: ProjectId, here: Here, request: Request) -> EventSourceResponse:
    """Server-sent events, one a second at most: `changed`, with counters, whenever labels, queue or round moved on.

    The first comes at once. The stream ends when the gateway stops; a browser then comes again by itself.
    """
    listeners: anyio.CapacityLimiter = request.app.state.listeners
    if listeners.available_tokens < 1:
        raise TooManyTries("as many as may listen are listening", remedy="look at …/status now and then instead")

    async def told() -> AsyncIterator[dict[str, str]]:
        last: tuple[object, ...] | None = None
        async with listeners:
            while not leaving_seconds(request):
                try:
                    now = await anyio.to_thread.run_sync(
                        lambda: here.database.run(lambda unit: status.pulse(unit, project_id))
                    )
                except TitheError:
                    now = last  # the database is away for a moment: nothing is told, and nobody cut off
                if now is None and last is not None:
                    return  # the project is gone
                if now is not None and now != last:
                    last = now
                    yield {"event": "changed", "data": json.dumps(dict(zip(status.PULSE, now, strict=True)))}
                await anyio.sleep(_LOOK_SECONDS)

    return EventSourceResponse(told(), ping=15, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
