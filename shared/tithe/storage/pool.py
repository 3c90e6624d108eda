"""The pool: items, their vectors, and the blocks of features cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pgvector import Vector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from tithe.storage.database import Unit
from tithe.storage.queries import queries


@dataclass(frozen=True)
class Pool:
    """A pool's counters."""

    project_id: UUID
    item_count: int
    test_count: int
    planned_count: int
    dimension: int | None


@dataclass(frozen=True)
class NewItem:
    """One line of an import, checked."""

    line: int
    external_id: str
    digest: bytes
    split: str
    text: str | None = None
    tokens: list[str] | None = None
    meta: dict[str, Any] | None = None
    vector: npt.NDArray[np.float32] | list[float] | None = None
    value: Any = None  #: a label that is known already
    cost: int = 1  #: what an answer to it takes from the budget


@dataclass(frozen=True)
class Admitted:
    """What became of a chunk of lines."""

    items: list[tuple[int, str, Any]]  #: (ordinal, split, known label or None) of the new items, in order
    labels: list[tuple[int, str, Any]]  #: the same of items that were there already and now bring a label
    clashes: list[tuple[int, str]] = field(default_factory=list)  #: (line, id) where the id names other content
    duplicates: int = 0


@dataclass(frozen=True)
class StoredWords:
    """The file that holds the states of a block's words."""

    path: str
    sha256: str
    size: int  #: bytes
    count: int  #: words: rows of the file


@dataclass(frozen=True)
class Block:
    """Rows [start, start + rows) of the pool as one immutable array file; their words' states in another, if kept."""

    start: int
    rows: int
    state: str
    path: str | None
    sha256: str | None
    size: int | None
    dimension: int | None
    words_path: str | None = None
    words_sha256: str | None = None
    words_size: int | None = None
    words: int | None = None
    encoder: str | None = None  #: the identity of what computed the vectors; None: not known, or they came as they are


def lock(unit: Unit, project_id: UUID) -> Pool:
    """The pool's counters, held until the unit ends: whoever numbers items takes turns here."""
    found = unit.one("pool.lock", Pool, project_id=project_id)
    if found is None:
        raise LookupError(project_id)
    return found


def read(unit: Unit, project_id: UUID) -> Pool:
    """The pool's counters, not held."""
    found = unit.one("pool.read", Pool, project_id=project_id)
    if found is None:
        raise LookupError(project_id)
    return found


def admit(unit: Unit, pool: Pool, items: Sequence[NewItem], dimension: int | None) -> Admitted:
    """Add the items whose content is new, numbered in the order of their lines. The caller holds the pool's lock.

    The same content again is a duplicate, whatever its id; an id that names other content already is a clash.
    """
    unit.run("pool.stage")
    with_vectors = any(item.vector is not None for item in items)
    if with_vectors:
        register_vector(unit.connection)
    with unit.connection.cursor() as cursor, cursor.copy(queries()["pool.copy_staged"]) as copy:
        vector_type = "vector" if with_vectors else "text"  # only NULLs are sent where no vectors come
        copy.set_types(["int8", "text", "bytea", "text", "text", "text[]", "jsonb", vector_type, "jsonb", "int4"])
        for item in items:
            copy.write_row(_row(item))
    clashes = [(line, external_id) for line, external_id in unit.rows("pool.id_clashes", project_id=pool.project_id)]
    if clashes:
        unit.run("pool.drop_lines", lines=[line for line, _ in clashes])
    labels = unit.rows("pool.late_labels", project_id=pool.project_id)
    admitted = unit.rows("pool.admit", project_id=pool.project_id, base=pool.item_count)
    unit.run("pool.clear_staged")
    tests = sum(split == "test" for _, split, _ in admitted)
    unit.run("pool.advance", project_id=pool.project_id, items=len(admitted), tests=tests, dimension=dimension)
    return Admitted(
        items=[(o, s, v) for o, s, v in admitted],
        labels=[(o, s, v) for o, s, v in labels],
        clashes=clashes,
        duplicates=len(items) - len(clashes) - len(admitted),
    )


def _row(item: NewItem) -> tuple[Any, ...]:
    return (
        item.line, item.external_id, item.digest, item.split, item.text, item.tokens,
        None if item.meta is None else Jsonb(item.meta),
        None if item.vector is None else Vector(item.vector),
        None if item.value is None else Jsonb(item.value),
        item.cost,
    )  # fmt: skip


def start_import(unit: Unit, project_id: UUID) -> UUID:
    """Note that an import runs."""
    import_id: UUID = unit.value("pool.import_start", project_id=project_id)
    return import_id


def count_import(unit: Unit, import_id: UUID, *, accepted: int, duplicates: int, rejected: int) -> None:
    """Add a chunk's counts."""
    unit.run("pool.import_count", id=import_id, accepted=accepted, duplicates=duplicates, rejected=rejected)


def end_import(unit: Unit, import_id: UUID, *, whole: bool) -> None:
    """Note that an import came to its end, or broke off."""
    unit.run("pool.import_end", id=import_id, state="done" if whole else "broken")


def imports_running(unit: Unit, project_id: UUID) -> int:
    """Imports that wrote something in the last half minute."""
    return int(unit.value("pool.import_running", project_id=project_id))


def unplanned(unit: Unit, quiet_seconds: float) -> list[UUID]:
    """Projects with items in no block, to which nothing was added for so long."""
    return [row[0] for row in unit.rows("pool.unplanned", quiet=quiet_seconds)]


def plan_blocks(unit: Unit, pool: Pool, ranges: Sequence[tuple[int, int]]) -> None:
    """Reserve blocks ``(start, rows)``. The caller holds the pool's lock."""
    for start, rows in ranges:
        unit.run("pool.plan_block", project_id=pool.project_id, start=start, rows=rows)
    if ranges:
        unit.run("pool.planned", project_id=pool.project_id, planned=max(start + rows for start, rows in ranges))


def block(unit: Unit, project_id: UUID, start: int) -> Block | None:
    """The block that begins at `start`."""
    return unit.one("pool.block", Block, project_id=project_id, start=start)


def mark_block_ready(
    unit: Unit, project_id: UUID, start: int, *, path: str, sha256: str, size: int, dimension: int,
    words: StoredWords | None = None, encoder: str | None = None,
) -> None:  # fmt: skip
    """Point the block at its file, and at that of its words' states; None: none are kept.

    `encoder`: the identity of what computed the vectors.
    """
    unit.run(
        "pool.block_ready", project_id=project_id, start=start, path=path, sha256=sha256, size=size,
        dimension=dimension, words_path=words and words.path, words_sha256=words and words.sha256,
        words_size=words and words.size, words=words and words.count, encoder=encoder,
    )  # fmt: skip


def forget_block(unit: Unit, project_id: UUID, start: int) -> None:
    """A file of the block is lost: both are to be made again."""
    unit.run("pool.forget_block", project_id=project_id, start=start)


def encoder_of(unit: Unit, project_id: UUID) -> str | None:
    """The identity of the encoder that the pool's vectors are by: of the first ready block where it is known."""
    found: str | None = unit.value("pool.encoder_of", project_id=project_id)
    return found


def kept_states_bytes(unit: Unit, project_id: UUID) -> int:
    """Bytes of all files of word states there are."""
    return int(unit.value("pool.kept_states_bytes", project_id=project_id))


def ready_blocks(unit: Unit, project_id: UUID, start: int = 0, stop: int = 1 << 62) -> list[Block]:
    """Blocks on disk that overlap [start, stop), in order."""
    return unit.all("pool.ready_blocks", Block, project_id=project_id, start=start, stop=stop)


def block_counts(unit: Unit, project_id: UUID) -> tuple[int, int, int]:
    """Blocks ready, blocks planned in all, rows in ready blocks."""
    ready, planned, rows = unit.rows("pool.block_counts", project_id=project_id)[0]
    return int(ready), int(planned), int(rows)


def ordinals(unit: Unit, project_id: UUID, external_ids: Sequence[str]) -> dict[str, int]:
    """id → ordinal of those items that exist."""
    return dict(unit.rows("pool.ordinals", project_id=project_id, ids=list(external_ids)))


Content = tuple[str | None, list[str] | None]  #: text and tokens of an item, one of them None (of bare vectors both)


def contents(unit: Unit, project_id: UUID, start: int, stop: int) -> list[Content]:
    """(text, tokens) of [start, stop), in order."""
    return [(a, b) for a, b in unit.rows("pool.contents", project_id=project_id, start=start, stop=stop)]


def contents_of(unit: Unit, project_id: UUID, ordinals: Sequence[int]) -> list[Content]:
    """(text, tokens) of these items, in the order given; ordinals that are none of the pool's are left out."""
    return [(a, b) for a, b in unit.rows("pool.contents_of", project_id=project_id, ordinals=list(map(int, ordinals)))]


def texts(unit: Unit, project_id: UUID, start: int, stop: int) -> list[str]:
    """The texts of [start, stop) in order; pre-split tokens joined by single spaces."""
    return [_text(*content) for content in contents(unit, project_id, start, stop)]


def texts_of(unit: Unit, project_id: UUID, ordinals: Sequence[int]) -> list[str]:
    """The texts of these items in the order given; pre-split tokens joined by single spaces."""
    return [_text(*content) for content in contents_of(unit, project_id, ordinals)]


def _text(text: str | None, tokens: list[str] | None) -> str:
    return text if text is not None else " ".join(tokens or [])


def vectors(unit: Unit, project_id: UUID, start: int, stop: int) -> Iterator[npt.NDArray[np.float32]]:
    """The vectors of [start, stop) that came with the items, in order, (rows, d) float32 chunks of bounded size."""
    register_vector(unit.connection)
    step = 4096
    for first in range(start, stop, step):
        found = unit.rows("pool.vectors", project_id=project_id, start=first, stop=min(stop, first + step))
        yield np.stack([np.asarray(v.to_numpy() if isinstance(v, Vector) else v, dtype=np.float32) for (v,) in found])


def closed_ordinals(unit: Unit, project_id: UUID, start: int, stop: int) -> npt.NDArray[np.int64]:
    """Ordinals in [start, stop) that cannot be asked for: leased, answered, skipped or held out. Sorted."""
    found = unit.rows("pool.closed_ordinals", project_id=project_id, start=start, stop=stop)
    return np.sort(np.array([ordinal for (ordinal,) in found], dtype=np.int64))


def test_ordinals(unit: Unit, project_id: UUID) -> npt.NDArray[np.int64]:
    """Ordinals held out for evaluation. Sorted."""
    return np.array([row[0] for row in unit.rows("pool.test_ordinals", project_id=project_id)], dtype=np.int64)
