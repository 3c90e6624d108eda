"""How rows are written: JSON lines, CSV, Parquet. Each yields bytes as they come; nothing holds a whole export."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tithe.contracts.projects import Project, Task
from tithe.gateway.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE_BYTES = 256 << 10
_TEXTS = ("id", "text", "split", "status", "annotator", "source", "note")


def jsonl_parts(_project: Project, pages: Iterator[list[Row]], predicted: bool) -> Iterator[bytes]:
    """One object a line; what an item does not have is left out."""
    for page in pages:
        lines = []
        for row in page:
            record = row.record(predicted=predicted)
            kept = {
                name: value for name, value in record.items() if value is not None or name in ("label", "predicted")
            }
            lines.append(json.dumps(kept, ensure_ascii=False, default=_iso))
        yield ("\n".join(lines) + "\n").encode()


def csv_parts(project: Project, pages: Iterator[list[Row]], predicted: bool) -> Iterator[bytes]:
    """A header, then a row each; what is no text (tokens, meta, lists of labels) is JSON in its cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=_columns(project, predicted=predicted), extrasaction="ignore")
    writer.writeheader()
    for page in pages:
        writer.writerows(
            {name: _cell(value) for name, value in row.record(predicted=predicted).items()} for row in page
        )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def parquet_parts(project: Project, pages: Iterator[list[Row]], predicted: bool) -> Iterator[bytes]:
    """Typed columns, `meta` as JSON. Written whole to a temporary file first: the format ends with its index."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(project, predicted=predicted)
    with tempfile.TemporaryFile(prefix="tithe-export-") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for page in pages:
                records = [row.record(predicted=predicted) for row in page]
                for record in records:
                    record["meta"] = None if record["meta"] is None else json.dumps(record["meta"], ensure_ascii=False)
                writer.write_table(pa.Table.from_pylist(records, schema=schema))
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _columns(project: Project, *, predicted: bool) -> list[str]:
    content = {Task.VECTORS: ["text"], Task.TOKENS: ["text", "tokens"]}.get(project.task, ["text"])
    told = ["id", *content, "meta", "split", "status", "label", "annotator", "source", "note", "seq", "at"]
    return [*told, "predicted", "confidence"] if predicted else told


def _schema(project: Project, *, predicted: bool) -> pa.Schema:
    import pyarrow as pa

    several = pa.list_(pa.string())
    spans = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())]))
    label = {Task.MULTILABEL: several, Task.TOKENS: spans}.get(project.task, pa.string())
    types = {
        **dict.fromkeys(_TEXTS, pa.string()),
        "tokens": several,
        "meta": pa.string(),
        "label": label,
        "seq": pa.int64(),
        "at": pa.timestamp("us", tz="UTC"),
        "predicted": several if project.task is Task.MULTILABEL else pa.string(),
        "confidence": pa.float64(),
    }
    return pa.schema([(name, types[name]) for name in _columns(project, predicted=predicted)])


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime) else value


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
