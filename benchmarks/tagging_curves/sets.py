"""The sets with entities: where their files lie, and a pool with everything a replay needs read once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from learning_curves.sets import NoData, Vectors

from tithe.learners.tagging.words import document_of
from tithe.learners.word_features import read_features, take
from tithe.learners.words import Document, Int64
from tithe.loop.reading import word_encoder

Marked = list[tuple[int, int, int]]
#: Sentences of a pool and of a test; sets with fewer give what they have.
POOL, TEST = 3000, 1500
#: Name → files of the pool, files of the test (None: a quarter of the pool's).
SETS = {
    "wikigold": (("ner/wikigold/all.parquet",), None),
    "btc": (("ner/btc/train.parquet",), ("ner/btc/test.parquet",)),
    "bc5cdr": (("ner/bc5cdr/train.parquet",), ("ner/bc5cdr/test.parquet",)),
}


@dataclass(frozen=True)
class Side:
    """Sentences, read by the encoder."""

    documents: list[Document]
    marked: list[Marked]
    vectors: Vectors
    words: npt.NDArray[np.float16]
    starts: Int64

    def some(self, rows: Int64) -> Side:
        """Those sentences, in that order."""
        words, starts = take(self.words, self.starts, rows)
        chosen = rows.tolist()
        return Side([self.documents[at] for at in chosen], [self.marked[at] for at in chosen], self.vectors[rows],
                    words.astype(np.float16), starts)  # fmt: skip

    def features(self, rows: Int64) -> tuple[Vectors, Int64]:
        """Features of their words as a model is shown them."""
        words, starts = take(self.words, self.starts, rows)
        return words.astype(np.float32), starts


@dataclass(frozen=True)
class Problem:
    """A pool and a test set."""

    name: str
    types: list[str]
    pool: Side
    test: Side


def draw(name: str, folder: Path, cache: Path, seed: int) -> Problem:
    """The set with the pool that belongs to a seed: its sentences in another order, as many as fit. Raises NoData."""
    types, pool, test = _load(name, folder, cache)
    rows = np.random.default_rng([seed, 77]).permutation(len(pool.documents))
    if test is None:  # the last quarter, whatever the seed, is nobody's pool
        last = np.random.default_rng(77).permutation(len(pool.documents))[-len(rows) // 4 :]
        test, rows = pool.some(last), rows[~np.isin(rows, last)]
    return Problem(name, types, pool.some(rows[:POOL]), test)


@functools.lru_cache(maxsize=3)
def _load(name: str, folder: Path, cache: Path) -> tuple[list[str], Side, Side | None]:
    of_pool, of_test = SETS[name]
    sentences, tags = _rows(folder, of_pool)
    types = sorted({tag[2:] for row in tags for tag in row if tag != "O"})
    pool = _side(name, "pool", sentences, tags, types, cache)
    if of_test is None:
        return types, pool, None
    sentences, tags = _rows(folder, of_test)
    return types, pool, _side(name, "test", sentences[:TEST], tags[:TEST], types, cache)


def _rows(folder: Path, files: tuple[str, ...]) -> tuple[list[list[str]], list[list[str]]]:
    """Tokens and tags, IOB2; tokens of white space, which some sources have, left out; a sentence once."""
    found: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        if not (folder / file).is_file():
            raise NoData(f"{folder / file} is not there")
        table = pq.read_table(folder / file, columns=["tokens", "tags"])
        for tokens, tags in zip(table["tokens"].to_pylist(), table["tags"].to_pylist(), strict=True):
            kept = [(token, tag) for token, tag in zip(tokens, tags, strict=True) if token.strip()]
            if kept:
                found.setdefault(tuple(token for token, _ in kept), [tag for _, tag in kept])
    return [list(tokens) for tokens in found], list(found.values())


def entities(tags: list[str], types: list[str]) -> Marked:
    """Entities of IOB2 tags: first word, stop, type.

    Examples
    --------
    >>> entities(["B-a", "I-a", "O", "B-b", "B-a"], ["a", "b"])
    [(0, 2, 0), (3, 4, 1), (4, 5, 0)]
    """
    found: Marked = []
    for at, tag in enumerate(tags):
        if tag[:2] == "I-" and found and found[-1][1] == at and types[found[-1][2]] == tag[2:]:
            found[-1] = (found[-1][0], at + 1, found[-1][2])
        elif tag != "O":
            found.append((at, at + 1, types.index(tag[2:])))
    return found


def _side(
    name: str, side: str, sentences: list[list[str]], tags: list[list[str]], types: list[str], cache: Path
) -> Side:
    documents = [document_of(tokens) for tokens in sentences]
    marked = [entities(row, types) for row in tags]
    encoder = word_encoder("minilm", threads=2)
    path = cache / f"{name}_{side}_{len(documents)}_{abs(hash_of(encoder.identity))}.npz"
    if not path.is_file():
        print(f"reading {len(documents):,} sentences of {name} ({side}), once", flush=True)
        read = read_features(encoder, documents)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=read.vectors, words=read.words.astype(np.float16), starts=read.starts)
    with np.load(path) as kept:
        return Side(documents, marked, kept["vectors"], kept["words"], kept["starts"])


def hash_of(text: str) -> int:
    """A number that is the same tomorrow."""
    import zlib

    return zlib.crc32(text.encode())
