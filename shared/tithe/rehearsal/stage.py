"""What is played with, as every process reads it: arrays on disk, mapped, found by what is in them."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tithe.connectors.files.row import Row
from tithe.contracts.projects import Task
from tithe.learners.protocol import Encoder, Float32, Targets
from tithe.learners.tagging.alignment import to_words
from tithe.learners.word_features import Float16, joined, portions, read_features
from tithe.learners.words import Document
from tithe.loop.reading import READ_WORDS, documents_of, encoder, word_encoder
from tithe.rehearsal.records import Records
from tithe.rehearsal.settings import Settings
from tithe.strategies.arrays import Int64

Marked = list[tuple[int, int, int]]  #: entities of a document: first word, stop, type
Tell = Callable[[int, int], None]  #: called with (items done, items in all)

#: Raised when what is kept means something else than before.
_FORMAT = "1"
_PIECE = 1024  # texts: what an interruption costs at most


@dataclass(frozen=True)
class Stage:
    """The data, encoded.

    Attributes
    ----------
    digest
        Of everything below: two stages with the same digest are the same.
    vectors
        float32, shape (n, d), mapped from disk.
    targets
        int64, shape (n,), or bool, shape (n, classes); of entities what rows are parted by.
    words, starts
        Of entities the states of the words, float16, shape (W, w), mapped, and int64, shape (n + 1,).
    texts, documents, marked
        What fine-tuning reads; the words' places; the entities, by words. Empty where nobody needs them.
    given_test
        So many of the rows, the last, are the test file's.
    """

    digest: str
    task: Task
    classes: list[str]
    vectors: Float32
    targets: Targets
    given_test: int
    words: Float16 | None
    starts: Int64 | None
    texts: list[str]
    documents: list[Document]
    marked: list[Marked]

    @classmethod
    def opened(cls, folder: Path) -> Stage:
        """The stage that :func:`build` left there."""
        told = json.loads((folder / "told.json").read_text("utf-8"))
        words = folder / "words.npy"
        return cls(
            digest=folder.name,
            task=Task(told["task"]),
            classes=told["classes"],
            vectors=np.load(folder / "vectors.npy", mmap_mode="r"),
            targets=np.load(folder / "targets.npy"),
            given_test=told["given_test"],
            words=np.load(words, mmap_mode="r") if words.exists() else None,
            starts=np.load(folder / "starts.npy") if words.exists() else None,
            texts=told["texts"],
            documents=[Document(text, [(a, b) for a, b in places]) for text, places in told["documents"]],
            marked=[[(a, b, c) for a, b, c in one] for one in told["marked"]],
        )


def build(records: Records, settings: Settings, out: Path, threads: int, tell: Tell) -> Path:
    """Encode what is not encoded yet; the folder that :meth:`Stage.opened` reads.

    What was encoded for the same texts by the same encoder is used again, also after an interruption.
    """
    named = "" if records.vectors is not None else encoder(settings.encoder or "", threads).identity
    digest = _digest(records, settings, named)
    folder = out / "data" / digest
    if (folder / "told.json").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as place:
        making = Path(place) / "stage"
        making.mkdir()
        told = _write(records, settings, making, out / "encoded", threads, tell)
        (making / "told.json").write_text(json.dumps(told), "utf-8")
        making.replace(folder)
    shutil.rmtree(out / "encoded", ignore_errors=True)  # it is all in the folder now
    return folder


def _write(
    records: Records, settings: Settings, folder: Path, pieces: Path, threads: int, tell: Tell
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "task": records.task.value, "classes": records.classes, "given_test": records.given_test,
        "texts": [], "documents": [], "marked": [],
    }  # fmt: skip
    if records.task is Task.TOKENS:
        documents = documents_of([(row.text, row.tokens) for row in records.rows])
        told["marked"] = [
            to_words(row.label, one.words, records.classes) for row, one in zip(records.rows, documents, strict=True)
        ]
        if settings.learner == "transformer":
            told["documents"] = [(one.text, one.words) for one in documents]
        vectors, words, starts = _read_words(documents, settings, pieces, threads, tell)
        np.save(folder / "words.npy", words)
        np.save(folder / "starts.npy", starts)
    elif records.vectors is not None:
        vectors = records.vectors
    else:
        texts = [row.content() for row in records.rows]
        vectors = _encoded(texts, encoder(settings.encoder or "", threads), pieces, tell)
        told["texts"] = texts if settings.learner == "transformer" else []
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "targets.npy", records.targets)
    return told


def _encoded(texts: Sequence[str], by: Encoder, pieces: Path, tell: Tell) -> Float32:
    pieces.mkdir(parents=True, exist_ok=True)
    found = []
    for first in range(0, len(texts), _PIECE):
        some = texts[first : first + _PIECE]
        kept = pieces / f"{_sha(by.identity, *some)}.npy"
        if not kept.exists():
            with tempfile.NamedTemporaryFile(dir=pieces, suffix=".npy", delete=False) as file:
                np.save(file, by.encode(some, progress=functools.partial(_further, tell, first, len(texts))))
            Path(file.name).replace(kept)
        found.append(np.load(kept))
        tell(min(first + _PIECE, len(texts)), len(texts))
    return np.concatenate(found)


def _further(tell: Tell, first: int, of: int, done: int, _: int) -> None:
    tell(first + done, of)


def _read_words(
    documents: Sequence[Document], settings: Settings, pieces: Path, threads: int, tell: Tell
) -> tuple[Float32, Float16, Int64]:
    by = word_encoder(settings.encoder or "", threads)
    pieces.mkdir(parents=True, exist_ok=True)
    lengths = np.array([len(one.words) for one in documents], dtype=np.int64)
    vectors, words = [], []
    for first, stop in portions(lengths, most_words=READ_WORDS, most=_PIECE):
        some = documents[first:stop]
        kept = pieces / f"{_sha(by.identity, *(f'{one.text}{one.words}' for one in some))}.npz"
        if not kept.exists():
            read = read_features(by, some)
            with tempfile.NamedTemporaryFile(dir=pieces, suffix=".npz", delete=False) as file:
                np.savez(file, vectors=read.vectors, words=read.words, starts=read.starts)
            Path(file.name).replace(kept)
        with np.load(kept) as read_before:
            vectors.append(read_before["vectors"])
            words.append((read_before["words"], read_before["starts"]))
        tell(stop, len(documents))
    every, starts = joined(words)
    return np.concatenate(vectors), every, starts


def _digest(records: Records, settings: Settings, encoder_identity: str) -> str:
    content = [_said(row) for row in records.rows]
    bytes_of = b"" if records.vectors is None else np.ascontiguousarray(records.vectors).tobytes()
    learner = settings.learner  # what fine-tuning reads is kept for it alone
    given = json.dumps([_FORMAT, records.task, records.classes, records.given_test, encoder_identity, learner])
    return _sha(given, *content, tail=bytes_of)


def _said(row: Row) -> str:
    return json.dumps([row.text, row.tokens, row.label], ensure_ascii=False, sort_keys=True)


def _sha(*parts: str, tail: bytes = b"") -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    digest.update(tail)
    return digest.hexdigest()[:32]
