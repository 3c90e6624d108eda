"""Turns rounds by the real handlers, in this process: what the tests of whole rounds share."""

from __future__ import annotations

from collections.abc import Mapping

from tithe.contracts.projects import Project
from tithe.contracts.tasks import MESSAGES
from tithe.loop import ingest
from tithe.loop.hand_out import hand_out
from tithe.loop.ingest import BlockSizes
from tithe.loop.record import Sent, record
from tithe.loop.work import Delivery, deliver
from tithe.prover.handlers import HANDLERS as PROVER
from tithe.runtime import Runtime
from tithe.scorer.handlers import HANDLERS as SCORER
from tithe.storage import jobs
from tithe.storage.pool import NewItem
from tithe.sync.handlers import HANDLERS as SYNC
from tithe.trainer.handlers import HANDLERS as TRAINER
from tithe.worker import _resolve


def work_off(runtime: Runtime, limit: int = 200, *, but: str = "") -> list[str]:
    """Do every job that waits, as the workers would, until none is left; none of the topic `but`."""
    delivery = Delivery(runtime.database, "test", 1.0, 3)
    handlers = {**TRAINER, **SCORER, **SYNC, **PROVER}
    done: list[str] = []
    while len(done) < limit:
        with runtime.database.unit() as unit:
            bells = [bell for bell in jobs.to_ring(unit, 0.0, 100) if bell.topic != but]
        if not bells:
            return done
        for bell in bells:
            message = MESSAGES[bell.topic].model_validate(bell.body)
            handle = _resolve(handlers[type(message)])
            assert deliver(delivery, message, lambda claim, m=message, h=handle: h(runtime, m, claim))
            done.append(bell.topic)
    raise AssertionError(f"no end: {done[-10:]}")


def bring_in(runtime: Runtime, project: Project, items: list[NewItem], block_rows: int) -> None:
    sizes = BlockSizes(block_rows, block_rows)
    import_id = ingest.start(runtime.database, project.id)
    ingest.admit(runtime.database, project.id, import_id, items, 0, sizes)
    ingest.finish(runtime.database, project.id, import_id, sizes, whole=True)
    ingest.plan_left_over(runtime.database, 0.0, sizes)


def label(runtime: Runtime, project: Project, truth: Mapping[str, object], count: int) -> None:
    for _ in range(count // 10):
        handed = hand_out(runtime.database, project.id, "ada", 10)
        assert handed.batch is not None
        sent = [Sent(item.external_id, truth[item.external_id]) for item in handed.items]
        record(runtime.database, project.id, handed.batch.id, sent)
