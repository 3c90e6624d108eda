"""Connections to other people's tools: previewed, made, looked at, changed, left. Secrets come in and never out."""

from __future__ import annotations

import secrets
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from tithe.connectors.errors import SchemaUnfit
from tithe.connectors.protocol import Preview
from tithe.connectors.registry import kind, kinds
from tithe.contracts.connectors import (
    AskPreview,
    BrokenKind,
    ChangeConnector,
    ConnectionPreview,
    ConnectionProblem,
    ConnectorKinds,
    ConnectorKindState,
    ConnectorPage,
    ConnectorState,
    NewConnector,
    QuarantinedAnnotation,
    QuarantinePage,
)
from tithe.contracts.shapes import Fault
from tithe.errors import BadInput, Conflict, NameTaken, NotFound, TitheError
from tithe.gateway import asking
from tithe.gateway.asking import Wish
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.ml_backend import address_of as model_backend_of
from tithe.gateway.problems import documented
from tithe.loop import parting
from tithe.runtime import Runtime
from tithe.storage import connectors, projects
from tithe.storage.connectors import Connection, Look
from tithe.storage.database import Unit

router = APIRouter(prefix="/v1", tags=["connections"])
ConnectorName = Annotated[str, Path(description="the connection's name", max_length=60)]


@router.get("/connectors", summary="List the tools that can be connected", responses=documented(422))
def list_connector_kinds() -> ConnectorKinds:
    """Every kind of tool this gateway can be connected to, with the settings each one asks for."""
    every = kinds()
    told = [
        ConnectorKindState(
            name=one.name, title=one.title, secret_help=one.secret_help, settings=one.settings.model_json_schema()
        )
        for one in every.found.values()
    ]
    return ConnectorKinds(kinds=told, broken=[BrokenKind(**vars(one)) for one in every.broken])


@router.post(
    "/projects/{project_id}/connectors/preview", summary="See what connecting would do", dependencies=[JsonOnly],
    responses=documented(400, 404, 413, 415, 422),
)  # fmt: skip
async def preview_connector(project_id: ProjectId, ask: AskPreview, here: Here, request: Request) -> ConnectionPreview:
    """Asks the tool, for twenty seconds at most, and says in plain sentences what connecting would do.

    Changes nothing, here or there. What stands in the way is told under `faults`, with what to do about it.
    """
    wanted = await run_in_threadpool(asking.wish, ask.kind, ask.settings, ask.secret.get_secret_value())
    project = await run_in_threadpool(here.database.run, lambda unit: projects.get(unit, project_id))
    try:
        found = await asking.preview(request.app, here, wanted, project)
    except TitheError as error:
        fault = Fault(place=error.place, code=error.code, detail=error.message, remedy=error.remedy)
        return ConnectionPreview(says=[], faults=[fault])
    return ConnectionPreview(says=list(found.says), faults=_faults(found), adoptable=found.adoptable)


@router.post(
    "/projects/{project_id}/connectors", status_code=201, summary="Connect a tool", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
async def create_connector(
    project_id: ProjectId, ask: NewConnector, here: Here, request: Request, response: Response
) -> ConnectorState:
    """Connects the project to a tool, after the checks of `…/preview`; `check: false` leaves them out.

    The answer comes at once, in state `starting`; what then happens there tells `GET …/connectors/{name}`.
    """
    wanted = await run_in_threadpool(asking.wish, ask.kind, ask.settings, ask.secret.get_secret_value())
    hook_secret = ask.hook_secret.get_secret_value() if ask.hook_secret else secrets.token_urlsafe(32)
    # Before the tool is asked: without a key, or under a name that is taken, it need not be.
    sealed, sealed_hook = here.vault.seal(wanted.secret), here.vault.seal(hook_secret)
    name = ask.name or wanted.kind.name
    project = await run_in_threadpool(here.database.run, lambda unit: _room_for(unit, project_id, name, wanted))
    if ask.check:
        _refuse_unfit(await asking.preview(request.app, here, wanted, project))

    def work(unit: Unit) -> ConnectorState:
        projects.get(unit, project_id)
        made = connectors.add(
            unit, project_id, kind=wanted.kind.name, name=name, settings=wanted.settings.model_dump(mode="json"),
            secret=sealed, hook_secret=sealed_hook,
        )  # fmt: skip
        return _told(here, made, _looks(unit, project_id)[made.id])

    made = await run_in_threadpool(here.database.run, work, repeatable=False)
    response.headers["Location"] = f"/v1/projects/{project_id}/connectors/{made.name}"
    return made


@router.get("/projects/{project_id}/connectors", summary="List connections", responses=documented(404, 422))
def list_connectors(project_id: ProjectId, here: Here) -> ConnectorPage:
    """Every connection of the project, and how it is."""

    def work(unit: Unit) -> list[ConnectorState]:
        projects.get(unit, project_id)
        looks = _looks(unit, project_id)
        return [_told(here, one, looks[one.id]) for one in connectors.of_project(unit, project_id) if one.id in looks]

    return ConnectorPage(connectors=here.database.run(work))


@router.get("/projects/{project_id}/connectors/{name}", summary="Look at a connection", responses=documented(404, 422))
def get_connector(project_id: ProjectId, name: ConnectorName, here: Here) -> ConnectorState:
    """How a connection is: its state and what to do about it, what is there, what counted, how far behind it is."""
    return here.database.run(lambda unit: _state(here, unit, project_id, name))


@router.patch(
    "/projects/{project_id}/connectors/{name}", summary="Change a connection", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
async def change_connector(
    project_id: ProjectId, name: ConnectorName, change: ChangeConnector, here: Here, request: Request
) -> ConnectorState:
    """Changes what is sent: settings field by field, the secret, whether it is paused. It is tried out at once.

    A secret that the tool refuses is not taken: the one before stays.
    """
    secret = None if change.secret is None else here.vault.seal(change.secret.get_secret_value())
    if change.secret is not None:
        found = await run_in_threadpool(here.database.run, lambda unit: _staying(unit, project_id, name))
        values = found.settings if change.settings is None else _merged(found, change.settings, new_secret=True)
        wanted = await run_in_threadpool(asking.wish, found.kind, values, change.secret.get_secret_value())
        await asking.let_in(request.app, here, wanted)

    def work(unit: Unit) -> ConnectorState:
        found = _staying(unit, project_id, name)
        settings = None if change.settings is None else _merged(found, change.settings, new_secret=secret is not None)
        connectors.change(unit, found.id, settings=settings, secret=secret, paused=change.paused)
        return _state(here, unit, project_id, name)

    return await run_in_threadpool(here.database.run, work)


@router.delete(
    "/projects/{project_id}/connectors/{name}", status_code=202, summary="Leave a tool",
    responses={204: {"description": "Gone: `at_once` was asked for."}, **documented(404, 422)},
)  # fmt: skip
def delete_connector(
    project_id: ProjectId,
    name: ConnectorName,
    here: Here,
    at_once: Annotated[
        bool, Query(description="without asking the tool: its tasks stay there, and what they say is lost to Tithe")
    ] = False,
) -> Response:
    """Takes back what nobody answered there, then forgets the connection. What counted stays counted.

    Until then the connection is `leaving`; a tool that does not answer is asked again and again.
    """
    found = here.database.run(lambda unit: _known(unit, project_id, name))
    if at_once:
        parting.part(here.database, found.id)
    else:
        here.database.run(lambda unit: connectors.leave(unit, found.id))
    return Response(status_code=204 if at_once else 202)


@router.post(
    "/projects/{project_id}/connectors/{name}/sync", status_code=202, summary="Look at the tool now",
    responses=documented(404, 409, 422),
)  # fmt: skip
def sync_connector(project_id: ProjectId, name: ConnectorName, here: Here) -> ConnectorState:
    """Has everything in the tool read at once, whenever its time would come; the connection's state shows what came."""

    def work(unit: Unit) -> ConnectorState:
        found = _known(unit, project_id, name)
        if found.state == "paused":
            raise Conflict(f"{name} is paused", remedy='PATCH it with {"paused": false} first')
        connectors.hint(unit, found.id, [((), (), True)])
        return _state(here, unit, project_id, name)

    return here.database.run(work)


@router.get(
    "/projects/{project_id}/connectors/{name}/quarantine", summary="Look at what does not count",
    responses=documented(404, 422),
)  # fmt: skip
def get_quarantine(
    project_id: ProjectId, name: ConnectorName, here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> QuarantinePage:
    """Annotations that fit no schema, or are more than were asked for, and why: kept, and counted once that changes."""

    def work(unit: Unit) -> list[QuarantinedAnnotation]:
        found = connectors.quarantined(unit, _known(unit, project_id, name).id, limit)
        return [QuarantinedAnnotation.model_validate(vars(one)) for one in found]

    return QuarantinePage(annotations=here.database.run(work))


def _known(unit: Unit, project_id: UUID, name: str) -> Connection:
    projects.get(unit, project_id)
    found = connectors.get(unit, project_id, name)
    if found is None:
        there = ", ".join(one.name for one in connectors.of_project(unit, project_id)) or "none yet"
        raise NotFound(f"the project has no connection {name!r}", place="path.name", remedy=f"there are: {there}")
    return found


def _staying(unit: Unit, project_id: UUID, name: str) -> Connection:
    found = _known(unit, project_id, name)
    if found.state == "leaving":
        raise Conflict(f"{name} is being left", remedy="wait until it is gone, and connect again")
    return found


def _room_for(unit: Unit, project_id: UUID, name: str, wanted: Wish) -> Any:
    """The project, if it can have such a connection."""
    project = projects.get(unit, project_id)
    target = _target(wanted.kind.name, wanted.settings.model_dump(mode="json"))
    if any(one.name == name for one in connectors.of_project(unit, project_id)):
        raise NameTaken(
            f"the project has a connection named {name!r} already", place="body.name", remedy="choose another name"
        )
    for one in connectors.everywhere(unit, wanted.kind.name):
        if target is not None and target in (_target(one.kind, one.settings), _target_made(one)):
            whose = "" if one.project_id == project_id else " of another project"
            raise Conflict(
                f"{one.name}{whose} leads to that project of the tool already", place="body.settings.project",
                remedy="one connection serves any number of people; change that one, or leave it first",
            )  # fmt: skip
    return project


def _target_made(one: Connection) -> tuple[Any, ...] | None:
    """The project that a connection made in its tool."""
    made = (one.remote or {}).get("id")
    return (
        None
        if made is None
        else (one.kind, _address(one.settings.get("url")), int(made) if str(made).isdigit() else made)
    )


def _target(kind_name: str, settings: dict[str, Any]) -> tuple[Any, ...] | None:
    """Which project of which tool settings name; None: they do not say."""
    project = settings.get("project")
    return None if project is None else (kind_name, _address(settings.get("url")), project)


def _address(url: Any) -> str | None:
    """One way to write an address, of the many there are: this machine has names, ports may be left out."""
    if not isinstance(url, str):
        return None
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname in ("localhost", "::1") else parts.hostname
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{host}:{port}{parts.path.rstrip('/')}"


def _merged(found: Connection, change: dict[str, Any], *, new_secret: bool) -> dict[str, Any]:
    its_kind = kind(found.kind)
    for name in ("project", "url"):
        if found.remote is not None and change.get(name, found.settings.get(name)) != found.settings.get(name):
            raise Conflict(
                f"{found.name} leads to another {name} of the tool, and has tasks there", place=f"body.settings.{name}",
                remedy="leave it, and connect again",
            )  # fmt: skip
    if not new_secret and change.get("url", found.settings.get("url")) != found.settings.get("url"):
        raise BadInput(
            "another address is another tool: the secret of the one before is not sent there",
            place="body.settings.url", remedy="send its secret in the same call",
        )  # fmt: skip
    values = {name: value for name, value in {**found.settings, **change}.items() if change.get(name, "") is not None}
    return asking.read_settings(its_kind, values).model_dump(mode="json")


def _faults(found: Preview) -> list[Fault]:
    return [Fault(code=SchemaUnfit.code, detail=one) for one in found.faults]


def _refuse_unfit(found: Preview) -> None:
    if found.faults:
        raise SchemaUnfit(
            found.faults[0], place="body.settings", remedy="change the tool's project or this one's labels",
            errors=[{"code": SchemaUnfit.code, "detail": one} for one in found.faults],
        )  # fmt: skip


def _looks(unit: Unit, project_id: UUID) -> dict[UUID, Look]:
    return {look.connector_id: look for look in connectors.looks(unit, project_id)}


def _state(here: Runtime, unit: Unit, project_id: UUID, name: str) -> ConnectorState:
    found = _known(unit, project_id, name)
    return _told(here, found, _looks(unit, project_id)[found.id])


def _told(here: Runtime, found: Connection, look: Look) -> ConnectorState:
    remote = found.remote or {}
    facts = {name: value for name, value in found.facts.items() if name not in ("schema", "parcel")}
    if (hooks := remote.get("facts", {}).get("hooks")) is not None:
        facts["hooks"] = hooks
    return ConnectorState(
        id=found.id,
        project_id=found.project_id,
        name=found.name,
        kind=found.kind,
        state=found.state,
        problem=ConnectionProblem.model_validate(found.problem) if found.problem else None,
        settings=found.settings,
        url=remote.get("url"),
        facts=facts,
        held=look.held,
        there=look.there,
        rejected=look.rejected,
        counted=look.counted,
        skipped=look.skipped,
        extra=look.extra,
        quarantined=look.quarantined,
        lag_seconds=look.lag_seconds,
        ok_at=found.ok_at,
        failures=found.failures,
        created_at=found.created_at,
        hook=f"/v1/hooks/{found.id}",
        model_backend=model_backend_of(here, found),
    )
