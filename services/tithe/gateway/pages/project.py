"""A project's page, for whoever watches it learn. Drawn from cheap rows; panels fill themselves from the interface."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tithe.contracts.people import Role
from tithe.contracts.projects import said
from tithe.gateway.access import Who
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.pages.page import render
from tithe.storage import projects

router = APIRouter(include_in_schema=False)


@router.api_route("/projects/new", methods=["GET", "HEAD"])
def show_new_project(request: Request) -> HTMLResponse:
    """Name it, say what a label is, send a pool."""
    return render(request, "new_project.html.jinja")


@router.api_route("/projects/{project_id}", methods=["GET", "HEAD"])
def show_project(project_id: ProjectId, request: Request, who: Who, here: Here) -> HTMLResponse:
    """How far, how good, what it saved, what comes next."""
    project = here.database.run(lambda unit: projects.get(unit, project_id))
    told = {
        "id": str(project.id), "metric": project.metric, "labels": project.labels, "budget": project.budget,
        "unit": project.budget_unit, "manages": who.role.may(Role.MANAGER),
    }  # fmt: skip
    return render(
        request, "project.html.jinja", project=project, told=told, strategy=said(project.strategy),
        manages=who.role.may(Role.MANAGER),
    )  # fmt: skip
