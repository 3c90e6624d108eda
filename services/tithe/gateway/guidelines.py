"""Guidelines: read beside every item, written by managers, every version kept."""

from __future__ import annotations

from functools import cache
from typing import Annotated
from uuid import UUID

import nh3
from fastapi import APIRouter, Query
from markdown_it import MarkdownIt

from tithe.contracts.guidelines import Guidelines, GuidelinesVersion, WriteGuidelines
from tithe.errors import Conflict, NotFound
from tithe.gateway.access import Who
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.problems import documented
from tithe.storage import audit, guidelines, projects
from tithe.storage.database import Unit

router = APIRouter(prefix="/v1/projects/{project_id}/guidelines", tags=["labeling"])


@router.get("", summary="Read the guidelines", responses=documented(404, 422))
def get_guidelines(
    project_id: ProjectId,
    here: Here,
    version: Annotated[int | None, Query(ge=1, lt=1 << 31, description="an earlier one; default: the newest")] = None,
) -> Guidelines:
    """How to label, as its managers have written it. Before anybody did it is version 0, and empty."""
    return here.database.run(lambda unit: _read(unit, project_id, version))


@router.put("", summary="Write the guidelines", dependencies=[JsonOnly], responses=documented(400, 404, 409, 415, 422))
def put_guidelines(project_id: ProjectId, new: WriteGuidelines, who: Who, here: Here) -> Guidelines:
    """A new version; annotators see that it changed.

    `after` says which one it was written on: two who write at once cannot undo each other unseen.
    """

    def work(unit: Unit) -> Guidelines:
        projects.get(unit, project_id)
        made = guidelines.add(unit, project_id, new.after, new.text, who.name)
        if made is None:
            found = guidelines.read(unit, project_id)
            newest = found.version if found else 0
            raise Conflict(
                f"the guidelines are at version {newest} by now, not {new.after}", place="body.after",
                remedy="look at what was changed, and write on that", version=newest,
            )  # fmt: skip
        audit.note(unit, project_id, who.name, "guidelines.written", {"version": made})
        return _read(unit, project_id, None)

    return here.database.run(work)


def _read(unit: Unit, project_id: UUID, version: int | None) -> Guidelines:
    projects.get(unit, project_id)
    found = guidelines.read(unit, project_id, version)
    if found is None and version is not None:
        raise NotFound(f"there is no version {version}", place="query.version", remedy="leave it out for the newest")
    text = found.text if found else ""
    return Guidelines(
        version=found.version if found else 0, text=text, html=drawn(text), who=found.who if found else None,
        at=found.at if found else None,
        versions=[GuidelinesVersion.model_validate(one.__dict__) for one in guidelines.versions(unit, project_id)],
    )  # fmt: skip


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")


def drawn(text: str) -> str:
    """Markdown as HTML in which nothing can run: raw HTML is text, and what came out is cleaned once more.

    Examples
    --------
    >>> drawn("*so* <script>alert(1)</script>").strip()
    '<p><em>so</em> &lt;script&gt;alert(1)&lt;/script&gt;</p>'
    """
    return nh3.clean(_markdown().render(text), url_schemes={"https", "http", "mailto"})
