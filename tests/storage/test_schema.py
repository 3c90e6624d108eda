"""Migrations and the plans of the hot queries."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.storage import answers, checks, desk, migrate, projects
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


def test_a_process_of_the_last_release_counts_right_while_it_is_replaced(database: Database, project: Project):
    """It knows nothing of corrections: its labels and its rounds bring the next round nearer all the same."""
    before = answers.Answer(0, "label", "ham")
    with database.unit() as unit:
        run = unit.connection.execute
        run("INSERT INTO items (project_id, ordinal, external_id, digest, split) SELECT id, n, n::text, n::text::bytea,"
            " 'pool' FROM projects, generate_series(0, 2) n")  # fmt: skip
        desk.record(unit, project.id, "ada", None, "annotator", [before], slots=1)
        (was,) = answers.standing(unit, project.id, [0])
        desk.record(unit, project.id, "ada", None, "annotator", [replace(before, value="spam", replaces=was)], slots=0)
        # As revision 0005 wrote.
        run("UPDATE progress SET answer_seq = answer_seq + 1, label_count = label_count + 1")
        run("UPDATE progress SET paid_count = paid_count + 1")
        run("INSERT INTO answers (project_id, ordinal, annotator, kind, value, source, state, seq)"
            " SELECT project_id, 1, 'bob', 'label', '1', 'annotator', 'counted', answer_seq FROM progress")  # fmt: skip
        now = answers.progress(unit, project.id)
        assert (now.label_count, now.change_count, now.requested_at_changes) == (2, 3, 0)
        run("UPDATE progress SET round_number = 0, requested_at_labels = label_count")
        now = answers.progress(unit, project.id)
        assert now.requested_at_changes == 2  # a little early at worst: a round too many, and none too few
    assert not [one for one in database.run(checks.check) if one.invariant.startswith("i6")]


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
    "answers.standing": (["items", "answers", "leases"], {
        "ordinals": [1, 10, 19], "annotators": ["ada"], "withdrawn": True}),
    "export.answered": (["answers"], {"first": 1, "last": 100, "last_seq": 5000, "skips": True}),
    "export.unanswered": (["items", "answers"], {"first": 1, "last": 100, "last_seq": 5000, "skips": True}),
    "desk.record": (["answers"], {
        "batch_id": None, "answers": 1, "training": 1, "paid": 1, "skips": 0, "revisions": 0, "slots": 1, "key": None,
        "sha256": None, "response": None, "ordinals": [2], "annotators": ["bob"], "sources": ["annotator"],
        "lease_ids": [None], "kinds": ["label"], "values": [None], "notes": [None], "states": ["counted"],
        "becauses": [None], "numbers": [1], "replaced": [None]}),
}  # fmt: skip
#: One in ten said something else since.
CORRECTED = """INSERT INTO answers (project_id, ordinal, annotator, kind, value, source, state, seq, replaces)
    SELECT project_id, ordinal, annotator, 'label', '"spam"', source, state, 5000 + seq / 10, id FROM answers
    WHERE seq % 10 = 0"""


@pytest.mark.parametrize("corrections", [False, True])
@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_query_never_reads_a_whole_table(large: Database, project: Project, name: str, corrections: bool):
    tables, values = HOT[name]
    if corrections:
        with psycopg.connect(large.url, autocommit=True) as connection:
            connection.execute(CORRECTED)
            connection.execute("ANALYZE answers")
    ids = {"project_id": project.id, "round_id": project.id, "batch_id": project.id}
    text = plan(large, name, **{**values, **{k: v for k, v in ids.items() if f"%({k})s" in queries()[name]}})
    for table in tables:
        assert f"Seq Scan on {table}" not in text, text
