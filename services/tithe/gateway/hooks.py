"""What tools tell by themselves. A hook is never believed: it says where to look, and the sync process looks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from tithe.connectors.errors import HookRefused
from tithe.connectors.protocol import Hint
from tithe.connectors.registry import kind
from tithe.errors import NotFound, TitheError
from tithe.gateway.context import Here
from tithe.gateway.problems import documented
from tithe.runtime import Runtime
from tithe.storage import connectors
from tithe.storage.connectors import Connection

router = APIRouter(prefix="/v1/hooks", tags=["connections"])
ConnectorId = Annotated[UUID, Path(description="the connection's id")]
_log = structlog.get_logger("tithe.gateway")


@router.post("/{connector_id}", status_code=204, summary="Hear from a tool", responses=documented(403, 404, 413, 422))
async def take_hook(connector_id: ConnectorId, here: Here, request: Request) -> Response:
    """For the tools themselves. Whatever the hook says is only a reason to look: the tool is asked what is true.

    It must carry the connection's hook secret, the way the tool carries secrets.
    """
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    await run_in_threadpool(hear, here, connector_id, headers, body)
    return Response(status_code=204)


def hear(here: Runtime, connector_id: UUID, headers: dict[str, str], body: bytes) -> None:
    """Keep where a hook says to look. Raises NotFound, HookRefused."""
    found = known(here, connector_id)
    keep(here, found, read(found, here.vault.open(found.hook_secret), headers, body))


def known(here: Runtime, connector_id: UUID) -> Connection:
    """The connection of that id. Raises NotFound."""
    found = here.database.run(lambda unit: connectors.by_id(unit, connector_id))
    if found is None:
        raise NotFound("there is no such connection", place="path.connector_id")
    return found


def read(found: Connection, hook_secret: str, headers: dict[str, str], body: bytes) -> list[Hint]:
    """What a hook says. Raises HookRefused. Nothing of the body is ever logged: it may carry the tool's own secrets."""
    its_kind = kind(found.kind)
    # A project that the connection made is as much its own as one that its settings name.
    made = {"project": (found.remote or {}).get("id")} if found.settings.get("project") is None else {}
    known_project = {name: value for name, value in made.items() if value is not None and name in found.settings}
    settings = its_kind.settings.model_validate({**found.settings, **known_project})
    try:
        return its_kind.parse_hook(settings, hook_secret, headers, body)
    except TitheError:
        raise
    # The parser may be a stranger's, and its error may quote the body: only its name is told.
    except Exception as error:  # noqa: BLE001
        _log.warning("hook_parser_broke", kind=found.kind, error=type(error).__name__)
        raise HookRefused("the hook cannot be read") from None


def keep(here: Runtime, found: Connection, hints: list[Hint]) -> None:
    """Write where to look, and wake the sync process. While the connection is paused nobody looks."""
    if not hints or found.state == "paused":
        return
    told = [(one.tasks, one.annotations, one.everything) for one in hints]
    here.database.run(lambda unit: connectors.hint(unit, found.id, told), repeatable=False)
