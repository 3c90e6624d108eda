"""Labeling configurations: made, read back, and held against a schema."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.connectors.errors import SchemaUnfit
from tithe.connectors.label_studio import KIND
from tithe.connectors.label_studio.config import Control, controls, data_keys, fit, made_from
from tithe.connectors.label_studio.projects import title_of
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.protocol import Schema
from tithe.contracts.projects import Task

names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1).filter(
    lambda name: name == name.strip()
)


def schema(task: Task, *labels: str) -> Schema:
    return Schema("any", task, labels, overlap=1, suggestions=False)


@given(st.sampled_from([Task.TEXT, Task.MULTILABEL, Task.TOKENS]), st.lists(names, min_size=1, unique=True))
def test_every_label_survives_xml(task: Task, labels: list[str]):
    made = made_from(schema(task, *labels))
    (control,) = controls(made)
    assert control.labels == tuple(labels)
    assert fit(made, schema(task, *labels), {}).extra == ()
    assert data_keys(made) == {"text"}
    assert control.found_in(made) == control


OWN = """<View>
  <Header value="Which?"/>
  <Text name="doc" value="$body"/><Text name="head" value="$title"/>
  <Choices name="mood" toName="doc" choice="single-radio">
    <View><Choice value="Gut" alias="good"/></View><Choice value="bad"/>
  </Choices>
  <Choices name="topics" toName="head" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>
  <TextArea name="note" toName="doc"/>
  <Labels name="things" toName="doc"><Label value="X"/></Labels>
  <Labels name="parts" toName="picture"><Label value="Y"/></Labels><Image name="picture" value="$url"/>
</View>"""


def test_controls_are_found_by_what_they_are():
    assert controls(OWN) == [
        Control("mood", "doc", "choices", "body", multiple=False, labels=("good", "bad")),
        Control("topics", "head", "choices", "title", multiple=True, labels=("a", "b")),
        Control("things", "doc", "labels", "body", multiple=True, labels=("X",)),
    ]
    assert data_keys(OWN) == {"body", "title", "url"}
    assert fit(OWN, schema(Task.MULTILABEL, "a"), {}).control.from_name == "topics"
    assert fit(OWN, schema(Task.MULTILABEL, "a"), {}).extra == ("b",)
    assert fit(OWN, schema(Task.TOKENS, "thing"), {"X": "thing"}).extra == ()


@pytest.mark.parametrize(
    ("config", "asked", "words"),
    [
        (OWN, schema(Task.TEXT, "good", "bad", "meh"), "'meh'"),
        ("<View><Choices name='a' toName='t' choice='multiple'/></View>", schema(Task.TEXT, "a", "b"), "<Choices"),
        (
            "<View><Text name='t' value='$a $b'/><Labels name='l' toName='t'/></View>",
            schema(Task.TOKENS, "a"),
            "<Labels",
        ),
        ("", schema(Task.TEXT, "a", "b"), "no XML"),
        ("<View>", schema(Task.TEXT, "a", "b"), "no XML"),
        ('<!DOCTYPE v [<!ENTITY a "b">]><View/>', schema(Task.TEXT, "a", "b"), "document type"),
    ],
)
def test_what_does_not_fit_is_told_in_words(config: str, asked: Schema, words: str):
    with pytest.raises(SchemaUnfit, match=words):
        fit(config, asked, {})


def test_the_control_that_lacks_least_is_taken():
    second = '<Choices name="second" toName="doc"><Choice value="x"/><Choice value="y"/></Choices><Image '
    twice = OWN.replace("<Image ", second)
    assert fit(OWN, schema(Task.TEXT, "good", "bad"), {}).control.from_name == "mood"
    assert fit(twice, schema(Task.TEXT, "x", "y"), {}).control.from_name == "second"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x"},
        {"url": "labels.example"},
        {"url": "http://user:pw@x"},
        {"url": "http://x", "project": 0},
        {"url": "http://x", "window": 5001},
        {"url": "http://x", "token": "no secrets here"},
        {},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="validation error"):
        KIND.settings.model_validate(wrong)


def test_settings_say_what_they_are_and_titles_fit():
    assert all(field.description for field in Settings.model_fields.values())
    settings = Settings(url="http://x/sub/")
    assert settings.url == "http://x/sub"
    for title in ("a", "mail", "x" * 300):
        assert 3 <= len(title_of(settings, Schema(title, Task.TEXT, ("a", "b"), 1, suggestions=False))) <= 50
