"""Connections to tools: what each is told, how it is, and when it is looked at next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from tithe.contracts.tasks import SyncConnector
from tithe.errors import NameTaken, StaleClaim
from tithe.storage import jobs, queue
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim


@dataclass(frozen=True)
class Connection:
    """One connection of a project to a tool."""

    id: UUID
    project_id: UUID
    kind: str
    name: str
    settings: dict[str, Any]
    secret: bytes  #: sealed
    hook_secret: bytes  #: sealed
    state: str  #: starting, healthy, failing, attention, paused or leaving
    problem: dict[str, Any] | None  #: code, detail, remedy, since
    remote: dict[str, Any] | None
    cursor: dict[str, Any] | None
    facts: dict[str, Any]
    failures: int
    orders: int
    ordered_round: UUID | None
    due_at: datetime
    ok_at: datetime | None
    polled_at: datetime | None
    ordered_at: datetime | None
    reconciled_at: datetime | None
    adopted_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Look:
    """What a look at a connection tells."""

    connector_id: UUID
    project_id: UUID
    project: str
    name: str
    kind: str
    state: str
    ok_at: datetime | None
    failures: int
    held: int  #: answers the tool is waited for
    there: int  #: tasks the tool asks for
    rejected: int  #: items the tool does not take
    counted: int
    skipped: int
    extra: int  #: annotations beyond what was asked for
    quarantined: int
    lag_seconds: float | None  #: from the annotation to the counted label, median of the last hundred


@dataclass(frozen=True)
class Quarantined:
    """An annotation that does not count, and why."""

    annotation: str
    task: str | None
    item_id: str
    annotator: str
    state: str
    because: str | None
    raw: dict[str, Any]
    given_at: datetime | None


@dataclass(frozen=True)
class Hinted:
    """Where hooks said to look."""

    id: int
    tasks: list[str]
    annotations: list[str]
    everything: bool


def add(
    unit: Unit, project_id: UUID, *, kind: str, name: str, settings: dict[str, Any], secret: bytes, hook_secret: bytes
) -> Connection:  # fmt: skip
    """Connect a project; the first pass is due at once. Raises NameTaken."""
    try:
        added = unit.one(
            "connectors.add", Connection, project_id=project_id, kind=kind, name=name, settings=Jsonb(settings),
            secret=secret, hook_secret=hook_secret,
        )  # fmt: skip
    except pg.UniqueViolation as error:
        raise NameTaken(
            f"the project has a connection named {name!r} already", place="name", remedy="choose another name"
        ) from error
    if added is None:
        raise LookupError(project_id)
    unit.send(SyncConnector(connector_id=added.id), project_id)
    return added


def get(unit: Unit, project_id: UUID, name: str) -> Connection | None:
    """The project's connection of that name."""
    return unit.one("connectors.get", Connection, project_id=project_id, name=name)


def by_id(unit: Unit, connector_id: UUID) -> Connection | None:
    """The connection, while its project lives."""
    return unit.one("connectors.by_id", Connection, id=connector_id)


def of_project(unit: Unit, project_id: UUID) -> list[Connection]:
    """Every connection of the project, by name."""
    return unit.all("connectors.of_project", Connection, project_id=project_id)


def change(
    unit: Unit, connector_id: UUID, *, settings: dict[str, Any] | None = None, secret: bytes | None = None,
    paused: bool | None = None,
) -> None:  # fmt: skip
    """Change what is given; a pass is due at once."""
    unit.run(
        "connectors.change", id=connector_id, settings=None if settings is None else Jsonb(settings), secret=secret,
        paused=paused,
    )  # fmt: skip
    wake(unit, connector_id)


def leave(unit: Unit, connector_id: UUID) -> None:
    """Part from the tool: a pass takes back what nobody answered there, then forgets the connection."""
    unit.run("connectors.leave", id=connector_id)
    wake(unit, connector_id)


def let_go(unit: Unit, connector_id: UUID) -> None:
    """Give back everything that is held for the tool; from here on the connection is leaving."""
    unit.run("connectors.leave", id=connector_id)
    for project_id, batch_id in unit.rows("connectors.lock_batches", id=connector_id):
        queue.give_back(unit, project_id, [batch_id], "released")


def remove(unit: Unit, connector_id: UUID) -> None:
    """Take the connection away. What was known of the tool goes with it: see :func:`tithe.loop.parting.part`."""
    unit.run("connectors.remove", id=connector_id)


def everywhere(unit: Unit, kind: str) -> list[Connection]:
    """Every connection to tools of this kind, of whatever project."""
    return unit.all("connectors.everywhere", Connection, kind=kind)


def windows(unit: Unit, project_id: UUID) -> int:
    """How many items the project's tools hold together at most."""
    return int(unit.value("connectors.windows", project_id=project_id))


def hint(unit: Unit, connector_id: UUID, hints: Sequence[tuple[Sequence[str], Sequence[str], bool]]) -> None:
    """Keep where a hook said to look, each (tasks, annotations, everything), and wake the sync process."""
    told = [{"tasks": list(t), "annotations": list(a), "everything": e} for t, a, e in hints]
    unit.run("connectors.hint", id=connector_id, hints=Jsonb(told))
    wake(unit, connector_id)


def hints(unit: Unit, connector_id: UUID, limit: int = 1000) -> list[Hinted]:
    """What hooks said, oldest first."""
    return unit.all("connectors.hints", Hinted, id=connector_id, limit=limit)


def heard(unit: Unit, hinted: Sequence[Hinted]) -> None:
    """Forget hints that were followed."""
    unit.run("connectors.heard", ids=[one.id for one in hinted])


def wake(unit: Unit, connector_id: UUID) -> bool:
    """Have a pass made now; one that is under way is followed by another. False: it is paused, or not there."""
    project_id: UUID | None = unit.value("connectors.due_now", id=connector_id)
    if project_id is None:
        return False
    _ask(unit, connector_id, project_id)
    return True


def wake_due(unit: Unit) -> int:
    """Ask for a pass over every connection whose time has come; how many."""
    due = unit.rows("connectors.due")
    for connector_id, project_id in due:
        _ask(unit, connector_id, project_id)
    return len(due)


def wake_for_order(unit: Unit, project_id: UUID) -> None:
    """A round is ready: its order is to reach the tools."""
    for (connector_id,) in unit.rows("connectors.wanting", project_id=project_id):
        wake(unit, connector_id)


def begin(unit: Unit, connector_id: UUID, claim: Claim) -> None:
    """A pass begins; what is asked for from here on is another. Raises StaleClaim."""
    fenced(unit, claim)
    unit.run("connectors.begin", id=connector_id)


def fenced(unit: Unit, claim: Claim) -> None:
    """Raise StaleClaim where somebody newer makes this pass; nobody takes it over until the unit ends."""
    if unit.value("connectors.fenced", job=claim.id, fence=claim.fence) is None:
        raise StaleClaim(job=claim.id)


def _ask(unit: Unit, connector_id: UUID, project_id: UUID) -> None:
    message = SyncConnector(connector_id=connector_id)
    if jobs.again(unit, message):
        unit.value("connectors.ring")
    else:
        unit.send(message, project_id)


def note_remote(unit: Unit, connector_id: UUID, remote: dict[str, Any], facts: dict[str, Any]) -> None:
    """Keep what the tool's project is, and what is told of it."""
    unit.run("connectors.note_remote", id=connector_id, remote=Jsonb(remote), facts=Jsonb(facts))


def note_facts(unit: Unit, connector_id: UUID, facts: dict[str, Any]) -> None:
    """Add to what is told of the connection."""
    unit.run("connectors.note_facts", id=connector_id, facts=Jsonb(facts))


def fact(unit: Unit, connector_id: UUID, name: str) -> Any:
    """One thing that is told of the connection; None: nothing is."""
    return unit.value("connectors.fact", id=connector_id, name=name)


def note_cursor(unit: Unit, connector_id: UUID, cursor: dict[str, Any]) -> None:
    """Keep how far changes were read."""
    unit.run("connectors.note_cursor", id=connector_id, cursor=Jsonb(cursor))


def next_order(unit: Unit, connector_id: UUID) -> int:
    """The number of a new order: never one that was used, also where telling it broke off."""
    return int(unit.value("connectors.next_order", id=connector_id))


def ordered_round(unit: Unit, connector_id: UUID) -> UUID | None:
    """The round whose order the tool has; None: of what it asks for, some has no order yet."""
    found: UUID | None = unit.value("connectors.ordered_round", id=connector_id)
    return found


def note_order(unit: Unit, connector_id: UUID, round_id: UUID | None) -> None:
    """The tool has the order of this round, or of none."""
    unit.run("connectors.note_order", id=connector_id, round_id=round_id)


def note_reconciled(unit: Unit, connector_id: UUID, facts: dict[str, Any]) -> None:
    """All that is there was compared with all that should be."""
    unit.run("connectors.note_reconciled", id=connector_id, facts=Jsonb(facts))


def note_adopted(unit: Unit, connector_id: UUID, facts: dict[str, Any]) -> None:
    """The tool's own items are the pool's."""
    unit.run("connectors.note_adopted", id=connector_id, facts=Jsonb(facts))


def went_well(unit: Unit, claim: Claim, after_seconds: float) -> None:
    """End a pass that went well; the next is due after so long, or now where it was asked for meanwhile."""
    jobs.finish(unit, claim)
    if unit.value("connectors.went_well", id=claim.subject, after=after_seconds):
        _ask(unit, claim.subject, claim.project_id)


def went_wrong(unit: Unit, claim: Claim, state: str, problem: dict[str, Any], after_seconds: float) -> None:
    """End a pass that failed: `state` is failing (tried again by itself) or attention (somebody has to act).

    Where it was asked for meanwhile, by a changed setting for one, the next pass is due now.
    """
    jobs.finish(unit, claim)
    if unit.value("connectors.went_wrong", id=claim.subject, state=state, problem=Jsonb(problem), after=after_seconds):
        _ask(unit, claim.subject, claim.project_id)


def looks(unit: Unit, project_id: UUID | None) -> list[Look]:
    """How every connection (of the project) is, by project and name."""
    return unit.all("connectors.looks", Look, project_id=project_id)


def quarantined(unit: Unit, connector_id: UUID, limit: int) -> list[Quarantined]:
    """What people said that does not count: what fits no schema first."""
    return unit.all("connectors.quarantined", Quarantined, id=connector_id, limit=limit)
