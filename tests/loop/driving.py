"""Drives the loop without workers: what the tests of rows share."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from tithe.contracts.projects import Project
from tithe.contracts.tasks import EmbedBlock, ScoreShard, SelectReady, TrainRound
from tithe.loop import ingest
from tithe.loop import rounds as turns
from tithe.loop.hand_out import HandedOut
from tithe.loop.ingest import BlockSizes
from tithe.loop.record import Recorded, Sent, record
from tithe.storage import jobs, pool, rounds
from tithe.storage.database import Database
from tithe.storage.pool import NewItem
from tithe.storage.queue import Choice


def line(number: int, *, split: str = "pool", label: object = None, text: str | None = None, cost: int = 1) -> NewItem:
    """An import's line, its content made from its number."""
    text = text or f"text number {number}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return NewItem(number, f"i{number}", digest, split, text, value=label, cost=cost)


def fill(database: Database, project: Project, items: list[NewItem]) -> ingest.Chunk:
    """Import the lines, in blocks of ten."""
    sizes = BlockSizes(10, 10)
    import_id = ingest.start(database, project.id)
    chunk = ingest.admit(database, project.id, import_id, items, 0, sizes)
    ingest.finish(database, project.id, import_id, sizes, whole=True)
    ingest.plan_left_over(database, 0.0, sizes)
    return chunk


def expire(database: Database) -> None:
    """Let every open batch lapse."""
    with database.unit() as unit:
        unit.connection.execute(
            "UPDATE batches SET expires_at = clock_timestamp() - interval '1 s' WHERE state = 'open'"
        )


def answer(
    database: Database, project: Project, handed: HandedOut, label: str = "ham", key: str | None = None
) -> Recorded:
    """Answer the whole batch."""
    assert handed.batch is not None
    return record(database, project.id, handed.batch.id, [Sent(i.external_id, label) for i in handed.items], key)[0]


def embed_all(database: Database, project: Project) -> None:
    """Mark every block encoded, the last one as the scorer would: what it opens sees the whole pool."""
    with database.unit() as unit:
        run = unit.connection.execute
        starts = [row[0] for row in run("SELECT start FROM blocks WHERE state = 'planned' ORDER BY start").fetchall()]
        for start in starts[:-1]:
            pool.mark_block_ready(unit, project.id, start, path="x", sha256="0", size=1, dimension=2)
        run("UPDATE jobs SET state = 'done' WHERE topic = 'block.embed' AND part = ANY(%s)", (starts[:-1],))
    for start in starts[-1:]:
        embed(database, project, start)


def embed(database: Database, project: Project, start: int) -> None:
    """Mark one block encoded, as the scorer would."""
    with database.unit() as unit:
        claim = jobs.claim(unit, EmbedBlock(project_id=project.id, start=start), "test")
        assert claim is not None
        ingest.finish_block(unit, claim, start, path="x", sha256="0", size=1, dimension=2)


def run_round(database: Database, project: Project, chosen: list[Choice], *, trains: bool) -> None:
    """Walk the unfinished round to its end, as the workers would."""
    with database.unit() as unit:
        current = rounds.unfinished(unit, project.id)
        assert current is not None
    if trains:
        with database.unit() as unit:
            claim = jobs.claim(unit, TrainRound(round_id=current.id), "test")
            assert claim is not None
            assert turns.begin_training(unit, current.id) is not None
        model = turns.Trained(uuid4(), "m", "0", 1, current.label_count, 0.5, "test_set", {})
        database.run(lambda unit: turns.finish_training(unit, claim, model, {}))
    with database.unit() as unit:
        shards = rounds.shards(unit, current.id)
    for shard in shards:
        with database.unit() as unit:
            claim = jobs.claim(unit, ScoreShard(round_id=current.id, shard=shard.shard), "test")
            assert claim is not None
            turns.finish_shard(unit, claim, shard.shard, lists=[], scored=0, seconds=0.0)
    with database.unit() as unit:
        claim = jobs.claim(unit, SelectReady(round_id=current.id), "test")
        assert claim is not None
        turns.swap_ready(unit, claim, chosen, {})


def choices(ordinals: list[int]) -> list[Choice]:
    """Ready rows in the given order."""
    return [Choice(o, 1.0, "margin", {}) for o in ordinals]
