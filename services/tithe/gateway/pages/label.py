"""The labeling page: one item after the other, by keys, each already there before it is asked for.

The page speaks to the interface as every client does; what it needs to begin with stands in the element ``#project``.
Marks for tests (``data-testid``): item, item-text, class, skip, undo, submit, progress, banner, empty, why, guidelines,
history.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tithe.gateway.access import Who
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.pages.page import render
from tithe.storage import projects

router = APIRouter(include_in_schema=False)


@router.api_route("/label/{project_id}", methods=["GET", "HEAD"])
def show_label(project_id: ProjectId, request: Request, who: Who, here: Here) -> HTMLResponse:
    """Where annotators spend their days."""
    project = here.database.run(lambda unit: projects.get(unit, project_id))
    told = {
        "id": str(project.id), "name": project.name, "task": project.task.value, "labels": project.labels,
        "batch_size": project.batch_size, "lease_seconds": project.lease_seconds, "annotator": who.name,
        "pre_annotate": project.pre_annotate,
    }  # fmt: skip
    return render(request, "label.html.jinja", project=project, told=told)
