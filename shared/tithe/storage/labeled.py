"""Labeled items' vectors: how far is the nearest? A table per project, under an HNSW index once it is large enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pgvector import Vector
from pgvector.psycopg import register_vector
from psycopg import sql

from tithe.storage import vector_copy
from tithe.storage.database import Unit
from tithe.storage.queries import queries

Ordinals = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

#: With fewer vectors an exact scan is as fast as the index (benchmarks/nearest_labeled.py).
INDEX_FROM = 2_000
#: What an HNSW index takes: as they are up to the first, in half precision up to the second, then not at all.
_WHOLE_UP_TO, _HALF_UP_TO = 2_000, 4_000
_LARGEST_HALF = 65_504.0
#: Candidates an index scan keeps: of 200,000 x 384 it finds 0.999 of the ten nearest; 40, the default, finds 0.990.
_EF_SEARCH = 200
#: Numbers sent by one COPY: with an index in place some 400,000 go in a second, and a statement has 30 of those.
_COPY_NUMBERS = 500_000


@dataclass(frozen=True)
class LabeledSet:
    """A project's labeled vectors: what there is, and which answers it covers."""

    project_id: UUID
    name: str  #: of the table
    dimension: int
    epoch: UUID  #: another one: a vector left, and what was derived from them is void
    seq: int  #: of the newest vector
    vectors: int
    watermark: int  #: answers up to here are in, or waiting
    label_count: int  #: labels counted when the round of that watermark was requested
    waiting: int  #: labeled items that were not encoded yet
    indexed: bool
    indexable: bool

    @property
    def index_due(self) -> bool:
        """Whether it has grown large enough for an index."""
        return self.indexable and not self.indexed and self.vectors >= INDEX_FROM


@dataclass(frozen=True)
class Page:
    """Some labeled vectors in order."""

    seqs: npt.NDArray[np.int64]  #: shape (n,), ascending
    ordinals: Ordinals  #: shape (n,)
    vectors: Vectors  #: shape (n, d)


@dataclass(frozen=True)
class Nearest:
    """The labeled neighbours of some vectors, a row each, nearest first, of equal distances the lowest ordinal."""

    ordinals: Ordinals  #: shape (m, found)
    distances: npt.NDArray[np.float64]  #: shape (m, found), Euclidean
    cosines: npt.NDArray[np.float64]  #: shape (m, found), similarities; NaN beside a vector of zeros
    exact: bool  #: every labeled vector was looked at; otherwise the index was asked


@dataclass(frozen=True)
class Shown:
    """A labeled item as it is shown beside its distance."""

    ordinal: int
    external_id: str
    text: str | None  #: its beginning
    meta: dict[str, Any] | None
    labels: list[Any] | None  #: every counted one, in the order they came


@dataclass(frozen=True)
class Recall:
    """How good the index was when it was last measured."""

    recall_at_1: float
    recall_at_10: float
    distance_ratio: float  #: mean distance found / mean distance there is; 1 is perfect
    rows: int  #: that were asked for
    vectors: int  #: labeled at that time
    at: datetime


def read(unit: Unit, project_id: UUID) -> LabeledSet | None:
    """The set as it stands, not held; None: no round has brought a label's vector yet."""
    return unit.one("labeled.read", LabeledSet, project_id=project_id)


def lock(unit: Unit, project_id: UUID, dimension: int) -> LabeledSet:
    """The set, held until the unit ends: who adds vectors takes turns here. Made if there is none.

    Vectors of another dimension cannot be compared: then the old set goes, and a new one begins.
    """
    unit.value("labeled.be_patient")
    held = unit.one("labeled.lock", LabeledSet, project_id=project_id)
    if held is not None and held.dimension != dimension:
        unit.run("labeled.drop", project_id=project_id)
        held = None
    if held is None:
        unit.run("labeled.make", project_id=project_id, dimension=dimension)
        held = unit.one("labeled.lock", LabeledSet, project_id=project_id)
    if held is None:
        raise LookupError(project_id)
    return held


def ordinals(unit: Unit, of: LabeledSet) -> Ordinals:
    """Whose vectors are there, ascending."""
    return np.array(unit.connection.execute(_made("labeled.ordinals", of)).fetchall()[0][0], dtype=np.int64)


def append(unit: Unit, held: LabeledSet, first_seq: int, new: Ordinals, vectors: Vectors) -> None:
    """Add vectors, shape (n, d) float32, numbered from `first_seq` in their order. The caller holds the set.

    Counting them is :func:`note`'s, once, when all are in. UniqueViolation where one is there already.
    """
    if held.indexed and _too_large_for_half(held, vectors):
        unit.connection.execute(_made("labeled.unbuild", held))
        unit.run("labeled.note_index", project_id=held.project_id, indexed=False, indexable=False)
    step = max(1, _COPY_NUMBERS // held.dimension)
    for at in range(0, len(new), step):
        rows = slice(at, at + step)
        seqs = first_seq + np.arange(len(new), dtype=np.int64)[rows]
        with unit.connection.cursor() as cursor, cursor.copy(_made("labeled.copy_in", held)) as copy:
            copy.write(vector_copy.pack(seqs, new[rows], vectors[rows]))


def remove(unit: Unit, held: LabeledSet, gone: Ordinals) -> int:
    """Take vectors away whose items have no label any more; how many were there. The caller holds the set."""
    return unit.connection.execute(_made("labeled.remove", held), {"ordinals": gone.tolist()}).rowcount


def note(
    unit: Unit,
    held: LabeledSet,
    *,
    seq: int,
    vectors: int,
    watermark: int,
    label_count: int,
    waiting: int,
    left_out: int,
    void: bool,
) -> None:
    """Say what the set covers now; `void`: a vector left. The caller holds the set."""
    unit.run(
        "labeled.note", project_id=held.project_id, seq=seq, vectors=vectors, watermark=watermark,
        label_count=label_count, waiting=waiting, left_out=left_out, void=void,
    )  # fmt: skip


def build_index(unit: Unit, held: LabeledSet) -> bool:
    """Build the index; False: these vectors cannot be indexed. The caller holds the set: nobody adds meanwhile.

    O(n log n) distances, some 5,000 vectors of 384 numbers a second; lookups go on.
    """
    if held.dimension > _WHOLE_UP_TO and not _fits_half(unit, held):
        unit.run("labeled.note_index", project_id=held.project_id, indexed=False, indexable=False)
        return False
    # The graph must fit, or building slows down to a crawl: whole numbers, links and their overhead.
    kilobytes = min(1 << 20, max(65_536, held.vectors * (6 * held.dimension + 1_000) // 1_024))
    unit.rows("labeled.for_building", kilobytes=str(kilobytes))
    indexed = sql.SQL("vector vector_l2_ops")
    if held.dimension > _WHOLE_UP_TO:
        indexed = sql.SQL("(vector::halfvec({})) halfvec_l2_ops").format(sql.Literal(held.dimension))  # type: ignore[assignment]
    unit.connection.execute(_made("labeled.build", held, indexed=indexed))
    unit.run("labeled.note_index", project_id=held.project_id, indexed=True, indexable=True)
    return True


def page(unit: Unit, of: LabeledSet, after: int, most: int = 8_192) -> Page:
    """At most `most` vectors with numbers above `after`, as far as the set's `seq`, in order; empty: there are no more.

    Pages, so that nobody holds a snapshot while computing with what was read.
    """
    values = {"after": after, "upto": of.seq, "most": most}
    query = _made("labeled.page", of, **{name: sql.Literal(value) for name, value in values.items()})
    with unit.connection.cursor() as cursor, cursor.copy(query) as copy:
        return Page(*vector_copy.unpack(b"".join(bytes(piece) for piece in copy), of.dimension))


def nearest(unit: Unit, of: LabeledSet, vectors: Vectors, k: int, *, exact: bool = False) -> Nearest:
    """The k labeled vectors nearest to each of the given ones, or all where there are fewer.

    Parameters
    ----------
    unit
        A transaction. Planner settings are changed for this query only.
    of
        Whose vectors; as :func:`read` gave it.
    vectors
        Shape (m, d), float32.
    k
        At least 1, at most 500.
    exact
        Look at every labeled vector, O(m · n · d), even where there is an index. Without an index the answer is
        always exact.

    Returns
    -------
    Nearest
        Euclidean distances in pgvector's float32 arithmetic; exactly 0 for copies.
    """
    if vectors.ndim != 2 or vectors.shape[1] != of.dimension:
        raise ValueError(f"vectors of shape {vectors.shape} are not (m, {of.dimension})")
    if not 1 <= k <= 500:
        raise ValueError(f"k is from 1 to 500, not {k}")
    indexed = of.indexed and not exact and not _too_large_for_half(of, vectors)
    halved = indexed and of.dimension > _WHOLE_UP_TO
    order = _order(of, exact=not indexed, halved=halved)
    # Half precision misplaces close ones: twice as many are fetched, and sorted by their whole distances.
    candidates = 2 * k if halved else k
    if unit.connection.adapters.types.get("vector") is None:  # once a connection: it asks the catalog four times
        register_vector(unit.connection)
    if indexed:
        unit.rows("labeled.look_far", ef_search=min(1_000, max(_EF_SEARCH, 2 * candidates)))
    with unit.connection.cursor(binary=True) as cursor:
        values = {"vectors": [Vector(one) for one in vectors], "candidates": candidates}
        found = cursor.execute(_made("labeled.nearest", of, order=order), values).fetchall()
    if indexed:
        unit.rows("labeled.look_as_before")
    if indexed and len(found) < len(vectors) * min(candidates, of.vectors):
        return nearest(unit, of, vectors, k, exact=True)  # dead ends in the graph: never fewer than there are
    return _arranged(np.array(found, dtype=np.float64).reshape(-1, 4), len(vectors), k, exact=not indexed)


def shown(unit: Unit, project_id: UUID, of: Sequence[int], characters: int = 200) -> dict[int, Shown]:
    """ordinal → the item with the beginning of its text and its labels."""
    found = unit.all("labeled.shown", Shown, project_id=project_id, ordinals=list(of), characters=characters)
    return {one.ordinal: one for one in found}


def recall(unit: Unit, project_id: UUID) -> Recall | None:
    """What the index found when it was last measured; None: it never was."""
    return unit.one("labeled.recall", Recall, project_id=project_id)


def note_recall(
    unit: Unit, of: LabeledSet, *, recall_at_1: float, recall_at_10: float, distance_ratio: float, rows: int
) -> None:
    """Keep what was measured, unless a vector left since."""
    unit.run(
        "labeled.note_recall", project_id=of.project_id, epoch=of.epoch, recall_at_1=recall_at_1,
        recall_at_10=recall_at_10, distance_ratio=distance_ratio, rows=rows, vectors=of.vectors,
    )  # fmt: skip


def _arranged(found: npt.NDArray[np.float64], m: int, k: int, *, exact: bool) -> Nearest:
    """Rows of (at from 1, ordinal, distance, cosine), sorted, as arrays of shape (m, found)."""
    each = len(found) // m if m else 0
    table = found.reshape(m, each, 4)[:, :k]  # the same number for each: the table has no filter
    return Nearest(table[:, :, 1].astype(np.int64), table[:, :, 2], table[:, :, 3], exact)


def _order(of: LabeledSet, *, exact: bool, halved: bool) -> sql.Composable:
    if exact:
        return sql.SQL("(t.vector <-> q.vector) + 0, t.ordinal")
    if halved:
        return sql.SQL("t.vector::halfvec({d}) <-> q.vector::halfvec({d})").format(d=sql.Literal(of.dimension))
    return sql.SQL("t.vector <-> q.vector")


def _too_large_for_half(of: LabeledSet, vectors: Vectors) -> bool:
    return of.dimension > _WHOLE_UP_TO and bool(len(vectors)) and float(np.abs(vectors).max()) > _LARGEST_HALF


def _fits_half(unit: Unit, of: LabeledSet) -> bool:
    after = 0
    while len((found := page(unit, of, after, 1_024)).seqs):
        if _too_large_for_half(of, found.vectors):
            return False
        after = int(found.seqs[-1])
    return True


def _made(name: str, of: LabeledSet, **parts: sql.Composable) -> sql.Composed:
    """The named query on the set's own table."""
    names = {"table": sql.Identifier(of.name), "index": sql.Identifier(f"{of.name}_near")}
    return sql.SQL(queries()[name]).format(**names, **parts)
