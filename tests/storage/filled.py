"""A project whose pool is on disk and whose labels are rows: what the tests of labeled vectors share."""

from __future__ import annotations

import uuid

import numpy as np

from tithe.artifacts import ArtifactStore
from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.loop import labeled as loop
from tithe.loop.features import PoolVectors, block_key
from tithe.storage import labeled, pool, projects
from tithe.storage.database import Database


def clustered(rows: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Vectors as encoders make them: of length one, in clusters, some the same."""
    chance = np.random.default_rng(seed)
    centers = chance.standard_normal((20, dimension))
    found = centers[chance.integers(20, size=rows)] + 0.5 * chance.standard_normal((rows, dimension))
    found[rows // 2] = found[0]
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


class Filled:
    """A vector project whose blocks are on disk, labeled by hand."""

    def __init__(self, database: Database, store: ArtifactStore, rows: np.ndarray, block_rows: int = 1000) -> None:
        spec = ProjectSpec(name=str(uuid.uuid4()), task=Task.VECTORS, labels=["a", "b"], strategy="random")
        self.project: Project = database.run(lambda unit: projects.create(unit, spec))
        self.database, self.store, self.rows = database, store, rows
        self.id = self.project.id
        self.answers = 0
        with database.unit() as unit:
            unit.connection.execute(
                "INSERT INTO items (project_id, ordinal, external_id, digest, split, text)"
                " SELECT %s, n, 'i' || n, decode(md5(n::text), 'hex'), 'pool', 'text ' || n"
                " FROM generate_series(0, %s - 1) n",
                (self.id, len(rows)),
            )
            unit.connection.execute(
                "UPDATE pools SET item_count = %s, planned_count = %s, dimension = %s WHERE project_id = %s",
                (len(rows), len(rows), rows.shape[1], self.id),
            )
        for start in range(0, len(rows), block_rows):
            self.write_block(start, rows[start : start + block_rows])

    def write_block(self, start: int, rows: np.ndarray) -> None:
        stored = self.store.write_block(block_key(self.id, start, 0), rows)
        with self.database.unit() as unit:
            unit.connection.execute(
                "INSERT INTO blocks VALUES (%s, %s, %s, 'ready', %s, %s, %s, %s)",
                (self.id, start, len(rows), stored.key, stored.sha256, stored.size, rows.shape[1]),
            )

    def label(self, ordinals: list[int], annotator: str = "ada") -> None:
        """Straight into the tables: the walk of a label is tested elsewhere."""
        with self.database.unit() as unit, unit.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO answers (project_id, ordinal, annotator, kind, value, source, state, seq)"
                " VALUES (%s, %s, %s, 'label', '\"a\"', 'annotator', 'counted', %s)",
                [(self.id, ordinal, annotator, self.answers + at + 1) for at, ordinal in enumerate(ordinals)],
            )
            cursor.executemany(
                "INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)"
                " VALUES (%s, %s, %s, %s, 'done', 'random')",
                [(self.id, ordinal, 1 if annotator == "ada" else 2, annotator) for ordinal in ordinals],
            )
            self.answers += len(ordinals)
            cursor.execute(
                "UPDATE progress SET answer_seq = %s, label_count = %s, paid_count = %s, settled_slots = %s"
                " WHERE project_id = %s",
                (*[self.answers] * 4, self.id),
            )

    def blocks(self) -> list[pool.Block]:
        return self.database.run(lambda unit: pool.ready_blocks(unit, self.id))

    def vectors(self) -> PoolVectors:
        return PoolVectors(self.store, self.blocks())

    def follow(self, ordinals: list[int], watermark: int | None = None) -> int:
        at = self.answers if watermark is None else watermark
        return loop.follow(self.database, self.id, ordinals, self.vectors(), watermark=at, label_count=at)

    def bring(self, ordinals: list[int]) -> int:
        """Label, and follow with everything labeled so far, as a trainer does."""
        self.label(ordinals)
        with self.database.unit() as unit:
            found = unit.connection.execute(
                "SELECT ordinal FROM answers WHERE project_id = %s ORDER BY seq", (self.id,)
            ).fetchall()
        return self.follow([ordinal for (ordinal,) in found])

    def set(self) -> labeled.LabeledSet:
        found = self.database.run(lambda unit: labeled.read(unit, self.id))
        assert found is not None
        return found

    def stored(self) -> dict[int, tuple[int, np.ndarray]]:
        """ordinal → (seq, vector)."""
        page = self.database.run(lambda unit: labeled.page(unit, self.set(), 0, 1 << 30))
        assert (np.diff(page.seqs) > 0).all()
        return {int(o): (int(s), v) for s, o, v in zip(page.seqs, page.ordinals, page.vectors, strict=True)}

    def nearest(self, asked: np.ndarray, k: int, *, exact: bool = False) -> labeled.Nearest:
        return self.database.run(lambda unit: labeled.nearest(unit, self.set(), asked, k, exact=exact))
