"""Items: uploads of any size, streamed in, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal
from uuid import UUID

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Message

from tithe.contracts.api import Imported, ImportProgress
from tithe.contracts.projects import Project
from tithe.errors import BrokenUpload, NotFound, TooLarge, Unavailable, UnsupportedMedia
from tithe.gateway.context import Here, ProjectId, leaving_seconds
from tithe.gateway.intake import GatewayLeaves, Intake
from tithe.gateway.problems import documented
from tithe.gateway.readers.csv_rows import read_csv
from tithe.gateway.readers.ndjson import read_ndjson
from tithe.gateway.readers.parquet import read_parquet
from tithe.gateway.readers.record import Columns
from tithe.loop import ingest
from tithe.loop.checking import BadLine, Checker, Record
from tithe.runtime import Runtime
from tithe.storage import pool, projects, status
from tithe.storage.database import Unit

#: Uploads at a time. Each holds a thread while it lasts, so they have threads of their own.
UPLOADS = 8
#: An upload that sends nothing for so long is cut.
_PATIENCE_SECONDS = 60
#: Of the ten seconds a gateway that is told to stop has left, these are given to uploads under way.
_LEAVING_SECONDS = 5.0
_AGAIN = "send it again: what was taken is not taken twice"

_FORMATS: dict[str, str] = {
    **dict.fromkeys(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"), "ndjson"
    ),
    "text/csv": "csv",
    **dict.fromkeys(("application/vnd.apache.parquet", "application/parquet"), "parquet"),
}
_EXAMPLES = {
    "application/x-ndjson": '{"id": "review-17", "text": "A long film."}\n{"text": "Bravo!", "label": "good"}\n',
    "text/csv": "id,text,label\r\nreview-17,A long film.,\r\n,Bravo!,good\r\n",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **{media: {"schema": {"type": "string"}, "example": text} for media, text in _EXAMPLES.items()},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["items"])
ColumnName = Query(min_length=1, max_length=200)


def _columns(
    text_column: Annotated[str, ColumnName] = "text",
    label_column: Annotated[str, ColumnName] = "label",
    id_column: Annotated[str, ColumnName] = "id",
    vector_column: Annotated[str, ColumnName] = "vector",
    extra: Annotated[
        Literal["meta", "reject"] | None,
        Query(description="unknown columns: into `meta` (default for CSV and Parquet), or refused (for JSON lines)"),
    ] = None,
) -> Columns:
    return Columns(text_column, label_column, id_column, vector_column, extra)


@router.post(
    "/items", summary="Add items", openapi_extra=_BODY, responses=documented(404, 413, 415, 422), status_code=200
)
async def import_items(
    project_id: ProjectId, request: Request, here: Here, columns: Annotated[Columns, Depends(_columns)]
) -> Imported:
    """JSON lines, CSV with a header, or Parquet, of any length: read as they come, committed in chunks.

    A line is `text`, `tokens` or `vector`, and if you like an `id`, a `label` that is known already, `meta`, and
    `split: "test"` for labeled items to evaluate on. Lines that cannot be taken are told by number and cost nothing
    else. Content that is there already is a duplicate, so an upload that was cut is resumed by sending it again.
    """
    format_name = _format(request)
    uploads: anyio.CapacityLimiter = request.app.state.uploads
    project, dimension = await run_in_threadpool(here.database.run, lambda unit: _start(unit, project_id))
    if uploads.available_tokens < 1:
        raise Unavailable(f"{UPLOADS} uploads are running already", remedy="send it when one of them is through")

    def work() -> Imported:
        import_id = ingest.start(here.database, project_id)
        checker = Checker(project, dimension, here.settings.line_limit_bytes)
        intake = Intake(here, project, import_id, checker)
        return intake.take(_records(here, project, format_name, columns, _pieces(request)))

    return await anyio.to_thread.run_sync(work, limiter=uploads)


@router.get("/imports/{import_id}", summary="How far an upload is", responses=documented(404, 422))
def get_import(project_id: ProjectId, import_id: Annotated[UUID, Path()], here: Here) -> ImportProgress:
    """Counts as of its last chunk."""

    def work(unit: Unit) -> status.Import:
        projects.get(unit, project_id)
        found = status.import_progress(unit, project_id, import_id)
        if found is None:
            raise NotFound(f"this project has no import {import_id}", place="path.import_id")
        return found

    one = here.database.run(work)
    return ImportProgress(
        import_id=one.id, state=one.state, accepted=one.accepted, duplicates=one.duplicates, rejected=one.rejected,
        started_at=one.started_at, touched_at=one.touched_at,
    )  # fmt: skip


def _start(unit: Unit, project_id: UUID) -> tuple[Project, int | None]:
    return projects.get(unit, project_id), pool.read(unit, project_id).dimension


def _format(request: Request) -> str:
    media, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = (
        dict(part.strip().partition("=")[::2] for part in parameters.split(";")).get("charset", "utf-8").strip('" ')
    )
    known = _FORMATS.get(media.strip())
    if known is None:
        raise UnsupportedMedia(
            f"items are not read from {media.strip() or 'a body without a content type'}", place="header.Content-Type",
            remedy="send application/x-ndjson (one JSON object a line), text/csv, or application/vnd.apache.parquet",
        )  # fmt: skip
    if known != "parquet" and charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia(f"the charset {charset[:40]!r} is not read", place="header.Content-Type",
                               remedy="send UTF-8")  # fmt: skip
    return known


def _records(
    here: Runtime, project: Project, format_name: str, columns: Columns, pieces: Iterator[bytes]
) -> Iterator[Record | BadLine]:
    limit = here.settings.line_limit_bytes
    if format_name == "csv":
        return read_csv(pieces, columns, limit, project.task)
    reader: Callable[[Iterator[bytes], Columns, int], Iterator[Record | BadLine]]
    reader = read_parquet if format_name == "parquet" else read_ndjson
    return reader(pieces, columns, limit)


def _pieces(request: Request) -> Iterator[bytes]:
    """The body, piece by piece, from a thread.

    Nobody reads ahead: the sender is slowed to what the database takes.
    """

    async def receive() -> Message:
        for _ in range(_PATIENCE_SECONDS):
            with anyio.move_on_after(1.0):
                return await request.receive()
            _stay(request)
        raise BrokenUpload(f"nothing came for {_PATIENCE_SECONDS} seconds", place="body", remedy=_AGAIN)

    more = True
    while more:
        _stay(request)
        try:
            message = anyio.from_thread.run(receive)
        except HTTPException as error:  # from the guard that counts
            raise TooLarge(error.detail, place="body", remedy="send the rest in another upload") from error
        if message["type"] == "http.disconnect":
            raise BrokenUpload("the upload ended early", place="body", remedy=_AGAIN)
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


def _stay(request: Request) -> None:
    """A gateway that was told to stop ends its uploads in time to keep, and to tell, what came."""
    if leaving_seconds(request) > _LEAVING_SECONDS:
        raise GatewayLeaves(remedy=_AGAIN)
