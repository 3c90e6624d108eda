"""What other tools write, as captured from them, and what is wrong with files: told once, by place, with the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.files.reading import GOLDEN, MAIL, PEOPLE, TOPICS, faults, read, rows
from tithe.connectors.files.format import Options
from tithe.connectors.files.formats import FORMATS
from tithe.connectors.files.row import Fault, Row
from tithe.connectors.files.sending import Sending
from tithe.errors import BadInput

LABEL_STUDIO, MIN, DOCCANO = FORMATS["label-studio"], FORMATS["label-studio-min"], FORMATS["doccano"]
CONLL, LINES = FORMATS["conll"], FORMATS["spacy-jsonl"]
ADA = [{"start": 0, "end": 12, "label": "PER"}, {"start": 21, "end": 26, "label": "LOC"}]
CAFE = [{"start": 7, "end": 10, "label": "PER"}, {"start": 20, "end": 24, "label": "ORG"}]


def put(path: Path, *lines: object) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), "utf-8")
    return path


def task(result: list[object], **more: object) -> dict[str, object]:
    return {"result": result, "was_cancelled": False, **more}


def choice(*names: str, control: str = "label") -> dict[str, object]:
    return {"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": list(names)}}


# ---- as captured ----


def test_label_studio_json_as_its_server_exports_it():
    found = rows(read(LABEL_STUDIO, GOLDEN / "label_studio_ner.json", PEOPLE))
    assert [row.id for row in found] == [160, 161, 162, 163]
    assert [row.label for row in found] == [ADA, CAFE, [], None]
    assert [row.skipped for row in found] == [False, False, False, True]
    assert found[1].text == "Café 😀 Ada works at ACME in Zürich."
    pool = rows(read(LABEL_STUDIO, GOLDEN / "label_studio_ner.json", PEOPLE, as_pool=True))
    assert {row.label for row in pool} == {None}


def test_label_studio_json_min_as_its_server_exports_it():
    assert [row.label for row in rows(read(MIN, GOLDEN / "label_studio_ner_min.json", PEOPLE))] == [ADA, CAFE, []]
    found = rows(read(MIN, GOLDEN / "label_studio_multi_min.json", TOPICS))
    assert [(row.id, row.label, row.meta) for row in found] == [(164, ["sport", "tech"], {}), (165, [], {})]


def test_label_studio_conll_as_its_server_exports_it():
    found = rows(read(CONLL, GOLDEN / "label_studio_ner.conll", PEOPLE))
    assert [row.place for row in found] == [2, 8, 18]
    assert found[1].tokens == ["Café", "😀", "Ada", "works", "at", "ACME", "in", "Zürich", "."]
    assert [row.label for row in found] == [ADA, CAFE, []]


def test_doccano_of_every_age():
    found = rows(read(DOCCANO, GOLDEN / "doccano_spans.jsonl", PEOPLE))
    assert [row.label for row in found] == [
        CAFE, [], [{"start": 0, "end": 3, "label": "PER"}], [{"start": 4, "end": 7, "label": "PER"}]
    ]  # fmt: skip
    assert [(row.id, row.meta) for row in found] == [
        ("i1", {"rank": 3}),
        (2, {"rank": 1}),
        (3, {}),
        (4, {"from": "v1"}),
    ]
    spam, none, both = read(DOCCANO, GOLDEN / "doccano_classes.jsonl", MAIL)
    assert isinstance(spam, Row)
    assert spam.label == "spam"
    assert isinstance(none, Row)
    assert (none.label, none.remark) == (None, "without a class in it: taken as not labeled")
    assert isinstance(both, Fault)
    assert "2 classes, and the project wants one: ham, spam" in both.reason


# ---- what counts where there is more than one ----


def test_of_several_annotations_the_ground_truth_counts_else_the_one_made_first(tmp_path: Path):
    late, early = task([choice("ham")], created_at="2026-02-02"), task([choice("spam")], created_at="2026-01-01")
    truth = task([choice("ham")], created_at="2026-03-03", ground_truth=True)
    gone = {**task([choice("ham")], created_at="2025-01-01"), "was_cancelled": True}
    path = put(tmp_path / "ls.json", json.dumps([
        {"id": 1, "data": {"text": "a"}, "annotations": [late, early, gone]},
        {"id": 2, "data": {"text": "b"}, "annotations": [early, truth]},
        {"id": 3, "data": {"text": "c"}, "annotations": [task([])]},
    ]))  # fmt: skip
    sending = Sending(LABEL_STUDIO.read, path, Options(), MAIL)  # type: ignore[arg-type]
    sent = [json.loads(line) for piece in sending.pieces() for line in piece.splitlines() if line]
    assert [one.get("label") for one in sent] == ["spam", "ham", None]
    assert sorted(sending.remarks.items()) == [
        ("answered with no class: taken as not labeled", 1),
        ("with several annotations: the ground truth, else the one made first, was taken", 2),
    ]


def test_which_control_and_which_text_is_asked_where_it_is_not_clear(tmp_path: Path):
    both = [choice("ham", control="first"), choice("spam", control="second")]
    path = put(tmp_path / "ls.json", json.dumps([
        {"data": {"text": "a"}, "annotations": [task(both)]},
        {"data": {"title": "t", "body": "b"}, "annotations": []},
    ]))  # fmt: skip
    one, other = faults(read(LABEL_STUDIO, path, MAIL))
    assert (one.place, one.remedy) == (1, "--label-column: first or second")
    assert (other.place, other.remedy) == (2, "--text-column: one of body, title")
    (row, _) = read(LABEL_STUDIO, path, MAIL, label_column="second")
    assert isinstance(row, Row)
    assert row.label == "spam"


# ---- offsets ----


@pytest.mark.parametrize("tool", [LABEL_STUDIO, DOCCANO, LINES])
def test_offsets_that_count_utf16_units_are_seen_said_and_converted(tmp_path: Path, tool):
    text = "😀😀 Ada works"
    if tool is LABEL_STUDIO:
        value = {"start": 5, "end": 8, "text": "Ada", "labels": ["PER"]}
        result = [{"from_name": "n", "to_name": "text", "type": "labels", "value": value}]
        path = put(tmp_path / "f", json.dumps([{"data": {"text": text}, "annotations": [task(result)]}]))
    else:  # no quote to check by: only a span beyond the text shows it
        key = "label" if tool is DOCCANO else "entities"
        path = put(tmp_path / "f", {"text": text, key: [[5, 8, "PER"], [9, 14, "ORG"]]})
    (fault,) = faults(read(tool, path, PEOPLE))
    assert fault.reason == "these offsets count UTF-16 units, not code points"
    assert fault.remedy is not None
    assert "--offsets utf-16" in fault.remedy
    (row,) = rows(read(tool, path, PEOPLE, offsets="utf-16"))
    assert row.label[0] == {"start": 3, "end": 6, "label": "PER"}


def test_a_quote_that_is_not_there_is_told(tmp_path: Path):
    value = {"start": 0, "end": 3, "text": "Bob", "labels": ["PER"]}
    result = [{"from_name": "n", "to_name": "text", "type": "labels", "value": value}]
    path = put(tmp_path / "f", json.dumps([{"data": {"text": "Ada"}, "annotations": [task(result)]}]))
    (fault,) = faults(read(LABEL_STUDIO, path, PEOPLE))
    assert "0 to 3 is 'Ada', and the file quotes 'Bob'" in fault.reason


# ---- files that are broken ----


def test_one_bad_record_loses_nothing_else(tmp_path: Path):
    good = {"text": "a", "label": ["ham"]}
    path = put(tmp_path / "f.jsonl", good, "{", "[]", '{"text": 3}', {"text": "b", "label": [["x"]]}, "", good)
    found = read(DOCCANO, path, MAIL)
    assert [row.place for row in found if isinstance(row, Row)] == [1, 7]
    assert [one.place for one in faults(found)] == [2, 3, 4, 5]


def test_a_file_that_was_cut_gives_what_came_whole(tmp_path: Path):
    whole = (GOLDEN / "label_studio_ner.json").read_bytes()
    cut = tmp_path / "cut.json"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    found = read(LABEL_STUDIO, cut, PEOPLE)
    assert [one.id for one in found if isinstance(one, Row)] == [160, 161]
    assert "the file ends in the middle of it" in faults(found)[0].reason
    cut.write_bytes((GOLDEN / "doccano_spans.jsonl").read_bytes()[:-30])
    found = read(DOCCANO, cut, PEOPLE)
    assert len(rows(found[:-1])) == 3
    assert faults(found)[0].reason == "the line ends in the middle"


@pytest.mark.parametrize("name", ["conll", "doccano", "spacy-jsonl", "label-studio", "label-studio-min"])
def test_a_file_in_another_encoding_is_told_as_a_whole(tmp_path: Path, name: str):
    path = tmp_path / "f"
    for encoding, said in [("latin-1", "not UTF-8, probably Latin-1: byte 0xE9 in line 2"), ("utf-16", "is UTF-16")]:
        path.write_bytes("a O\nCafé O\n".encode(encoding))
        with pytest.raises(BadInput, match=said) as raised:
            read(FORMATS[name], path, PEOPLE)
        assert raised.value.remedy is not None
        assert "iconv -f" in raised.value.remedy
    path.write_bytes(b"")
    with pytest.raises(BadInput, match="is empty"):
        read(FORMATS[name], path, PEOPLE)
    with pytest.raises(BadInput, match="is a folder"):
        read(FORMATS[name], tmp_path, PEOPLE)


def test_a_single_line_in_another_encoding_is_told_alone_and_marks_and_crlf_are_passed_over(tmp_path: Path):
    path = tmp_path / "f.conll"
    path.write_bytes(b"\xef\xbb\xbfCaf\xc3\xa9 B-ORG\r\nz\xc3\xbc O\r\n\r\nCaf\xe9 O\r\nb O\r\n\r\nAda B-PER\r\n")
    first, second, third = read(CONLL, path, PEOPLE)
    assert isinstance(first, Row)
    assert (first.tokens, first.label) == (["Café", "zü"], [{"start": 0, "end": 4, "label": "ORG"}])
    assert isinstance(second, Fault)
    assert (second.place, second.code) == (4, "not_utf8")
    assert isinstance(third, Row)


def test_a_label_of_another_task_says_so(tmp_path: Path):
    spans, classes = GOLDEN / "doccano_spans.jsonl", GOLDEN / "doccano_classes.jsonl"
    assert {one.code for one in faults(read(DOCCANO, spans, MAIL))} == {"wrong_task"}
    assert {one.code for one in faults(read(DOCCANO, classes, PEOPLE))} == {"wrong_task"}
    assert {one.code for one in faults(read(LABEL_STUDIO, GOLDEN / "label_studio_ner.json", MAIL))} == {"wrong_task"}
    with pytest.raises(BadInput, match="CoNLL holds tokens with tags"):
        read(CONLL, GOLDEN / "label_studio_ner.conll", MAIL)


# ---- tags ----


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER I-PER O B-LOC B-LOC",
        "I-PER I-PER O I-LOC B-LOC",
        "B-PER E-PER O S-LOC S-LOC",
        "B-PER L-PER O U-LOC U-LOC",
    ],
)
def test_every_scheme_of_tags_says_the_same(tmp_path: Path, tags: str):
    lines = [f"w{at}\tNN\t{tag}" for at, tag in enumerate(tags.split())]
    (row,) = rows(read(CONLL, put(tmp_path / "f", "# id = 7", *lines), PEOPLE))
    assert [(s["start"], s["end"], s["label"]) for s in row.label] == [(0, 5, "PER"), (9, 11, "LOC"), (12, 14, "LOC")]


def test_a_million_blank_lines_before_a_row_are_numbers_and_no_rows(tmp_path: Path):
    path = put(tmp_path / "f.conll", *[""] * 1000, "Ada B-PER")
    sending = Sending(CONLL.read, path, Options(), PEOPLE)  # type: ignore[arg-type]
    (piece,) = sending.pieces()
    assert piece.count(b"\n") == 1001
    assert json.loads(piece.splitlines()[1000])["tokens"] == ["Ada"]
