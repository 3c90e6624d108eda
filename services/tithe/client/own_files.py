"""JSON lines, CSV and Parquet read here, with the server's own readers.

Where labels are to be left aside, or the file is an export of Tithe: its columns about the labeling (who answered,
when, the answer's number) are no part of an item.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tithe.connectors.files.format import Options, Read, Schema
from tithe.connectors.files.row import Fault, Row
from tithe.connectors.files.texts import check_text, lines

_LONGEST_BYTES = 64 << 20
_PIECE_BYTES = 1 << 20
_MARKS = frozenset({"status", "split", "label", "seq"})
_STATES = ("labeled", "skipped", "unlabeled")


def is_own(path: Path, name: str) -> bool:
    """Whether a file was exported by Tithe: by its first line, its header, or its columns."""
    if name == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return set(pq.read_schema(path).names) >= _MARKS
        except (pa.ArrowException, OSError, ValueError):  # the server says what is wrong with it
            return False
    first = next((found[1] for found in lines(path) if not isinstance(found, Fault) and found[1].strip()), "")
    if name == "csv":
        return set(next(csv.reader([first]), ())) >= _MARKS
    try:
        one = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(one, dict) and one.get("status") in _STATES and {"split", "label"} <= set(one)


def server_reads(name: str, *, own: bool, vector_column: str | None, extra: Literal["meta", "reject"] | None) -> Read:
    """The server's reader of a format. Of an `own` export what tells of its labeling is left out."""

    def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
        from tithe.gateway.readers.csv_rows import read_csv
        from tithe.gateway.readers.ndjson import read_ndjson
        from tithe.gateway.readers.parquet import read_parquet
        from tithe.gateway.readers.record import Columns

        if name != "parquet":
            check_text(path)
        columns = Columns(
            options.text_column or "text", options.label_column or "label", options.id_column or "id",
            vector_column or "vector", "meta" if own else extra,
        )  # fmt: skip
        if name == "csv":
            found = read_csv(_pieces(path), columns, _LONGEST_BYTES, schema.task)
        else:
            reader = read_parquet if name == "parquet" else read_ndjson
            found = reader(_pieces(path), columns, _LONGEST_BYTES)
        for one in found:
            if isinstance(one, Exception):  # a BadLine
                yield Fault(one.line, one.code, one.reason, one.remedy)
            else:
                yield _row(one.line, one.values, {} if own else one.extra)

    return read


def _row(line: int, values: dict[str, Any], extra: dict[str, Any]) -> Row:
    meta: Any = values.get("meta")
    vector: Any = values.get("vector")
    if meta is None or isinstance(meta, dict):
        meta = {**extra, **(meta or {})}
    return Row(
        line, values.get("id"), values.get("text"), values.get("tokens"), values.get("label"), values.get("split"),
        meta, vector.tolist() if hasattr(vector, "tolist") else vector,
    )  # fmt: skip


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
