"""One pass over a connection: what was said there, what is to be asked there. And how it is told when that fails."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import structlog

from tithe import policy
from tithe.connectors.clean import storable, without
from tithe.connectors.errors import SchemaUnfit, ToolUnreachable
from tithe.connectors.protocol import Limits, Listens
from tithe.connectors.schema import unfit
from tithe.contracts.projects import Project
from tithe.contracts.tasks import SyncConnector
from tithe.errors import Conflict, NotFound, StaleClaim, TitheError, Unavailable
from tithe.loop import parting
from tithe.runtime import Runtime
from tithe.storage import answers, connectors, jobs, projects, remote
from tithe.storage.connectors import Connection
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.sync import adopt, intake, leave, window
from tithe.sync.link import Pass, digest_of, opened
from tithe.vault import SecretUnreadable, VaultClosed

_log = structlog.get_logger("tithe.sync")
#: Something somebody has to do: looked at again now and then, and at once when they changed something.
_ATTENTION_SECONDS = 120.0
_POLL_SECONDS = 30.0


def sync_connector(runtime: Runtime, message: SyncConnector, claim: Claim) -> None:
    """Make a pass. A tool that fails is a fact about the connection, told with it, and tried again by itself."""
    begun = runtime.database.run(lambda unit: _begin(unit, message, claim))
    if begun is None:
        return
    connection, project = begun
    log = _log.bind(connector=connection.name, kind=connection.kind)
    try:
        with opened(runtime, claim, connection, project) as one:
            _make(one)
            if one.counts:
                log.info("told", **one.counts)
    except (StaleClaim, NotFound):
        raise
    except TitheError as error:
        if _is_ours(error):
            raise
        _went_wrong(runtime, claim, connection, error)
    # A connector, a stranger's perhaps, that breaks must not be more than a connection that fails.
    except Exception as error:
        log.exception("pass_broke")
        broke = ToolUnreachable(f"the pass broke: {type(error).__name__}", remedy="the log of sync tells where")
        _went_wrong(runtime, claim, connection, broke)


def _is_ours(error: TitheError) -> bool:
    """Whether it is our own database that is away or busy, and not the tool."""
    if isinstance(error, Conflict):
        return not isinstance(error, VaultClosed | SecretUnreadable)
    return isinstance(error, Unavailable) and not isinstance(error, ToolUnreachable)


def _begin(unit: Unit, message: SyncConnector, claim: Claim) -> tuple[Connection, Project] | None:
    connection = connectors.by_id(unit, message.connector_id)
    if connection is None or connection.state == "paused":
        jobs.finish(unit, claim)
        return None
    connectors.begin(unit, connection.id, claim)
    return connection, projects.get(unit, connection.project_id)


def _make(one: Pass) -> None:
    """The steps, in the order in which they matter: first what people said, then what they are asked next."""
    if one.connection.state == "leaving":
        leave.leave(one)

        parting.part(one.runtime.database, one.connection.id)
        one.runtime.database.run(lambda unit: jobs.finish(unit, one.claim))
        return
    _ensure(one)
    if getattr(one.settings, "adopt", False) and one.connection.adopted_at is None:
        adopt.adopt(one)
    everything = intake.follow_hints(one)
    if _poll_due(one):
        intake.poll(one)
    window.tend(one)
    if everything or intake.reconcile_due(one):
        intake.reconcile(one)
    one.run(one.hold)
    one.run(lambda unit: _went_well(unit, one))


def _went_well(unit: Unit, one: Pass) -> None:
    budget = one.project.budget
    spent = budget is not None and answers.progress(unit, one.project.id).paid_count >= budget
    connectors.note_facts(unit, one.connection.id, {"finished": "budget_spent" if spent else None})
    if isinstance(one.kind, Limits):
        cost = one.kind.cost(one.settings, remote.answered(unit, one.connection.id))
        connectors.note_facts(unit, one.connection.id, {"cost": cost})
    connectors.went_well(unit, one.claim, _poll_seconds(one))


def _ensure(one: Pass) -> None:
    """Have the tool's project fit ours: when anything changed, after a failure, and when everything is looked at."""
    digest = digest_of(one.schema, one.connection.settings)
    settled = one.connection.state == "healthy" and one.connection.facts.get("schema") == digest
    if one.remote is not None and settled and not intake.reconcile_due(one):
        return
    if fault := unfit(one.kind.title, one.connector.capabilities, one.schema):
        raise SchemaUnfit(fault, remedy="change the project, or connect another tool")
    health = one.connector.health()
    one.remote = one.connector.ensure_project(one.schema, one.remote)
    base = getattr(one.settings, "hooks_url", None)
    if base and isinstance(one.connector, Listens):
        url = f"{base.rstrip('/')}/v1/hooks/{one.connection.id}"
        one.remote = one.connector.listen(one.remote, url, one.runtime.vault.open(one.connection.hook_secret))
    remote = asdict(one.remote)
    facts = {"schema": digest, "tool": asdict(health), "url": remote["url"], "hooks": remote["facts"].get("hooks")}
    one.run(lambda unit: connectors.note_remote(unit, one.connection.id, remote, facts))


def _poll_seconds(one: Pass) -> float:
    return float(getattr(one.settings, "poll_seconds", _POLL_SECONDS))


def _poll_due(one: Pass) -> bool:
    last = one.connection.polled_at
    if last is None or one.connection.state != "healthy":
        return True
    return datetime.now(UTC) - last >= timedelta(seconds=0.8 * _poll_seconds(one))


def _went_wrong(runtime: Runtime, claim: Claim, connection: Connection, error: TitheError) -> None:
    """Tell what is wrong and when it is tried again: soon where it may pass, rarely where somebody must act."""
    passing = isinstance(error, ToolUnreachable)
    wait = policy.tool_retry_seconds(connection.failures + 1, random.random())  # noqa: S311 - spreads callers
    asked = error.facts.get("retry_after_seconds")
    if not passing:
        wait = _ATTENTION_SECONDS
    elif isinstance(asked, int | float):
        wait = max(wait, min(float(asked), 3600.0))
    secrets = _secrets(runtime, connection)  # a tool may quote what it was sent
    detail = without(storable(error.message), *secrets)[:2000]
    remedy = None if error.remedy is None else without(storable(error.remedy), *secrets)
    problem = {"code": error.code, "detail": detail, "remedy": remedy}
    _log.warning("pass_failed", connector=connection.name, code=error.code, reason=detail, again_in=round(wait))
    with suppress(StaleClaim):
        runtime.database.run(
            lambda unit: connectors.went_wrong(unit, claim, "failing" if passing else "attention", problem, wait)
        )


def _secrets(runtime: Runtime, connection: Connection) -> list[str]:
    with suppress(VaultClosed, SecretUnreadable):
        return [runtime.vault.open(connection.secret), runtime.vault.open(connection.hook_secret)]
    return []
