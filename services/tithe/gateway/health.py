"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import functools
import os
import socket
import tempfile
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from fastapi import APIRouter, Response

from tithe.contracts.insight import Alive, Check, Readiness
from tithe.errors import TitheError
from tithe.gateway.context import Here
from tithe.runtime import Runtime
from tithe.settings import Settings
from tithe.storage import status

_PATIENCE_SECONDS = 3.0

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Alive:
    """Always 200 while the process answers, whatever it leans on."""
    return Alive(version=version())


@router.get(
    "/readyz", summary="Whether requests can be served",
    responses={503: {"model": Readiness, "description": "Something that is needed is missing."}},
)  # fmt: skip
async def readyz(here: Here, response: Response) -> Readiness:
    """Each thing the gateway leans on, by name.

    The broker is told but not needed: labels are taken without it, only new rounds wait.
    """
    checks: list[Check] = []

    async def look(work: Callable[[], list[Check]], silent: list[Check]) -> None:
        with anyio.move_on_after(_PATIENCE_SECONDS) as patience:
            checks.extend(await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter))
        if patience.cancelled_caught:
            checks.extend(silent)

    # Threads of its own: a database that does not answer must not use up those of the requests.
    limiter = anyio.CapacityLimiter(3)
    late = f"no answer within {_PATIENCE_SECONDS:g} s"
    async with anyio.create_task_group() as group:
        group.start_soon(look, lambda: _database(here), [Check(name="database", ok=False, needed=True, detail=late)])
        group.start_soon(
            look, lambda: [_artifacts(here.settings)], [Check(name="artifacts", ok=False, needed=True, detail=late)]
        )
        group.start_soon(
            look, lambda: [_broker(here.settings)], [Check(name="broker", ok=False, needed=False, detail=late)]
        )
    ready = all(check.ok for check in checks if check.needed)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=sorted(checks, key=lambda check: check.name))


@functools.cache
def version() -> str:
    """Of the installed package."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("tithe")
    except PackageNotFoundError:
        return "0"


@functools.cache
def _wanted_revision() -> str:
    from tithe.storage import migrate

    return migrate.newest()


def _fault_of_pgvector(version: str | None) -> str | None:
    from tithe.storage import migrate

    fault = migrate.too_old_pgvector(version)
    return None if fault is None else f"{fault}: {migrate.PGVECTOR_REMEDY}"


def _database(here: Runtime) -> list[Check]:
    try:
        found, vector = status.revision(here.database), status.pgvector(here.database)
    except TitheError as error:
        return [Check(name="database", ok=False, needed=True, detail=error.message)]
    wanted = _wanted_revision()
    # A newer schema is no fault: in a rollout the database is migrated first, and migrations only add.
    current = found is not None and found >= wanted
    told = None if current else f"the schema is at {found}, this gateway needs {wanted}: run `tithe migrate`"
    if current and (fault := _fault_of_pgvector(vector)) is not None:
        current, told = False, fault
    return [
        Check(name="database", ok=True, needed=True),
        Check(name="schema", ok=current, needed=True, detail=told),
    ]


def _artifacts(settings: Settings) -> Check:
    folder = settings.artifact_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".ready-", dir=folder)
        os.close(handle)
        os.unlink(name)  # noqa: PTH108  (mkstemp gives a name, not a path)
    except OSError as error:
        return Check(name="artifacts", ok=False, needed=True, detail=f"cannot write: {error.strerror}")
    return Check(name="artifacts", ok=True, needed=True)


def _broker(settings: Settings) -> Check:
    """Only whether somebody listens: the gateway has no business with the broker, and no library to speak to it."""
    if settings.broker_url is None:
        return Check(name="broker", ok=False, needed=False, detail="TITHE_BROKER_URL is not set")
    address = urlsplit(settings.broker_url.get_secret_value())
    try:
        with socket.create_connection((address.hostname or "127.0.0.1", address.port or 6379), timeout=1.0):
            return Check(name="broker", ok=True, needed=False)
    except (OSError, ValueError):
        return Check(name="broker", ok=False, needed=False, detail="nobody listens there; new rounds wait for it")
