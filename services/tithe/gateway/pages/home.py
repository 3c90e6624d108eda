"""The first page: one's projects, how far they are, and the way to label."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tithe.contracts.people import Role
from tithe.contracts.projects import Project
from tithe.gateway.access import Who
from tithe.gateway.context import Here
from tithe.gateway.pages.page import render
from tithe.storage import people, projects, status
from tithe.storage.database import Unit
from tithe.storage.status import Overview

router = APIRouter(include_in_schema=False)
#: Projects on the page, newest last; more are found by the interface.
_MOST = 200


@dataclass(frozen=True)
class Shown:
    """A project on the first page."""

    project: Project
    role: Role
    seen: Overview

    @property
    def share(self) -> float:
        """How much of the budget is spent or, without one, of the pool is labeled; in [0, 1]."""
        if self.project.budget:
            return min(1.0, self.seen.paid_count / self.project.budget)
        pool = (self.seen.item_count - self.seen.test_count) * self.project.overlap
        return min(1.0, self.seen.settled_slots / pool) if pool else 0.0


@router.api_route("/", methods=["GET", "HEAD"])
def show_home(request: Request, who: Who, here: Here) -> HTMLResponse:
    """Every project the caller may see."""

    def work(unit: Unit) -> list[Shown]:
        roles = {} if who.user_id is None else people.roles(unit, who.user_id)
        member = None if who.role is Role.ADMIN else who.user_id
        return [
            Shown(one, who.role if who.role is Role.ADMIN else Role(roles[one.id]), status.overview(unit, one.id))
            for one in projects.page(unit, None, _MOST, member)
        ]

    shown = sorted(here.database.run(work), key=lambda one: one.project.name.lower())
    return render(request, "home.html.jinja", shown=shown)
