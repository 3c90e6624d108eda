"""The labeled sets the loop is replayed on: what they are, where their files lie, how a pool is drawn from one."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

Vectors = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Answers = npt.NDArray[np.int64] | npt.NDArray[np.bool_]

#: Rows of a pool; sets with fewer are taken whole.
POOL_ROWS = 10_000
#: Of a set that comes without vectors, so many texts are encoded for the pool and for the test.
ENCODED = {"train": POOL_ROWS, "test": 4000}


class NoData(Exception):
    """A set's files are not there; says which."""


@dataclass(frozen=True)
class LabeledSet:
    """One labeled set.

    Attributes
    ----------
    name
        What a row of the table says.
    stem
        Of its files, ``text/STEM/{train,test}.parquet`` with columns text and label (or labels, where an item carries
        several) and, row for row, ``emb/STEM_{train,test}.npy``; "" for what comes with scikit-learn.
    metric
        What the curve is drawn in.
    limit
        Labels at which a curve ends.
    rare
        The class, or classes, of which only so much is left in the pool that each is `rare_share` of it; the test stays
        as it is.
    several
        Whether an item may carry several labels.
    pool_rows
        Rows of a pool, at most.
    encoded
        Of a set that comes without vectors: so many texts are encoded for the pool and for the test; None: `ENCODED`.
    wrong
        Share of the pool's answers that are replaced by another class, each as likely; the test stays as it is.
    shared_only
        Whether classes that only one of the two files knows are left out of both.
    """

    name: str
    stem: str
    metric: Literal["accuracy", "macro_f1"]
    limit: int
    rare: int | tuple[int, ...] | None = None
    several: bool = False
    rare_share: float = 0.02
    pool_rows: int = POOL_ROWS
    encoded: tuple[int, int] | None = None
    wrong: float = 0.0
    shared_only: bool = False


SETS = {
    one.name: one
    for one in (
        LabeledSet("agnews", "agnews20k", "accuracy", 700),
        LabeledSet("agnews, one class 2 %", "agnews20k", "macro_f1", 1000, rare=0),
        LabeledSet("hate_offensive", "hate_offensive", "macro_f1", 1000),
        LabeledSet("snips", "snips", "accuracy", 400),
        LabeledSet("banking77", "banking77", "accuracy", 1500),
        LabeledSet("pros_cons", "pros_cons", "accuracy", 700),
        LabeledSet("healthtweets", "healthtweets", "accuracy", 1000),
        LabeledSet("goemotions", "goemotions", "macro_f1", 1000, several=True),
        LabeledSet("digits", "", "accuracy", 400),
    )
}


@dataclass(frozen=True)
class Problem:
    """A pool and a test set: what one replay works with. Strategies never see the test set.

    Attributes
    ----------
    pool, test
        float32, shape (n, d).
    answers, test_answers
        int64, shape (n,), or bool, shape (n, classes).
    """

    set: LabeledSet
    classes: int
    pool: Vectors
    answers: Answers
    test: Vectors
    test_answers: Answers


def draw(chosen: LabeledSet, folder: Path | None, cache: Path, seed: int) -> Problem:
    """The set with the pool that belongs to a seed.

    Raises
    ------
    NoData
        Where its files are absent.
    """
    vectors, answers, test, test_answers, classes = _load(chosen, folder, cache)
    rng = np.random.default_rng([seed, 77])
    rows = rng.permutation(len(vectors))[: chosen.pool_rows]
    if chosen.rare is not None:
        classes_of = (chosen.rare,) if isinstance(chosen.rare, int) else chosen.rare
        common = rows[~np.isin(answers[rows], classes_of)]
        left = round(len(common) * chosen.rare_share / (1 - len(classes_of) * chosen.rare_share))
        rare = [rows[answers[rows] == one][:left] for one in classes_of]
        rows = rng.permutation(np.concatenate([common, *rare]))
    given = answers[rows] if not chosen.wrong else _with_mistakes(answers[rows], classes, chosen.wrong, seed)
    return Problem(chosen, classes, vectors[rows], given, test, test_answers)


def _with_mistakes(answers: Int64, classes: int, share: float, seed: int) -> Int64:
    """What annotators say who are wrong so often, whatever the item, and say any other class instead."""
    rng = np.random.default_rng([seed, 55])
    others = (answers + rng.integers(1, classes, len(answers))) % classes
    return np.where(rng.random(len(answers)) < share, others, answers)


@functools.lru_cache(maxsize=2)
def _load(chosen: LabeledSet, folder: Path | None, cache: Path) -> tuple[Vectors, Answers, Vectors, Answers, int]:
    if not chosen.stem:
        return _digits()
    if folder is None:
        raise NoData(f"{chosen.name}: no data folder was named")
    column = "labels" if chosen.several else "label"
    vectors, answers = [], []
    for split in ("train", "test"):
        path = folder / "text" / chosen.stem / f"{split}.parquet"
        if not path.is_file():
            raise NoData(f"{chosen.name}: {path} is not there")
        table = pq.read_table(path, columns=["text", column])
        rows, made = _vectors(chosen, folder, cache, split, table.column("text").to_pylist())
        said = table.column(column).to_pylist()
        vectors.append(made)
        answers.append([said[row] for row in rows])
    if chosen.several:
        names = sorted({name for row in answers[0] for name in row})
        train, test = (_matrix(one, names) for one in answers)
        return vectors[0], train, vectors[1], test, len(names)
    names = sorted(set(answers[0]) & set(answers[1]) if chosen.shared_only else set(answers[0]))
    number = {name: at for at, name in enumerate(names)}
    known = [np.array([name in number for name in one]) for one in answers]
    train, test = (np.array([number[name] for name in one if name in number], dtype=np.int64) for one in answers)
    return vectors[0][known[0]], train, vectors[1][known[1]], test, len(names)


def _matrix(rows: Sequence[Sequence[str]], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    carried = [set(row) for row in rows]
    return np.array([[name in row for name in names] for row in carried], dtype=bool)


def _vectors(chosen: LabeledSet, folder: Path, cache: Path, split: str, texts: list[str]) -> tuple[Int64, Vectors]:
    """Rows of the table and their vectors: the set's own, or some the product's encoder makes, kept for later."""
    for stem in (f"{chosen.stem}_{split}", f"{chosen.stem}_minilm_{split}"):
        if (path := folder / "emb" / f"{stem}.npy").is_file():
            return np.arange(len(texts)), _unit(np.load(path))
    encoded = ENCODED if chosen.encoded is None else dict(zip(ENCODED, chosen.encoded, strict=True))
    rows = np.sort(np.random.default_rng(7).permutation(len(texts))[: encoded[split]])
    path = cache / (
        f"{chosen.stem}_{split}.npy" if chosen.encoded is None else f"{chosen.stem}_{split}_{len(rows)}.npy"
    )
    if not path.is_file():
        from tithe.learners.registry import get_encoder

        cache.mkdir(parents=True, exist_ok=True)
        print(f"encoding {len(rows):,} texts of {chosen.name} ({split}), once", flush=True)
        # so many are worth the wait for torch, and its bfloat16 where the processor has it
        encoder = get_encoder("minilm" if chosen.encoded is None else "torch:minilm")
        np.save(path, encoder.encode([texts[row] for row in rows]).astype(np.float16))
    return rows, _unit(np.load(path))


def _unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    rows = vectors.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _digits() -> tuple[Vectors, Int64, Vectors, Int64, int]:
    """1,797 handwritten digits of 8 x 8 pixels out of scikit-learn: a set everybody has. A third is the test."""
    from sklearn.datasets import load_digits

    pixels, answers = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(pixels))
    test, train = order[:600], order[600:]
    rows, named = pixels.astype(np.float32), answers.astype(np.int64)
    return rows[train], named[train], rows[test], named[test], 10
