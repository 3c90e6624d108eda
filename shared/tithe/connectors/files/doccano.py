"""doccano's JSON lines: ``label`` holds classes, or spans as ``[start, end, type]``; meta stands beside it, flat.

Read as well: older files (``labels``), and those of projects with relations (``entities``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.keys import OWN_ID, id_at, known, rest, split_at, text_at, tokens_at
from tithe.connectors.files.labels import Found, of_classes, of_spans
from tithe.connectors.files.objects import json_lines
from tithe.connectors.files.row import Fault, Row, Unfit, rows
from tithe.connectors.files.write_lines import write_lines
from tithe.contracts.projects import Task

_LABELS = ("label", "labels", "entities")
#: doccano's own, of no use elsewhere.
_ITS_OWN = ("Comments", "comments", "relations", "annotation_approver")


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every line."""
    return rows(json_lines(path), lambda place, one: _row(place, one, options, schema))


def _row(place: int, one: Any, options: Options, schema: Schema) -> Row:
    if not isinstance(one, dict):
        raise Unfit("not_an_object", "the line is no JSON object", 'lines such as {"text": "…", "label": ["spam"]}')
    text = text_at(one, options)
    key = options.label_column or next((key for key in _LABELS if key in one), "label")
    given = one.get(key)
    label = None if options.as_pool or given is None else _label(given, text, options, schema)
    remark = None
    if schema.task is Task.TEXT and given == []:
        remark = "without a class in it: taken as not labeled"
    tokens = tokens_at(one, text)
    used = {
        options.text_column or "text", options.id_column or "id", OWN_ID, key, *_LABELS, *_ITS_OWN, "tokens", "split"
    }  # fmt: skip
    return Row(
        place, id_at(one, options), None if tokens else text, tokens, label, split_at(one), rest(one, used),
        remark=remark,
    )  # fmt: skip


def _label(given: Any, text: str, options: Options, schema: Schema) -> Any:
    if not isinstance(given, list):
        given = [given]
    if schema.task is not Task.TOKENS:
        if any(isinstance(one, (list, dict)) for one in given):
            raise Unfit("wrong_task", f"it holds spans, the project is {schema.task}", "name the right project")
        return of_classes(schema.task, given)
    return of_spans(schema.task, text, [_found(one) for one in given], options.offsets)


def _found(one: Any) -> Found:
    if isinstance(one, list) and len(one) == 3:
        return Found(*one)
    if isinstance(one, dict) and {"start_offset", "end_offset", "label"} <= set(one):
        return Found(one["start_offset"], one["end_offset"], one["label"])
    if isinstance(one, str):
        raise Unfit("wrong_task", "it holds classes, the project wants spans", "name the right project, or --as-pool")
    raise Unfit("bad_span", "a span is [start, end, type]", "export from doccano as JSONL, with names of labels")


def _object(row: Row, schema: Schema) -> dict[str, Any]:
    label = row.label
    if label is not None:
        label = [label] if isinstance(label, str) else label
        if schema.task is Task.TOKENS:
            label = [[span["start"], span["end"], span["label"]] for span in label]
    return {"text": row.content(), "label": label, OWN_ID: row.id, "meta": row.meta, **known(row)}


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """One line a row. What doccano has no place for it keeps as meta, and gives back with its own export."""
    return write_lines(path, (_object(row, schema) for row in rows))


DOCCANO = Format("doccano", "doccano JSON lines", (), TEXTS, "line", "what was skipped", read, write)
