"""Rings what waits: sends the message of every job that is ready and unsent, or was sent and never claimed."""

from __future__ import annotations

import structlog
from kombu.exceptions import OperationalError

from tithe.bus.celery import Bus, publish
from tithe.contracts.tasks import MESSAGES
from tithe.storage import jobs
from tithe.storage.database import Database, Unit

_log = structlog.get_logger("tithe.bus")


def ring(database: Database, app: Bus, again_seconds: float, most: int = 64) -> int:
    """Send what waits, at most `most` of a queue at a time; how many. Without a broker none is sent, and none is lost.

    A message sent twice (the process died before it noted that) meets a row that is claimed already.
    """

    def work(unit: Unit) -> int:
        sent: list[int] = []
        for bell in jobs.to_ring(unit, again_seconds, most):
            if bell.topic not in MESSAGES:  # a newer version's, in a rollout: its own keeper rings it
                _log.warning("unknown_topic", topic=bell.topic)
                continue
            try:
                publish(app, bell.topic, bell.queue, bell.body)
            except (OperationalError, OSError) as error:
                _log.warning("broker_away", reason=str(error))
                break
            sent.append(bell.id)
        if sent:
            jobs.rung(unit, sent)
        return len(sent)

    return database.run(work, attempts=2)
