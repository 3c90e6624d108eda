"""Projects: made, looked at, changed, taken away."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tithe.contracts.api import ProjectPage
from tithe.contracts.people import Role
from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec
from tithe.errors import Conflict
from tithe.gateway.access import Who
from tithe.gateway.choices import checked_learner, checked_strategy, resolved
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.problems import documented
from tithe.loop import rounds as turns
from tithe.storage import answers, audit, people, projects, queue
from tithe.storage.database import Unit

router = APIRouter(prefix="/v1/projects", tags=["projects"])


@router.post(
    "",
    status_code=201,
    summary="Make a project",
    dependencies=[JsonOnly],
    responses=documented(400, 409, 413, 415, 422),
)
def create_project(spec: ProjectSpec, who: Who, here: Here, response: Response) -> Project:
    """A task, its classes, and how items are to be chosen.

    Everything but the task, the classes, the encoder, the metric, the seed and the budget's unit may be changed later.
    Text projects without an `encoder` get `minilm`. Who makes it manages it.
    """

    def work(unit: Unit) -> Project:
        made = projects.create(unit, resolved(spec))
        if who.user_id is not None:
            people.set_member(unit, made.id, who.user_id, "manager")
        audit.note(unit, made.id, who.name, "project.made", {"name": made.name})
        return made

    made = here.database.run(work, repeatable=False)
    response.headers["Location"] = f"/v1/projects/{made.id}"
    return made


@router.get("", summary="List projects", responses=documented(422))
def list_projects(
    who: Who,
    here: Here,
    after: Annotated[UUID | None, Query(description="the `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ProjectPage:
    """The caller's projects, page by page, in the order of their ids. Admins see every one."""
    member = None if who.role is Role.ADMIN else who.user_id
    found = here.database.run(lambda unit: projects.page(unit, after, limit + 1, member))
    return ProjectPage(projects=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/{project_id}", summary="Look at a project", responses=documented(404, 422))
def get_project(project_id: ProjectId, here: Here) -> Project:
    """A project's settings. How far it is says `…/status`."""
    return here.database.run(lambda unit: projects.get(unit, project_id))


@router.patch(
    "/{project_id}", summary="Change a project", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
def change_project(project_id: ProjectId, change: ProjectPatch, who: Who, here: Here) -> Project:
    """Changes what is sent and leaves the rest.

    `"budget": null` lifts the budget, `"near_duplicate": null` lets near-duplicates in.

    A smaller `retrain_every` may ask for a round at once; another `learner` learns from the next round on. `overlap` is
    fixed once there is an answer.
    """

    def work(unit: Unit) -> Project:
        changed = _change(unit, project_id, change)
        audit.note(unit, project_id, who.name, "project.changed", change.model_dump(mode="json", exclude_unset=True))
        return changed

    return here.database.run(work)


def _change(unit: Unit, project_id: UUID, change: ProjectPatch) -> Project:
    before = projects.get(unit, project_id)
    if change.strategy is not None:
        checked_strategy(change.strategy, before.task)
    checked_learner(before, change.learner)
    # Held until the end: no answer is counted between the look at the counters and the change.
    progress = answers.lock_progress(unit, project_id)
    if change.overlap not in (None, before.overlap):
        if progress.answer_seq > 0 or queue.active_leases(unit, project_id) > 0:
            raise Conflict(
                "overlap cannot change once items were answered or are being answered", place="body.overlap",
                remedy="make a new project, or release the open batches if nothing was answered yet",
            )  # fmt: skip
        queue.follow_overlap(unit, project_id, change.overlap or 1)
    changed = projects.patch(unit, project_id, change)
    turns.maybe_open(unit, changed)
    return changed


@router.delete("/{project_id}", status_code=204, summary="Take a project away", responses=documented(404, 422))
def delete_project(project_id: ProjectId, who: Who, here: Here) -> None:
    """The project is gone at once, work under way is called off; its rows and files are removed soon after."""

    def work(unit: Unit) -> None:
        projects.delete(unit, project_id)
        audit.note(unit, project_id, who.name, "project.deleted")

    here.database.run(work, repeatable=False)
