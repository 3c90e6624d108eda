"""Projects: made, looked at, changed, taken away."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tithe.contracts.api import ProjectPage
from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec
from tithe.errors import Conflict
from tithe.gateway.choices import checked_learner, checked_strategy, resolved
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.problems import documented
from tithe.loop import rounds as turns
from tithe.storage import answers, projects, queue
from tithe.storage.database import Unit

router = APIRouter(prefix="/v1/projects", tags=["projects"])


@router.post(
    "",
    status_code=201,
    summary="Make a project",
    dependencies=[JsonOnly],
    responses=documented(400, 409, 413, 415, 422),
)
def create_project(spec: ProjectSpec, here: Here, response: Response) -> Project:
    """A task, its classes, and how items are to be chosen.

    Everything but the task, the classes, the encoder, the metric, the seed and the budget's unit may be changed later.
    Text projects without an `encoder` get `minilm`.
    """
    made = here.database.run(lambda unit: projects.create(unit, resolved(spec)), repeatable=False)
    response.headers["Location"] = f"/v1/projects/{made.id}"
    return made


@router.get("", summary="List projects", responses=documented(422))
def list_projects(
    here: Here,
    after: Annotated[UUID | None, Query(description="the `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ProjectPage:
    """Every project, page by page, in the order of their ids."""
    found = here.database.run(lambda unit: projects.page(unit, after, limit + 1))
    return ProjectPage(projects=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/{project_id}", summary="Look at a project", responses=documented(404, 422))
def get_project(project_id: ProjectId, here: Here) -> Project:
    """A project's settings. How far it is says `…/status`."""
    return here.database.run(lambda unit: projects.get(unit, project_id))


@router.patch(
    "/{project_id}", summary="Change a project", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
def change_project(project_id: ProjectId, change: ProjectPatch, here: Here) -> Project:
    """Changes what is sent and leaves the rest.

    `"budget": null` lifts the budget, `"near_duplicate": null` lets near-duplicates in.

    A smaller `retrain_every` may ask for a round at once; another `learner` learns from the next round on. `overlap` is
    fixed once there is an answer.
    """
    return here.database.run(lambda unit: _change(unit, project_id, change))


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
def delete_project(project_id: ProjectId, here: Here) -> None:
    """The project is gone at once, work under way is called off; its rows and files are removed soon after."""
    here.database.run(lambda unit: projects.delete(unit, project_id), repeatable=False)
