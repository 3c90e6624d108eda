"""Scale's words and ours: golden requests, every shape of a response, and what is set aside."""

from __future__ import annotations

import doctest
import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.scale.tool import SCHEMAS
from tithe.connectors.protocol import Kind, Outgoing, Seen
from tithe.connectors.scale.mapping import NONE, Form, seen, task_body
from tithe.connectors.scale.settings import ScaleSettings, most_to_push
from tithe.connectors.scale.spans import Unproven, spans_from
from tithe.contracts.labels import check_label
from tithe.contracts.projects import Task

SETTINGS = ScaleSettings(project="al-demo", callback_url="https://al.example/cb", priority=30, instruction="Pick")


def form(task: Task) -> Form:
    return Form.wanted(SCHEMAS[task], SETTINGS)


def told(task: Task, response: Any, **more: Any) -> Seen:
    params = {"text": "😀 Ada in Paris"}
    body = {"task_id": "1", "status": "completed", "unique_id": "k", "params": params, "response": response}
    return seen(body | more, form(task), {"jambon": "ham"})


def chosen(*values: Any) -> dict[str, Any]:
    return {"annotations": {"label": {"type": "category", "field_id": "label", "response": [list(values)]}}}


@pytest.mark.parametrize("name", ["mapping", "settings", "spans", "pace"])
def test_examples(name: str):
    tried = doctest.testmod(importlib.import_module(f"tithe.connectors.scale.{name}"))
    assert (tried.failed, tried.attempted > 0) == (0, True)


def test_a_classification_asks_as_the_vendors_client_was_seen_to():
    schema = SCHEMAS[Task.TEXT]
    item = Outgoing("al:proj1:item-1:r1", "item-1", "hello", 0, suggestion="ham")
    assert task_body(Form.wanted(schema, SETTINGS), item, SETTINGS, "round-1") == {
        "project": "al-demo",
        "batch": "round-1",
        "unique_id": "al:proj1:item-1:r1",
        "clear_unique_id_on_error": True,
        "priority": 30,
        "metadata": {"tithe_key": "al:proj1:item-1:r1", "tithe_item": "item-1"},
        "callback_url": "https://al.example/cb",
        "instruction": "Pick",
        "attachments": [{"type": "text", "content": "hello"}],
        "fields": [
            {
                "type": "category",
                "field_id": "label",
                "title": "Mail",
                "required": True,
                "min_choices": 1,
                "max_choices": 1,
                "choices": [{"label": name, "value": name} for name in schema.labels],
            }
        ],
    }


def test_several_labels_may_be_chosen_and_none():
    asked = task_body(form(Task.MULTILABEL), Outgoing("k", "i", "x", 0), SETTINGS, "b")["fields"][0]
    assert (asked["min_choices"], asked["max_choices"]) == (1, 3)
    assert asked["choices"][-1] == {"label": "None of these", "value": NONE}


@pytest.mark.parametrize(
    ("task", "response", "value"),
    [
        (Task.TEXT, chosen("ham"), "ham"),
        (Task.TEXT, {"category": "ham"}, "ham"),
        (Task.TEXT, {"category": ["ham"]}, "ham"),
        (Task.TEXT, chosen("jambon"), "ham"),
        (Task.TEXT, chosen("no such class"), "no such class"),
        (Task.MULTILABEL, chosen("ham", "a/b & c"), ["ham", "a/b & c"]),
        (Task.MULTILABEL, chosen(NONE), []),
        (Task.MULTILABEL, chosen(), []),
        (Task.MULTILABEL, {"category": ["ham", "jambon"]}, ["ham", "ham"]),
        (Task.TOKENS, {"annotations": []}, []),
        (
            Task.TOKENS,
            {"entities": [{"start": 2, "end": 5, "text": "Ada", "label": "PER"}]},
            [{"start": 2, "end": 5, "label": "PER"}],
        ),
    ],
)
def test_a_response_is_a_label(task: Task, response: Any, value: Any):
    (one,) = told(task, response).annotations
    assert (one.kind, one.value, one.id, one.annotator) == (Kind.LABEL, value, "1", "scale")


@pytest.mark.parametrize(
    ("task", "response", "why"),
    [
        (Task.TEXT, None, "no response"),
        (Task.TEXT, {}, "none of the shapes"),
        (Task.TEXT, {"annotations": {"other": {"response": [["ham"]]}}}, "none of the shapes"),
        (Task.TEXT, chosen(), "0 were chosen"),
        (Task.TEXT, chosen("ham", "a/b & c"), "2 were chosen"),
        (Task.TEXT, chosen(True), "none of the shapes"),
        (Task.TEXT, {"annotations": {"label": {"response": [["ham"], ["ham"]]}}}, "none of the shapes"),
        (Task.MULTILABEL, chosen("ham", NONE), "together"),
        (Task.TOKENS, {}, "no list of entities"),
        (Task.TOKENS, {"annotations": [{"text": "Ada", "label": "PER"}]}, "no start and end"),
        (Task.TOKENS, {"annotations": [{"start": 2, "end": 5, "label": "PER"}]}, "quote"),
        (Task.TOKENS, {"annotations": [{"start": True, "end": 5, "text": "Ada", "label": "PER"}]}, "no start and end"),
        (Task.TOKENS, {"annotations": [{"start": 2, "end": 4, "text": "Ada", "label": "PER"}]}, "does not stand"),
        (Task.TOKENS, {"annotations": ["Ada"]}, "no object"),
    ],
)
def test_what_cannot_be_read_for_sure_is_said_and_set_aside(task: Task, response: Any, why: str):
    (one,) = told(task, response).annotations
    assert one.kind is Kind.UNREADABLE
    assert one.value is None
    assert why in one.fault


def test_the_states_of_a_task():
    yes = chosen("ham")
    assert told(Task.TEXT, None, status="pending").annotations == ()
    assert not told(Task.TEXT, yes, status="canceled").exists
    assert told(Task.TEXT, yes, customer_review_status="rejected").annotations == ()
    for state in ("accepted", "fixed", "commented", "pending", None):
        assert told(Task.TEXT, yes, customer_review_status=state).annotations[0].value == "ham"
    failed = told(Task.TEXT, {"error": "no attachment"}, status="error")
    assert failed.exists
    assert failed.annotations[0].fault == "Scale could not make the task: no attachment"
    assert "callback_url" not in told(Task.TEXT, yes, callback_url="https://x/?token=1").annotations[0].raw
    assert told(Task.TEXT, yes, unique_id=None, metadata={"tithe_key": "k2"}).key == "k2"


@given(st.text(alphabet="aé😀👩\u200d \n", min_size=1, max_size=30), st.data(), st.booleans())
def test_spans_are_found_however_their_offsets_are_counted_or_set_aside(text: str, data: st.DataObject, utf16: bool):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))

    def counted(at: int) -> int:
        return len(text[:at].encode("utf-16-le")) // 2 if utf16 else at

    marked = {"start": counted(start), "end": counted(end), "text": text[start:end], "label": "PER"}
    try:
        (span,) = spans_from({"annotations": [marked]}, text, str)
    except Unproven as error:
        assert "both" in str(error)  # noqa: PT017 - that it cannot be told is an honest answer
        return
    assert (span["start"], span["end"]) == (start, end)
    if text[start:end].strip():
        labels = check_label(Task.TOKENS, ["PER"], [span], place="label", tokens=None, text=None)
        assert labels == [span]


def test_offsets_that_make_sense_both_ways_are_not_guessed_at():
    marked = [{"start": 2, "end": 3, "text": "a", "label": "PER"}]
    with pytest.raises(Unproven, match="both"):
        spans_from({"annotations": marked}, "😀aa", str)
    sure = [*marked, {"start": 0, "end": 2, "text": "😀", "label": "PER"}]  # only UTF-16 has an emoji of two
    assert [span["start"] for span in spans_from({"annotations": sure}, "😀aa", str)] == [1, 0]


def test_settings_say_what_is_wrong_with_them():
    with pytest.raises(ValueError, match="set price_per_label too"):
        ScaleSettings(project="x", spend_limit="10")
    for wrong in ({"price_per_label": 0}, {"url": "ftp://x"}, {"project": " "}, {"ner": "yes"}, {"secret": "x"}):
        with pytest.raises(ValueError, match="validation error"):
            ScaleSettings(**{"project": "x"} | wrong)
    assert "nverified" in ScaleSettings.model_fields["ner"].description


@given(st.decimals("0.000001", 1000, places=6), st.decimals("0.000001", 100_000, places=6), st.integers(0, 10_000))
def test_a_limit_is_never_overspent_and_never_left_half_used(price: Any, limit: Any, paid_for: int):
    settings = ScaleSettings(project="x", price_per_label=price, spend_limit=limit)
    more = most_to_push(settings, paid_for)
    assert more == 0 or (paid_for + more) * price <= limit
    assert (paid_for + more + 1) * price > limit
    assert most_to_push(ScaleSettings(project="x", price_per_label=price), paid_for) is None
