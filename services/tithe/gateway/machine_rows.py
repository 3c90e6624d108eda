"""Machine labels as rows of a file, people's before them where that is wanted; page by page, each marked."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tithe.contracts.projects import Project
from tithe.gateway.rows import Row
from tithe.storage import export, machine
from tithe.storage.database import Database
from tithe.storage.export import Snapshot
from tithe.storage.machine import Run

MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_COLUMNS = (
    "id", "text", "tokens", "meta", "split", "status", "label", "source", "annotator", "note", "seq", "at",
    "model_version", "confidence", "threshold", "error", "certainty", "run",
)  # fmt: skip


def pieces(
    database: Database, project: Project, run: Run, covered: Snapshot, form: str, *, people: bool
) -> Iterator[bytes]:
    """The file, as it comes. What is answered while it is written is not in it, nor is its machine label lost."""
    mine = ([_marked(run, one) for one in page] for page in machine.exported(database, run, covered.answer_seq))
    theirs = (
        [Row(one, None).record(predicted=False) for one in page]
        for page in export.answered(database, project.id, covered, skips=False)
    )
    pages = itertools.chain(theirs, mine) if people else mine
    return _lines(pages) if form == "jsonl" else _table(pages)


def _marked(run: Run, one: machine.Exported) -> dict[str, Any]:
    return {
        "id": one.external_id, "text": one.text, "tokens": one.tokens, "meta": one.meta, "split": "pool",
        "status": "labeled", "label": one.value, "source": "machine", "model_version": run.model_version,
        "confidence": round(one.confidence, 6), "threshold": run.threshold, "error": run.error,
        "certainty": run.certainty, "run": str(run.id),
    }  # fmt: skip


def _lines(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for page in pages:
        kept = ({name: value for name, value in row.items() if value is not None} for row in page)
        yield "".join(json.dumps(row, ensure_ascii=False, default=datetime.isoformat) + "\n" for row in kept).encode()


def _table(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=_COLUMNS)
    writer.writeheader()
    for page in pages:
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in page)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime) else value
