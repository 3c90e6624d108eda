"""Waking up when the database says so. A notice that is missed costs only the time until the next look."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import structlog
from psycopg import sql

_log = structlog.get_logger("tithe.storage")


def wait_for_notice(url: str, channel: str, *, every_seconds: float, stop: threading.Event) -> Iterator[None]:
    """Yield at once, then at each notice on `channel` and at least every so many seconds, until `stop` is set.

    Uses its own direct connection (a pooler in transaction mode drops LISTEN); reconnects for as long as it takes.
    """
    while not stop.is_set():
        try:
            with psycopg.connect(
                url, autocommit=True, application_name="tithe-notices", connect_timeout=5
            ) as connection:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                while not stop.is_set():
                    yield
                    for _ in connection.notifies(timeout=every_seconds, stop_after=1):
                        pass
        except psycopg.OperationalError as error:
            _log.warning("database_away", reason=str(error))
            yield
            stop.wait(every_seconds)
