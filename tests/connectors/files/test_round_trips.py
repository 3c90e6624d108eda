"""Out and in again: what a format holds comes back as it was, whatever texts, tokens and labels there are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.files.reading import MAIL, PEOPLE, TOPICS, many, read, rows, seen
from tithe.connectors.files.format import Format, Schema
from tithe.connectors.files.formats import FORMATS
from tithe.connectors.files.row import Row
from tithe.connectors.files.words import tokenized
from tithe.contracts.projects import Task

SCHEMAS = {schema.task: schema for schema in (MAIL, TOPICS, PEOPLE)}
WHOLE = ["spacy", "spacy-jsonl", "huggingface", "doccano", "label-studio", "label-studio-min"]
TAGGED = ["conll", "bio", "iob1", "bioes"]
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def back(format: Format, found: list[Row], schema: Schema) -> list[Row]:  # noqa: A002
    assert format.write is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        written = format.write(path, found, schema)
        assert written.rows == len(found) - sum(written.left_out.values())
        return rows(read(format, path, schema)) if written.rows else []


@pytest.mark.parametrize("task", list(SCHEMAS))
@pytest.mark.parametrize("name", WHOLE)
def test_everything_comes_back(name: str, task: Task):
    if name == "spacy":
        pytest.importorskip("spacy", reason="spaCy is not installed: pip install 'tithe[spacy]'")

    @few
    @given(many(SCHEMAS[task]))
    def holds(found: list[Row]) -> None:
        again = back(FORMATS[name], found, SCHEMAS[task])
        by_id = {row.id: seen(row) for row in again}
        assert by_id == {row.id: seen(row) for row in found}

    holds()


@pytest.mark.parametrize("name", TAGGED)
@few
@given(found=many(PEOPLE, tokens=True, bare=True))
def test_tokens_and_their_spans_come_back_from_conll(name: str, found: list[Row]):
    again = back(FORMATS[name], found, PEOPLE)
    kept = [
        row for row in found
        if row.tokens and row.tokens[0] != "-DOCSTART-" and (name != "conll" or " " not in "".join(row.tokens))
    ]  # fmt: skip
    assert [(row.tokens, row.label) for row in again] == [(row.tokens, row.label) for row in kept]


@pytest.mark.parametrize("name", TAGGED)
@few
@given(found=many(PEOPLE, tokens=False, bare=True))
def test_texts_go_into_conll_cut_at_the_edges_of_their_spans(name: str, found: list[Row]):
    again = back(FORMATS[name], found, PEOPLE)
    assert len(again) == len(found)
    for row, one in zip(found, again, strict=True):
        assert "".join(one.tokens or []) == "".join((row.text or "").split())
        quotes = ["".join((row.text or "")[s["start"] : s["end"]].split()) for s in row.label]
        assert ["".join(one.content()[s["start"] : s["end"]].split()) for s in one.label] == quotes
        assert [span["label"] for span in one.label] == [span["label"] for span in row.label]


@few
@given(st.data())
def test_a_text_cut_into_tokens_loses_nothing_but_white_space(data: st.DataObject):
    (row, *_) = data.draw(many(PEOPLE, tokens=False, bare=True))
    cut = tokenized(row)
    assert all(token.strip() == token and token for token in cut.tokens or [])
    assert tokenized(cut) is cut
