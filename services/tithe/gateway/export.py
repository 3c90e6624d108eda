"""Everything out again: labels, or the whole pool, as JSON lines, CSV or Parquet, page by page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from tithe.contracts.projects import Project, Task
from tithe.errors import BadInput, NoModelYet
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.models import reads_vectors
from tithe.gateway.problems import documented
from tithe.gateway.rows import Row, Rows
from tithe.gateway.writers import csv_parts, jsonl_parts, parquet_parts
from tithe.storage import export, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.export import Snapshot
from tithe.storage.pool import Block
from tithe.storage.rounds import Model

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["export"])

_MEDIA = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


@router.get(
    "/export", summary="Take the labels home", response_class=StreamingResponse,
    responses={
        200: {"description": "The file.", "content": {media.partition(";")[0]: {} for media in _MEDIA.values()}},
        **documented(404, 409, 422),
    },
)  # fmt: skip
def export_project(
    project_id: ProjectId,
    here: Here,
    format: Annotated[Literal["jsonl", "csv", "parquet"], Query()] = "jsonl",  # noqa: A002  (its public name)
    include: Annotated[Literal["labels", "all"], Query(description="`all` adds the items without a label")] = "labels",
    predictions: Annotated[bool, Query(description="add the current model's label and its confidence")] = False,
    skips: Annotated[bool, Query(description="tell what was skipped, and why")] = False,
) -> StreamingResponse:
    """One row per answer that counts, in the order they came, then (with `include=all`) one per item without.

    What comes in while the export runs is not in it. Texts are written as they are: in CSV one that begins with `=`,
    `+`, `-` or `@` is a formula to a spreadsheet, so import such a file there as text.
    """

    def work(unit: Unit) -> tuple[Project, Snapshot, Model | None, list[Block]]:
        project = projects.get(unit, project_id)
        model = rounds.current_model(unit, project_id) if predictions else None
        blocks = pool.ready_blocks(unit, project_id) if predictions else []
        return project, export.snapshot(unit, project_id), model, blocks

    project, covered, model, blocks = here.database.run(work)
    if predictions and (project.task is Task.TOKENS or (model is not None and not reads_vectors(project, model))):
        raise BadInput("predictions of a model that reads texts are not exported", place="query.predictions",
                       remedy="leave predictions out; POST …/predict predicts items, 256 at a time")  # fmt: skip
    if predictions and model is None:
        raise NoModelYet(remedy="label some items first, or leave predictions out")
    rows = Rows(here, project, model, blocks)
    parts = {"jsonl": jsonl_parts, "csv": csv_parts, "parquet": parquet_parts}[format]
    pages = _pages(rows, project_id, covered, everything=include == "all", skips=skips)
    pieces = parts(project, pages, predictions)
    first = next(pieces, b"")  # what fails by now is an answer of its own; later it can only cut the file
    return StreamingResponse(
        itertools.chain([first], pieces),
        media_type=_MEDIA[format],
        headers={"Content-Disposition": f'attachment; filename="{_file_name(project)}.{format}"'},
    )


def _pages(rows: Rows, project_id: UUID, covered: Snapshot, *, everything: bool, skips: bool) -> Iterator[list[Row]]:
    for page in export.answered(rows.database, project_id, covered, skips=skips):
        yield rows.read(page)
    if everything:
        for page in export.unanswered(rows.database, project_id, covered, skips=skips):
            yield rows.read(page)


def _file_name(project: Project) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", project.name).strip("-.")[:80]
    return plain or str(project.id)
