"""Projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec, metric_stored, stored_as
from tithe.errors import NameTaken, NotFound
from tithe.storage.database import Unit


def create(unit: Unit, spec: ProjectSpec) -> Project:
    """Make the project with its counters. Raises NameTaken."""
    try:
        values = spec.resolved().model_dump(mode="json")
        stored: dict[str, Any] = {"strategy": stored_as(values["strategy"])}
        stored["metric"] = metric_stored(spec.task, values["metric"])
        stored["stop_when"] = None if spec.stop_when is None else Jsonb(values["stop_when"])
        made = unit.one("projects.create", Project, **{**values, **stored})
    except pg.UniqueViolation as error:
        raise _name_taken(spec.name) from error
    if made is None:
        raise RuntimeError("INSERT … RETURNING gave no row")
    return made


def get(unit: Unit, project_id: UUID) -> Project:
    """The project as it stands. Raises NotFound, also for a deleted one."""
    found = unit.one("projects.get", Project, id=project_id)
    if found is None:
        raise NotFound(f"there is no project {project_id}", remedy="GET /v1/projects lists them")
    return found


def by_name(unit: Unit, name: str) -> Project | None:
    """The live project of that name, if there is one."""
    return unit.one("projects.by_name", Project, name=name)


def page(unit: Unit, after: UUID | None, limit: int, member: UUID | None = None) -> list[Project]:
    """Live projects in the order of their ids, beginning after `after`; only those that `member` is a member of."""
    return unit.all("projects.list", Project, after=after, limit=limit, member=member)


def patch(unit: Unit, project_id: UUID, change: ProjectPatch) -> Project:
    """Change what was sent. Raises NotFound, NameTaken."""
    sent = change.model_dump(exclude_unset=True)
    values = {name: sent.get(name) for name in ProjectPatch.model_fields}
    values["strategy"] = None if change.strategy is None else stored_as(change.strategy)
    values["stop_when"] = None if change.stop_when is None else Jsonb(change.stop_when.model_dump(mode="json"))
    lifted = {name for name, value in sent.items() if value is None}
    try:
        changed = unit.one(
            "projects.patch", Project, id=project_id, lift_budget="budget" in lifted,
            allow_near_duplicates="near_duplicate" in lifted, lift_price="price" in lifted,
            lift_currency="currency" in lifted, lift_stop_when="stop_when" in lifted, **values,
        )  # fmt: skip
    except pg.UniqueViolation as error:
        raise _name_taken(change.name or "") from error
    if changed is None:
        raise NotFound(f"there is no project {project_id}")
    return changed


def stop(unit: Unit, project_id: UUID, because: str) -> bool:
    """Hand nothing out any more; False: it was stopped before. The caller knows that the project is there."""
    return unit.run("projects.stop", id=project_id, because=because) == 1


def resume(unit: Unit, project_id: UUID) -> bool:
    """Hand out again; False: it was not stopped."""
    return unit.run("projects.resume", id=project_id) == 1


def lean(unit: Unit, project_id: UUID, share: float) -> None:
    """Give this share of the queue to chance, from the next round on."""
    unit.run("projects.lean", id=project_id, share=share)


def delete(unit: Unit, project_id: UUID) -> None:
    """Take the project away at once; its rows are purged later. Work under way is called off."""
    if unit.run("projects.mark_deleted", id=project_id) == 0:
        raise NotFound(f"there is no project {project_id}")
    unit.run("projects.cancel_work", id=project_id)


def purge_slice(unit: Unit, after_seconds: float, rows: int = 20_000) -> tuple[UUID, bool] | None:
    """Remove up to `rows` rows of one project deleted at least so long ago, last of all the project itself.

    Its id and whether it is gone; None: there is none. Call again until it is: no transaction grows with the pool.
    """
    project_id: UUID | None = unit.value("projects.deleted", after=after_seconds)
    if project_id is None:
        return None
    unit.value("projects.allow_purge")
    for table in ("answers", "annotations", "tasks", "leases", "vectors", "machine", "items"):
        if unit.run(f"projects.purge_{table}", id=project_id, rows=rows):
            return project_id, False
    unit.run("projects.purge", id=project_id)
    return project_id, True


def take_turns(unit: Unit, project_id: UUID) -> None:
    """Wait until nobody else who takes turns on this project is at it; held until the unit ends."""
    unit.value("projects.take_turns", id=str(project_id))


def known(unit: Unit, ids: Sequence[UUID]) -> set[UUID]:
    """Which of the ids are projects that are not purged yet."""
    return {row[0] for row in unit.rows("projects.known", ids=list(ids))}


def _name_taken(name: str) -> NameTaken:
    return NameTaken(f"a project named {name!r} exists already", place="name", remedy="choose another name")
