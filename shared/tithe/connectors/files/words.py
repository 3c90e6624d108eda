"""Tokens of a text, for formats that have nothing else: words and single marks, cut where a span begins or ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import regex

from tithe.connectors.files.row import Row

#: A run of letters, digits and their marks, else one character as people see it.
_WORD = regex.compile(r"\w+|(?!\s)\X")


def words(text: str, spans: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Where the tokens are; no token goes over the edge of a span.

    Examples
    --------
    >>> words("Ada's", [{"start": 0, "end": 3}])
    [(0, 3), (3, 4), (4, 5)]
    """
    edges = sorted({0, len(text), *(edge for span in spans for edge in (span["start"], span["end"]))})
    return [match.span() for one, other in pairwise(edges) for match in _WORD.finditer(text, one, other)]


def tokenized(row: Row) -> Row:
    """The row as tokens with its spans moved onto them; one that came as tokens stays as it is."""
    if row.tokens is not None:
        return row
    text, spans = row.text or "", row.label or []
    places = words(text, spans)
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    at = 0
    for start, end in places:
        begins[start], ends[end] = at, at + end - start
        at += end - start + 1
    moved = [{**span, **_onto(span, places, begins, ends)} for span in spans]
    return Row(
        row.place, row.id, None, [text[a:b] for a, b in places], None if row.label is None else moved, row.split,
        row.meta, skipped=row.skipped, annotator=row.annotator,
    )  # fmt: skip


def _onto(
    span: Mapping[str, Any], places: Sequence[tuple[int, int]], begins: Mapping[int, int], ends: Mapping[int, int]
) -> dict[str, int]:
    """Its place on the tokens; white space at its edges is in none of them."""
    inside = [(a, b) for a, b in places if span["start"] <= a and b <= span["end"]]
    return {"start": begins[inside[0][0]], "end": ends[inside[-1][1]]}
