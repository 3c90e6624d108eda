"""Prodigy's JSON lines and Tithe's: what `db-in` takes and what `db-out` writes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tithe.connectors.prodigy.tithe_prodigy import (
    NoLabel,
    likely_first,
    reading,
    ready_tokens,
    token_spans,
    tokenize,
    verdict,
)
from tithe.contracts.projects import Task

Json = dict[str, Any]


def to_prodigy(row: Json, task: Task, labels: Sequence[str]) -> Json:
    """A row of an export as Prodigy has it: a choice, or spans of tokens. Raises ValueError for vectors.

    A label is accepted; a skip is ignored, or rejected where that was its note; a row that nobody answered has no
    answer, so that it can be a recipe's source. Hashes are left to Prodigy. Tokens also end where the label's spans do.

    Examples
    --------
    >>> to_prodigy({"id": "m1", "text": "hello", "label": "ham"}, Task.TEXT, ["ham", "spam"])["accept"]
    ['ham']
    """
    if task is Task.VECTORS:
        raise ValueError("Prodigy shows texts, not vectors: export them as JSON lines or Parquet")
    ours: Json = {"item": row["id"]}
    tokens = row.get("tokens")
    told: Json = {"text": " ".join(tokens) if tokens else row["text"], "tithe": ours, "meta": row.get("meta") or {}}
    label = row.get("label")
    if task is Task.TOKENS:
        if tokens:
            ours["tokens"] = True
        borders = [at for span in label or () for at in (span["start"], span["end"])]
        told["tokens"] = ready_tokens(tokens) if tokens else tokenize(told["text"], borders)
        told["spans"] = token_spans(label or (), told["tokens"])
    else:
        told["options"] = [{"id": one, "text": one} for one in labels]
        told["accept"] = [] if label is None else [label] if isinstance(label, str) else list(label)
    if label is not None:
        told["answer"] = "accept"
    elif row.get("status") == "skipped":
        told["answer"] = "reject" if str(row.get("note") or "").startswith("rejected") else "ignore"
    if row.get("annotator"):
        told["_session_id"] = told["_annotator_id"] = row["annotator"]
    return told


def from_prodigy(line: Json, task: Task, labels: Sequence[str]) -> Json:
    """An annotated line as a row that Tithe imports: text or tokens, and where known `id`, `label` and `meta`.

    What was ignored or rejected has no label, and never a negative one; but of two classes, yes-or-no questions tell
    both ways. Raises ValueError, in words, for what cannot be read or is only part of an answer: for files of yes-or-no
    questions about several classes there is :func:`gathered`.

    Examples
    --------
    >>> from_prodigy({"text": "hello", "label": "spam", "answer": "reject"}, Task.TEXT, ["ham", "spam"])
    {'text': 'hello', 'label': 'ham'}
    """
    row = _content(line, task)
    if "options" not in line and "accept" not in line and "label" in line and task is not Task.TOKENS:
        if task is Task.MULTILABEL:
            raise ValueError(
                f"this is one question ({line['label']!r}) of several about its text: read the file as a whole"
            )
        says = verdict(_question(line, labels), task.value, labels, labels)
    else:
        if task is not Task.TOKENS and "accept" not in line and line.get("answer", "accept") == "accept":
            raise ValueError("this is neither a choice (`accept`) nor a question about a class (`label`)")
        if task is Task.TOKENS and line.get("_view_id") == "ner":
            raise ValueError("yes or no to the spans shown tells nothing of the rest of the text: use ner.manual")
        says = _read(line, task, labels)
    return row | ({"label": says["label"]} if "label" in says else {})


def gathered(lines: Iterable[Json], task: Task, labels: Sequence[str]) -> Iterator[Json]:
    """Rows of a whole file; yes-or-no questions about one text to one person become one row, at the end.

    Where several classes may apply, only a text of which all were asked has a label. Raises ValueError as
    :func:`from_prodigy` does.
    """
    asked: dict[tuple[str, str], tuple[Json, dict[str, str]]] = {}
    for line in lines:
        content = _content(line, task)
        if task is Task.TOKENS or "label" not in line or "options" in line or "accept" in line:
            yield from_prodigy(line, task, labels)
            continue
        key = (str(content.get("id", content["text"])), str(line.get("_session_id") or ""))
        row, parts = asked.setdefault(key, (content, {}))
        for about, said in _question(line, labels).items():
            parts.pop(about, None)
            parts[about] = said
    for row, parts in asked.values():
        says = verdict(parts, task.value, labels, likely_first(labels, {}))
        yield row | ({"label": says["label"]} if "label" in says else {})


def _content(line: Json, task: Task) -> Json:
    if not isinstance(line.get("text"), str):
        raise ValueError("a line of Prodigy's has a `text`")  # noqa: TRY004  (of the file, not of the call)
    ours = line.get("tithe") if isinstance(line.get("tithe"), dict) else {}
    row: Json = {"id": ours["item"]} if ours and ours.get("item") else {}
    if task is Task.TOKENS and ours and ours.get("tokens"):
        row["tokens"] = [token["text"] for token in line["tokens"]]
    else:
        row["text"] = line["text"]
    if line.get("meta"):
        row["meta"] = line["meta"]
    return row


def _question(line: Json, labels: Sequence[str]) -> dict[str, str]:
    """The class that was asked for, and what was said."""
    if line["label"] not in labels:
        raise ValueError(f"{line['label']!r} is no class of the project")
    answer = line.get("answer", "accept")
    if answer not in ("accept", "reject", "ignore"):
        raise ValueError(f"an answer is accept, reject or ignore, not {answer!r}")
    return {line["label"]: answer}


def _read(line: Json, task: Task, labels: Sequence[str]) -> Json:
    try:
        return reading(line, task.value, labels)
    except NoLabel:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not in Prodigy's form: {error!r}") from error
