"""Which format a file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.files.reading import GOLDEN
from tithe.connectors.files.tell import tell
from tithe.contracts.projects import Task
from tithe.errors import BadInput


@pytest.mark.parametrize(
    ("name", "text", "task", "told"),
    [
        ("a.csv", "text\n", None, "csv"),
        ("a.spacy", "", None, "spacy"),
        ("a.conll", "", None, "conll"),
        ("a.jsonl", '{"text": "a", "label": "x"}', None, "jsonl"),
        ("a.jsonl", '{"review": "a", "mark": "x"}', None, "jsonl"),
        ("a.jsonl", '{"tokens": ["a"], "label": [{"start": 0, "end": 1, "label": "x"}]}', None, "jsonl"),
        ("a.jsonl", '{"text": "a", "label": ["x"]}', Task.MULTILABEL, "jsonl"),
        ("a.jsonl", '{"text": "a", "label": ["x"]}', Task.TEXT, "doccano"),
        ("a.jsonl", '{"text": "a", "label": [[0, 1, "x"]]}', None, "doccano"),
        ("a.jsonl", '{"text": "b", "entities": []}\n{"text": "a", "entities": [[0, 1, "x"]]}', None, "spacy-jsonl"),
        ("a.jsonl", '["a", {"entities": [[0, 1, "x"]]}]', None, "spacy-jsonl"),
        ("a.jsonl", '{"text": "a", "cats": {"x": 1}}', None, "spacy-jsonl"),
        ("a.jsonl", '{"text": "a", "_task_hash": 3, "answer": "accept"}', None, "prodigy"),
        ("a.jsonl", '{"text": "a", "status": "labeled", "split": "pool", "label": ["x"], "seq": 1}', None, "jsonl"),
        ("a.json", '{"text": "a"}\n{"text": "b"}\n', None, "jsonl"),
        ("a.json", '[{"data": {"text": "a"}}]', None, "label-studio"),
        ("a.txt", "Ada NNP B-PER\nwrote VBD O\n\n", None, "conll"),
    ],
)
def test_it_is_told_by_name_and_content(tmp_path: Path, name: str, text: str, task: Task | None, told: str):
    (tmp_path / name).write_text(text)
    assert tell(tmp_path / name, task) == told


def test_captured_files_are_known():
    told = {path.name: tell(path) for path in GOLDEN.iterdir()}
    assert told == {
        "label_studio_ner.json": "label-studio", "label_studio_ner_min.json": "label-studio-min",
        "label_studio_multi_min.json": "label-studio-min", "label_studio_ner.conll": "conll",
        "doccano_spans.jsonl": "doccano", "doccano_classes.jsonl": "doccano",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "said", "remedy"),
    [
        ("a.jsonl", '{"text": "a", "label": ["x"]}', "may be doccano or jsonl", "--format doccano"),
        ("a.jsonl", '{"text": "a", "entities": []}', "may be doccano or spacy-jsonl", "--format doccano"),
        ("a.json", '[{"text": "a"}]', "may be label-studio or label-studio-min", "--format label-studio"),
        ("a.txt", "some words\n", "cannot tell the format", "--format"),
        ("a.zip", "PK", "is packed", "unpack"),
        ("a.txt", "", "is empty", "where it comes from"),
    ],
)
def test_where_it_cannot_be_told_the_candidates_are_named(tmp_path: Path, name: str, text: str, said: str, remedy: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=said) as raised:
        tell(tmp_path / name)
    assert remedy in str(raised.value.remedy)


def test_a_folder_is_a_dataset_or_nothing(tmp_path: Path):
    with pytest.raises(BadInput, match="no Hugging Face dataset"):
        tell(tmp_path)
    (tmp_path / "state.json").write_text("{}")
    assert tell(tmp_path) == "huggingface"
