"""Where a span of a text may begin and end. Pure: offsets are Unicode code points, half open."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import regex

from tithe.errors import InvalidLabel

_GRAPHEME = regex.compile(r"\X")
#: Two code points that are always two characters (UAX 29, GB999): almost every border there is.
_APART = regex.compile(r"\p{Grapheme_Cluster_Break=Other}{2}")
_COUNTS = "offsets count Unicode code points, not bytes or UTF-16 units"


def check_spans(
    spans: Sequence[dict[str, Any]], *, place: str, text: str | None, tokens: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return the spans in the order of the text, or raise :class:`InvalidLabel` saying which is wrong and what fits.

    They end within the text, hold more than white space, do not overlap, and cut nothing in two: no token of an item
    that came as tokens, else no character as people see it (an emoji of several code points, a letter with its marks).

    Parameters
    ----------
    spans
        ``{"start", "end", "label"}`` each, ``0 <= start < end``.
    place
        Where they stand in what was sent, for the message.
    text, tokens
        The item's content, one of them. Tokens are joined by single spaces. Both None: not known, so only what the
        spans say of each other is checked.

    Examples
    --------
    >>> later, sooner = {"start": 8, "end": 11, "label": "LOC"}, {"start": 0, "end": 3, "label": "PER"}
    >>> check_spans([later, sooner], place="label", text="Ada saw Rom", tokens=None) == [sooner, later]
    True
    """
    borders = _Tokens(tokens) if tokens is not None else _Text(text) if text is not None else None
    if borders is not None:
        for at, span in enumerate(spans):
            borders.check(span["start"], span["end"], f"{place}[{at}]")
    order = sorted(range(len(spans)), key=lambda at: (spans[at]["start"], spans[at]["end"], at))
    for one, other in pairwise(order):
        _apart(spans, min(one, other), max(one, other), place)
    return [spans[at] for at in order]


def _apart(spans: Sequence[dict[str, Any]], one: int, other: int, place: str) -> None:
    a, b = spans[one], spans[other]
    if a["end"] <= b["start"] or b["end"] <= a["start"]:
        return
    where = f"{place}[{other}]"
    if (a["start"], a["end"]) == (b["start"], b["end"]):
        raise InvalidLabel(
            f"{where}: the span {_said(b)} is there already, as {place}[{one}] ({a['label']!r})", place=where,
            remedy="send each span once, with one label",
        )  # fmt: skip
    raise InvalidLabel(
        f"{where}: the span {_said(b)} overlaps {place}[{one}], {_said(a)}", place=where,
        remedy="spans share no character: shorten one of the two, or leave it out",
    )  # fmt: skip


def _said(span: dict[str, Any]) -> str:
    return f"{span['start']} to {span['end']}"


def _too_long(end: int, length: int, place: str) -> InvalidLabel:
    return InvalidLabel(f"{place}: the span ends at {end}, the text at {length}", place=place, remedy=_COUNTS)


def _instead(verb: str, near: Sequence[int], start: int, end: int) -> str:
    """Where a span might begin or end: at those of the borders near by that leave something of it."""
    fitting = [at for at in near if (at < end if verb == "begin" else at > start)]
    return f"{verb} at {' or at '.join(map(str, fitting))}"


class _Text:
    """Where a text may be cut: between characters as people see them (Unicode's grapheme clusters, UAX 29)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = text.isascii()

    def check(self, start: int, end: int, place: str) -> None:
        if end > len(self._text):
            raise _too_long(end, len(self._text), place)
        if not self._text[start:end].strip():
            raise InvalidLabel(
                f"{place}: the span {start} to {end} holds white space only", place=place,
                remedy="mark the words, or leave the span out",
            )  # fmt: skip
        for verb, at in (("begin", start), ("end", end)):
            if self._joined(at):
                first, stop = self._character(at)
                raise InvalidLabel(
                    f"{place}: the span would {verb} at {at}, in the middle of {self._text[first:stop][:40]!r}, "
                    f"a character of {stop - first} code points",
                    place=place, remedy=_instead(verb, (first, stop), start, end),
                )  # fmt: skip

    def _joined(self, at: int) -> bool:
        """Whether the code points before and after belong to one character."""
        if self._plain or at in (0, len(self._text)):
            return False
        if _APART.match(self._text, at - 1):
            return False
        return self._borders[bisect_left(self._borders, at)] != at

    def _character(self, at: int) -> tuple[int, int]:
        """Of the character that `at` is inside of."""
        found = bisect_left(self._borders, at)
        return self._borders[found - 1], self._borders[found]

    @cached_property
    def _borders(self) -> list[int]:
        return [0, *(match.end() for match in _GRAPHEME.finditer(self._text))]


class _Tokens:
    """Where a text may be cut that came as tokens: where a token begins, or ends."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))[:-1]
        self._ends = [start + len(token) for start, token in zip(self._starts, tokens, strict=True)]

    def check(self, start: int, end: int, place: str) -> None:
        if end > self._ends[-1]:
            raise _too_long(end, self._ends[-1], place)
        for verb, at, right in (("begin", start, self._starts), ("end", end, self._ends)):
            found = bisect_left(right, at)
            if found == len(right) or right[found] != at:
                instead = _instead(verb, right[max(0, found - 1) : found + 1], start, end)
                raise InvalidLabel(f"{place}: the span would {verb} at {at}, {self._where(verb, at)}", place=place,
                                   remedy=f"{instead}: spans are of whole tokens")  # fmt: skip

    def _where(self, verb: str, at: int) -> str:
        token = bisect_left(self._ends, at if verb == "end" else at + 1)
        first, stop = self._starts[token], self._ends[token]
        place = "in the middle of the token" if first < at < stop else "between tokens, before"
        return f"{place} {self._tokens[token][:40]!r} ({first} to {stop})"
