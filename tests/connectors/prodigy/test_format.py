"""Prodigy's lines out and in again."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.connectors.prodigy import format as prodigy_format
from tithe.connectors.prodigy import tithe_prodigy
from tithe.connectors.prodigy.format import from_prodigy, gathered, to_prodigy
from tithe.contracts.projects import Task
from tithe.contracts.spans import check_spans

ABC = ["a", "b", "c"]
#: As the public example data has them, abridged.
ISSUE = {
    "text": "docs are missing", "meta": {"source": "github", "score": 0.609}, "label": "DOCUMENTATION",
    "_input_hash": -1080010644, "_task_hash": -1728445858, "answer": "reject",
}  # fmt: skip
NER = {
    "text": "My favorite city is London.", "_input_hash": -91551573, "_task_hash": -1162253049,
    "tokens": [{"text": "My", "start": 0, "end": 2, "id": 0, "ws": True}, {"text": "favorite", "start": 3, "end": 11,
               "id": 1, "ws": True}, {"text": "city", "start": 12, "end": 16, "id": 2, "ws": True},
               {"text": "is", "start": 17, "end": 19, "id": 3, "ws": True}, {"text": "London", "start": 20, "end": 26,
               "id": 4, "ws": False}, {"text": ".", "start": 26, "end": 27, "id": 5, "ws": False}],
    "_view_id": "ner_manual", "spans": [{"start": 20, "end": 26, "token_start": 4, "token_end": 4, "label": "GPE"}],
    "answer": "accept", "_timestamp": 1707211049, "_session_id": "2024-02-06_10-17-19",
}  # fmt: skip


@pytest.mark.parametrize("module", [prodigy_format, tithe_prodigy])
def test_examples(module: Any):
    told = doctest.testmod(module)
    assert told.failed == 0
    assert told.attempted >= 2


@given(st.text(min_size=1).filter(str.strip), st.data())
def test_entities_come_back_as_they_went(text: str, data: st.DataObject):
    edges = [0]
    for one in tithe_prodigy.characters(text):
        edges.append(edges[-1] + len(one))
    cuts = sorted(data.draw(st.sets(st.sampled_from(edges))))
    label = [
        {"start": a, "end": b, "label": "GPE"}
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
        if text[a:b] == text[a:b].strip() and text[a:b] and not any(sign in text[a:b] for sign in "\r\n")
    ]
    row = {"id": "x", "text": text, "label": label, "meta": {"page": 3}}
    line = json.loads(json.dumps(to_prodigy(row, Task.TOKENS, ["GPE"])))
    for token in line["tokens"]:
        assert text[token["start"] : token["end"]] == token["text"]
    assert len(line["spans"]) == len(label)
    assert from_prodigy(line, Task.TOKENS, ["GPE"]) == row


@given(st.text())
def test_no_token_cuts_what_people_see_as_one_character(text: str):
    tokens = tithe_prodigy.tokenize(text)
    for token in tokens:
        if token["text"].strip():
            span = {"start": token["start"], "end": token["end"], "label": "x"}
            assert check_spans([span], place="label", text=text, tokens=None)
    inside = {at for token in tokens for at in range(token["start"], token["end"])}
    assert all(text[at].isspace() for at in set(range(len(text))) - inside)


#: What joins characters, or looks as if: marks, joiners, flags, tones, Hangul, Thai, Indic, line ends.
JOINERS = "a é́️\u200d\u200c🇦🇹🇩👍🏽👩🚀ᄀ가각ᆨक्षिกำ한؀\r\n\u0e33ﾞガ\U000e0067"


@given(st.text(alphabet=JOINERS, max_size=12))
def test_no_token_cuts_marks_joiners_flags_and_syllables(text: str):
    for token in tithe_prodigy.tokenize(text):
        if token["text"].strip():
            span = {"start": token["start"], "end": token["end"], "label": "x"}
            assert check_spans([span], place="label", text=text, tokens=None)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (Task.TEXT, {"id": "1", "text": "hello", "label": "b"}),
        (Task.MULTILABEL, {"id": "1", "text": "hello", "label": ["a", "c"], "meta": {"n": 1}}),
        (Task.MULTILABEL, {"id": "1", "text": "hello", "label": []}),
        (Task.TOKENS, {"id": "1", "text": "nobody here", "label": []}),
        (Task.TOKENS, {"id": "1", "tokens": ["St.", "Ives"], "label": [{"start": 0, "end": 8, "label": "a"}]}),
    ],
)
def test_rows_come_back_as_they_went(task: Task, row: dict[str, Any]):
    line = json.loads(json.dumps(to_prodigy({**row, "status": "labeled", "annotator": "ada"}, task, ABC)))
    assert line["answer"] == "accept"
    assert line["_session_id"] == "ada"
    assert not {"_input_hash", "_task_hash"} & set(line)
    assert from_prodigy(line, task, ABC) == row


def test_skips_rejections_and_what_nobody_answered_have_no_label():
    skip = {"id": "1", "text": "hello", "label": None, "status": "skipped"}
    for more, answer in (({}, "ignore"), ({"note": "rejected"}, "reject"), ({"status": "unlabeled"}, None)):
        line = to_prodigy({**skip, **more}, Task.TEXT, ABC)
        assert line.get("answer") == answer
        if answer:
            assert from_prodigy(line, Task.TEXT, ABC) == {"id": "1", "text": "hello"}


def test_lines_that_prodigy_wrote_by_itself_are_read():
    assert from_prodigy(NER, Task.TOKENS, ["GPE"]) == {
        "text": NER["text"], "label": [{"start": 20, "end": 26, "label": "GPE"}],
    }  # fmt: skip
    two = ["DOCUMENTATION", "OTHER"]
    assert from_prodigy(ISSUE, Task.TEXT, two)["label"] == "OTHER"
    assert "label" not in from_prodigy(ISSUE, Task.TEXT, [*two, "THIRD"])
    assert from_prodigy({**ISSUE, "answer": "accept"}, Task.TEXT, [*two, "THIRD"])["label"] == "DOCUMENTATION"


def test_questions_about_one_text_are_gathered_person_by_person():
    def line(text: str, about: str, answer: str, who: str = "set-ada") -> dict[str, Any]:
        return {"text": text, "label": about, "answer": answer, "_session_id": who}

    lines = [
        line("x", "a", "accept"), line("x", "b", "reject"), line("y", "a", "accept"), line("x", "c", "accept"),
        line("x", "a", "reject", "set-bob"), line("z", "a", "ignore"), line("z", "b", "accept"),
        line("z", "c", "accept"),
    ]  # fmt: skip
    rows = list(gathered(lines, Task.MULTILABEL, ABC))
    assert rows == [{"text": "x", "label": ["a", "c"]}, {"text": "y"}, {"text": "x"}, {"text": "z"}]
    (single,) = gathered([line("x", "a", "reject"), line("x", "b", "accept")], Task.TEXT, ABC)
    assert single == {"text": "x", "label": "b"}


@pytest.mark.parametrize(
    ("task", "line", "told"),
    [
        (Task.TEXT, {"image": "x.png"}, "has a `text`"),
        (Task.TEXT, {"text": "x"}, "neither a choice"),
        (Task.TEXT, {"text": "x", "accept": ["a", "b"]}, "exactly one"),
        (Task.TEXT, {"text": "x", "accept": ["d"]}, "'d' is no class"),
        (Task.TEXT, {"text": "x", "label": "d"}, "'d' is no class"),
        (Task.TEXT, {"text": "x", "accept": ["a"], "answer": "maybe"}, "not 'maybe'"),
        (Task.MULTILABEL, {"text": "x", "label": "a", "answer": "accept"}, "one question"),
        (Task.TOKENS, {"text": "x", "spans": [{"start": 0, "end": 5, "label": "a"}]}, "not within the text"),
        (Task.TOKENS, {"text": "x", "spans": [{"start": 0, "label": "a"}]}, "not in Prodigy's form"),
        (Task.TOKENS, {"text": "x", "spans": [], "_view_id": "ner", "answer": "accept"}, "use ner.manual"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(task: Task, line: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        from_prodigy(line, task, ABC)


def test_vectors_are_not_for_prodigy():
    with pytest.raises(ValueError, match="not vectors"):
        to_prodigy({"id": "1", "text": None}, Task.VECTORS, ABC)
