"""What the tests of formats share: reading a file whole, and what rows may hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from tithe.connectors.files.format import Format, Options, Schema
from tithe.connectors.files.row import Fault, Row
from tithe.connectors.files.words import words
from tithe.contracts.projects import Task
from tithe.contracts.spans import check_spans
from tithe.errors import InvalidLabel

GOLDEN = Path(__file__).parent / "golden"
PEOPLE = Schema(Task.TOKENS, ("PER", "LOC", "ORG"), "people")
MAIL = Schema(Task.TEXT, ("ham", "spam"), "mail")
TOPICS = Schema(Task.MULTILABEL, ("sport", "tech", "a b"), "topics")


def read(format: Format, path: Path, schema: Schema, **options: object) -> list[Row | Fault]:  # noqa: A002
    assert format.read is not None
    return list(format.read(path, Options(**options), schema))  # type: ignore[arg-type]


def rows(found: Iterable[Row | Fault]) -> list[Row]:
    kept = []
    for one in found:
        assert isinstance(one, Row), one
        kept.append(one)
    return kept


def faults(found: Iterable[Row | Fault]) -> list[Fault]:
    return [one for one in found if isinstance(one, Fault)]


#: All that a text may be: emoji of several code points, marks, quotes, what ends lines and what does not.
_PIECES = st.sampled_from(
    ["Ada", "Zoë", "e\u0301", "😀", "👩‍🚀", "🇩🇪", " ", "  ", "\r\n", "\n", "\t", "\u2028", "\xa0", '"', "'", "\\n",
     "-DOCSTART-",
     "#", "B-PER", ",", ".", "O", "日本", "\x85", "[", "{"]
)  # fmt: skip
TEXTS = st.lists(_PIECES, min_size=1, max_size=12).map("".join).filter(lambda text: bool(text.strip()))
TOKENS = st.lists(
    st.sampled_from(["Ada", "Zoë", "😀", "👩‍🚀", "#", "-DOCSTART-", "O", "B-PER", "St. Ives",
          "日本", '"', ",", "a\xa0b", "\u200b"]),
    min_size=1, max_size=8,
)  # fmt: skip


@st.composite
def spans_on(draw: st.DrawFn, text: str | None, tokens: list[str] | None) -> list[dict[str, object]]:
    """Spans that the server takes: it checks them itself."""
    if tokens is None:
        places = words(text or "", [])
    else:
        places, at = [], 0
        for token in tokens:
            places.append((at, at + len(token)))
            at += len(token) + 1
    found: list[dict[str, object]] = []
    at = 0
    while at < len(places):
        last = at + draw(st.integers(0, 2))
        if draw(st.booleans()) and last < len(places):
            found.append(
                {"start": places[at][0], "end": places[last][1], "label": draw(st.sampled_from(PEOPLE.labels))}
            )
            at = last
        at += 1
    try:
        return check_spans(found, place="label", text=text, tokens=tokens)
    except InvalidLabel:
        return []


@st.composite
def many(draw: st.DrawFn, schema: Schema, *, tokens: bool | None = None, bare: bool = False) -> list[Row]:
    """Rows of a project as an export gives them."""
    found = []
    for place in range(1, draw(st.integers(1, 4)) + 1):
        as_tokens = schema.task is Task.TOKENS and (draw(st.booleans()) if tokens is None else tokens)
        cut = draw(TOKENS) if as_tokens else None
        text = None if as_tokens else draw(TEXTS)
        label: object
        if schema.task is Task.TEXT:
            label = draw(st.sampled_from(schema.labels))
        elif schema.task is Task.MULTILABEL:
            label = [name for name in schema.labels if draw(st.booleans())]
        else:
            label = draw(spans_on(text, cut))
        labeled = bare or draw(st.booleans())
        split = "test" if labeled and not bare and draw(st.booleans()) else "pool"
        meta = None if bare else draw(st.none() | st.just({"from": 'a "b" 😀', "n": [1, {"x": None}]}))
        found.append(Row(place, f"id {place}😀", text, cut, label if labeled else None, split, meta))
    return found


def seen(row: Row) -> tuple[object, ...]:
    """What of a row is to come back. A multi-label's classes come in the project's order."""
    return row.id, row.text, row.tokens, row.label, row.split or "pool", row.meta or None
