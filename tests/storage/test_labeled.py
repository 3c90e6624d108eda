"""Labeled vectors: brought in once, whatever dies; the nearest of them; the index, its recall, its plan."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tithe.errors import Unavailable
from tithe.loop import labeled as loop
from tithe.loop.correct import correct, withdraw
from tithe.runtime import Runtime
from tithe.storage import answers, checks, labeled, migrate, projects
from tithe.storage.database import Database

from .filled import Filled, clustered


@pytest.fixture
def fill(runtime: Runtime) -> Callable[..., Filled]:
    return lambda rows, **more: Filled(runtime.database, runtime.artifacts, rows, **more)


def brute(asked: np.ndarray, among: np.ndarray, ordinals: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    apart = asked[:, np.newaxis].astype(np.float64) - among
    distance = np.sqrt(np.einsum("ijk,ijk->ij", apart, apart))
    # Postgres measures in float32: equal to the eye is equal.
    order = np.stack([np.lexsort((ordinals, row.round(5)))[:k] for row in distance])
    return ordinals[order], np.take_along_axis(distance, order, axis=1)


# ---- bringing them in ----


def test_every_label_brings_its_vector_once_in_the_order_they_were_labeled(fill, database: Database):
    here = fill(clustered(30, 5), block_rows=10)
    assert here.bring([7, 3, 29]) == 3
    assert here.follow([7, 3, 29, 3, 7]) == 0  # several people answered: one vector an item
    assert here.bring([11, 0]) == 2
    stored = here.stored()
    assert {ordinal: seq for ordinal, (seq, _) in stored.items()} == {7: 1, 3: 2, 29: 3, 11: 4, 0: 5}
    for ordinal, (_, vector) in stored.items():
        np.testing.assert_array_equal(vector, here.rows[ordinal])
    now = here.set()
    assert (now.vectors, now.seq, now.watermark, now.label_count, now.waiting) == (5, 5, 5, 5, 0)
    assert database.run(checks.check) == []


def test_an_item_whose_label_was_withdrawn_leaves_with_the_next_round_and_all_is_sound_until_then(
    fill, database: Database
):
    here = fill(clustered(30, 5), block_rows=10)
    here.bring([7, 3, 29])
    epoch = here.set().epoch
    for ordinal, change in ((3, "withdraw"), (7, "correct")):
        with database.unit() as unit:
            (was,) = answers.standing(unit, here.id, [ordinal])
            if change == "withdraw":
                withdraw(unit, here.project, was, "deleted")
            else:
                correct(unit, here.project, was, "label", "b")
        assert database.run(checks.check) == []
    told = database.run(lambda unit: answers.training_set(unit, here.id, 5, "pool"))
    assert told == [(29, "a"), (7, "b")]
    assert here.follow([ordinal for ordinal, _ in told], watermark=5) == 0
    assert sorted(here.stored()) == [7, 29]
    assert here.set().epoch != epoch
    shown = database.run(lambda unit: labeled.shown(unit, here.id, [7, 29]))
    assert {ordinal: one.labels for ordinal, one in shown.items()} == {7: ["b"], 29: ["a"]}
    assert database.run(checks.check) == []


def test_the_same_message_again_and_an_older_one_change_nothing(fill, database: Database):
    here = fill(clustered(30, 5))
    here.bring([1, 2])
    here.bring([3])
    before, epoch = here.stored(), here.set().epoch
    assert here.follow([1, 2, 3]) == 0
    assert here.follow([1, 2], watermark=2) == 0  # a trainer that was thought dead: it must not take 3 away
    assert here.stored().keys() == before.keys()
    assert (here.set().epoch, here.set().watermark) == (epoch, 3)


def test_two_trainers_at_once_bring_each_vector_once(fill, database: Database):
    here = fill(clustered(400, 5))
    here.label(list(range(300)))
    added: list[int] = []
    threads = [threading.Thread(target=lambda: added.append(here.follow(list(range(300))))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [0, 0, 0, 300]
    assert [seq for seq, _ in here.stored().values()] == list(range(1, 301))
    assert database.run(checks.check) == []


def test_a_trainer_killed_in_the_middle_leaves_nothing(fill, database: Database, monkeypatch: pytest.MonkeyPatch):
    here = fill(clustered(60, 5))
    here.bring([1])
    here.label([2, 3, 4, 5])
    monkeypatch.setattr(loop, "_GATHERED_ROWS", 2)
    real, calls = labeled.append, []

    def dies(unit, *rest):
        real(unit, *rest)
        calls.append(1)
        if len(calls) == 2:  # its backend is gone as if the process were
            with psycopg.connect(database.url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (unit.connection.info.backend_pid,))

    monkeypatch.setattr(labeled, "append", dies)
    assert here.follow([1, 2, 3, 4, 5]) == 4  # the transaction was done again from its beginning
    assert len(calls) == 4
    assert [seq for seq, _ in here.stored().values()] == [1, 2, 3, 4, 5]
    assert database.run(checks.check) == []


def test_items_that_are_not_encoded_yet_wait_and_come_later(fill, database: Database):
    rows = clustered(30, 5)
    here = fill(rows[:20], block_rows=10)
    with database.unit() as unit:
        unit.connection.execute(
            "INSERT INTO items (project_id, ordinal, external_id, digest, split)"
            " SELECT %s, n, 'i' || n, decode(md5(n::text), 'hex'), 'pool' FROM generate_series(20, 29) n",
            (here.id,),
        )
        unit.connection.execute("UPDATE pools SET item_count = 30")
    assert here.bring([25, 1]) == 1
    assert (here.set().vectors, here.set().waiting) == (1, 1)
    assert database.run(checks.check) == []
    here.write_block(20, rows[20:])
    assert here.follow([25, 1]) == 1
    assert (here.set().vectors, here.set().waiting) == (2, 0)
    # A reader who had seen the first still finds it: numbers are of coming in, not of labeling.
    page = database.run(lambda unit: labeled.page(unit, here.set(), 1))
    assert page.ordinals.tolist() == [25]
    assert database.run(checks.check) == []


def test_an_item_whose_label_went_away_leaves_and_voids_what_was_derived(fill, database: Database):
    here = fill(clustered(30, 5))
    here.bring([1, 2, 3])
    before = here.set()
    assert here.follow([1, 3]) == 0
    after = here.set()
    assert (after.vectors, after.seq, after.epoch == before.epoch) == (2, 3, False)
    assert sorted(here.stored()) == [1, 3]
    assert here.follow([]) == 0
    assert here.set().vectors == 0


def test_vectors_of_another_dimension_begin_anew(fill, database: Database):
    here = fill(clustered(20, 5))
    here.bring([1, 2])
    epoch = here.set().epoch
    with database.unit() as unit:
        unit.connection.execute("DELETE FROM blocks")
    here.write_block(0, clustered(20, 7))
    assert here.follow([1, 2]) == 2
    assert (here.set().dimension, here.set().vectors, here.set().seq, here.set().epoch == epoch) == (7, 2, 2, False)


def test_a_project_without_labels_or_without_vectors_has_no_set(fill, database: Database):
    here = fill(clustered(20, 5))
    assert here.follow([]) == 0
    assert database.run(lambda unit: labeled.read(unit, here.id)) is None


def test_a_deleted_project_takes_its_vectors_along_and_nobody_elses(fill, database: Database):
    one, other = fill(clustered(20, 5)), fill(clustered(20, 6))
    one.bring([1, 2])
    other.bring([3])
    name = one.set().name
    database.run(lambda unit: projects.delete(unit, one.id))
    while database.run(lambda unit: projects.purge_slice(unit, 0.0)):
        pass
    with database.unit() as unit:
        assert unit.connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,)
        tables = unit.connection.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'labeled_%' AND relkind = 'r'"
        )
        assert {row[0] for row in tables} == {"labeled_sets", other.set().name}
    assert list(other.stored()) == [3]


BREAKAGES = {
    "i13_labeled_vectors_equal_a_recount": "DELETE FROM {table} WHERE seq = 1",
    "i13_every_labeled_vector_has_its_label": "UPDATE {table} SET ordinal = 19 WHERE seq = 1",
    "i13_every_label_has_its_vector": "UPDATE labeled_sets SET watermark = 1",
}


@pytest.mark.parametrize("invariant", sorted(BREAKAGES))
def test_a_broken_invariant_is_found(fill, database: Database, invariant: str):
    here = fill(clustered(20, 5))
    here.bring([1, 2])
    assert database.run(checks.check) == []
    with database.unit() as unit:
        unit.connection.execute(sql.SQL(BREAKAGES[invariant]).format(table=sql.Identifier(here.set().name)))
    assert invariant in {one.invariant for one in database.run(checks.check)}


def test_a_set_without_its_table_is_found(fill, database: Database):
    here = fill(clustered(20, 5))
    here.bring([1, 2])
    with database.unit() as unit:
        unit.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(here.set().name)))
    assert "i13_labeled_vectors_equal_a_recount" in {one.invariant for one in database.run(checks.check)}


# ---- the nearest ----


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_the_nearest_are_those_of_the_plain_definition(fill, k: int, exact: bool):
    here = fill(clustered(300, 8))
    chosen = np.random.default_rng(1).permutation(300)[:40]
    here.bring(chosen.tolist())
    asked = np.concatenate([here.rows[:25], here.rows[chosen[:5]]])
    found = here.nearest(asked, k, exact=exact)
    ordinals, distances = brute(asked, here.rows[chosen], chosen, k)
    assert found.ordinals.shape == (30, min(k, 40))
    np.testing.assert_allclose(found.distances, distances, atol=1e-6)
    np.testing.assert_array_equal(found.ordinals[:, :1], ordinals[:, :1])
    np.testing.assert_allclose(found.cosines, 1 - distances**2 / 2, atol=1e-5)  # of vectors of length one
    assert (found.distances[25:, 0] == 0).all()
    assert found.exact


def test_what_cannot_be_asked_is_refused(fill):
    here = fill(clustered(20, 5))
    here.bring([1])
    for asked, k in ((np.zeros((1, 6), np.float32), 1), (np.zeros(5, np.float32), 1), (here.rows[:1], 0)):
        with pytest.raises(ValueError, match="not"):
            here.nearest(asked, k)
    assert here.nearest(here.rows[:0], 3).distances.shape[0] == 0


def test_a_vector_of_zeros_has_no_cosine(fill):
    rows = clustered(20, 5)
    rows[1] = 0
    here = fill(rows)
    here.bring([1])
    found = here.nearest(rows[:1], 1)
    assert np.isnan(found.cosines).all()
    assert found.distances[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.fixture
def indexed(fill, monkeypatch: pytest.MonkeyPatch) -> Filled:
    monkeypatch.setattr(labeled, "INDEX_FROM", 500)
    here = fill(clustered(3000, 16))
    here.bring(list(range(0, 3000, 3)))
    loop.tend(here.database, here.id, here.vectors(), seed=0)
    return here


def test_an_index_is_built_when_there_are_enough_measured_and_used(indexed: Filled, database: Database):
    assert indexed.set().indexed
    asked = indexed.rows[1:200:3]
    fast, exact = indexed.nearest(asked, 10), indexed.nearest(asked, 10, exact=True)
    assert (fast.exact, exact.exact) == (False, True)
    assert (fast.distances <= exact.distances[:, -1:] + 1e-6).mean() > 0.95
    measured = database.run(lambda unit: labeled.recall(unit, indexed.id))
    assert measured is not None
    assert 0.9 < measured.recall_at_10 <= 1
    assert 0.9 < measured.recall_at_1 <= 1
    assert 1 <= measured.distance_ratio < 1.01
    assert (measured.rows, measured.vectors) == (200, 1000)
    loop.tend(indexed.database, indexed.id, indexed.vectors(), seed=1)  # not grown: not measured again
    assert database.run(lambda unit: labeled.recall(unit, indexed.id)) == measured
    indexed.bring(list(range(1, 601, 3)))
    loop.tend(indexed.database, indexed.id, indexed.vectors(), seed=1)
    again = database.run(lambda unit: labeled.recall(unit, indexed.id))
    assert again.vectors == 1200
    assert again.at > measured.at
    assert (indexed.nearest(indexed.rows[1:600:3], 1).distances[:, 0] == 0).mean() > 0.99  # new ones are found
    assert database.run(checks.check) == []


def test_a_bad_index_is_seen_to_be_bad(fill, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labeled, "INDEX_FROM", 500)
    monkeypatch.setattr(labeled, "_EF_SEARCH", 1)
    here = fill(np.random.default_rng(0).standard_normal((4000, 64)).astype(np.float32), block_rows=4000)
    here.bring(list(range(3000)))
    loop.tend(here.database, here.id, here.vectors(), seed=0)
    measured = database.run(lambda unit: labeled.recall(unit, here.id))
    assert 0.1 < measured.recall_at_10 < 0.9
    assert measured.recall_at_1 < 1
    assert 1 < measured.distance_ratio < 1.2


def explained(here: Filled, *, exact: bool) -> str:
    """The plan of the query as it is sent."""
    with here.database.unit() as unit:
        seen = []

        class Watched(psycopg.Cursor):
            def execute(self, query, params=None, **more):
                if isinstance(params, dict) and "candidates" in params:
                    other = psycopg.Cursor(self.connection)
                    seen.extend(other.execute(sql.SQL("EXPLAIN ") + query, params).fetchall())
                return super().execute(query, params, **more)

        unit.connection.cursor_factory = Watched
        labeled.nearest(unit, here.set(), here.rows[:3], 5, exact=exact)
        unit.connection.cursor_factory = psycopg.Cursor
    return "\n".join(row[0] for row in seen)


def test_the_indexed_query_walks_the_index_and_the_exact_one_does_not(indexed: Filled):
    name = f"{indexed.set().name}_near"
    assert f"Index Scan using {name}" in explained(indexed, exact=False)
    assert name not in explained(indexed, exact=True)


def test_the_planner_is_left_as_it_was(indexed: Filled, database: Database):
    with database.unit() as unit:
        labeled.nearest(unit, indexed.set(), indexed.rows[:1], 5)
        assert unit.connection.execute("SHOW enable_seqscan").fetchone() == ("on",)


@pytest.mark.parametrize("dimension", [2500, 4500])
def test_long_vectors_are_indexed_in_half_precision_or_not_at_all(fill, monkeypatch, dimension: int):
    monkeypatch.setattr(labeled, "INDEX_FROM", 100)
    here = fill(clustered(260, dimension), block_rows=100)
    here.bring(list(range(200)))
    loop.tend(here.database, here.id, here.vectors(), seed=0)
    assert here.set().indexed is (dimension < 4000)
    asked = here.rows[150:]
    fast, exact = here.nearest(asked, 3), here.nearest(asked, 3, exact=True)
    assert fast.exact is (dimension > 4000)
    np.testing.assert_array_equal(fast.distances[:50, 0], 0)
    assert (fast.ordinals == exact.ordinals).mean() > 0.95
    if fast.exact:
        return
    assert f"Index Scan using {here.set().name}_near" in explained(here, exact=False)
    huge = here.rows[:1] * 1e7  # beyond half precision: asked exactly, and an index it must not stop
    assert here.nearest(huge, 1).exact
    with here.database.unit() as unit:
        unit.connection.execute("INSERT INTO items SELECT project_id, 260, 'x', 'x', 'pool' FROM items LIMIT 1")
    here.write_block(260, huge)
    assert here.bring([260]) == 1
    assert (here.set().indexed, here.set().indexable) == (False, False)
    loop.tend(here.database, here.id, here.vectors(), seed=0)
    assert not here.set().indexed


def test_vectors_too_large_for_half_precision_are_found_when_the_index_is_due(fill, monkeypatch):
    monkeypatch.setattr(labeled, "INDEX_FROM", 10)
    here = fill(clustered(30, 2500) * 1e7)
    here.bring(list(range(20)))
    loop.tend(here.database, here.id, here.vectors(), seed=0)
    assert (here.set().indexed, here.set().indexable) == (False, False)


def test_a_scorer_gets_every_labeled_vector_and_exact_distances(fill, runtime: Runtime, monkeypatch):
    here = fill(clustered(500, 6))
    assert loop.labeled_vectors(runtime, here.id, 0).shape == (0, 0)
    asked = np.arange(0, 500, 7)
    assert np.isinf(loop.nearest_distances(runtime, here.id, 0, asked, here.rows[asked])).all()
    chosen = np.random.default_rng(2).permutation(500)[:90]
    here.bring(chosen.tolist())
    np.testing.assert_array_equal(loop.labeled_vectors(runtime, here.id, 90), here.rows[chosen])
    expected = brute(here.rows[asked], here.rows[chosen], chosen, 1)[1][:, 0]
    there = loop.nearest_distances(runtime, here.id, 90, asked, here.rows[asked])
    monkeypatch.setattr(loop, "_PAIRS_THERE", 0)
    folded = loop.nearest_distances(runtime, here.id, 90, asked, here.rows[asked])
    assert there.dtype == folded.dtype == np.float64
    np.testing.assert_allclose(there, expected, atol=1e-6)
    np.testing.assert_allclose(folded, expected, atol=1e-6)
    np.testing.assert_array_equal(there == 0, folded == 0)
    assert loop.nearest_distances(runtime, here.id, 90, asked[:0], here.rows[:0]).shape == (0,)


def test_an_old_pgvector_is_refused_with_what_to_do(database_url: str):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'")
    with pytest.raises(Unavailable, match=r"pgvector 0\.8\.3 is too old") as caught:
        migrate.migrate(database_url)
    assert "ALTER EXTENSION vector UPDATE" in (caught.value.remedy or "")
