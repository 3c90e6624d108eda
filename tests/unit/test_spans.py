"""Where spans may begin and end: against Unicode's own segmentation, token borders, and each other."""

from __future__ import annotations

import random
from typing import Any

import pytest
import regex

from tithe.contracts.labels import check_label
from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Task
from tithe.contracts.spans import check_spans
from tithe.errors import InvalidLabel

FAMILY = "👨‍👩‍👧"
#: Letters, marks, joiners, flags, Hangul and Devanagari in pieces, a prepended sign, line ends, a variation selector.
ALPHABET = "ae\u0301\u200d👨👩🇩🇪 \r\n한\u1112\u1161\u11abनि\u094dदक漢\u0600é\ufe0f1"


def checked(*edges: tuple[int, int], text: str | None = None, tokens: list[str] | None = None) -> list[tuple[int, int]]:
    spans = [{"start": start, "end": end, "label": "PER"} for start, end in edges]
    return [(one["start"], one["end"]) for one in check_spans(spans, place="label", text=text, tokens=tokens)]


def refused(*edges: tuple[int, int], **content: Any) -> InvalidLabel:
    with pytest.raises(InvalidLabel) as fault:
        checked(*edges, **content)
    return fault.value


def test_a_span_is_taken_exactly_where_characters_as_people_see_them_begin_and_end():
    chance = random.Random(0)
    taken = 0
    for _ in range(3000):
        text = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 9)))
        borders = {0, *(match.end() for match in regex.finditer(r"\X", text))}
        start = chance.randrange(len(text))
        end = chance.randint(start + 1, len(text))
        if start in borders and end in borders and text[start:end].strip():
            assert checked((start, end), text=text) == [(start, end)]
            taken += 1
        else:
            refused((start, end), text=text)
    assert 300 < taken < 2700


@pytest.mark.parametrize(
    ("edges", "text", "says", "remedy"),
    [
        ((2, 4), f"a {FAMILY} b", "end at 4", "end at 7"),
        ((3, 7), f"a {FAMILY} b", "begin at 3", "begin at 2"),
        ((0, 4), "Zoe\u0308 Doe", "", ""),
        ((0, 3), "Zoe\u0308 Doe", "end at 3", "end at 2 or at 4"),
        ((0, 3), "🇩🇪🇫🇷", "end at 3", "end at 2 or at 4"),
        ((1, 2), "a  b", "white space only", "leave the span out"),
        ((0, 9), "short", "ends at 9, the text at 5", "code points"),
    ],
)
def test_a_span_that_cuts_a_character_is_refused_with_the_nearest_borders(
    edges: tuple[int, int], text: str, says: str, remedy: str
):
    if not says:
        assert checked(edges, text=text) == [edges]
        return
    fault = refused(edges, text=text)
    assert says in fault.message
    assert remedy in (fault.remedy or "")
    assert fault.place == "label[0]"


@pytest.mark.parametrize(
    ("edges", "says", "remedy"),
    [
        ((0, 4), "in the middle of the token 'Hello' (0 to 5)", "end at 5"),
        ((7, 11), "in the middle of the token 'World' (6 to 11)", "begin at 6"),
        ((5, 11), "between tokens, before 'World' (6 to 11)", "begin at 0 or at 6"),
        ((0, 6), "between tokens, before 'World' (6 to 11)", "end at 5 or at 11"),
        ((6, 12), "ends at 12, the text at 11", "code points"),
    ],
)
def test_spans_of_an_item_that_came_as_tokens_are_of_whole_tokens(edges: tuple[int, int], says: str, remedy: str):
    fault = refused(edges, tokens=["Hello", "World"])
    assert says in fault.message
    assert remedy in (fault.remedy or "")


def test_whole_tokens_are_taken_whatever_they_hold():
    tokens = ["e", "\u0301e", FAMILY, "x"]
    assert checked((0, 1), (2, 4), (5, 12), tokens=tokens) == [(0, 1), (2, 4), (5, 12)]
    assert checked((0, 12), tokens=tokens) == [(0, 12)]


def test_spans_are_kept_in_the_order_of_the_text_and_share_no_character():
    assert checked((8, 11), (0, 3), (4, 7), text="Ada saw Rom") == [(0, 3), (4, 7), (8, 11)]
    overlap = refused((8, 11), (0, 5), (4, 7), text="Ada saw Rom")
    assert overlap.message == "label[2]: the span 4 to 7 overlaps label[1], 0 to 5"
    twice = refused((0, 3), (8, 11), (0, 3), text="Ada saw Rom")
    assert "label[2]: the span 0 to 3 is there already, as label[0]" in twice.message
    assert "overlaps" in refused((0, 11), (1, 2)).message  # also where the text is not known


def test_no_span_at_all_is_a_label():
    for content in ({"text": "nothing here"}, {"tokens": ["nothing", "here"]}, {}):
        assert check_label(Task.TOKENS, ["PER"], [], place="label", **content) == []


def test_a_prediction_of_spans_is_in_order_and_as_sure_as_its_least_sure_span():
    spans = [
        {"start": 8, "end": 11, "label": "LOC", "confidence": 0.61},
        {"start": 0, "end": 3, "label": "PER", "confidence": 0.97},
    ]
    said = Prediction.of_spans(spans)
    assert [one.label for one in said.spans or []] == ["PER", "LOC"]
    assert said.confidence == 0.61
    assert check_label(Task.TOKENS, ["PER", "LOC"], said.answer(), place="label", text="Ada saw Rom") == said.answer()
    nothing = Prediction.of_spans([])
    assert (nothing.spans, nothing.confidence, nothing.answer()) == ([], None, [])
    assert Prediction.model_validate(said.model_dump(mode="json", exclude_none=True)) == said


def test_each_class_is_said_from_its_own_threshold_on():
    said = Prediction.of(Task.MULTILABEL, ["a", "b", "c"], [0.3, 0.6, 0.1], thresholds=[0.25, 0.7, 0.5])
    assert said.labels == ["a"]
    assert said.confidence == 0.3  # that `a` is right, although it was said
    plain = Prediction.of(Task.MULTILABEL, ["a", "b", "c"], [0.3, 0.6, 0.1], None)
    assert (plain.labels, plain.confidence) == (["b"], 0.6)
    assert (plain.answer(), Prediction.of(Task.TEXT, ["a", "b"], [0.3, 0.7], None).answer()) == (["b"], "b")
