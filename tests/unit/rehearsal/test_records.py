"""Data as people have it: what is odd is told, what cannot be played is refused in words."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tithe.contracts.projects import Task
from tithe.errors import BadInput
from tithe.rehearsal.parting import parted
from tithe.rehearsal.records import gather
from tithe.rehearsal.settings import Source, named, parsed, spec_of, usual

TEXTS = [f"the {thing} number {at}" for at in range(30) for thing in ("cat", "car")]
LABELS = ["animal", "machine"] * 30


def table(tmp_path: Path, name: str = "data.parquet", **columns) -> Path:
    path = tmp_path / name
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_csv_and_json_lines_are_the_same(tmp_path: Path):
    paths = [table(tmp_path, text=TEXTS, label=LABELS), tmp_path / "data.csv", tmp_path / "data.jsonl"]
    with paths[1].open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(TEXTS, LABELS, strict=True)])
    paths[2].write_text("".join(json.dumps({"text": a, "label": b}) + "\n" for a, b in zip(TEXTS, LABELS, strict=True)))
    found = [gather(Source(path)) for path in paths]
    assert {tuple(row.text for row in one.rows) for one in found} == {tuple(TEXTS)}
    assert {tuple(one.targets.tolist()) for one in found} == {(0, 1) * 30}
    assert {one.task for one in found} == {Task.TEXT}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "lable"}, "did you mean label"),
        ({"text": "txt"}, "there are: text, label"),
        ({"vectors": "vector"}, "no column 'vector'"),
    ],
)
def test_a_column_that_is_missing_is_named_with_those_there_are(tmp_path: Path, change, said: str):
    with pytest.raises(BadInput) as refused:
        gather(Source(table(tmp_path, text=TEXTS, label=LABELS), **change))
    assert said in f"{refused.value.message} {refused.value.remedy}"


def test_texts_that_contradict_each_other_are_counted_and_the_commonest_label_wins(tmp_path: Path):
    texts = [*TEXTS, "the same", "the same", "the same", "a tie", "a tie", "twice", "twice"]
    labels = [*LABELS, "machine", "animal", "animal", "machine", "animal", "animal", "animal"]
    found = gather(Source(table(tmp_path, text=texts, label=labels)))
    known = {row.text: row.label for row in found.rows}
    assert (known["the same"], known["a tie"], known["twice"]) == ("animal", "machine", "animal")
    assert len(found.rows) == 63
    assert any(note.startswith("4 rows repeat") for note in found.notes)
    assert any(note.startswith("2 texts") and "contradict" in note for note in found.notes)


def test_rows_without_a_text_or_a_label_are_left_out_and_counted(tmp_path: Path):
    found = gather(Source(table(tmp_path, text=[*TEXTS, None, " ", "x"], label=[*LABELS, "animal", "animal", None])))
    assert len(found.rows) == 60
    assert any("2 rows without a text" in note for note in found.notes)
    assert any("1 row without a label" in note for note in found.notes)


def test_too_little_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="20 labeled rows are too few"):
        gather(Source(table(tmp_path, text=TEXTS[:20], label=LABELS[:20])))
    with pytest.raises(BadInput, match="nothing to tell apart"):
        gather(Source(table(tmp_path, text=TEXTS, label=["animal"] * 60)))
    with pytest.raises(BadInput, match="no column of classes"):
        gather(Source(table(tmp_path, text=TEXTS, label=TEXTS)))
    with pytest.raises(BadInput, match="there is no file"):
        gather(Source(tmp_path / "nothing.parquet"))


def test_a_class_with_one_example_is_told_of(tmp_path: Path):
    found = gather(Source(table(tmp_path, text=[*TEXTS, "odd"], label=[*LABELS, "rare"])))
    assert any(note.startswith("with a single example: rare") for note in found.notes)
    pool, test = parted(found.targets, 0.2, 0)
    assert 60 in pool
    assert sorted([*pool, *test]) == list(range(61))


def test_vectors_come_from_a_column_or_a_file_and_are_checked(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    path = table(tmp_path, vector=rows.tolist(), label=LABELS)
    np.save(tmp_path / "rows.npy", rows)
    from_column = gather(Source(path, vectors="vector"))
    from_file = gather(Source(path, vectors=str(tmp_path / "rows.npy")))
    assert from_column.task is Task.VECTORS
    assert np.array_equal(from_column.vectors, rows)
    assert np.array_equal(from_file.vectors, rows)
    np.save(tmp_path / "few.npy", rows[:50])
    with pytest.raises(BadInput, match="has 50 rows"):
        gather(Source(path, vectors=str(tmp_path / "few.npy")))
    rows[7, 2] = np.nan
    np.save(tmp_path / "bad.npy", rows)
    with pytest.raises(BadInput, match="row 8"):
        gather(Source(path, vectors=str(tmp_path / "bad.npy")))


def test_vectors_stay_with_their_rows_when_rows_are_left_out(tmp_path: Path):
    rows = np.arange(240, dtype=np.float32).reshape(60, 4)
    texts = [TEXTS[1], *TEXTS[1:]]
    found = gather(
        Source(table(tmp_path, text=texts, vector=rows.tolist(), label=[None, *LABELS[1:]]), vectors="vector")
    )
    assert np.array_equal(found.vectors, rows[1:])


def test_a_test_file_is_measured_on_and_left_out_of_the_pool(tmp_path: Path):
    other = table(tmp_path, "test.parquet", text=[TEXTS[0], "new cat"], label=["animal", "animal"])
    found = gather(Source(table(tmp_path, text=TEXTS, label=LABELS), test=other))
    assert (len(found.rows), found.given_test) == (61, 2)
    assert found.rows[-1].text == "new cat"
    assert any(note.startswith("1 texts are in the test file") for note in found.notes)


def test_lists_are_several_labels_tags_and_spans_are_entities(tmp_path: Path):
    several = gather(Source(table(tmp_path, text=TEXTS, label=[["a"], []] * 30)))
    assert several.task is Task.MULTILABEL
    assert several.targets.sum() == 30
    tokens = [["Ada", "wrote", str(at)] for at in range(50)]
    tagged = gather(Source(table(tmp_path, tokens=tokens, tags=[["B-PER", "O", "O"]] * 50), label="tags"))
    assert (tagged.task, tagged.classes) == (Task.TOKENS, ["PER"])
    spans = [[{"start": 0, "end": 3, "label": "PER"}]] * 50
    texts = [" ".join(one) for one in tokens]
    marked = gather(Source(table(tmp_path, "s.parquet", text=texts, spans=spans), label="spans"))
    assert marked.task is Task.TOKENS
    assert [row.label for row in marked.rows] == [row.label for row in tagged.rows]


def test_files_of_other_tools_are_read(tmp_path: Path):
    path = tmp_path / "data.conll"
    path.write_text("".join(f"Ada B-PER\nwrote O\n{at} O\n\n" for at in range(50)))
    found = gather(Source(path))
    assert (found.task, found.classes, len(found.rows)) == (Task.TOKENS, ["PER"], 50)


def test_strategies_are_named_as_people_name_them():
    spec = spec_of(Task.TEXT, ["a", "b"], {})
    assert list(named(["margin", "default", "margin=0.9,random=0.1"], spec)) == [
        "random", "margin", "default", "0.9 margin + 0.1 random",
    ]  # fmt: skip
    assert parsed("margin=1") == {"margin": 1.0}
    for wrong in ("margin=0.9,random=0.2", "margin=x", "margin=1.5,random=-0.5"):
        with pytest.raises(BadInput, match="no mix"):
            parsed(wrong)
    with pytest.raises(BadInput) as refused:
        named(["margn"], spec)
    assert "did you mean margin?" in refused.value.remedy
    with pytest.raises(BadInput, match="does not serve"):
        named(["mnlp"], spec)


@pytest.mark.parametrize("task", list(Task))
def test_what_is_played_unasked_serves_its_task(task: Task):
    assert len(named(usual(task), spec_of(task, ["a", "b"], {}))) >= 4
