"""What a hard look at the loop found, each once a defect: races, failures at the wrong moment, edges of the budget."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg

from tithe.bus.celery import celery_app
from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec, Task
from tithe.contracts.tasks import ScoreShard, TrainRound
from tithe.errors import BlockLost
from tithe.keeper.sweep import Keeper
from tithe.loop import hand_out as desk
from tithe.loop import ingest
from tithe.loop import rounds as turns
from tithe.loop.hand_out import hand_out, reclaim_lapsed, release
from tithe.loop.ingest import BlockSizes
from tithe.loop.work import Delivery, deliver
from tithe.runtime import Runtime
from tithe.storage import answers, checks, jobs, pool, projects, queue, rounds
from tithe.storage.database import Database

from .driving import answer, choices, embed, embed_all, expire, fill, line, run_round


def ranked(database: Database, project: Project, items: int, chosen: list[int]) -> None:
    fill(database, project, [line(n) for n in range(items)])
    embed_all(database, project)
    run_round(database, project, choices(chosen), trains=False)


def unfinished(database: Database, project: Project) -> rounds.Round | None:
    return database.run(lambda unit: rounds.unfinished(unit, project.id))


def fail(database: Database, project: Project) -> None:
    running = unfinished(database, project)
    assert running is not None
    database.run(lambda unit: turns.fail_round(unit, running.id, "disk full"))


def age(database: Database, statement: str) -> None:
    with database.unit() as unit:
        unit.connection.execute(statement)


def test_the_first_block_opens_a_round_and_the_last_one_another_over_them_all(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(100)])
    for start in range(0, 100, 10):
        embed(database, project, start)
    first = unfinished(database, project)
    assert first is not None
    assert first.pool_count == 10
    run_round(database, project, choices(list(range(10))), trains=False)
    second = unfinished(database, project)
    assert second is not None
    assert (second.reason, second.pool_count) == ("pool_grew", 100)


def test_labels_that_came_during_a_round_that_failed_are_trained_on(database: Database, project: Project):
    database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(budget=15)))
    ranked(database, project, 40, list(range(30)))
    assert answer(database, project, hand_out(database, project.id, "ada", 10)).round_requested == 1
    assert answer(database, project, hand_out(database, project.id, "ada", 10)).round_requested is None
    fail(database, project)
    again = unfinished(database, project)
    assert again is not None
    assert again.label_count == 15


def test_a_last_round_that_fails_is_tried_again_later_and_not_for_ever(database: Database, project: Project):
    database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(budget=10)))
    ranked(database, project, 40, list(range(30)))
    answer(database, project, hand_out(database, project.id, "ada", 10))
    for _ in range(3):
        fail(database, project)
        assert database.run(lambda unit: rounds.to_retry(unit, after_seconds=60, most=3)) == []
        age(database, "UPDATE rounds SET ended_at = ended_at - interval '1 h'")
        due = database.run(lambda unit: rounds.to_retry(unit, after_seconds=60, most=3))
        assert due == [project.id]
        assert turns.reopen(database, project.id, "retry")
    fail(database, project)
    age(database, "UPDATE rounds SET ended_at = ended_at - interval '1 h'")
    assert database.run(lambda unit: rounds.to_retry(unit, after_seconds=60, most=3)) == []


def test_a_model_whose_scoring_failed_is_a_point_of_the_history_too(database: Database, project: Project):
    ranked(database, project, 40, list(range(30)))
    answer(database, project, hand_out(database, project.id, "ada", 10))
    running = unfinished(database, project)
    assert running is not None
    claim = database.run(lambda unit: jobs.claim(unit, TrainRound(round_id=running.id), "test"))
    assert claim is not None
    database.run(lambda unit: turns.begin_training(unit, running.id))
    model = turns.Trained(uuid4(), "m", "0", 1, 10, 0.9, "test_set", {})
    database.run(lambda unit: turns.finish_training(unit, claim, model, {}))
    fail(database, project)
    with database.unit() as unit:
        assert [point.label_count for point in rounds.history(unit, project.id)] == [10]


def test_an_imported_label_and_a_hand_out_never_both_get_an_item(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(30)])
    gate = threading.Barrier(2)

    def bring_labels() -> None:
        import_id = ingest.start(database, project.id)
        gate.wait()
        for n in range(30):
            ingest.admit(database, project.id, import_id, [line(n, label="spam")], 0, BlockSizes(10, 10))

    def label() -> None:
        gate.wait()
        while (handed := hand_out(database, project.id, "ada", 1)).batch is not None:
            answer(database, project, handed)

    with ThreadPoolExecutor(2) as threads:
        for future in (threads.submit(bring_labels), threads.submit(label)):
            future.result()
    assert database.run(checks.check) == []
    with database.unit() as unit:
        states = dict(unit.connection.execute("SELECT state, count(*) FROM answers GROUP BY 1").fetchall())
        assert answers.progress(unit, project.id).settled_slots == states["counted"] == 30


def test_a_label_imported_for_an_answered_item_is_kept_and_does_not_count(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(3)])
    answer(database, project, hand_out(database, project.id, "ada", 3))
    for _ in range(2):
        assert fill(database, project, [line(0, label="spam")]).labeled == 0
    with database.unit() as unit:
        kept = unit.connection.execute("SELECT state, because, value FROM answers WHERE source = 'import'").fetchall()
    assert kept == [("superseded", "item_taken", "spam")]


def test_two_opinions_that_lapse_together_are_both_asked_again(database: Database):
    spec = ProjectSpec(name="two", task=Task.TEXT, labels=["a", "b"], encoder="hashing", overlap=2, batch_size=4)
    project = database.run(lambda unit: projects.create(unit, spec.model_copy(update={"strategy": "margin"})))
    ranked(database, project, 10, [0, 1, 2, 3])
    hand_out(database, project.id, "ada", 4)
    hand_out(database, project.id, "bob", 4)
    expire(database)
    reclaim_lapsed(database)
    with database.unit() as unit:
        assert queue.depth(unit, project.id) == 8


def test_an_item_leased_past_the_queue_and_given_back_is_asked_once(database: Database, project: Project):
    ranked(database, project, 1, [0])
    with psycopg.connect(database.url) as other:
        other.execute("SELECT FROM ready FOR UPDATE")  # somebody is taking it at this moment
        handed = hand_out(database, project.id, "ada", 1)
        other.rollback()
    assert handed.batch is not None
    release(database, project.id, handed.batch.id)
    assert database.run(checks.check) == []


def test_late_answers_do_not_overspend_the_budget(database: Database, project: Project):
    database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(budget=5)))
    ranked(database, project, 40, list(range(20)))
    late = hand_out(database, project.id, "ada", 5)
    expire(database)
    reclaim_lapsed(database)
    age(database, "DELETE FROM ready WHERE rank < 5")  # other items on top, as after a new round
    answer(database, project, hand_out(database, project.id, "bob", 5))
    assert {one["outcome"] for one in answer(database, project, late).outcomes} == {"superseded"}
    with database.unit() as unit:
        assert answers.progress(unit, project.id).paid_count == 5


def test_labelers_do_not_wait_for_a_trainer_that_reads(database: Database, project: Project):
    ranked(database, project, 80, list(range(60)))
    answer(database, project, hand_out(database, project.id, "ada", 10))
    handed = hand_out(database, project.id, "bob", 10)
    running = unfinished(database, project)
    assert running is not None
    with database.unit() as unit:
        turns.begin_training(unit, running.id)
        began = time.monotonic()
        answer(database, project, handed)
        assert time.monotonic() - began < 3


def test_who_has_answered_everything_they_may_is_told_so(database: Database):
    spec = ProjectSpec(name="two", task=Task.TEXT, labels=["a", "b"], encoder="hashing", overlap=2, strategy="margin")
    project = database.run(lambda unit: projects.create(unit, spec))
    fill(database, project, [line(n) for n in range(4)])
    answer(database, project, hand_out(database, project.id, "ada", 4), "a")
    told = hand_out(database, project.id, "ada", 4)
    assert (told.empty_because, told.retry_after_seconds) == ("answered_by_you", None)


def test_skips_that_empty_the_queue_ask_for_a_round(database: Database, project: Project):
    ranked(database, project, 40, list(range(4)))
    age(database, "UPDATE rounds SET ended_at = ended_at - interval '1 min'")
    # Short from the start, as where a pool is all near-duplicates: ranking it again would give the same.
    assert database.run(lambda unit: rounds.running_dry(unit, 10)) == []
    hand_out(database, project.id, "ada", 1)
    assert database.run(lambda unit: rounds.running_dry(unit, 10)) == [project.id]
    assert turns.reopen(database, project.id, "queue_low")
    assert database.run(lambda unit: rounds.running_dry(unit, 10)) == []


def test_a_trickle_of_items_makes_neither_a_file_nor_a_round_each(database: Database, project: Project):
    sizes = BlockSizes(1000, 1000)
    ranked(database, project, 200, list(range(50)))
    for n in range(200, 220):
        import_id = ingest.start(database, project.id)
        ingest.admit(database, project.id, import_id, [line(n)], 0, sizes)
        ingest.finish(database, project.id, import_id, sizes, whole=True)
    with database.unit() as unit:
        assert pool.read(unit, project.id).planned_count == 200
    ingest.plan_left_over(database, 0.0, sizes)
    with database.unit() as unit:
        assert pool.block_counts(unit, project.id)[1] == 21


def test_a_lost_block_is_made_again(database: Database, project: Project, runtime: Runtime):
    fill(database, project, [line(n) for n in range(40)])
    embed_all(database, project)
    running = unfinished(database, project)
    assert running is not None

    def meet_the_loss(_: object) -> None:
        raise BlockLost("gone", starts=[10])

    delivery = Delivery(database, "test", 1.0, 3)
    assert deliver(delivery, ScoreShard(round_id=running.id, shard=0), meet_the_loss)
    with database.unit() as unit:
        lost = pool.block(unit, project.id, 10)
        waiting = unit.connection.execute("SELECT state FROM jobs WHERE topic = 'block.embed' AND part = 10").fetchone()
    assert lost is not None
    assert (lost.state, waiting) == ("planned", ("ready",))


def test_rounds_do_not_stand_behind_encoding_and_waiting_work_does_not_flood_the_broker(
    database: Database, project: Project, runtime: Runtime, broker: str
):
    import redis

    wire = redis.Redis.from_url(broker)
    wire.flushdb()
    fill(database, project, [line(n) for n in range(1000)])  # a hundred blocks
    keeper = Keeper(runtime, celery_app(broker, {}))
    keeper.wake()
    embed(database, project, 0)
    for _ in range(5):
        keeper.wake()
    assert [json.loads(m)["headers"]["task"] for m in wire.lrange("score", 0, -1)] == ["shard.score"]
    assert wire.llen("embed") <= 65
    age(database, "UPDATE jobs SET topic = 'from.the.future' WHERE part = 500")
    keeper.wake()
    wire.close()


def test_the_desk_takes_lapsed_batches_back_by_itself(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(5)])
    hand_out(database, project.id, "ada", 5)
    expire(database)
    assert len(hand_out(database, project.id, "bob", 5).items) == 5
    assert desk.reclaim_lapsed(database) == 0


def test_a_round_of_a_deleted_project_can_still_be_failed(database: Database, project: Project):
    ranked(database, project, 40, list(range(30)))
    answer(database, project, hand_out(database, project.id, "ada", 10))
    running = unfinished(database, project)
    assert running is not None
    database.run(lambda unit: projects.delete(unit, project.id))
    database.run(lambda unit: turns.fail_round(unit, running.id, "its workers died"))
    assert unfinished(database, project) is None
