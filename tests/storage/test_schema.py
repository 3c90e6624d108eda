"""Migrations and the plans of the hot queries."""

from __future__ import annotations

import psycopg
import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.storage import migrate, projects
from tithe.storage.database import Database
from tithe.storage.queries import queries


def test_migrating_again_changes_nothing(database_url: str):
    assert migrate.current(database_url) == migrate.newest()
    assert migrate.migrate(database_url) == migrate.newest()


def test_an_empty_database_reaches_the_newest_schema(postgres: str):
    admin = postgres.rpartition("/")[0] + "/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_one")
    try:
        url = postgres.rpartition("/")[0] + "/empty_one"
        assert migrate.current(url) is None
        assert migrate.migrate(url) == migrate.newest()
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE empty_one WITH (FORCE)")


def test_the_metric_of_entities_is_read_from_the_task_and_not_stored_where_older_versions_read(database: Database):
    """While a version is rolled out, processes of the one before list the same projects."""
    people = ProjectSpec(name="people", task=Task.TOKENS, labels=["PER"])
    topics = ProjectSpec(name="topics", task=Task.MULTILABEL, labels=["a", "b"], metric="accuracy")
    made = [database.run(lambda unit, spec=spec: projects.create(unit, spec)) for spec in (people, topics)]
    assert [one.metric for one in made] == ["entity_f1", "accuracy"]
    with database.unit() as unit:
        stored = unit.connection.execute("SELECT name, metric FROM projects").fetchall()
        assert dict(stored) == {"people": "macro_f1", "topics": "accuracy"}
        # A project of that version may have either.
        unit.connection.execute("UPDATE projects SET metric = 'accuracy' WHERE name = 'people'")
        assert {one.name: one.metric for one in projects.page(unit, None, 10)} == {
            "people": "entity_f1", "topics": "accuracy"
        }  # fmt: skip


LARGE = [
    """INSERT INTO rounds (id, project_id, number, state, reason, strategy, seed, depth, watermark, label_count)
       VALUES (%(p)s, %(p)s, 0, 'ready', 'cold_start', 'margin', 0, 1000, 0, 0)""",
    "UPDATE progress SET current_round = %(p)s, round_number = 0",
    """INSERT INTO items (project_id, ordinal, external_id, digest, split, text)
       SELECT %(p)s, n, 'i' || n, decode(md5(n::text), 'hex'), 'pool', 't' FROM generate_series(0, 49999) n""",
    """INSERT INTO ready (project_id, round_id, rank, ordinal, open_slots, chosen_by)
       SELECT %(p)s, %(p)s, n, n * 7, 1, 'margin' FROM generate_series(0, 999) n""",
    """INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)
       SELECT %(p)s, n * 9 + 1, 1, 'ada', 'done', 'margin' FROM generate_series(0, 4999) n""",
    """INSERT INTO answers (project_id, ordinal, annotator, kind, value, source, state, seq)
       SELECT %(p)s, n * 9 + 1, 'ada', 'label', '"ham"', 'annotator', 'counted', n + 1
       FROM generate_series(0, 4999) n""",
]


@pytest.fixture
def large(database: Database, project: Project) -> Database:
    """A pool of 50,000, 5,000 of it answered, a ready queue of 1,000, statistics fresh."""
    with database.unit() as unit:
        run = unit.connection.execute
        values = {"p": project.id}
        for statement in LARGE:
            run(statement, values)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return database


def plan(database: Database, name: str, **values: object) -> str:
    with database.unit() as unit:
        rows = unit.connection.execute("EXPLAIN " + queries()[name], values).fetchall()
    return "\n".join(row[0] for row in rows)


HOT = {
    "queue.lease_ready": (["items", "answers", "leases", "batches"], {
        "annotator": "bob", "size": 10, "overlap": 1, "position": 0, "batch_id": None, "left": 100, "alone": True}),
    "queue.reserved": (["items", "leases"], {}),
    "desk.held": (["items", "leases"], {"batch_id": None, "contents": True}),
    "pool.contents_of": (["items"], {"ordinals": list(range(0, 50_000, 5000))}),
    "queue.batch_leases": (["items", "leases"], {"batch_id": None}),
    "pool.closed_ordinals": (["items"], {"start": 1000, "stop": 2000}),
    "answers.training_set": (["answers"], {"watermark": 100, "split": "pool"}),
    "pool.contents": (["items"], {"start": 1000, "stop": 2000}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_query_never_reads_a_whole_table(large: Database, project: Project, name: str):
    tables, values = HOT[name]
    ids = {"project_id": project.id, "round_id": project.id, "batch_id": project.id}
    text = plan(large, name, **{**values, **{k: v for k, v in ids.items() if f"%({k})s" in queries()[name]}})
    for table in tables:
        assert f"Seq Scan on {table}" not in text, text
