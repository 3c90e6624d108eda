"""Labels as Label Studio writes them and as projects have them. Pure: whatever came is read, or said to be unreadable.

Offsets are Unicode code points, end exclusive, on both sides (measured in a browser, with emoji).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tithe.connectors.label_studio.config import Control, tool_names
from tithe.connectors.protocol import Annotation, Json, Kind
from tithe.contracts.projects import Task

#: What a quote is compared without: its page writes a line's end as a backslash and an n, and browsers trim.
_BLANK = re.compile(r"\\n|\s")
NOTHING_CHOSEN = "nothing was chosen"
#: What is kept of an annotation for looking at.
_RAW = (
    "id", "result", "was_cancelled", "completed_by", "lead_time", "created_at", "updated_at", "ground_truth",
    "unique_id", "parent_prediction", "parent_annotation",
)  # fmt: skip


class Unreadable(ValueError):
    """A result says nothing that can be a label; the message says why, for the one who labels."""


@dataclass(frozen=True)
class Reading:
    """How results of one project are read and written."""

    task: Task
    control: Control
    aliases: Mapping[str, str] = field(default_factory=dict)  #: {label of the tool: label of the project}

    def value(self, result: Sequence[Any], text: str | None = None) -> Any:
        """The label a result holds, in the project's form, not checked against its schema.

        `text` is what the task shows: spans are held against it. Results of other types are passed over.

        Raises
        ------
        Unreadable
            It holds none.

        Examples
        --------
        >>> control = Control("label", "text", "choices", "text", multiple=False, labels=("minus", "plus"))
        >>> reading = Reading(Task.TEXT, control, {"minus": "neg"})
        >>> reading.value([{"from_name": "label", "type": "choices", "value": {"choices": ["minus"]}}])
        'neg'
        """
        values = [entry["value"] for entry in result if self._ours(entry)]
        if not values and (elsewhere := self._elsewhere(result)):
            raise Unreadable(f"it answers the control {elsewhere!r}, not {self.control.from_name!r}")
        if self.task is Task.TOKENS:
            return [span for value in values for span in self._spans(value, text)]
        chosen = list(dict.fromkeys(self._name(one) for value in values for one in _names(value.get("choices"))))
        if self.task is Task.MULTILABEL:
            return chosen
        if not chosen:
            raise Unreadable(NOTHING_CHOSEN)
        if len(chosen) > 1:
            raise Unreadable(f"{len(chosen)} classes were chosen where one is asked for: {', '.join(chosen)}")
        return chosen[0]

    def result(self, value: Any, text: str = "") -> list[Json]:
        """A label as a result; None is no suggestion: an empty one.

        Examples
        --------
        >>> control = Control("ner", "text", "labels", "text", multiple=True, labels=("ORG",))
        >>> Reading(Task.TOKENS, control).result([{"start": 0, "end": 4, "label": "ORG"}], "ACME pays")
        [{'from_name': 'ner', 'to_name': 'text', 'type': 'labels', \
'value': {'start': 0, 'end': 4, 'text': 'ACME', 'labels': ['ORG']}}]
        """
        if value is None:
            return []
        told = tool_names(self.aliases)
        if self.task is Task.TOKENS:
            return [
                self._entry({"start": span["start"], "end": span["end"], "text": text[span["start"] : span["end"]],
                             "labels": [told.get(span["label"], span["label"])]})
                for span in value
            ]  # fmt: skip
        chosen = [value] if isinstance(value, str) else list(value)
        return [self._entry({"choices": [told.get(one, one) for one in chosen]})] if chosen else []

    def annotation(self, said: Mapping[str, Any], annotator: str, text: str | None) -> Annotation:
        """What one person said of a task, from what Label Studio says of it."""
        kind, value, fault = Kind.LABEL, None, None
        if said.get("was_cancelled"):
            kind = Kind.SKIP
        else:
            try:
                value = self.value(said.get("result") or [], text)
            except Unreadable as unreadable:
                kind, fault = Kind.UNREADABLE, str(unreadable)
        return Annotation(
            str(said["id"]), annotator, kind, value, fault, moment(said.get("created_at")),
            moment(said.get("updated_at")), _seconds(said.get("lead_time")),
            {name: said[name] for name in _RAW if name in said},
        )  # fmt: skip

    def _ours(self, entry: Any) -> bool:
        return (
            isinstance(entry, dict)
            and entry.get("from_name") == self.control.from_name
            and entry.get("type") == self.control.type
            and isinstance(entry.get("value"), dict)
        )

    def _elsewhere(self, result: Sequence[Any]) -> str | None:
        """A control of the same type that was answered instead: ours was renamed, and the answer is not empty."""
        told = (
            one.get("from_name") for one in result if isinstance(one, dict) and one.get("type") == self.control.type
        )
        return next((str(name) for name in told if name != self.control.from_name), None)

    def _entry(self, value: Json) -> Json:
        names = {"from_name": self.control.from_name, "to_name": self.control.to_name, "type": self.control.type}
        return {**names, "value": value}

    def _name(self, told: str) -> str:
        return self.aliases.get(told, told)

    def _spans(self, value: Mapping[str, Any], text: str | None) -> list[Json]:
        start, end = value.get("start"), value.get("end")
        if not isinstance(start, int) or not isinstance(end, int) or bool in (type(start), type(end)):
            raise Unreadable(f"a span from {start!r} to {end!r} is not counted in characters")
        labels = _names(value.get("labels"))
        if not labels:
            raise Unreadable(f"the span from {start} to {end} has no label")
        if text is not None:
            _check_quote(start, end, value.get("text"), text)
        return [{"start": start, "end": end, "label": self._name(label)} for label in dict.fromkeys(labels)]


def moment(told: Any) -> datetime | None:
    """A time as Label Studio writes it; None where it says none.

    Examples
    --------
    >>> moment("2026-11-23T06:38:24.387484Z")
    datetime.datetime(2026, 11, 23, 6, 38, 24, 387484, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(told, str):
        return None
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        return None


def shown(text: str) -> str:
    r"""A text as it is sent: no carriage return, which a browser would swallow, and every offset where it was.

    Examples
    --------
    >>> shown("one\r\ntwo\rthree")
    'one \ntwo\nthree'
    """
    return text.replace("\r\n", " \n").replace("\r", "\n")


def _check_quote(start: int, end: int, quoted: Any, text: str) -> None:
    if not 0 <= start < end <= len(text):
        raise Unreadable(f"the span from {start} to {end} is not inside the text, which has {len(text)} characters")
    if isinstance(quoted, str) and _BLANK.sub("", text[start:end]) != _BLANK.sub("", quoted):
        there = text[start:end][:40]
        raise Unreadable(f"the span from {start} to {end} is {there!r}, but was marked as {quoted[:40]!r}")


def _names(told: Any) -> list[str]:
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def _seconds(told: Any) -> float | None:
    good = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < float("inf")
    return float(told) if good else None
