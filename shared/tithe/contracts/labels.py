"""What a label may be, per task. Pure: a project's schema and a value in, the value as it is stored out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any

from tithe.contracts.projects import Task
from tithe.contracts.spans import check_spans
from tithe.errors import InvalidLabel

#: Guessing what was meant compares with every class: only where these are few and the word is short.
_HINTED_CLASSES = 100
_HINTED_LENGTH = 80

Label = str | list[str] | list[dict[str, Any]]


def check_label(
    task: Task, classes: Sequence[str], value: Any, *, place: str, text: str | None = None,
    tokens: Sequence[str] | None = None,
) -> Label:  # fmt: skip
    """Return `value` as it is stored, or raise :class:`InvalidLabel` saying where and what would fit.

    Parameters
    ----------
    task, classes
        The project's schema.
    value
        Classification: one class name. Multi-label: a list of class names, possibly empty. Token classification: a
        list of ``{"start", "end", "label"}``, offsets in Unicode code points, half open; empty: there is no entity.
    place
        Where the value stands in what was sent, for the message.
    text, tokens
        The content of an item of token classification, one of them: what :func:`~tithe.contracts.spans.check_spans`
        checks spans against.
    """
    if task in (Task.TEXT, Task.VECTORS):
        return _one_class(classes, classes, value, place)
    if not isinstance(value, list):
        raise InvalidLabel(
            f"{place}: {task} takes a list, not {_kind(value)}", place=place, remedy=_example(task, classes)
        )
    if task is Task.MULTILABEL:
        return _several_classes(classes, value, place)
    known = frozenset(classes)
    spans = [_span(classes, known, span, f"{place}[{i}]") for i, span in enumerate(value)]
    return check_spans(spans, place=place, text=text, tokens=tokens)


def _one_class(classes: Sequence[str], known: Collection[str], value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidLabel(
            f"{place}: a label is one class name, not {_kind(value)}", place=place, remedy=f"one of {_listed(classes)}"
        )
    if value not in known:
        guess = len(classes) <= _HINTED_CLASSES and len(value) <= _HINTED_LENGTH
        close = difflib.get_close_matches(value, classes, n=1) if guess else []
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InvalidLabel(
            f"{place}: {value[:80]!r} is no class of this project",
            place=place,
            remedy=f"{hint}one of {_listed(classes)}",
        )
    return value


def _several_classes(classes: Sequence[str], value: list[Any], place: str) -> list[str]:
    order = {name: at for at, name in enumerate(classes)}
    chosen = [_one_class(classes, order, one, f"{place}[{i}]") for i, one in enumerate(value)]
    if len(set(chosen)) != len(chosen):
        raise InvalidLabel(f"{place}: a class is named twice", place=place, remedy="name each class once")
    return sorted(chosen, key=order.__getitem__)


def _span(classes: Sequence[str], known: Collection[str], span: Any, place: str) -> dict[str, Any]:
    if not isinstance(span, dict) or set(span) != {"start", "end", "label"}:
        raise InvalidLabel(
            f"{place}: a span is an object with start, end and label",
            place=place,
            remedy=_example(Task.TOKENS, classes),
        )
    start, end = span["start"], span["end"]
    if not all(isinstance(edge, int) and not isinstance(edge, bool) for edge in (start, end)) or not 0 <= start < end:
        raise InvalidLabel(
            f"{place}: start and end must be whole numbers with 0 <= start < end", place=place,
            remedy="offsets count Unicode code points, end exclusive",
        )  # fmt: skip
    return {"start": start, "end": end, "label": _one_class(classes, known, span["label"], f"{place}.label")}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(repr(c) for c in classes[:10])
    return shown if len(classes) <= 10 else f"{shown} … ({len(classes)} in all)"


def _example(task: Task, classes: Sequence[str]) -> str:
    if task is Task.MULTILABEL:
        return f"send a list such as [{classes[0]!r}], or [] for none"
    return f'send spans such as {{"start": 0, "end": 5, "label": {classes[0]!r}}}'
