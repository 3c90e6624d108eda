"""What we write the tools' own libraries read, and what they write we read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.files.reading import MAIL, PEOPLE, TOPICS, faults, read, rows
from tithe.connectors.files.format import Schema
from tithe.connectors.files.formats import FORMATS
from tithe.connectors.files.row import Row
from tithe.connectors.files.tags import spans_of
from tithe.contracts.projects import Task
from tithe.errors import BadInput

HUGGINGFACE, SPACY, CONLL = FORMATS["huggingface"], FORMATS["spacy"], FORMATS["conll"]
ADA = [{"start": 0, "end": 3, "label": "PER"}]
ENTITIES = [Row(1, "a", "Ada's 😀", label=ADA), Row(2, "b", None, ["in", "Rome"], [], "test"), Row(3, "c", "later")]


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return pytest.importorskip("datasets", reason="datasets is not installed: pip install datasets")


@pytest.fixture
def spacy() -> Any:
    return pytest.importorskip("spacy", reason="spaCy is not installed: pip install 'tithe[spacy]'")


# ---- Hugging Face ----


def test_datasets_loads_what_we_save(datasets: Any, tmp_path: Path):
    assert HUGGINGFACE.write is not None
    HUGGINGFACE.write(tmp_path / "people", ENTITIES, PEOPLE)
    loaded = datasets.load_from_disk(str(tmp_path / "people"))
    assert (loaded["train"].num_rows, loaded["test"].num_rows) == (2, 1)
    names = loaded["train"].features["ner_tags"].feature.names
    assert names == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
    first = loaded["train"][0]
    assert [(token, names[tag]) for token, tag in zip(first["tokens"], first["ner_tags"], strict=True)] == [
        ("Ada", "B-PER"), ("'", "O"), ("s", "O"), ("😀", "O")
    ]  # fmt: skip
    assert loaded["train"][1]["ner_tags"] is None
    for schema, label, told in [(MAIL, "spam", 1), (TOPICS, ["tech", "a b"], [1, 2])]:
        HUGGINGFACE.write(tmp_path / "classes", [Row(1, "a", "x", label=label), Row(2, "b", "y")], schema)
        again = datasets.load_from_disk(str(tmp_path / "classes"))["train"]
        assert [one["label"] for one in again] == [told, None]


@pytest.mark.parametrize("saved", ["disk", "parquet"])
def test_we_read_what_datasets_saves(datasets: Any, tmp_path: Path, saved: str):
    sequence, text = getattr(datasets, "Sequence"), datasets.Value("string")  # noqa: B009 -- a function or a class
    tags = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features({"id": text, "tokens": sequence(text), "ner_tags": sequence(tags), "source": text})
    cells = {"id": ["1"], "tokens": [["Ada", "Lovelace", "😀"]], "ner_tags": [[1, 2, 0]], "source": ["x"]}
    split = datasets.Dataset.from_dict(cells, features=features)
    folder = tmp_path / "set"
    if saved == "disk":
        datasets.DatasetDict({"train": split, "test": split}).save_to_disk(str(folder))
    else:
        (folder / "data").mkdir(parents=True)
        for name in ("train", "test"):
            split.to_parquet(str(folder / "data" / f"{name}-00000-of-00001.parquet"))
    found = rows(read(HUGGINGFACE, folder, PEOPLE))
    content = ("1", ["Ada", "Lovelace", "😀"], {"source": "x"})
    told = sorted((row.split or "", (row.id, row.tokens, row.meta)) for row in found)
    assert told == [("pool", content), ("test", content)]
    assert {str(row.label) for row in found} == {str([{"start": 0, "end": 12, "label": "PER"}])}


def test_numbers_of_classes_are_names_where_the_file_says_which(datasets: Any, tmp_path: Path):
    label = datasets.ClassLabel(names=["ham", "spam"])
    named = datasets.Features({"sentence": datasets.Value("string"), "label": label})
    datasets.Dataset.from_dict({"sentence": ["a", "b", "c"], "label": [1, 0, -1]}, features=named).save_to_disk(
        str(tmp_path / "named")
    )
    with pytest.raises(BadInput, match="there is no column 'text'"):
        read(HUGGINGFACE, tmp_path / "named", MAIL)
    found = rows(read(HUGGINGFACE, tmp_path / "named", MAIL, text_column="sentence"))
    assert [row.label for row in found] == ["spam", "ham", None]
    datasets.Dataset.from_dict({"text": ["a"], "label": [1]}).save_to_disk(str(tmp_path / "bare"))
    (fault,) = faults(read(HUGGINGFACE, tmp_path / "bare", MAIL))
    assert "does not say which class" in fault.reason


def test_a_folder_that_was_not_copied_whole_is_told(tmp_path: Path):
    assert HUGGINGFACE.write is not None
    many = [Row(at, f"i{at}", f"text {at}", label="ham") for at in range(1, 4001)]
    HUGGINGFACE.write(tmp_path / "set", many, MAIL)
    data = tmp_path / "set" / "train" / "data-00000-of-00001.arrow"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    found = read(HUGGINGFACE, tmp_path / "set", MAIL)
    assert len(rows(found[:-1])) >= 1000
    assert "cannot be read from here on" in faults(found)[0].reason
    data.unlink()
    with pytest.raises(BadInput, match=r"arrow is missing"):
        read(HUGGINGFACE, tmp_path / "set", MAIL)
    (tmp_path / "set" / "train" / "state.json").unlink()
    with pytest.raises(BadInput, match=r"state\.json is missing"):
        read(HUGGINGFACE, tmp_path / "set", MAIL)


def test_a_folder_is_replaced_only_where_it_is_a_dataset(tmp_path: Path):
    assert HUGGINGFACE.write is not None
    HUGGINGFACE.write(tmp_path / "set", [Row(1, "a", "x", label="ham")], MAIL)

    def breaks() -> Iterator[Row]:
        yield Row(1, "b", "y", label="spam")
        raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError):
        HUGGINGFACE.write(tmp_path / "set", breaks(), MAIL)
    assert [row.id for row in rows(read(HUGGINGFACE, tmp_path / "set", MAIL))] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds something else"):
        HUGGINGFACE.write(tmp_path / "other", [], MAIL)


# ---- spaCy ----


def test_spacy_reads_what_we_write(spacy: Any, tmp_path: Path):
    from spacy.tokens import DocBin

    assert SPACY.write is not None
    SPACY.write(tmp_path / "people.spacy", ENTITIES, PEOPLE)
    one, other, later = DocBin().from_disk(tmp_path / "people.spacy").get_docs(spacy.blank("xx").vocab)
    assert [(ent.text, ent.label_) for ent in one.ents] == [("Ada", "PER")]
    assert (one.text, [token.text for token in other]) == ("Ada's 😀", ["in", "Rome"])
    assert (other.has_annotation("ENT_IOB"), later.has_annotation("ENT_IOB")) == (True, False)
    SPACY.write(tmp_path / "mail.spacy", [Row(1, "a", "x", label="spam")], MAIL)
    (doc,) = DocBin().from_disk(tmp_path / "mail.spacy").get_docs(spacy.blank("xx").vocab)
    assert doc.cats == {"ham": 0.0, "spam": 1.0}


def test_we_read_what_spacy_writes(spacy: Any, tmp_path: Path):
    from spacy.tokens import DocBin, Span

    language = spacy.blank("en")
    doc, bare = language("😀 Ada Lovelace wrote."), language("Nobody asked")
    doc.ents = [Span(doc, 1, 3, label="PER")]
    doc.cats = {"ham": 0.2, "spam": 0.9}
    DocBin(docs=[doc, bare]).to_disk(tmp_path / "x.spacy")
    found = rows(read(SPACY, tmp_path / "x.spacy", PEOPLE))
    assert [row.label for row in found] == [[{"start": 2, "end": 14, "label": "PER"}], None]
    assert [row.label for row in rows(read(SPACY, tmp_path / "x.spacy", MAIL))] == ["spam", None]


@pytest.mark.parametrize("kind", ["cut", "future", "text", "empty"])
def test_a_docbin_that_cannot_be_read_says_with_which_spacy(spacy: Any, tmp_path: Path, kind: str):
    import zlib

    import srsly
    from spacy.tokens import DocBin

    path = tmp_path / "x.spacy"
    whole = DocBin(docs=[spacy.blank("xx")("Ada wrote")]).to_bytes()
    said = srsly.msgpack_loads(zlib.decompress(whole))
    said["attrs"] = [*said["attrs"], 99999]  # an attribute that this version has never heard of
    future = zlib.compress(srsly.msgpack_dumps({**said, "version": "9.0"}))
    path.write_bytes({"cut": whole[:-20], "future": future, "text": b"Ada O\n", "empty": b""}[kind])
    with pytest.raises(BadInput, match=rf"no DocBin that spaCy {spacy.__version__} can read") as raised:
        read(SPACY, path, PEOPLE)
    assert "pip install -U spacy" in str(raised.value.remedy)


def test_without_spacy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BadInput, match="need spaCy") as raised:
        read(SPACY, tmp_path / "x.spacy", PEOPLE)
    assert raised.value.remedy == "pip install 'tithe[spacy]'"


# ---- real data ----


@pytest.mark.parametrize("name", ["conll", "bio", "iob1", "bioes", "huggingface"])
def test_a_real_corpus_goes_out_and_in_unchanged(tmp_path: Path, name: str):
    folder = os.environ.get("TITHE_BENCH_DATA")
    if folder is None:
        pytest.skip("TITHE_BENCH_DATA is not set: it names a folder with ner/wikigold/all.parquet")
    import pyarrow.parquet as pq

    told = pq.read_table(Path(folder) / "ner/wikigold/all.parquet").to_pylist()
    schema = Schema(Task.TOKENS, ("PER", "LOC", "ORG", "MISC"))
    found = [
        Row(at, str(one["id"]), tokens=one["tokens"], label=spans_of(one["tokens"], one["tags"]))
        for at, one in enumerate(told, 1)
    ]
    chosen = FORMATS[name]
    assert chosen.write is not None
    written = chosen.write(tmp_path / "out", found, schema)
    assert (written.rows, dict(written.left_out)) == (1696, {})
    again = rows(read(chosen, tmp_path / "out", schema))
    assert [(row.tokens, row.label) for row in again] == [(row.tokens, row.label) for row in found]
