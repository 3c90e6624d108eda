"""Asking a tool while somebody waits for the answer: in a thread of its own, for a bounded time, changing nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from tithe.connectors.clean import storable, without
from tithe.connectors.errors import AddressForbidden, CredentialRefused, SchemaUnfit, ToolMisbehaves, ToolUnreachable
from tithe.connectors.protocol import ConnectorKind, Health, Preview
from tithe.connectors.registry import kind
from tithe.connectors.schema import schema_of, unfit
from tithe.contracts.projects import Project
from tithe.errors import BadInput, TitheError
from tithe.runtime import Runtime

#: Tools asked at a time; whoever comes then waits, within the time there is.
ASKED_AT_ONCE = 6
LONGEST_SECONDS = 20.0
_SILENCE_SECONDS = 8.0
_log = structlog.get_logger("tithe.gateway")
T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """A connection that somebody wants, its settings checked."""

    kind: ConnectorKind
    settings: BaseModel
    secret: str


def wish(kind_name: str, settings: dict[str, Any], secret: str) -> Wish:
    """Check kind and settings; nothing is asked of the tool. Raises BadInput."""
    try:
        its_kind = kind(kind_name)
    except BadInput as fault:
        fault.place = "body.kind"
        raise
    return Wish(its_kind, read_settings(its_kind, settings), secret)


def read_settings(its_kind: ConnectorKind, settings: dict[str, Any]) -> BaseModel:
    """The settings as the kind's own model. Raises BadInput, naming every fault."""
    try:
        return its_kind.settings.model_validate(settings)
    except ValidationError as error:
        faults = [
            {
                "place": ".".join(["body.settings", *map(str, one["loc"])]), "code": one["type"],
                "detail": str(one.get("ctx", {}).get("error", one["msg"])),
            }
            for one in error.errors(include_url=False, include_input=False)
        ]  # fmt: skip
        known = ", ".join(its_kind.settings.model_fields)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise BadInput(
            f"{faults[0]['place']}: {faults[0]['detail']}{more}", place=faults[0]["place"],
            remedy=f"{its_kind.title} is told: {known}", errors=faults,
        ) from None  # fmt: skip


async def preview(app: FastAPI, here: Runtime, wanted: Wish, project: Project) -> Preview:
    """What connecting would do. Raises what the connector raises, and ToolUnreachable where that takes too long."""

    def ask() -> Preview:
        outside = replace(here.outside, timeout_seconds=_SILENCE_SECONDS, whole_seconds=LONGEST_SECONDS)
        connector = wanted.kind.open(wanted.settings, wanted.secret, outside)
        schema = schema_of(project, wanted.settings)
        try:
            if fault := unfit(wanted.kind.title, connector.capabilities, schema):
                return Preview(says=(), faults=(fault,))
            found = connector.preview(schema)
            says = [*found.says, *_of_budget(project, wanted.settings)]
            return Preview(tuple(storable(says)), tuple(storable(found.faults)), found.adoptable)
        finally:
            connector.close()

    return await _bounded(app, wanted, ask)


def _of_budget(project: Project, settings: BaseModel) -> list[str]:
    """What is to be known of a window that leaves nothing of the budget to anybody else."""
    window = getattr(settings, "window", None)
    if project.budget is None or not isinstance(window, int) or window * project.overlap < project.budget:
        return []
    whole = f"The window ({window}) holds the whole budget ({project.budget} {project.budget_unit})"
    return [f"{whole}: nobody else gets items meanwhile. Choose a smaller one where others label too."]


async def let_in(app: FastAPI, here: Runtime, wanted: Wish) -> None:
    """Raise CredentialRefused where the tool does not take the secret; one that does not answer says nothing of it."""

    def ask() -> Health:
        outside = replace(here.outside, timeout_seconds=_SILENCE_SECONDS, whole_seconds=LONGEST_SECONDS)
        connector = wanted.kind.open(wanted.settings, wanted.secret, outside)
        try:
            return connector.health()
        finally:
            connector.close()

    try:
        await _bounded(app, wanted, ask)
    except CredentialRefused:
        raise
    except TitheError as error:
        _log.info("secret_not_tried", kind=wanted.kind.name, code=error.code)


async def _bounded(app: FastAPI, wanted: Wish, ask: Callable[[], T]) -> T:
    limiter: anyio.CapacityLimiter = app.state.asking
    try:
        with anyio.fail_after(LONGEST_SECONDS):
            # Abandoned, the thread ends by itself: every call in it is bounded as well.
            return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=limiter)
    except TimeoutError:
        raise _placed(
            ToolUnreachable(
                f"{wanted.kind.title} did not answer within {LONGEST_SECONDS:g} s",
                remedy="is the address right, and the tool up? `check: false` connects without asking",
            ),
            wanted,
        ) from None
    except TitheError as error:
        raise _placed(error, wanted) from None
    # A connector may be a stranger's, and an error may quote what was sent: only its name is told.
    except Exception as error:  # noqa: BLE001
        _log.warning("connector_broke", kind=wanted.kind.name, error=type(error).__name__)
        raise ToolMisbehaves(
            f"the connector {wanted.kind.name!r} broke with {type(error).__name__} when it asked the tool",
            remedy="is this the tool's address? If it is, please report it to the connector's makers",
        ) from None


def _placed(error: TitheError, wanted: Wish) -> TitheError:
    """Say what of the request it is about, and take the secret out should a connector have quoted it."""
    if error.place is None:
        if isinstance(error, CredentialRefused):
            error.place = "body.secret"
        elif isinstance(error, (AddressForbidden, ToolUnreachable)) and "url" in type(wanted.settings).model_fields:
            error.place = "body.settings.url"
        elif isinstance(error, SchemaUnfit) and "project" in type(wanted.settings).model_fields:
            error.place = "body.settings.project"
    error.message = storable(without(error.message, wanted.secret))
    error.remedy = None if error.remedy is None else storable(without(error.remedy, wanted.secret))
    error.facts = {name: value for name, value in error.facts.items() if name == "retry_after_seconds"}
    return error
