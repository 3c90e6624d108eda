"""Words cover the text, cut no grapheme, and begin wherever a label sensibly can."""

from __future__ import annotations

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.tagging.words import LONGEST_WORD, document, document_of

LETTERS = ["a", "Zoë", "e\u0301", "é", "1", "1\ufe0f\u20e3", "\u0301", " \u0301", "\U0001d4b3", "𐍈", "\u0600", "ﷺ"]
SPACES = [" ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\x1c", "\u200b", "\u00ad", "\u200d", "\x00", "\U000e0067"]
EMOJI = ["👩\u200d👩\u200d👧", "👩🏽\u200d⚕\ufe0f", "🇩🇪", "🇩", "👍🏿", ".", "'", "-", "_", "@", "#", "€"]
OTHERS = ["漢", "か", "が", "カ", "ที่", "เ", "한", "\u1112\u1161\u11ab", "क्षि", "שָׁ"]
PIECES = st.sampled_from(LETTERS + SPACES + EMOJI + OTHERS)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60)


def words_of(text: str) -> list[str]:
    found = document(text)
    return [found.text[start:stop] for start, stop in found.words]


@given(TEXTS)
def test_words_are_ordered_and_cover_everything_but_white_space(text: str):
    found = document(text)
    assert found.text == text
    end = 0
    for start, stop in found.words:
        assert end <= start < stop
        assert not text[end:start].strip()
        assert not text[start:stop].isspace()
        end = stop
    assert not text[end:].strip()


@given(TEXTS)
def test_no_border_is_inside_a_grapheme(text: str):
    borders = {0} | {found.end() for found in regex.finditer(r"\X", text)}
    assert all(start in borders and stop in borders for start, stop in document(text).words)


@given(TEXTS, TEXTS)
def test_a_space_parts_words_whatever_is_around(left: str, right: str):
    found = document(left + "x x" + right)
    assert not any(start < len(left) + 1 < stop - 1 for start, stop in found.words if " " not in found.text[start:stop])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t ", []),
        ("Iverson's jersey", ["Iverson", "'", "s", "jersey"]),
        ("3.5-fold", ["3", ".", "5", "-", "fold"]),
        ("@user #tag snake_case", ["@", "user", "#", "tag", "snake", "_", "case"]),
        ("Zoe\u0308 IL2", ["Zoe\u0308", "IL2"]),
        ("go🇩🇪🇫🇷!", ["go", "🇩🇪", "🇫🇷", "!"]),
        ("👩🏽\u200d⚕\ufe0f👍🏿", ["👩🏽\u200d⚕\ufe0f", "👍🏿"]),
        ("東京へ", ["東", "京", "へ"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("iPhone手机", ["iPhone", "手", "机"]),
        ("co\u00adoperate", ["co\u00adoperate"]),
        ("a\x1cb", ["a", "b"]),
        ("x \u0301y", ["x", " \u0301", "y"]),
    ],
)
def test_words_by_hand(text: str, words: list[str]):
    assert words_of(text) == words


def test_a_run_of_letters_is_cut_at_the_longest_word():
    assert [len(word) for word in words_of("a" * 250)] == [LONGEST_WORD, LONGEST_WORD, 50]
    assert [len(word) for word in words_of("e\u0301" * 150)] == [2 * LONGEST_WORD, 100]


@pytest.mark.parametrize(
    "unit",
    [
        "The fox, don't. ",
        "🇩🇪",
        "🇩",
        "a\u0301",
        "a" + "\u0301" * 50,
        "👩\u200d",
        "漢",
        "\u00ad",
        " \u0301",
        "\u0600",
        "क्ष",
        " ",
    ],
)
def test_time_is_linear_in_the_text(unit: str):
    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        began = time.process_time()
        document(text)
        return time.process_time() - began

    assert seconds(100_000) < 20 * max(seconds(20_000), 0.002)  # five times the text; quadratic would be 25 times


def test_tokens_are_words_and_empty_ones_keep_their_place():
    found = document_of(["New York", "", " ", "'s", "👩\u200d👧"])
    assert found.text == "New York    's 👩\u200d👧"
    assert [found.text[start:stop] for start, stop in found.words] == ["New York", "'s", "👩\u200d👧"]
    assert document_of([]).text == ""


@given(st.lists(TEXTS, max_size=8))
def test_the_text_of_tokens_is_these_joined(tokens: list[str]):
    found = document_of(tokens)
    assert found.text == " ".join(tokens)
    assert [found.text[start:stop] for start, stop in found.words] == [token for token in tokens if token.strip()]
