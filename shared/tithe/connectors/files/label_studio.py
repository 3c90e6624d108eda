"""Label Studio's JSON: tasks with `data` and `annotations`. What it exports is read; what it imports is written.

Of a task that several people answered, the annotation marked as ground truth counts, else the one that was made first;
those that were cancelled never do. Predictions are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.keys import OWN_ID, known, rest, split_at, tokens_at
from tithe.connectors.files.labels import Found, of_classes, of_spans
from tithe.connectors.files.objects import json_list
from tithe.connectors.files.row import Fault, Row, Unfit, rows
from tithe.connectors.files.whole import whole_file
from tithe.contracts.projects import Task

#: The names in what is written; the same as in a labeling configuration such as the documentation shows.
FROM_NAME, TO_NAME = "label", "text"
_SEVERAL = "with several annotations: the ground truth, else the one made first, was taken"
#: What the connector puts into a task's data, to know it again.
_CONNECTORS = "tithe_key"
_EMPTY = "answered with no class: taken as not labeled"


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every task, by number from 1."""
    return rows(json_list(path), lambda place, task: _row(place, task, options, schema))


def _row(place: int, task: Any, options: Options, schema: Schema) -> Row:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise Unfit("no_task", "it is no task: it has no data", "export from Label Studio as JSON")
    data, meta = task["data"], task.get("meta")
    kept = meta if isinstance(meta, dict) else {}
    result, remark, skipped = (None, None, False) if options.as_pool else _chosen(task.get("annotations"))
    key = text_key(data, options, result)
    text = data[key]
    label = None if result is None else label_of(result, text, options, schema)
    if result is not None and label is None:
        remark = _EMPTY
    tokens = tokens_at(kept, text)
    item_id = data.get(options.id_column) if options.id_column else data.get(OWN_ID, task.get("id"))
    return Row(
        place, item_id, None if tokens else text, tokens, label, split_at(kept),
        rest(data, {key, OWN_ID, _CONNECTORS, options.id_column or OWN_ID}) | rest(kept, {"tokens", "split"}),
        skipped=skipped, remark=remark,
    )  # fmt: skip


def _chosen(annotations: Any) -> tuple[list[Any] | None, str | None, bool]:
    """The result that counts; None: nobody labeled it. What to remark, and whether it was only skipped."""
    given = [one for one in annotations or [] if isinstance(one, dict)]
    counting = [one for one in given if not one.get("was_cancelled")]
    if not counting:
        return None, None, bool(given)
    first = min(counting, key=lambda one: (not one.get("ground_truth"), str(one.get("created_at") or "")))
    result = first.get("result")
    return (result if isinstance(result, list) else []), (_SEVERAL if len(counting) > 1 else None), False


def text_key(data: Mapping[str, Any], options: Options, result: Any = None) -> str:
    """Which of a task's data is the text: named by the user, `text`, the one labeled, or the only one. Raises Unfit."""
    if options.text_column:
        candidates = [options.text_column]
    else:
        labeled = {str(one.get("to_name")) for one in result or () if isinstance(one, dict)}
        texts = [key for key, value in data.items() if isinstance(value, str) and key != OWN_ID]
        candidates = ["text"] if "text" in texts else sorted(labeled & set(texts)) or texts
    if len(candidates) == 1 and isinstance(data.get(candidates[0]), str):
        return candidates[0]
    there = ", ".join(sorted(map(str, data))[:12])
    raise Unfit("no_text", "which of its data is the text is not clear", f"--text-column: one of {there}")


def label_of(result: list[Any], text: str, options: Options, schema: Schema) -> Any:
    """What a result says, as a label; None: no class was chosen. Raises Unfit.

    Only choices (of a project of classes) or labels (of spans) are read, and those of one control: `--label-column`.
    """
    wanted = "labels" if schema.task is Task.TOKENS else "choices"
    regions = [one for one in result if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    fitting = [one for one in regions if one.get("type") == wanted]
    if options.label_column:
        fitting = [one for one in fitting if one.get("from_name") == options.label_column]
    elif len(names := sorted({str(one.get("from_name")) for one in fitting})) > 1:
        raise Unfit("several_controls", "several controls were answered", f"--label-column: {' or '.join(names)}")
    others = sorted({str(one.get("type")) for one in regions})
    if others and not fitting and (options.label_column is None or wanted not in others):
        raise Unfit("wrong_task", f"it holds {', '.join(others)}, the project is {schema.task}",
                        "name the right project, or --as-pool")  # fmt: skip
    if schema.task is not Task.TOKENS:
        return of_classes(schema.task, [name for one in fitting for name in one["value"].get("choices") or []])
    return of_spans(schema.task, text, spans_in(one["value"] for one in fitting), options.offsets)


def spans_in(values: Iterable[Any]) -> list[Found]:
    """One for each label of each region. Raises Unfit."""
    found = []
    for value in values:
        labels = value.get("labels") if isinstance(value, dict) else None
        if not isinstance(labels, list) or not labels:
            raise Unfit("bad_span", "a region has no label", "label it in Label Studio, or delete it")
        quote = value.get("text") if isinstance(value.get("text"), str) else None
        found += [Found(value.get("start"), value.get("end"), label, quote) for label in labels]
    return found


def _task(row: Row, schema: Schema) -> dict[str, Any]:
    text = row.content()
    data = {"text": text} | ({} if row.id is None else {OWN_ID: row.id})
    task: dict[str, Any] = {"data": data, "meta": {**(row.meta or {}), **known(row)}}
    if row.skipped:
        return task | {"annotations": [{"result": [], "was_cancelled": True}]}
    if row.label is None:
        return task
    if schema.task is Task.TOKENS:
        values = [("labels", region(span, text)) for span in row.label]
    else:
        chosen = [row.label] if isinstance(row.label, str) else row.label
        values = [("choices", {"choices": chosen})] if chosen else []
    result = [{"from_name": FROM_NAME, "to_name": TO_NAME, "type": kind, "value": value} for kind, value in values]
    return task | {"annotations": [{"result": result, "was_cancelled": False}]}


def region(span: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A span as it has it, with the text that stands there."""
    start, end = span["start"], span["end"]
    return {"start": start, "end": end, "text": text[start:end], "labels": [span["label"]]}


def write_list(path: Path, objects: Iterable[Mapping[str, Any]]) -> Written:
    """A JSON list, one object a line, written whole or not at all."""
    written = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for one in objects:
            file.write(("[" if not written else ",") + "\n" + json.dumps(one, ensure_ascii=False))
            written += 1
        file.write("\n]\n" if written else "[]\n")
    return Written(written)


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """One task a row; one without a label has no annotation."""
    return write_list(path, (_task(row, schema) for row in rows))


LABEL_STUDIO = Format(
    "label-studio", "Label Studio JSON", (".json",), TEXTS, "task",
    "who answered", read, write,
)  # fmt: skip
