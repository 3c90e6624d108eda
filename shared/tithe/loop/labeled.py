"""Labeled items' vectors in Postgres: brought by each round's trainer, indexed when there are many, asked, measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tithe.errors import Conflict
from tithe.loop.features import Ordinals, PoolVectors, Vectors
from tithe.loop.folding import fold
from tithe.storage import labeled
from tithe.storage.database import Database, Unit
from tithe.storage.labeled import LabeledSet, Nearest, Page

_GATHERED_ROWS = 2_000
_MEASURED_ROWS = 200
_MEASURED_AT_ONCE = 10
_MEASURED_K = 10
#: Up to so many pairs are measured by Postgres; more are faster measured here, with every labeled vector fetched.
_PAIRS_THERE = 200_000


class HasDatabase(Protocol):
    """What has a database: a runtime."""

    @property
    def database(self) -> Database:
        """The database."""


def read_up_to(database: Database, project_id: UUID, watermark: int) -> LabeledSet | None:
    """The set, None where there is none. Raises Conflict where it is behind, and labeled items would count as far."""
    of = database.run(lambda unit: labeled.read(unit, project_id))
    if of is not None and of.watermark < watermark:
        raise Conflict(
            f"the labeled vectors are those up to answer {of.watermark}, not up to {watermark}",
            remedy="it is tried again; a trainer of an older version may have begun the round",
        )
    return of


def labeled_vectors(runtime: HasDatabase, project_id: UUID, watermark: int) -> Vectors:
    """Every labeled vector, shape (n, d) float32, in the order they came in; n = 0 while nothing is labeled.

    `watermark` is the round's: its trainer has brought every vector up to there. Raises Conflict where it has not.
    """
    of = read_up_to(runtime.database, project_id, watermark)
    if of is None:
        return np.empty((0, 0), dtype=np.float32)
    pages = [page.vectors for page in _pages(runtime.database, of)]
    return np.concatenate(pages) if pages else np.empty((0, of.dimension), dtype=np.float32)


def nearest_distances(
    runtime: HasDatabase, project_id: UUID, watermark: int, ordinals: Ordinals, vectors: Vectors
) -> npt.NDArray[np.float64]:
    """Euclidean distance from each candidate's vector to the nearest labeled one: exact, and 0 for copies.

    Parameters
    ----------
    runtime
        A service's.
    project_id
        The project.
    watermark
        The round's: its trainer has brought every vector up to there.
    ordinals
        Shape (n,): whose vectors these are; the answer does not depend on them.
    vectors
        Shape (n, d), float32.

    Returns
    -------
    ndarray
        Shape (n,), float64; infinity while nothing is labeled.

    Raises
    ------
    Conflict
        Where the vectors are not up to the watermark.
    """
    of = read_up_to(runtime.database, project_id, watermark)
    found = np.full(len(ordinals), np.inf, dtype=np.float32)
    if of is None or not of.vectors or not len(vectors):
        return found.astype(np.float64)
    if len(vectors) * of.vectors <= _PAIRS_THERE:
        return runtime.database.run(lambda unit: labeled.nearest(unit, of, vectors, 1, exact=True)).distances[:, 0]
    for page in _pages(runtime.database, of):
        fold(found, vectors, page.vectors)
    return found.astype(np.float64)


def _pages(database: Database, of: LabeledSet) -> Iterator[Page]:
    """Every labeled vector, page by page, each in a transaction of its own."""
    after = 0
    while after < of.seq:
        page = database.run(lambda unit, after=after: labeled.page(unit, of, after))  # type: ignore[misc]
        if not len(page.seqs):
            return
        yield page
        after = int(page.seqs[-1])


def follow(
    database: Database, project_id: UUID, ordinals: Sequence[int], vectors: PoolVectors, *, watermark: int,
    label_count: int, left_out: int = 0,
) -> int:  # fmt: skip
    """Bring the vectors of every item that is labeled up to a round's watermark; how many were missing.

    One transaction under the set's lock: done twice it adds nothing, broken off it leaves nothing, and a trainer that
    was thought dead and brings an older watermark changes nothing. Items whose label went away leave. Items that are
    not encoded yet are counted as waiting, and come with a later round.

    Parameters
    ----------
    database
        Where they go.
    project_id
        The project.
    ordinals
        Items of the pool with a label that stands at its watermark, in the order they were labeled; repeated where
        several people answered.
    vectors
        The pool's, of every block that is ready.
    watermark, label_count
        The round's: the number of its last answer, and the labels counted when it was requested.
    left_out
        Labeled items of the control arm, which are not among them.
    """
    wanted: Ordinals = np.array(list(dict.fromkeys(ordinals)), dtype=np.int64)
    if not vectors.dimension:
        return 0
    return database.run(lambda unit: _follow(unit, project_id, wanted, vectors, watermark, label_count, left_out))


def _follow(
    unit: Unit,
    project_id: UUID,
    wanted: Ordinals,
    vectors: PoolVectors,
    watermark: int,
    label_count: int,
    left_out: int,
) -> int:
    if not len(wanted) and labeled.read(unit, project_id) is None:
        return 0
    held = labeled.lock(unit, project_id, vectors.dimension)
    if watermark < held.watermark:
        return 0
    there = labeled.ordinals(unit, held)
    gone = np.setdiff1d(there, wanted)
    removed = labeled.remove(unit, held, gone) if gone.size else 0
    missing = wanted[~np.isin(wanted, there)]
    seq, waiting = held.seq, 0
    for at in range(0, len(missing), _GATHERED_ROWS):
        part = missing[at : at + _GATHERED_ROWS]
        found, rows = vectors.gather(part)
        labeled.append(unit, held, seq + 1, part[found], rows)
        seq += len(rows)
        waiting += len(part) - len(rows)
    added = seq - held.seq
    labeled.note(
        unit, held, seq=seq, vectors=held.vectors + added - removed, watermark=watermark,
        label_count=label_count, waiting=waiting, left_out=left_out, void=removed > 0,
    )  # fmt: skip
    return added


def tend(database: Database, project_id: UUID, vectors: PoolVectors, seed: int) -> None:
    """Build the index when it is due, and measure it when the set has grown by a tenth since. Nobody waits for this."""

    def build(unit: Unit) -> None:
        held = labeled.lock(unit, project_id, vectors.dimension)
        if held.index_due:
            labeled.build_index(unit, held)

    of, last = database.run(lambda unit: (labeled.read(unit, project_id), labeled.recall(unit, project_id)))
    if of is None or of.dimension != vectors.dimension:
        return
    if of.index_due:
        database.run(build)
        of = database.run(lambda unit: labeled.read(unit, project_id))
    if of is not None and of.indexed and (last is None or not last.vectors <= of.vectors < 1.1 * last.vectors):
        measure(database, of, vectors, seed)


def measure(database: Database, of: LabeledSet, vectors: PoolVectors, seed: int, rows: int = _MEASURED_ROWS) -> None:
    """Ask the index for the neighbours of up to so many random pool rows, compare with exact answers, keep the result.

    recall@k: the share of the k neighbours given that are as near as the k-th there is, so that equally distant ones
    count alike. The ratio of distances is 1 where nothing nearer was missed.
    """
    unlabeled = np.setdiff1d(vectors.ordinals(), database.run(lambda unit: labeled.ordinals(unit, of)))
    if not len(unlabeled):
        return
    chosen = np.random.default_rng(seed).choice(unlabeled, min(rows, len(unlabeled)), replace=False)
    pairs = []
    for at in range(0, len(chosen), _MEASURED_AT_ONCE):
        asked = vectors.gather(chosen[at : at + _MEASURED_AT_ONCE])[1]

        def both(unit: Unit, asked: npt.NDArray[np.float32] = asked) -> tuple[Nearest, Nearest]:
            return (
                labeled.nearest(unit, of, asked, _MEASURED_K),
                labeled.nearest(unit, of, asked, _MEASURED_K, exact=True),
            )

        pairs.append(database.run(both))
    width = min(pair.distances.shape[1] for both_ways in pairs for pair in both_ways)
    given = np.concatenate([fast.distances[:, :width] for fast, _ in pairs])
    true = np.concatenate([exact.distances[:, :width] for _, exact in pairs])
    hits = given <= true[:, -1:] * (1 + 1e-6)
    database.run(
        lambda unit: labeled.note_recall(
            unit, of, recall_at_1=float((given[:, 0] <= true[:, 0] * (1 + 1e-6)).mean()),
            recall_at_10=float(hits.mean()), distance_ratio=float(given.sum() / true.sum()) if true.sum() else 1.0,
            rows=len(chosen),
        )
    )  # fmt: skip
