"""spaCy's training examples as JSON lines: ``{"text", "entities": [[start, end, type]], "cats": {class: number}}``.

Read as well in the older form ``["text", {"entities": …}]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tithe.connectors.files.cats import cats_of, label_of_cats
from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.keys import id_at, known, rest, split_at, text_at, tokens_at
from tithe.connectors.files.labels import Found, of_spans
from tithe.connectors.files.objects import json_lines
from tithe.connectors.files.row import Fault, Row, Unfit, rows
from tithe.connectors.files.write_lines import write_lines
from tithe.contracts.projects import Task


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every line."""
    return rows(json_lines(path), lambda place, one: _row(place, _flat(one), options, schema))


def _flat(one: Any) -> dict[str, Any]:
    if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], dict):
        return {"text": one[0], **one[1]}
    if not isinstance(one, dict):
        raise Unfit("not_an_object", "it is no example", 'lines such as {"text": "…", "entities": [[0, 3, "PER"]]}')
    return one


def _row(place: int, one: dict[str, Any], options: Options, schema: Schema) -> Row:
    text = text_at(one, options)
    label = None
    if options.as_pool:
        pass
    elif schema.task is Task.TOKENS:
        label = None if one.get("entities") is None else of_spans(schema.task, text, _found(one), options.offsets)
    elif one.get("cats"):
        if not isinstance(one["cats"], dict):
            raise Unfit("bad_cats", "cats are an object: a number for each class")
        label = label_of_cats(schema.task, one["cats"])
    tokens = tokens_at(one, text)
    used = {options.text_column or "text", options.id_column or "id", "entities", "cats", "tokens", "split"}
    return Row(place, id_at(one, options), None if tokens else text, tokens, label, split_at(one), rest(one, used))


def _found(one: dict[str, Any]) -> list[Found]:
    entities = one["entities"]
    if not isinstance(entities, list) or not all(isinstance(e, list) and len(e) >= 3 for e in entities):
        raise Unfit("bad_span", "entities are a list of [start, end, type]")
    return [Found(*entity[:3]) for entity in entities]


def _object(row: Row, schema: Schema) -> dict[str, Any]:
    told = {"text": row.content(), "id": row.id, "meta": row.meta, **known(row)}
    if row.label is None:
        return told
    if schema.task is Task.TOKENS:
        return told | {"entities": [[span["start"], span["end"], span["label"]] for span in row.label]}
    return told | {"cats": cats_of(schema, row.label)}


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """One line a row."""
    return write_lines(path, (_object(row, schema) for row in rows))


SPACY_LINES = Format("spacy-jsonl", "spaCy training JSON lines", (), TEXTS, "line", "what was skipped", read, write)
