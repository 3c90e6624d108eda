"""No span is ever shifted: code points to words and back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.tagging.alignment import to_text, to_words
from tithe.learners.tagging.words import document
from tithe.learners.words import Entity

LABELS = ["PER", "LOC"]
PIECES = st.sampled_from(
    [
        "Zoë",
        "e\u0301a",
        " ",
        "  ",
        ".",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "\U0001d4b3y",
        "漢字",
        "ที่",
        "\n",
        "'",
        "\u0301",
        "𐍈",
    ]
)
TEXTS = st.lists(PIECES, max_size=20).map("".join)


def span(start: int, end: int, label: str = "PER") -> dict[str, object]:
    return {"start": start, "end": end, "label": label}


@st.composite
def bordered(draw: st.DrawFn):
    """A text, and entities of its words that do not overlap."""
    found = document(draw(TEXTS))
    cuts = sorted(draw(st.sets(st.integers(0, len(found.words)), max_size=8)))
    pairs = [(a, b) for a, b in itertools.pairwise(cuts) if draw(st.booleans())]
    return found, [Entity(a, b, draw(st.integers(0, 1)), 0.5) for a, b in pairs]


@given(bordered())
def test_there_and_back_is_the_same(case):
    found, entities = case
    spans = to_text(entities, found, LABELS)
    assert to_words(spans, found.words, LABELS) == [tuple(entity[:3]) for entity in entities]
    assert to_text(entities, found, LABELS) == spans
    for one in spans:
        inside = found.text[one["start"] : one["end"]]
        assert inside
        assert not inside[0].isspace() or inside[1:2] == "\u0301"  # a space under an accent is seen


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from(LABELS)), max_size=6))
def test_a_span_takes_exactly_the_words_it_touches(text: str, raw: list[tuple[int, int, str]]):
    found = document(text)
    for start, length, label in raw:
        touched = [at for at, (a, b) in enumerate(found.words) if a < start + length and b > start]
        expected = [(touched[0], touched[-1] + 1, LABELS.index(label))] if touched else []
        assert to_words([span(start, start + length, label)], found.words, LABELS) == expected


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from(LABELS)), max_size=6))
def test_what_is_found_never_overlaps_and_does_not_depend_on_the_order(text: str, raw: list[tuple[int, int, str]]):
    words = document(text).words
    spans = [span(start, start + length, label) for start, length, label in dict.fromkeys(raw)]
    found = to_words(spans, words, LABELS)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    if len({(one["start"], one["end"]) for one in spans}) == len(spans):
        assert to_words(spans[::-1], words, LABELS) == found


def test_the_longer_of_two_spans_on_one_word_stays():
    words = document("Ada Lovelace's").words
    assert to_words([span(0, 6), span(6, 13, "LOC")], words, LABELS) == [(1, 3, 1)]
    assert to_words([span(4, 8), span(8, 12, "LOC")], words, LABELS) == [(1, 2, 0)]


def test_a_span_of_white_space_is_left_out():
    assert to_words([span(1, 3), span(3, 4)], document("a  b").words, LABELS) == [(1, 2, 0)]
    assert to_words([span(0, 1)], [], LABELS) == []


def test_an_unknown_label_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="'ORG', which is none of PER, LOC"):
        to_words([span(0, 1, "ORG")], document("a").words, LABELS)
