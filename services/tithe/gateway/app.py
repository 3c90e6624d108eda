"""The application: routes, guards and error rendering around one Runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from tithe.gateway import (
    asking,
    batches,
    catalog,
    connectors,
    docs,
    events,
    export,
    guidelines,
    health,
    hooks,
    insight,
    items,
    machine,
    metrics,
    ml_backend,
    nearest,
    people,
    predict,
    problems,
    projects,
    proof,
    trail,
)
from tithe.gateway.access import admit, check_table
from tithe.gateway.context import known_query
from tithe.gateway.guards import Guards
from tithe.gateway.metrics import Meters, Timed
from tithe.gateway.pages import home, label, page, project, sign_in
from tithe.gateway.tries import Tries
from tithe.runtime import Runtime

_DESCRIPTION = """
Tithe decides which items of a large unlabeled pool people should label next, hands them out, takes the labels,
retrains, and shows what that saved.

Make a **project**, add **items**, ask for a **batch**, send its **labels**; again. Rounds of training and ranking
happen by themselves. Every error is `application/problem+json` with a stable `code`, the `place` of the fault and a
`remedy`.
"""


_INTERFACE = tuple(
    room.router
    for room in (
        projects, catalog, items, batches, insight, proof, nearest, predict, export, connectors, machine,
        guidelines, events, people, trail,
    )
)  # fmt: skip
_PAGES = (home.router, project.router, label.router, sign_in.inside)
#: Those that tools call take whatever else the tool puts into an address, and secrets of their own.
_OUTSIDE = (*(room.router for room in (health, metrics, docs, hooks, ml_backend)), sign_in.outside)


def create_app(runtime: Runtime) -> FastAPI:
    """The gateway on this runtime. Who made the runtime closes it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # More threads than connections: those that wait for one are few, and others need none. Past that, requests wait
        # in the event loop, where waiting is free.
        anyio.to_thread.current_default_thread_limiter().total_tokens = runtime.settings.gateway_connections + 8
        app.state.uploads = anyio.CapacityLimiter(items.UPLOADS)
        app.state.listeners = anyio.CapacityLimiter(events.LISTENERS)
        app.state.asking = anyio.CapacityLimiter(asking.ASKED_AT_ONCE)
        yield

    app = FastAPI(
        title="Tithe",
        version=health.version(),
        summary="An active-learning labeling server",
        description=_DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.leaving_since = None
    app.state.meters = Meters(runtime.database)
    problems.install(app)
    app.state.tries = Tries()
    check_table((*_INTERFACE, *_PAGES), _OUTSIDE)
    # Who calls is looked at first: a stranger is told nothing of what is wrong with the rest.
    for router in _INTERFACE:
        app.include_router(router, dependencies=[Depends(admit), Depends(known_query)])
    for router in _PAGES:
        app.include_router(router, dependencies=[Depends(admit)])
    for router in _OUTSIDE:
        app.include_router(router)
    app.mount(docs.ASSETS, docs.assets())
    app.mount(page.ASSETS, page.assets())
    settings = runtime.settings
    app.add_middleware(
        Guards,
        body_limit_bytes=settings.body_limit_bytes,
        upload_limit_bytes=settings.upload_limit_bytes,
        hook_limit_bytes=settings.hook_limit_bytes,
    )
    app.add_middleware(Timed, meters=app.state.meters)
    _describe_problems(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: clients made from the description keep their names when an address changes."""
    return route.name


def _describe_problems(app: FastAPI) -> None:
    """Say in the description what media type errors really have."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        described = app.openapi_schema is not None
        schema = made()
        if not described:
            for path in schema["paths"].values():
                for operation in path.values():
                    for status, response in operation.get("responses", {}).items():
                        content = response.get("content", {})
                        if status >= "400" and _is_problem(content):
                            response["content"] = {problems.MEDIA_TYPE: content["application/json"]}
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _is_problem(content: dict[str, Any]) -> bool:
    reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.endswith("/Problem")
