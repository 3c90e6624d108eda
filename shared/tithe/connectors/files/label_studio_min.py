"""Label Studio's JSON_MIN: flat objects, one for each annotation; what was answered with nothing lacks the key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.keys import OWN_ID, id_at, known, rest, split_at, tokens_at
from tithe.connectors.files.label_studio import FROM_NAME, region, spans_in, text_key, write_list
from tithe.connectors.files.labels import of_classes, of_spans
from tithe.connectors.files.objects import json_list
from tithe.connectors.files.row import Fault, Row, Unfit, rows
from tithe.contracts.projects import Task

#: Label Studio's own of an annotation.
ITS_OWN = frozenset({"annotator", "annotation_id", "created_at", "updated_at", "lead_time"})


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every object, by number from 1."""
    return rows(json_list(path), lambda place, one: _row(place, one, options, schema))


def _row(place: int, one: Any, options: Options, schema: Schema) -> Row:
    if not isinstance(one, dict):
        raise Unfit("not_an_object", "it is no object", "export from Label Studio as JSON-MIN")
    key = _label_key(one, options, schema)
    beside = {name: value for name, value in one.items() if name not in {*ITS_OWN, "id", "meta", key}}
    text_from = text_key(beside, options)
    text = one[text_from]
    label, remark = None, None
    if not options.as_pool:
        label = _label(one, key, text, options, schema)
        if label is None and "annotation_id" in one:
            remark = "answered with no class: taken as not labeled"
    tokens = tokens_at(one, text)
    used = {*ITS_OWN, "id", OWN_ID, key or "", text_from, options.id_column or "id", "tokens", "split"}
    return Row(
        place, id_at(one, options), None if tokens else text, tokens, label, split_at(one), rest(one, used),
        remark=remark,
    )  # fmt: skip


def _label_key(one: dict[str, Any], options: Options, schema: Schema) -> str | None:
    """Where the answer is: named by the user, or the one key whose value looks like one of this task."""
    if options.label_column:
        return options.label_column
    found = [
        name for name, value in one.items()
        if name not in ITS_OWN and name not in {"id", "meta", "tokens", "split", OWN_ID, options.text_column or "text"}
        and _like_an_answer(value, schema)
    ]  # fmt: skip
    if len(found) > 1:
        raise Unfit("several_controls", "several keys look like the answer", f"--label-column: {' or '.join(found)}")
    return found[0] if found else None


def _like_an_answer(value: Any, schema: Schema) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(region, dict) and "labels" in region for region in value)
    if isinstance(value, dict):
        return isinstance(value.get("choices"), list)
    return schema.task is not Task.TOKENS and value in schema.labels


def _label(one: dict[str, Any], key: str | None, text: str, options: Options, schema: Schema) -> Any:
    """The label; None: there is none. A key that is missing from an annotation says that nothing was chosen."""
    value = one.get(key) if key else None
    if value is None:
        return [] if "annotation_id" in one and schema.task is not Task.TEXT else None
    if isinstance(value, list):
        return of_spans(schema.task, text, spans_in(value), options.offsets)
    return of_classes(schema.task, value.get("choices") or [] if isinstance(value, dict) else [value])


def _object(row: Row, number: int, schema: Schema) -> dict[str, Any]:
    text = row.content()
    told: dict[str, Any] = {"id": number, "text": text, OWN_ID: row.id, "meta": row.meta, **known(row)}
    if row.label is not None:
        told |= {"annotation_id": number, "annotator": row.annotator}
        if schema.task is Task.TOKENS:
            told[FROM_NAME] = [region(span, text) for span in row.label]
        else:
            told[FROM_NAME] = row.label if isinstance(row.label, str) else {"choices": row.label}
    return {name: value for name, value in told.items() if value is not None and value != []}


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """One object a row."""
    return write_list(path, (_object(row, number, schema) for number, row in enumerate(rows, 1)))


LABEL_STUDIO_MIN = Format(
    "label-studio-min", "Label Studio JSON-MIN", (), TEXTS, "object", "what was skipped; Label Studio leaves out meta",
    read, write,
)  # fmt: skip
