"""Tags of tokens (IOB1, IOB2, BIOES, BILOU) and spans of their text: the one from the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

from tithe.connectors.files.row import Unfit

Scheme = Literal["iob1", "iob2", "bioes"]
_MARKS = "BIESLU"


def is_tag(word: str) -> bool:
    """Whether it is a tag: O, or a mark, a dash and a type.

    Examples
    --------
    >>> is_tag("B-PER"), is_tag("O"), is_tag("Paris")
    (True, True, False)
    """
    return word == "O" or (len(word) > 2 and word[0] in _MARKS and word[1] == "-")


def spans_of(tokens: Sequence[str], tags: Sequence[str]) -> list[dict[str, Any]]:
    """The spans that tags mark, whatever their scheme. Raises Unfit where one is no tag.

    B and S (U) begin one; I and E (L) go on with one of their type that has not ended, and begin one otherwise, so that
    IOB1 and files with I only read as they are meant. Single spaces are between tokens.

    Examples
    --------
    >>> spans_of(["Ada", "Lovelace", "wrote"], ["B-PER", "I-PER", "O"])
    [{'start': 0, 'end': 12, 'label': 'PER'}]
    """
    if len(tags) != len(tokens):
        raise Unfit("tags_missing", f"{len(tokens)} tokens, {len(tags)} tags", "one tag for each token")
    spans: list[dict[str, Any]] = []
    open_type: str | None = None
    at = 0
    for token, tag in zip(tokens, tags, strict=True):
        if not is_tag(tag):
            raise Unfit("no_tag", f"{tag[:40]!r} is no tag", "O, or B-, I-, E-, S- and a type; or say --as-pool")
        mark, kind = tag[0], tag[2:]
        if mark == "O":
            open_type = None
        else:
            if mark in "BSU" or open_type != kind:
                spans.append({"start": at, "end": 0, "label": kind})
            spans[-1]["end"] = at + len(token)
            open_type = None if mark in "ESLU" else kind
        at += len(token) + 1
    return spans


def tags_of(tokens: Sequence[str], spans: Sequence[Mapping[str, Any]], scheme: Scheme = "iob2") -> list[str]:
    """One tag for each token. Raises Unfit where a span is not of whole tokens, or overlaps another.

    Examples
    --------
    >>> tags_of(["Ada", "Lovelace", "wrote"], [{"start": 0, "end": 12, "label": "PER"}], "bioes")
    ['B-PER', 'E-PER', 'O']
    """
    starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))[:-1]
    first_at = {start: at for at, start in enumerate(starts)}
    last_at = {start + len(token): at for at, (start, token) in enumerate(zip(starts, tokens, strict=True))}
    marked: list[tuple[str, str] | None] = [None] * len(tokens)
    for span in spans:
        first, last = first_at.get(span["start"]), last_at.get(span["end"])
        if first is None or last is None or last < first or any(marked[first : last + 1]):
            raise Unfit("no_tokens", f"the span {span['start']} to {span['end']} is not of whole tokens of its own")
        for at in range(first, last + 1):
            marked[at] = (_mark(at, first, last, scheme), span["label"])
    if scheme == "iob1":
        marked = [_plain(marked, at) for at in range(len(marked))]
    return ["O" if one is None else f"{one[0]}-{one[1]}" for one in marked]


def _mark(at: int, first: int, last: int, scheme: Scheme) -> str:
    if scheme == "bioes" and at == last:
        return "S" if first == last else "E"
    return "B" if at == first else "I"


def _plain(marked: Sequence[tuple[str, str] | None], at: int) -> tuple[str, str] | None:
    """In IOB1 B stands only where a span touches one of its own type before it."""
    one, before = marked[at], marked[at - 1] if at else None
    if one is None:
        return None
    touches = one[0] == "B" and before is not None and before[1] == one[1]
    return ("B" if touches else "I", one[1])
