"""Labels there and back, and what Label Studio's own captured answers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.connectors.label_studio.config import controls, made_from
from tithe.connectors.label_studio.mapping import NOTHING_CHOSEN, Reading, shown
from tithe.connectors.label_studio.tasks import seen, task_of_item
from tithe.connectors.protocol import Kind, Outgoing, Schema
from tithe.contracts.projects import Task

PAYLOADS = Path(__file__).parents[1] / "payloads" / "label_studio"
LABELS = ("PER", "ORG & co", '"quoted"', "🚀 naïve", "a,b")
ALIASES = {"Person": "PER", "Firma": "ORG & co"}


def payload(name: str) -> dict[str, Any]:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def reading(task: Task, aliases: dict[str, str] | None = None, labels: tuple[str, ...] = LABELS) -> Reading:
    made = made_from(Schema("any", task, labels, overlap=1, suggestions=False), aliases)
    return Reading(task, controls(made)[0], aliases or {})


def of(config: str, task: Task) -> Reading:
    return Reading(task, controls(config)[0])


NER = '<View><Labels name="ner" toName="text"><Label value="PER"/></Labels><Text name="text" value="$text"/></View>'
TOPICS = '<View><Text name="text" value="$text"/><Choices name="topics" toName="text" choice="multiple"/></View>'
SINGLE = '<View><Text name="text" value="$text"/><Choices name="label" toName="text" choice="single"/></View>'

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n🚀é\u200d👩"), max_size=40)


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    text = draw(texts.filter(len))
    edges = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(lambda e: e[0] < e[1])
    one = st.builds(lambda e, label: {"start": e[0], "end": e[1], "label": label}, edges, st.sampled_from(LABELS))
    return text, draw(st.lists(one, max_size=6))


@pytest.mark.parametrize("aliases", [{}, ALIASES])
@given(spans())
def test_spans_there_and_back_in_code_points(aliases: dict[str, str], given_: tuple[str, list[dict[str, Any]]]):
    text, label = given_
    there = json.loads(json.dumps(reading(Task.TOKENS, aliases).result(label, text)))
    assert reading(Task.TOKENS, aliases).value(there, text) == label


@given(st.lists(st.sampled_from(LABELS), unique=True), st.sampled_from([{}, ALIASES]))
def test_classes_there_and_back(label: list[str], aliases: dict[str, str]):
    several = reading(Task.MULTILABEL, aliases)
    assert several.value(several.result(label)) == label
    one = reading(Task.TEXT, aliases)
    for name in label:
        assert one.value(one.result(name)) == name


@given(texts)
def test_what_is_shown_has_every_character_where_it_was(text: str):
    out = shown(text)
    assert len(out) == len(text)
    assert "\r" not in out
    assert all(a in (b, "\r") for a, b in zip(text, out, strict=True))


def annotated(name: str, by: Reading, text: str | None = None) -> Any:
    return by.annotation(payload(name), "ada", text)


def test_captured_single_choice():
    said = annotated("ls_annotation_create", of(SINGLE, Task.TEXT))
    assert (said.id, said.kind, said.value, said.seconds) == ("2", Kind.LABEL, "pos", 3.2)
    assert said.updated_at.microsecond == 387511
    assert annotated("ls_annotation_skip", of(SINGLE, Task.TEXT)).kind is Kind.SKIP
    assert annotated("ls_annotation_bad_label", of(SINGLE, Task.TEXT)).kind is Kind.LABEL, "the schema is checked later"


def test_captured_several_and_spans():
    assert annotated("ls_multilabel_annotation", of(TOPICS, Task.MULTILABEL)).value == ["sport", "tech"]
    said = annotated("ls_ner_annotation", of(NER, Task.TOKENS), "Ada Lovelace visited Paris.")
    assert said.value == [
        {"start": 0, "end": 12, "label": "PER"},
        {"start": 21, "end": 26, "label": "LOC"},
    ]


def test_offsets_a_browser_made_with_emoji_are_code_points():
    hook = payload("hook_ui_0")
    text = hook["task"]["data"]["text"]
    said = of(NER, Task.TOKENS).annotation(hook["annotation"], "ada", text)
    assert [text[one["start"] : one["end"]] for one in said.value] == [" ", "ACME"]


def test_captured_empty_answers():
    empty = payload("hook_ANNOTATION_CREATED_empty")["annotation"] | {"was_cancelled": False}
    said = of(SINGLE, Task.TEXT).annotation(empty, "ada", None)
    assert (said.kind, said.fault) == (Kind.UNREADABLE, NOTHING_CHOSEN)
    assert of(NER, Task.TOKENS).annotation(empty, "ada", "x").value == []
    assert of(TOPICS, Task.MULTILABEL).annotation(empty, "ada", "x").value == []


def entry(name: str, kind: str, **value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": kind, "value": value}


def unreadable(task: Task, result: list[Any], text: str = "Ada works") -> str:
    said = reading(task).annotation({"id": 1, "result": result}, "ada", text)
    assert said.kind is Kind.UNREADABLE, said
    return said.fault or ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"start": 0, "end": 99, "labels": ["PER"]}, "has 9 characters"),
        ({"start": 3, "end": 3, "labels": ["PER"]}, "not inside"),
        ({"start": "/div[1]", "end": 3, "labels": ["PER"]}, "not counted in characters"),
        ({"start": True, "end": 3, "labels": ["PER"]}, "not counted in characters"),
        ({"start": 0, "end": 3, "labels": []}, "no label"),
        ({"start": 0, "end": 3}, "no label"),
        ({"start": 0, "end": 3, "labels": ["PER"], "text": "Bob"}, "marked as 'Bob'"),
    ],
)
def test_spans_that_cannot_be_are_told_in_words(value: dict[str, Any], words: str):
    assert words in unreadable(Task.TOKENS, [entry("label", "labels", **value)])


def test_a_quote_is_compared_without_what_a_browser_does_to_white_space():
    text = "one\ntwo\u00a0three"
    for quoted in ("one\\ntwo\u00a0three", "one\ntwo three", "onetwo three"):
        value = entry("label", "labels", start=0, end=13, labels=["PER"], text=quoted)
        assert reading(Task.TOKENS).value([value], text) == [{"start": 0, "end": 13, "label": "PER"}]


def test_several_labels_on_one_span_are_one_span_each():
    value = entry("label", "labels", start=0, end=3, labels=["PER", "a,b", "PER"], text="Ada")
    assert [one["label"] for one in reading(Task.TOKENS).value([value], "Ada")] == ["PER", "a,b"]


def test_what_is_not_asked_for_is_passed_over():
    others = [
        entry("note", "textarea", text=["hm"]),
        entry("score", "rating", rating=3),
        {"id": "rel", "type": "relation", "from_id": "a", "to_id": "b"},
        "junk",
        None,
    ]
    mine = entry("label", "choices", choices=["PER"])
    assert reading(Task.TEXT).value([*others, mine, entry("mood", "choices", choices=["glad"])]) == "PER"
    assert reading(Task.MULTILABEL).value(others) == []


def test_a_control_that_was_renamed_is_no_empty_answer():
    words = unreadable(Task.TOKENS, [entry("ner2", "labels", start=0, end=3, labels=["PER"])])
    assert "'ner2'" in words


def test_more_than_one_class_where_one_is_asked_for():
    assert "2 classes" in unreadable(Task.TEXT, [entry("label", "choices", choices=["PER", "a,b"])])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["value", "type", "from_name", "choices", "labels", "start", "end"]), inner
            )
        ),
        max_leaves=10,
    )
)
def test_whatever_comes_is_read_or_unreadable(junk: Any):
    result = [
        junk,
        entry("label", "labels", start=junk, end=junk, labels=junk, text=junk),
        {"type": "labels", "value": junk},
    ]
    for task in (Task.TEXT, Task.MULTILABEL, Task.TOKENS):
        for one in (result, [entry("label", "choices", choices=junk)]):
            reading(task).annotation({"id": 1, "result": one, "lead_time": junk, "created_at": junk}, "ada", "text")


def test_a_task_is_read_as_it_stands():
    task = {
        "id": 9, "data": {"text": "Ada", "tithe_key": "k", "title": "T"}, "meta": {"tithe_key": "k", "deep": [1]},
        "updated_at": "2026-11-23T06:38:24Z",
        "annotations": [{"id": 3, "completed_by": 5, "result": [entry("label", "choices", choices=["PER"])]}],
    }  # fmt: skip
    told = seen(task, reading(Task.TEXT), "user-{}".format)
    assert (told.task, told.key, told.text, told.item_id, told.meta) == (
        "9",
        "k",
        "Ada",
        None,
        {"title": "T", "deep": [1]},
    )
    assert [(one.annotator, one.value) for one in told.annotations] == [("user-5", "PER")]


def test_meta_never_takes_the_place_of_text_or_key():
    item = Outgoing("key", "item", "text", 0, {"text": "no", "tithe_key": "no", "deep": {"a": 1}, "n": 1})
    assert task_of_item(item, "text") == {
        "data": {"text": "text", "tithe_key": "key", "n": 1},
        "meta": {"text": "no", "tithe_key": "key", "deep": {"a": 1}, "n": 1},
    }
