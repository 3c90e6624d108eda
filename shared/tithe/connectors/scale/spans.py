"""Entities as Scale may write them down, read only where they prove themselves. Pure.

How Scale says which entities people marked is not public: not even whether its offsets count code points or UTF-16
units. So a span counts only where the text it quotes stands at its offsets, under one reading for all of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

#: Where in a response the marked entities might be.
_PLACES = ("annotations", "entities")
Span = dict[str, Any]


class Unproven(ValueError):
    """The entities cannot be read with certainty; the message says why."""


def spans_from(response: Mapping[str, Any], text: str, named: Callable[[str], str]) -> list[Span]:
    """The spans a response marks in `text`, in code points; `named` turns Scale's name of a class into ours.

    Raises
    ------
    Unproven
        No list of entities, one without offsets or quoted text, or quoted text that does not stand there.

    Examples
    --------
    >>> marked = {"annotations": [{"start": 3, "end": 6, "text": "Ada", "label": "PER"}]}
    >>> spans_from(marked, "😀 Ada", str)  # UTF-16: the emoji is two units
    [{'start': 2, 'end': 5, 'label': 'PER'}]
    """
    marked = [_entity(one) for one in _list_in(response)]
    readings = [spans for place in (_code_points, _utf16_units) if (spans := _read(marked, text, place)) is not None]
    if not readings:
        raise Unproven("the text that Scale quotes does not stand at the offsets it gives, however these are counted")
    if any(one != readings[0] for one in readings):
        raise Unproven("the offsets make sense both as code points and as UTF-16 units, at different places")
    return [{"start": start, "end": end, "label": named(label)} for start, end, label in readings[0]]


def _list_in(response: Mapping[str, Any]) -> Sequence[Any]:
    found = [response[place] for place in _PLACES if isinstance(response.get(place), list)]
    if len(found) != 1:
        raise Unproven("the response has no list of entities where one is known to be")
    return found[0]  # type: ignore[no-any-return]


def _entity(one: Any) -> tuple[int, int, str, str]:
    """Start, end, class and quoted text of what was marked."""
    if not isinstance(one, Mapping):
        raise Unproven("an entity is no object")
    start, end, label, quoted = (one.get(name) for name in ("start", "end", "label", "text"))
    if not (type(start) is int and type(end) is int and 0 <= start < end):
        raise Unproven("an entity has no start and end that could be offsets")
    if not (isinstance(label, str) and isinstance(quoted, str)):
        raise Unproven("an entity has no label, or does not quote its text")
    return start, end, label, quoted


def _read(
    marked: Sequence[tuple[int, int, str, str]], text: str, places: Callable[[str], Mapping[int, int]]
) -> list[tuple[int, int, str]] | None:
    """The spans in code points, or None where one does not hold what it quotes."""
    at = places(text)
    spans = []
    for start, end, label, quoted in marked:
        if start not in at or end not in at or text[at[start] : at[end]] != quoted:
            return None
        spans.append((at[start], at[end], label))
    return spans


def _code_points(text: str) -> Mapping[int, int]:
    return {at: at for at in range(len(text) + 1)}


def _utf16_units(text: str) -> Mapping[int, int]:
    """UTF-16 offset to code point offset; an offset inside of a pair is none."""
    sizes = (2 if ord(character) > 0xFFFF else 1 for character in text)
    return {unit: at for at, unit in enumerate(accumulate(sizes, initial=0))}
