"""From a message to its handler: claim the row, keep its heart beating, finish or give it back.

The handler commits its effects and :func:`tithe.storage.jobs.finish` in one transaction, so a job is done exactly when
its effects are there, whichever process dies in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from tithe import policy
from tithe.contracts.tasks import MachineLabel, PredictTexts, ScoreShard, SelectReady, TaskMessage, TrainRound
from tithe.errors import BlockLost, Hopeless, NotFound, StaleClaim, TitheError
from tithe.loop import ingest
from tithe.loop import rounds as turns
from tithe.storage import jobs, machine, predictions
from tithe.storage.database import Database, Unit
from tithe.storage.jobs import Claim

#: Work without which its round cannot go on.
ROUND_TOPICS = frozenset(m.topic for m in (TrainRound, ScoreShard, SelectReady))
_log = structlog.get_logger("tithe.work")


@dataclass(frozen=True)
class Delivery:
    """How messages are delivered in this worker."""

    database: Database
    worker: str
    heartbeat_seconds: float
    attempts: int


def deliver(delivery: Delivery, message: TaskMessage, handle: Callable[[Claim], None]) -> bool:
    """Do the message's work if it still waits to be done; False: there was none.

    A failure goes back to the row with its reason, to be tried again later, or fails the round when it was tried often
    enough or trying again cannot help.
    """
    claimed = delivery.database.run(lambda unit: jobs.claim(unit, message, delivery.worker))
    if claimed is None:
        return False
    log = _log.bind(topic=message.topic, subject=str(claimed.subject), part=message.part(), attempt=claimed.attempt)
    try:
        with _heartbeat(delivery, claimed):
            handle(claimed)
    except StaleClaim:
        log.warning("claim_lost")
    except NotFound as gone:  # the project was deleted, and with it the reason to do this
        log.info("job_moot", reason=gone.message)
    # Whatever a handler raises is a fact about this job, not about the worker: it is kept with the job.
    except Exception as error:
        log.exception("job_failed")
        _give_back(delivery, claimed, error)
    else:
        log.info("job_done")
    return True


def _give_back(delivery: Delivery, claimed: Claim, error: Exception) -> None:
    reason = error.message if isinstance(error, TitheError) else f"{type(error).__name__}: {error}"
    if isinstance(error, TitheError) and error.remedy:
        reason += f"; {error.remedy}"

    def work(unit: Unit) -> None:
        if isinstance(error, BlockLost):
            ingest.encode_again(unit, claimed.project_id, error.facts["starts"])
        state = jobs.give_back(
            unit, claimed, reason, attempts=delivery.attempts,
            delay_seconds=policy.retry_delay_seconds(claimed.attempt), hopeless=isinstance(error, Hopeless),
        )  # fmt: skip
        if state == "failed":
            fail_subject(unit, claimed.topic, claimed.subject, reason)

    delivery.database.run(work)


def fail_subject(unit: Unit, topic: str, subject: UUID, reason: str) -> None:
    """A job failed for good: fail what it belongs to. Encoding belongs to no round; the keeper tries it again later."""
    if topic in ROUND_TOPICS:
        turns.fail_round(unit, subject, f"{topic}: {reason}")
    elif topic == PredictTexts.topic:
        predictions.fail(unit, subject, reason)
    elif topic == MachineLabel.topic:
        machine.end(unit, subject, "broken", reason)


@contextmanager
def _heartbeat(delivery: Delivery, claimed: Claim) -> Iterator[None]:
    """Say every few seconds that the owner lives, from a side thread: training holds this one for long."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(delivery.heartbeat_seconds):
            try:
                if not delivery.database.run(lambda unit: jobs.beat(unit, claimed), attempts=1):
                    return  # taken over: the fence will refuse our effects
            except TitheError:
                _log.warning("heartbeat_missed", job=claimed.id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)
