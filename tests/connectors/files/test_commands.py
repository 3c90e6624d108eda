"""`tithe import` and `tithe export` with every format, on a real gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.files.reading import GOLDEN
from tithe.cli.items import _NAMES
from tithe.client import ProjectHandle, Tithe
from tithe.client.files import bring, formats, take
from tithe.connectors.files.format import Options
from tithe.errors import BadInput

Command = Callable[..., str]
PEOPLE = [
    {"id": "a", "text": "Ada 😀 met Zoë.", "label": [{"start": 0, "end": 3, "label": "PER"}], "meta": {"n": 1}},
    {"id": "b", "tokens": ["in", "St. Ives", "."], "label": [{"start": 3, "end": 11, "label": "LOC"}]},
    {"id": "c", "text": "Nobody\r\nhere.", "label": [], "split": "test"},
    {"id": "d", "text": "not asked yet"},
]
MAIL = [
    {"id": "a", "text": 'win, "now" 😀', "label": "spam", "meta": {"from": "x"}},
    {"id": "b", "text": "see\nyou", "label": "ham", "split": "test"},
    {"id": "c", "text": "=later"},
]
TOPICS = [
    {"id": "a", "text": "a goal in a chip", "label": ["sport", "tech"]},
    {"id": "b", "text": "nothing", "label": []},
    {"id": "c", "text": "?"},
]
KINDS = {
    "token_classification": (["PER", "LOC", "ORG"], PEOPLE),
    "text_classification": (["ham", "spam"], MAIL),
    "multilabel_classification": (["sport", "tech"], TOPICS),
}
NAMES = {"huggingface": "out", "spacy": "out.spacy", "csv": "out.csv", "parquet": "out.parquet"}


def made(tithe: Tithe, name: str, task: str) -> ProjectHandle:
    return tithe.create_project(name, task=task, labels=KINDS[task][0], encoder="hashing")


def everything(project: ProjectHandle, path: Path) -> dict[str, dict[str, object]]:
    project.export(path, "jsonl", everything=True)
    told = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    names = ("text", "tokens", "label", "split", "meta", "status")
    return {one["id"]: {name: one.get(name) for name in names} for one in told}


@pytest.mark.parametrize("task", list(KINDS))
@pytest.mark.parametrize(
    "name", ["jsonl", "csv", "parquet", "spacy-jsonl", "doccano", "label-studio", "label-studio-min", "huggingface",
             "spacy"],
)  # fmt: skip
def test_all_of_one_project_is_all_of_another(tithe: Tithe, command: Command, tmp_path: Path, name: str, task: str):
    if name == "spacy":
        pytest.importorskip("spacy", reason="spaCy is not installed: pip install 'tithe[spacy]'")
    one, other = made(tithe, "one", task), made(tithe, "other", task)
    one.import_items(KINDS[task][1])
    path = tmp_path / NAMES.get(name, "out.json" if name.startswith("label") else "out.jsonl")
    command("export", "one", path, "--all", "--format", name)
    said = command("import", path, "-p", "other", *(["--format", name] if name not in NAMES else []))
    assert "not taken" not in said
    assert everything(other, tmp_path / "b.jsonl") == everything(one, tmp_path / "a.jsonl")
    again = command("import", path, "-p", "other", "--format", name)
    assert "0 new items" in again


def test_an_export_of_our_own_needs_no_flag_whatever_its_format(tithe: Tithe, command: Command, tmp_path: Path):
    made(tithe, "one", "text_classification").import_items(MAIL)
    for name in ("mine.jsonl", "mine.csv", "mine.parquet"):
        other = made(tithe, name, "text_classification")
        command("export", "one", name, "--all")
        command("import", name, "-p", name)
        told = everything(other, tmp_path / "told.jsonl")
        assert {key: one["meta"] for key, one in told.items()} == {"a": {"from": "x"}, "b": None, "c": None}


def test_a_label_studio_project_brings_its_pool_and_its_seed_labels(tithe: Tithe, command: Command, tmp_path: Path):
    people = made(tithe, "people", "token_classification")
    said = command("import", GOLDEN / "label_studio_ner.json", "-p", "people")
    assert "4 tasks: 4 new items, 0 with the content of an item that is there, 3 labels" in said
    told = everything(people, tmp_path / "told.jsonl")
    assert told["161"]["label"] == [
        {"start": 7, "end": 10, "label": "PER"}, {"start": 20, "end": 24, "label": "ORG"}
    ]  # fmt: skip
    assert (told["162"]["label"], told["163"]["status"]) == ([], "unlabeled")
    assert told["160"]["meta"] == {"al_item_id": "n0"}


def test_what_the_server_refuses_is_told_by_the_line_of_the_file(tithe: Tithe, command: Command, tmp_path: Path):
    made(tithe, "people", "token_classification")
    path = tmp_path / "some.conll"
    path.write_text("-DOCSTART- O\n\nAda B-PER\n\n\nBob NONE\n\nRome B-CITY\n. O\n\nZoë B-PER\n\nno\n")
    said = command("import", path, "-p", "people")
    assert "5 sentences: 2 new items" in said
    assert "3 sentences were not taken" in said
    lines = {cells[1].strip(): cells[2] for line in said.splitlines() if len(cells := line.split("│")) > 3}
    assert "'NONE' is no tag" in lines["6"]
    assert "'CITY' is no class" in lines["8"]
    assert "a token and no tag" in lines["13"]
    assert "5 sentences: 3 new items, 2 with" in command("import", path, "-p", "people", "--as-pool")


def test_labels_are_left_aside_or_all_is_held_out(tithe: Tithe, command: Command, tmp_path: Path):
    for name, flags, states in [
        ("pool", ["--as-pool"], [("unlabeled", "pool")] * 3),
        ("held", ["--split", "test"], [("labeled", "test")] * 2),
    ]:
        project = made(tithe, name, "text_classification")
        (tmp_path / "m.csv").write_text("review,mark\nhello,ham\nwin,spam\n" + ("bye,\n" if name == "pool" else ""))
        command("import", "m.csv", "-p", name, "--text-column", "review", "--label-column", "mark", *flags)
        told = everything(project, tmp_path / "told.jsonl")
        assert [(one["status"], one["split"]) for one in told.values()] == states
    assert "needs its labels" in command("import", "m.csv", "-p", "pool", "--as-pool", "--split", "test", ok=False)


def test_what_a_format_cannot_hold_is_said_before_anything_is_written(tithe: Tithe, command: Command, tmp_path: Path):
    made(tithe, "mail", "text_classification").import_items(MAIL)
    assert "holds token_classification; 'mail' is text_classification" in command("export", "mail", "m.conll", ok=False)
    assert "there is no format 'xml'" in command("export", "mail", "m.xml", "--format", "xml", ok=False)
    assert "holds no predictions" in command("export", "mail", "m.json", "--predictions", ok=False)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("m.")]
    assert "wrote 2 items to m.json as Label Studio JSON" in command("export", "mail", "m.json")
    assert {task["data"]["tithe_id"] for task in json.loads((tmp_path / "m.json").read_text())} == {"a", "b"}
    out = command("export", "mail", "-", "--format", "doccano")
    assert '"label": ["spam"]' in out
    assert "does not go to standard output" in command("export", "mail", "-", "--format", "huggingface", ok=False)


def test_nothing_that_can_be_read_is_an_error_with_the_first_reason(tithe: Tithe, command: Command, tmp_path: Path):
    people = made(tithe, "people", "token_classification")
    (tmp_path / "bad.conll").write_text("Ada NONE\n\nBob NONE\n")
    said = command("import", "bad.conll", "-p", "people", ok=False)
    assert "not one of 2 records of bad.conll can be read; the first, at 1: 'NONE' is no tag" in said.replace("\n", " ")
    (tmp_path / "latin.csv").write_bytes("text\nCafé\nZoë\n".encode("latin-1"))
    assert "latin.csv is not UTF-8, probably Latin-1: byte 0xE9 in line 2" in command(
        "import", "latin.csv", "-p", "people", ok=False
    )
    with pytest.raises(BadInput, match="written by the server"):
        take(people, tmp_path / "x.csv")


def test_the_client_brings_and_takes_files(tithe: Tithe, tmp_path: Path):
    people = made(tithe, "people", "token_classification")
    seen: list[tuple[int, int | None]] = []
    done = bring(people, GOLDEN / "label_studio_ner.conll", progress=lambda *told: seen.append(told))
    assert (done.format.name, done.imported.accepted, done.imported.labeled) == ("conll", 3, 3)
    assert seen[-1] == (3, None)
    written = take(people, tmp_path / "again.bioes")
    assert (written.rows, written.left_out) == (3, {})
    other = made(tithe, "other", "token_classification")
    assert bring(other, tmp_path / "again.bioes", options=Options(as_pool=True)).imported.labeled == 0


def test_the_help_names_every_format():
    assert set(_NAMES.split(", ")) == {*formats(), "prodigy"}
