"""Files that no row needs go after a day; whatever may yet be read stays."""

from __future__ import annotations

import os
import time
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from tithe.bus.celery import celery_app
from tithe.contracts.projects import Project
from tithe.keeper.sweep import Keeper
from tithe.loop import ingest
from tithe.loop.features import block_key, model_key, words_key
from tithe.runtime import Runtime
from tithe.storage import checks, pool, projects, rounds
from tithe.storage.database import Database
from tithe.storage.pool import StoredWords

from .driving import fill, line

DAY = 86_400
ROWS = np.ones((10, 2), np.float32)


@pytest.fixture
def keeper(runtime: Runtime, broker: str) -> Keeper:
    return Keeper(runtime, celery_app(broker, {}))


def age(runtime: Runtime, *, seconds: float = 2 * DAY) -> None:
    """Make every file that there is look as old."""
    for path in runtime.settings.artifact_root().rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def there(runtime: Runtime) -> set[str]:
    root = runtime.settings.artifact_root()
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def plant(runtime: Runtime, key: str) -> str:
    path = runtime.settings.artifact_root() / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"some bytes")
    return key


def encode(runtime: Runtime, project: Project, start: int, fence: int) -> set[str]:
    """Write a block with its words, as a scorer does; their keys."""
    stored = runtime.artifacts.write_block(block_key(project.id, start, fence), ROWS)
    with runtime.artifacts.words_writer(words_key(project.id, start, fence), np.arange(11), 2) as writer:
        writer.append(ROWS)
    words = StoredWords(writer.stored.key, writer.stored.sha256, writer.stored.size, 10)
    with runtime.database.unit() as unit:
        pool.mark_block_ready(
            unit, project.id, start, path=stored.key, sha256=stored.sha256, size=stored.size, dimension=2, words=words
        )
    return {stored.key, words.path}


def test_what_lapsed_claims_and_lost_blocks_left_goes_and_what_rows_point_at_stays(
    runtime: Runtime, project: Project, keeper: Keeper
):
    fill(runtime.database, project, [line(n) for n in range(20)])
    old = encode(runtime, project, 0, 1)
    stays = encode(runtime, project, 10, 2)
    runtime.database.run(lambda unit: ingest.encode_again(unit, project.id, [0]))
    stays |= encode(runtime, project, 0, 5)
    old |= {plant(runtime, block_key(project.id, 0, 4)), plant(runtime, words_key(project.id, 0, 4))}
    old.add(plant(runtime, model_key(project.id, uuid4())))
    age(runtime)
    stays |= {plant(runtime, block_key(project.id, 10, 6)), plant(runtime, words_key(project.id, 10, 6))}  # being made
    assert there(runtime) == old | stays
    keeper.wake()
    assert there(runtime) == stays
    for file in runtime.database.run(checks.files):
        runtime.artifacts.verify(file.path, file.sha256)


def test_only_folders_of_files_it_knows_of_projects_it_knows_are_looked_through(
    runtime: Runtime, project: Project, keeper: Keeper
):
    stays = {
        plant(runtime, key)
        for key in (
            "another/blocks/000000000000-1.npy",
            "blocks/000000000000-1.npy",
            f"{project.id}/indexes/1.bin",  # of a version to come
            f"{project.id}/blocks/kept/1.npy",
            f"{project.id}/readme.txt",
        )
    }
    age(runtime)
    keeper.wake()
    assert there(runtime) == stays


def test_a_store_that_is_away_or_a_stranger_loses_nothing(runtime: Runtime, project: Project, keeper: Keeper):
    keeper.wake()
    assert not runtime.settings.artifact_root().exists()
    stranger = plant(runtime, block_key(uuid4(), 0, 1))  # of another database
    age(runtime)
    keeper.due = {"forget": float("inf")}  # another step: it takes what is named like a project for a deleted one's
    keeper.wake()
    assert there(runtime) == {stranger}


def a_model(database: Database, project: Project, number: int, age_seconds: float) -> tuple[UUID, UUID]:
    """A finished round and the model it trained; their ids."""
    round_id, model_id = uuid4(), uuid4()
    with database.unit() as unit:
        unit.connection.execute(
            "INSERT INTO rounds (id, project_id, number, state, reason, strategy, seed, depth, watermark, label_count,"
            " model_id) VALUES (%s, %s, %s, 'ready', 'labels', 'margin', 0, 1, 0, 0, %s)",
            (round_id, project.id, number, model_id),
        )
        rounds.add_model(
            unit, id=model_id, project_id=project.id, round_id=round_id, path=model_key(project.id, model_id),
            sha256="0", size=1, watermark=0, label_count=1, score=None, score_from=None, facts={},
        )  # fmt: skip
        unit.connection.execute(
            "UPDATE models SET created_at = clock_timestamp() - make_interval(secs => %s) WHERE id = %s",
            (age_seconds, model_id),
        )
    return round_id, model_id


def test_a_model_goes_a_day_after_the_next_one_came_unless_something_still_reads_it(
    runtime: Runtime, project: Project, keeper: Keeper
):
    database = runtime.database
    made = [a_model(database, project, number, days * DAY) for number, days in enumerate([9, 8, 7, 6, 0.5])]
    models, running = [model_id for _, model_id in made], made[1][0]
    with database.unit() as unit:
        unit.connection.execute("UPDATE rounds SET state = 'scoring' WHERE id = %s", (running,))
        unit.connection.execute("UPDATE progress SET current_model = %s", (models[2],))
    for model_id in models:
        plant(runtime, model_key(project.id, model_id))
    age(runtime)
    keeper.wake()
    assert there(runtime) == {model_key(project.id, model_id) for model_id in models[1:]}

    with database.unit() as unit:
        unit.connection.execute("UPDATE rounds SET state = 'ready' WHERE id = %s", (running,))
        unit.connection.execute("UPDATE progress SET current_model = %s", (models[4],))
        unit.connection.execute("UPDATE models SET created_at = created_at - interval '1 day'")
    keeper.due.clear()
    keeper.wake()
    assert there(runtime) == {model_key(project.id, models[4])}
    assert [point.version for point in database.run(lambda unit: rounds.history(unit, project.id))] == [1, 2, 3, 4, 5]


def test_files_of_a_project_deleted_a_moment_ago_are_left_to_the_purge(
    runtime: Runtime, project: Project, keeper: Keeper
):
    fill(runtime.database, project, [line(n) for n in range(10)])
    stays = encode(runtime, project, 0, 1)
    age(runtime)
    runtime.database.run(lambda unit: projects.delete(unit, project.id))
    keeper.wake()
    assert there(runtime) == stays


def test_files_that_vanish_or_are_in_the_way_break_nothing(runtime: Runtime, project: Project, keeper: Keeper):
    plant(runtime, f"{project.id}/blocks")  # a file where a folder should be
    gone = plant(runtime, words_key(project.id, 0, 1))
    age(runtime)
    keeper.wake()
    assert there(runtime) == {f"{project.id}/blocks"}
    assert not Path(runtime.settings.artifact_root(), gone).exists()
