"""Items' contents, and the files a block's vectors and word states are in."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.storage import checks, pool, projects
from tithe.storage.database import Database
from tithe.storage.pool import NewItem, StoredWords


@pytest.fixture
def filled(database: Database) -> Project:
    """Three texts and an item that came as tokens, in a block of two and one of two."""
    spec = ProjectSpec(name="people", task=Task.TOKENS, labels=["PER"], strategy="random", budget_unit="words")
    project = database.run(lambda unit: projects.create(unit, spec))
    content: list[tuple[str | None, list[str] | None]] = [
        ("zero", None),
        ("one", None),
        (None, ["t", "w o"]),
        ("3", None),
    ]
    items = [
        NewItem(n, f"i{n}", bytes([n]), "pool", text, tokens, cost=n + 1) for n, (text, tokens) in enumerate(content)
    ]
    with database.unit() as unit:
        pool.admit(unit, pool.lock(unit, project.id), items, None)
        pool.plan_blocks(unit, pool.lock(unit, project.id), [(0, 2), (2, 2)])
    return project


def test_contents_come_in_the_order_they_are_asked_for(database: Database, filled: Project):
    with database.unit() as unit:
        assert pool.contents(unit, filled.id, 1, 3) == [("one", None), (None, ["t", "w o"])]
        assert pool.texts(unit, filled.id, 0, 4) == ["zero", "one", "t w o", "3"]
        asked = np.array([3, 2, 3, 0])
        assert pool.contents_of(unit, filled.id, asked) == [
            ("3", None),
            (None, ["t", "w o"]),
            ("3", None),
            ("zero", None),
        ]
        assert pool.texts_of(unit, filled.id, asked) == ["3", "t w o", "3", "zero"]
        assert pool.texts_of(unit, filled.id, [9, 1]) == ["one"]
        assert pool.contents_of(unit, filled.id, []) == []
        costs = unit.connection.execute("SELECT cost FROM items ORDER BY ordinal").fetchall()
    assert [cost for (cost,) in costs] == [1, 2, 3, 4]


def test_a_block_remembers_the_file_of_its_words_until_it_is_forgotten(database: Database, filled: Project):
    words = StoredWords("words", "aa", 640, 5)
    with database.unit() as unit:
        assert pool.kept_states_bytes(unit, filled.id) == 0
        pool.mark_block_ready(unit, filled.id, 0, path="x", sha256="0", size=1, dimension=2, words=words)
        pool.mark_block_ready(unit, filled.id, 2, path="y", sha256="1", size=1, dimension=2)
        first, second = pool.ready_blocks(unit, filled.id)
        assert (first.words_path, first.words_sha256, first.words_size, first.words) == ("words", "aa", 640, 5)
        assert (second.words_path, second.words) == (None, None)
        assert pool.block(unit, filled.id, 0) == first
        assert pool.kept_states_bytes(unit, filled.id) == 640
        assert {file.path for file in checks.files(unit)} == {"x", "y", "words"}
        pool.forget_block(unit, filled.id, 0)
        gone = pool.block(unit, filled.id, 0)
        assert gone is not None
        assert (gone.path, gone.words_path, gone.words_size) == (None, None, None)
        assert pool.kept_states_bytes(unit, filled.id) == 0


def test_a_pool_knows_whose_vectors_it_has_until_all_of_them_are_forgotten(database: Database, filled: Project):
    file = {"sha256": "0", "size": 1, "dimension": 2}
    with database.unit() as unit:
        assert pool.encoder_of(unit, filled.id) is None
        pool.mark_block_ready(unit, filled.id, 0, path="x", **file)
        assert pool.encoder_of(unit, filled.id) is None
        pool.mark_block_ready(unit, filled.id, 2, path="y", encoder="hashing/1/256", **file)
        assert pool.encoder_of(unit, filled.id) == "hashing/1/256"
        assert [block.encoder for block in pool.ready_blocks(unit, filled.id)] == [None, "hashing/1/256"]
        pool.mark_block_ready(unit, filled.id, 0, path="x", encoder="hashing/2/256", **file)
        assert pool.encoder_of(unit, filled.id) == "hashing/2/256"
        for start in (0, 2):
            pool.forget_block(unit, filled.id, start)
        assert pool.encoder_of(unit, filled.id) is None
        assert [getattr(pool.block(unit, filled.id, start), "encoder", "") for start in (0, 2)] == [None, None]


def test_half_of_what_is_to_be_known_of_a_file_of_words_is_refused(database: Database, filled: Project):
    with pytest.raises(psycopg.errors.CheckViolation), database.unit() as unit:
        unit.connection.execute("UPDATE blocks SET words = 3")
