"""The three walks on real rows: items arrive, a labeler asks, labels arrive."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec, Task
from tithe.contracts.tasks import EmbedBlock
from tithe.errors import InvalidLabel, KeyReused, NotFound, StaleClaim
from tithe.loop import ingest
from tithe.loop import rounds as turns
from tithe.loop.hand_out import hand_out, release
from tithe.loop.record import Sent, record
from tithe.storage import answers, jobs, pool, projects, queue, rounds
from tithe.storage.database import Database

from .driving import answer, choices, embed_all, expire, fill, line, run_round


def test_items_are_numbered_without_gaps_and_sent_again_they_are_duplicates(database: Database, project: Project):
    first = fill(database, project, [line(n) for n in range(15)])
    again = fill(database, project, [line(n) for n in range(25)])
    assert (first.accepted, again.accepted, again.duplicates) == (15, 10, 15)
    with database.unit() as unit:
        counters = pool.read(unit, project.id)
        ordinals = [row[0] for row in unit.connection.execute("SELECT ordinal FROM items ORDER BY 1").fetchall()]
    assert counters.item_count == counters.planned_count == 25
    assert ordinals == list(range(25))


def test_an_id_that_names_other_content_is_a_clash_and_loses_nothing_else(database: Database, project: Project):
    fill(database, project, [line(1)])
    chunk = fill(database, project, [line(1, text="something else"), line(2)])
    assert [external_id for _, external_id in chunk.clashes] == ["i1"]
    assert chunk.accepted == 1


def test_a_labeler_never_waits_for_a_round(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    handed = hand_out(database, project.id, "ada", None)
    assert len(handed.items) == 5
    assert {item.chosen_by for item in handed.items} == {"random"}


def test_the_same_annotator_asking_again_gets_the_open_batch(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    first, second = hand_out(database, project.id, "ada", None), hand_out(database, project.id, "ada", None)
    assert first.batch is not None
    assert second.batch is not None
    assert first.batch.id == second.batch.id
    assert [i.external_id for i in first.items] == [i.external_id for i in second.items]


def test_ranked_items_come_best_first_and_to_one_annotator_only(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    embed_all(database, project)
    run_round(database, project, choices([7, 3, 11, 2, 5, 13, 1]), trains=False)
    ada, bob = hand_out(database, project.id, "ada", 4), hand_out(database, project.id, "bob", 3)
    assert [i.ordinal for i in ada.items] == [7, 3, 11, 2]
    assert [i.ordinal for i in bob.items] == [5, 13, 1]
    assert ada.staleness.round_number == 0


def test_labels_cross_the_threshold_once_and_open_one_round(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(40)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(30))), trains=False)
    opened = [answer(database, project, hand_out(database, project.id, "ada", 4)).round_requested for _ in range(4)]
    assert opened == [None, None, 1, None]  # at 12, past the threshold of 10
    run_round(database, project, choices(list(range(30))), trains=True)
    with database.unit() as unit:
        assert rounds.unfinished(unit, project.id) is None
        assert [p.label_count for p in rounds.history(unit, project.id)] == [12]


def test_a_lapsed_batch_goes_to_the_next_and_a_late_answer_is_kept_but_not_counted(
    database: Database, project: Project
):
    fill(database, project, [line(n) for n in range(5)])
    late = hand_out(database, project.id, "ada", 5)
    expire(database)
    fresh = hand_out(database, project.id, "bob", 5)
    assert {i.ordinal for i in fresh.items} == {i.ordinal for i in late.items}
    answer(database, project, fresh, "spam")
    outcome = answer(database, project, late, "ham")
    assert {o["outcome"] for o in outcome.outcomes} == {"superseded"}
    with database.unit() as unit:
        states = unit.connection.execute("SELECT state, count(*) FROM answers GROUP BY 1 ORDER BY 1").fetchall()
        assert states == [("counted", 5), ("superseded", 5)]
        assert answers.progress(unit, project.id).label_count == 5


def test_a_late_answer_counts_while_nobody_took_the_item_over(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(10)])
    late = hand_out(database, project.id, "ada", 5)
    expire(database)
    hand_out(database, project.id, "bob", 1)  # takes the lapsed batch back
    outcome = answer(database, project, late)
    counted = [o for o in outcome.outcomes if o["outcome"] == "counted"]
    assert len(counted) >= 4
    again = answer(database, project, late)
    assert {o["outcome"] for o in again.outcomes} <= {"duplicate", "superseded"}


def test_the_same_call_with_the_same_key_is_answered_the_same_and_counts_once(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(5)])
    handed = hand_out(database, project.id, "ada", 5)
    assert handed.batch is not None
    sent = [Sent(i.external_id, "ham") for i in handed.items]
    first = record(database, project.id, handed.batch.id, sent, "k1")
    second = record(database, project.id, handed.batch.id, sent, "k1")
    assert (first[1], second[1]) == (False, True)
    assert first[0] == second[0]
    with pytest.raises(KeyReused):
        record(database, project.id, handed.batch.id, sent[:2], "k1")
    with database.unit() as unit:
        assert answers.progress(unit, project.id).paid_count == 5


def test_one_bad_label_refuses_the_call_names_the_place_and_stores_nothing(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(5)])
    handed = hand_out(database, project.id, "ada", 5)
    assert handed.batch is not None
    sent = [Sent(i.external_id, "ham") for i in handed.items]
    sent[3] = Sent(sent[3].item_id, "spma")
    with pytest.raises(InvalidLabel) as refused:
        record(database, project.id, handed.batch.id, sent)
    assert refused.value.place == "labels[3].label"
    assert "spam" in (refused.value.remedy or "")
    with pytest.raises(NotFound):
        record(database, project.id, handed.batch.id, [Sent("nobody", "ham")])
    with database.unit() as unit:
        assert answers.progress(unit, project.id).answer_seq == 0


def test_the_budget_counts_labels_received_and_stops_the_hand_out(database: Database, project: Project):
    database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(budget=7)))
    fill(database, project, [line(n) for n in range(30)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(20))), trains=False)
    ada = hand_out(database, project.id, "ada", 5)
    bob = hand_out(database, project.id, "bob", 5)
    assert len(bob.items) == 2
    assert hand_out(database, project.id, "eve", 5).empty_because == "budget_reserved"
    assert bob.batch is not None
    release(database, project.id, bob.batch.id)
    assert len(hand_out(database, project.id, "eve", 5).items) == 2
    answer(database, project, ada)
    last = answer(database, project, hand_out(database, project.id, "eve", 5))
    assert last.round_requested == 1  # the budget is spent: what is left is trained on
    assert hand_out(database, project.id, "ada", 5).empty_because == "budget_spent"


def test_a_skip_settles_the_item_and_is_not_paid(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(3)])
    handed = hand_out(database, project.id, "ada", 3)
    assert handed.batch is not None
    record(database, project.id, handed.batch.id, [Sent(i.external_id, skip=True, note="blank") for i in handed.items])
    assert hand_out(database, project.id, "bob", 3).empty_because == "pool_exhausted"
    with database.unit() as unit:
        progress = answers.progress(unit, project.id)
    assert (progress.skip_count, progress.label_count, progress.paid_count) == (3, 0, 0)


def test_with_overlap_two_each_item_gets_two_people_and_nobody_the_same_item_twice(database: Database):
    spec = ProjectSpec(name="two", task=Task.TEXT, labels=["a", "b"], encoder="hashing", overlap=2, batch_size=4)
    project = database.run(lambda unit: projects.create(unit, spec))
    fill(database, project, [line(n) for n in range(4)])
    embed_all(database, project)
    run_round(database, project, choices([0, 1, 2, 3]), trains=False)
    ada, bob = hand_out(database, project.id, "ada", 4), hand_out(database, project.id, "bob", 4)
    assert [i.ordinal for i in ada.items] == [i.ordinal for i in bob.items] == [0, 1, 2, 3]
    assert hand_out(database, project.id, "eve", 4).empty_because == "all_leased"
    answer(database, project, ada, "a")
    assert hand_out(database, project.id, "ada", 4).empty_because == "all_leased"
    answer(database, project, bob, "b")
    assert hand_out(database, project.id, "eve", 4).empty_because == "pool_exhausted"


def test_labels_that_come_with_items_seed_the_training_set_and_are_never_asked(database: Database, project: Project):
    items = [line(n, label="ham" if n % 2 else "spam") for n in range(12)]
    items += [line(n, split="test", label="ham") for n in range(12, 20)] + [line(20)]
    chunk = fill(database, project, items)
    assert chunk.labeled == 20
    handed = hand_out(database, project.id, "ada", 10)
    assert [i.external_id for i in handed.items] == ["i20"]
    embed_all(database, project)
    with database.unit() as unit:
        current = rounds.unfinished(unit, project.id)
        assert current is not None
        assert (current.reason, current.label_count) == ("labels", 12)
        assert len(answers.training_set(unit, project.id, current.watermark, "pool")) == 12
        assert len(answers.training_set(unit, project.id, current.watermark, "test")) == 8


def test_a_file_sent_again_with_labels_filled_in_adds_the_labels(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(4)])
    chunk = fill(database, project, [line(n, label="ham") for n in range(4)])
    assert (chunk.accepted, chunk.duplicates, chunk.labeled) == (0, 4, 4)
    assert fill(database, project, [line(n, label="ham") for n in range(4)]).labeled == 0


def test_a_failed_round_leaves_the_old_queue_and_the_next_labels_open_another(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(60)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(50))), trains=False)
    answer(database, project, hand_out(database, project.id, "ada", 10))
    with database.unit() as unit:
        current = rounds.unfinished(unit, project.id)
        assert current is not None
        turns.fail_round(unit, current.id, "disk full")
    assert [i.ordinal for i in hand_out(database, project.id, "bob", 3).items] == [10, 11, 12]
    answer(database, project, hand_out(database, project.id, "bob", 3))
    assert answer(database, project, hand_out(database, project.id, "ada", 10)).round_requested == 2


def test_of_two_claims_one_gets_the_job_and_a_stale_owner_writes_nothing(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(10)])
    message = EmbedBlock(project_id=project.id, start=0)
    first = database.run(lambda unit: jobs.claim(unit, message, "one"))
    assert first is not None
    assert database.run(lambda unit: jobs.claim(unit, message, "two")) is None
    with database.unit() as unit:
        unit.connection.execute("UPDATE jobs SET heartbeat_at = clock_timestamp() - interval '1 min'")
    assert [j.state for j in database.run(lambda unit: jobs.lapse(unit, 10, 4))] == ["ready"]
    second = database.run(lambda unit: jobs.claim(unit, message, "two"))
    assert second is not None
    assert second.fence > first.fence
    with pytest.raises(StaleClaim), database.unit() as unit:
        ingest.finish_block(unit, first, 0, path="x", sha256="0", size=1, dimension=2)
    with database.unit() as unit:
        found = pool.block(unit, project.id, 0)
        assert found is not None
        assert found.state == "planned"


def test_answers_cannot_be_changed_or_deleted(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(3)])
    answer(database, project, hand_out(database, project.id, "ada", 3))
    for statement in ("UPDATE answers SET value = '\"spam\"'", "DELETE FROM answers"):
        with pytest.raises(psycopg.errors.RestrictViolation), database.unit() as unit:
            unit.connection.execute(statement)


def test_a_deleted_project_is_gone_at_once_and_purged_later(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(3)])
    answer(database, project, hand_out(database, project.id, "ada", 3))
    database.run(lambda unit: projects.delete(unit, project.id))
    with pytest.raises(NotFound):
        hand_out(database, project.id, "ada", 3)
    sliced = []
    while done := database.run(lambda unit: projects.purge_slice(unit, 0, rows=2)):
        sliced.append(done)
    assert sliced[-1] == (project.id, True)
    assert len(sliced) > 3
    with database.unit() as unit:
        assert unit.connection.execute("SELECT count(*) FROM answers").fetchone() == (0,)


def test_batches_of_another_project_are_not_found(database: Database, project: Project):
    other = database.run(
        lambda unit: projects.create(unit, ProjectSpec(name="other", task=Task.TEXT, labels=["a", "b"]))
    )
    fill(database, project, [line(n) for n in range(3)])
    handed = hand_out(database, project.id, "ada", 3)
    assert handed.batch is not None
    with pytest.raises(NotFound):
        record(database, other.id, handed.batch.id, [Sent("i0", "a")])
    with pytest.raises(NotFound):
        record(database, project.id, UUID(int=1), [Sent("i0", "ham")])


def test_unsent_work_is_rung_once_and_again_when_nobody_came(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(10)])
    with database.unit() as unit:
        bells = jobs.to_ring(unit, 10, 100)
        jobs.rung(unit, [bell.id for bell in bells])
    assert [bell.topic for bell in bells] == ["block.embed"]
    assert database.run(lambda unit: jobs.to_ring(unit, 10, 100)) == []
    with database.unit() as unit:
        unit.connection.execute("UPDATE jobs SET rung_at = clock_timestamp() - interval '1 min'")
        assert len(jobs.to_ring(unit, 10, 100)) == 1


def test_the_ready_queue_counts_what_it_still_holds(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(12))), trains=False)
    handed = hand_out(database, project.id, "ada", 5)
    with database.unit() as unit:
        assert queue.depth(unit, project.id) == 7
    assert handed.batch is not None
    release(database, project.id, handed.batch.id)
    with database.unit() as unit:
        assert queue.depth(unit, project.id) == 12
