"""Rings what waits: sends the message of every job that is ready and unsent, or was sent and never claimed."""

from __future__ import annotations

import structlog
from kombu.exceptions import OperationalError

from tithe.bus.celery import Bus, publish
from tithe.storage import jobs
from tithe.storage.database import Database, Unit

_log = structlog.get_logger("tithe.bus")


def ring(database: Database, app: Bus, again_seconds: float, limit: int = 200) -> int:
    """Send up to `limit` messages; how many were sent. Without a broker none is, and none is lost.

    A message sent twice (the process died before it noted that) meets a row that is claimed already.
    """

    def work(unit: Unit) -> int:
        sent: list[int] = []
        for bell in jobs.to_ring(unit, again_seconds, limit):
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
