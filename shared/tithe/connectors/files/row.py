"""What every format reads into and writes from: an item with what is known of it, or why a record is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Meta = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """An item. `place` is its line, or its number among the records, from 1; places rise."""

    place: int
    id: str | int | None = None
    text: str | None = None
    tokens: list[str] | None = None  #: in the place of a text
    label: Any = None  #: in the project's form: a class, classes, spans in code points; None: there is none
    split: str | None = None  #: pool or test; None: pool
    meta: Meta | None = None
    vector: Any = None
    skipped: bool = False  #: somebody did not want to answer
    annotator: str | None = None
    remark: str | None = None  #: what was decided in reading it; equal remarks are counted and told once

    def content(self) -> str:
        """Its text; of tokens, these joined by single spaces.

        Examples
        --------
        >>> Row(1, tokens=["Ada", "wrote"]).content()
        'Ada wrote'
        """
        return " ".join(self.tokens) if self.tokens is not None else self.text or ""

    def sent(self) -> dict[str, Any]:
        """The row as an import takes it; what is not there is left out.

        Examples
        --------
        >>> Row(7, id="a", text="hello", label=[]).sent()
        {'id': 'a', 'text': 'hello', 'label': []}
        """
        told = {
            "id": self.id, "text": self.text, "tokens": self.tokens, "vector": self.vector, "label": self.label,
            "split": self.split, "meta": self.meta or None,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class Fault:
    """A record that cannot be read. The others are not touched by it."""

    place: int
    code: str
    reason: str
    remedy: str | None = None


class Unfit(Exception):
    """Raised where a record cannot be read: the same as a fault, its place not yet known."""

    def __init__(self, code: str, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.remedy = remedy

    def at(self, place: int) -> Fault:
        """The fault."""
        return Fault(place, self.code, self.reason, self.remedy)


def rows(records: Iterable[tuple[int, Any] | Fault], make: Callable[[int, Any], Row]) -> Iterator[Row | Fault]:
    """A row of each record, (place, what it holds); one that cannot be read is a fault, and keeps no other back."""
    for found in records:
        if isinstance(found, Fault):
            yield found
            continue
        place, record = found
        try:
            yield make(place, record)
        except Unfit as unfit:
            yield unfit.at(place)
