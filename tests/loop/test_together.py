"""Many at once: threads that lease, answer, lapse, release and repeat themselves, and the invariants after it."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from tithe.contracts.projects import Project, ProjectPatch
from tithe.errors import TitheError
from tithe.loop.hand_out import hand_out, heartbeat, release
from tithe.loop.record import Sent, record
from tithe.storage import answers, checks, projects, rounds
from tithe.storage.database import Database

from .driving import choices, embed_all, expire, fill, line, run_round


def labeler(database: Database, project: Project, seed: int, acknowledged: list[tuple[int, str]]) -> None:
    chance = random.Random(seed)
    name = f"annotator {seed}"
    for turn in range(12):
        handed = hand_out(database, project.id, name, chance.choice([1, 3, 7]))
        if handed.batch is None:
            continue
        sent = [Sent(i.external_id, chance.choice(["ham", "spam"]), skip=False) for i in handed.items]
        fate = chance.random()
        if fate < 0.1:
            release(database, project.id, handed.batch.id)
        elif fate < 0.2:
            expire(database)
        if fate < 0.3:
            try:
                heartbeat(database, project.id, handed.batch.id)
            except TitheError as refused:
                assert refused.code == "batch_closed"  # noqa: PT017
        chance.shuffle(sent)
        for part in (sent[:2], sent):  # a part first, then everything: the part comes twice
            if part:
                done, _ = record(database, project.id, handed.batch.id, part, f"{seed}-{turn}-{len(part)}")
                ordinals = {i.external_id: i.ordinal for i in handed.items}
                acknowledged += [(ordinals[o["item_id"]], name) for o in done.outcomes if o["outcome"] == "counted"]


def test_nothing_is_lost_or_counted_twice_by_eight_labelers_at_once(database: Database, project: Project):
    database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(overlap=2, budget=350)))
    fill(database, project, [line(n) for n in range(200)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(150))), trains=False)
    acknowledged: list[tuple[int, str]] = []
    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(labeler, database, project, seed, acknowledged) for seed in range(8)]:
            future.result()
    assert database.run(checks.check) == []
    with database.unit() as unit:
        stored = unit.connection.execute("SELECT ordinal, annotator FROM answers WHERE state = 'counted'").fetchall()
        progress = answers.progress(unit, project.id)
    assert sorted(stored) == sorted(set(acknowledged))  # a replayed call acknowledges again, it does not count again
    assert progress.label_count == len(stored)


def test_of_many_labels_that_cross_the_threshold_together_one_opens_the_round(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(80)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(60))), trains=False)
    batches = [hand_out(database, project.id, f"a{n}", 5) for n in range(8)]
    gate = threading.Barrier(8)

    def answer_at_once(handed) -> int | None:
        gate.wait()
        return record(database, project.id, handed.batch.id, [Sent(i.external_id, "ham") for i in handed.items])[
            0
        ].round_requested

    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(answer_at_once, batches))
    assert sorted(opened, key=str) == [1, *[None] * 7]
    with database.unit() as unit:
        assert len(rounds.page(unit, project.id, -1, 10)) == 2


def test_two_last_shards_at_once_ask_for_selection_once(database: Database, project: Project):
    from tithe.contracts.tasks import ScoreShard
    from tithe.loop import rounds as turns
    from tithe.storage import jobs

    fill(database, project, [line(n) for n in range(40)])
    with database.unit() as unit:  # four blocks, a hole after the first: two shards
        unit.connection.execute("UPDATE blocks SET rows = 5 WHERE start = 0")
    embed_all(database, project)
    with database.unit() as unit:
        current = rounds.unfinished(unit, project.id)
        assert current is not None
        shards = rounds.shards(unit, current.id)
    while len(shards) < 2:  # the first block alone opened the round: make its second shard by hand
        with database.unit() as unit:
            rounds.add_shards(unit, current.id, [(0, 5), (10, 40)])
            unit.send(ScoreShard(round_id=current.id, shard=1), project.id)
            shards = rounds.shards(unit, current.id)
    claims = [
        database.run(lambda unit, n=n: jobs.claim(unit, ScoreShard(round_id=current.id, shard=n), "t")) for n in (0, 1)
    ]
    gate = threading.Barrier(2)

    def finish(number: int) -> None:
        gate.wait()
        claim = claims[number]
        assert claim is not None
        with database.unit() as unit:
            turns.finish_shard(unit, claim, number, lists=[], scored=0, seconds=0.0)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(finish, (0, 1)))
    with database.unit() as unit:
        jobs_of = unit.connection.execute("SELECT count(*) FROM jobs WHERE topic = 'round.select'").fetchone()
    assert jobs_of == (1,)
