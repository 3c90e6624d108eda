"""Labels as files have them, in the project's form. Whether the project has such a class is the server's to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tithe.connectors.files.format import Offsets
from tithe.connectors.files.row import Unfit
from tithe.contracts.projects import Task

_UTF16 = "these offsets count UTF-16 units, not code points"


def of_classes(task: Task, names: Sequence[Any]) -> Any:
    """Classes that were chosen, as a label; None: of one class to choose, none was. Raises Unfit.

    Examples
    --------
    >>> of_classes(Task.TEXT, ["spam"]), of_classes(Task.MULTILABEL, []), of_classes(Task.TEXT, [])
    ('spam', [], None)
    """
    if not all(isinstance(name, str) for name in names):
        raise Unfit("no_class_name", "a class is no name", "export names of classes, not numbers")
    if task is Task.MULTILABEL:
        return list(dict.fromkeys(names))
    if task is Task.TOKENS:
        raise Unfit("wrong_task", "it holds classes, the project wants spans", "name the right project, or --as-pool")
    if len(names) > 1:
        raise Unfit(
            "several_classes", f"{len(names)} classes, and the project wants one: {', '.join(names)[:80]}",
            "choose one, or make a project of multilabel_classification",
        )  # fmt: skip
    return names[0] if names else None


@dataclass(frozen=True)
class Found:
    """A span as a file has it; `quote` is the text it says stands there."""

    start: Any
    end: Any
    label: Any
    quote: str | None = None


def of_spans(task: Task, text: str, found: Sequence[Found], offsets: Offsets) -> list[dict[str, Any]]:
    """Spans as a label, in code points. Raises Unfit: they end after the text, or are not what they quote.

    Examples
    --------
    >>> of_spans(Task.TOKENS, "😀 Ada", [Found(3, 6, "PER", "Ada")], "utf-16")
    [{'start': 2, 'end': 5, 'label': 'PER'}]
    """
    if task is not Task.TOKENS:
        raise Unfit("wrong_task", f"it holds spans, the project is {task}", "name the right project, or --as-pool")
    for one in found:
        whole = all(isinstance(edge, int) and not isinstance(edge, bool) for edge in (one.start, one.end))
        if not whole or not 0 <= one.start < one.end:
            raise Unfit("bad_span", f"{one.start!r} to {one.end!r} is no span", "0 <= start < end, in whole numbers")
    points = _points(text)
    if offsets == "utf-16":
        found = [_in_points(one, points) for one in found]
    for one in found:
        if (fault := _fault(text, one)) is not None:
            if offsets == "code-points" and _fits_utf16(text, found, points):
                raise Unfit("utf16_offsets", _UTF16, "say --offsets utf-16, and they are converted")
            raise fault
    return [{"start": one.start, "end": one.end, "label": one.label} for one in found]


def _fault(text: str, one: Found) -> Unfit | None:
    if one.end > len(text):
        return Unfit("bad_span", f"the span {one.start} to {one.end} ends after the text, which has {len(text)}")
    there = text[one.start : one.end]
    if one.quote is not None and _bare(one.quote) != _bare(there):
        said = f"{one.start} to {one.end} is {there[:40]!r}, and the file quotes {one.quote[:40]!r}"
        return Unfit("wrong_quote", said, "was the text changed after it was labeled?")
    return None


def _bare(text: str) -> str:
    """Without white space, which tools write in ways of their own when they quote."""
    return "".join(text.replace("\\n", "").split())


def _points(text: str) -> dict[int, int]:
    """UTF-16 offset to code points, at every place that is between two code points."""
    places, units = {0: 0}, 0
    for at, character in enumerate(text, 1):
        units += 1 + (character > "\uffff")
        places[units] = at
    return places


def _in_points(one: Found, points: dict[int, int]) -> Found:
    if one.start not in points or one.end not in points:
        raise Unfit("bad_span", f"{one.start} to {one.end} are no UTF-16 offsets of this text", "check --offsets")
    return Found(points[one.start], points[one.end], one.label, one.quote)


def _fits_utf16(text: str, found: Sequence[Found], points: dict[int, int]) -> bool:
    """Whether all of it would be right if it counted UTF-16 units: never where the text has no such characters."""
    try:
        return len(points) - 1 < max(points) and all(_fault(text, _in_points(one, points)) is None for one in found)
    except Unfit:
        return False
