"""Who changed what in a project, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tithe.contracts.people import AuditPage, Noted
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.problems import documented
from tithe.storage import audit

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["people"])


@router.get("/audit", summary="Who changed what", responses=documented(404, 422))
def get_audit(
    project_id: ProjectId,
    here: Here,
    before: Annotated[int | None, Query(ge=1, lt=1 << 63, description="the `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Settings, members, guidelines, stops: the newest first. Rows are never changed. Answers are rows of their own."""
    found = here.database.run(lambda unit: audit.page(unit, project_id, before, limit + 1))
    noted = [Noted(id=one.id, at=one.at, who=one.who, what=one.what, details=one.details) for one in found[:limit]]
    return AuditPage(changes=noted, next=noted[-1].id if len(found) > limit else None)
