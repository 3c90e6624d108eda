"""Connections and transactions: `Database` hands out units of work, a `Unit` is one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar
from uuid import UUID

import psycopg
import tenacity
from psycopg import errors as pg
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from tithe.contracts.tasks import TaskMessage
from tithe.errors import Conflict, Unavailable
from tithe.storage.queries import queries

T = TypeVar("T")

#: Somebody else won this moment; the same transaction may be tried again from its beginning.
_TRANSIENT = (pg.DeadlockDetected, pg.SerializationFailure)
#: The server went away under us. A transaction that is idempotent may be tried again.
_GONE = (psycopg.OperationalError, psycopg.InterfaceError)


def _may_be_tried_again(error: BaseException) -> bool:
    return isinstance(error, _GONE) and not isinstance(error, pg.QueryCanceled)


class Unit:
    """One transaction. Everything done through it is committed together or not at all."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def rows(self, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """Run the named query; its rows as tuples."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(queries()[name], values).fetchall()

    def all(self, name: str, into: type[T], /, **values: Any) -> list[T]:
        """Run the named query; each row as an `into`, columns matched to fields by name."""
        with self.connection.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(queries()[name], values).fetchall()

    def one(self, name: str, into: type[T], /, **values: Any) -> T | None:
        """Run the named query; its first row as an `into`, or None."""
        with self.connection.cursor(row_factory=class_row(into)) as cursor:
            return cursor.execute(queries()[name], values).fetchone()

    def value(self, name: str, /, **values: Any) -> Any:
        """Run the named query; the first column of its first row, or None."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(queries()[name], values).fetchone()
        return row[0] if row else None

    def run(self, name: str, /, **values: Any) -> int:
        """Run the named query for its effect; how many rows it touched."""
        return self.connection.execute(queries()[name], values).rowcount

    def stream(self, name: str, /, size: int = 1000, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Run the named query through a server-side cursor: bounded memory, whatever its size."""
        with self.connection.cursor(name=name.replace(".", "_"), row_factory=tuple_row) as cursor:
            cursor.itersize = size
            yield from cursor.execute(queries()[name], values)

    def send(self, message: TaskMessage, project_id: UUID) -> None:
        """Ask for work: the job row is the fact and the unsent message in one, and commits with whatever caused it.

        Asking again for the same work is no second job.
        """
        self.run(
            "jobs.send",
            topic=message.topic,
            queue=message.queue.value,
            project_id=project_id,
            subject=message.subject(),
            part=message.part(),
            body=Jsonb(message.wire()),
        )


class Database:
    """A pool of connections to one Postgres."""

    def __init__(self, url: str, connections: int = 4, *, statement_seconds: float = 30.0) -> None:
        options = (
            f"-c statement_timeout={int(statement_seconds * 1000)} -c lock_timeout=5000"
            " -c idle_in_transaction_session_timeout=60000 -c plan_cache_mode=force_custom_plan"
        )
        self.url = url
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            kwargs={"options": options, "application_name": "tithe", "connect_timeout": 5},
            timeout=10.0,
            open=False,
        )

    def open(self) -> Self:
        """Open the pool; connections are made as they are needed."""
        self._pool.open(wait=False)
        return self

    def close(self) -> None:
        """Give every connection back."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def unit(self) -> Iterator[Unit]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        try:
            with self._pool.connection() as connection, connection.transaction():
                yield Unit(connection)
        except PoolTimeout as error:
            raise Unavailable("the database does not answer", remedy="try again in a few seconds") from error
        except pg.LockNotAvailable as error:
            raise Conflict(
                "somebody else is busy with the same rows",
                remedy="send the same request again in a second",
                retry_after_seconds=1,
            ) from error

    def run(self, work: Callable[[Unit], T], *, attempts: int = 5, repeatable: bool = True) -> T:
        """Do `work` in one transaction, again from the start if a deadlock or a lost connection broke it.

        A commit whose answer was lost is done twice, so `work` must be idempotent as a whole; where it is not, say
        `repeatable=False`, and that one case is raised as Unavailable for the caller to look and decide.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_be_tried_again),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        try:
            return retrying(lambda: self._once(work, repeatable=repeatable))
        except _GONE as error:
            if isinstance(error, (pg.QueryCanceled, *_TRANSIENT)):
                raise Conflict(
                    "the database is too busy for this now",
                    remedy="send it again in a few seconds",
                    retry_after_seconds=5,
                ) from error
            raise Unavailable("the database went away", remedy="try again in a few seconds") from error

    def _once(self, work: Callable[[Unit], T], *, repeatable: bool) -> T:
        committing = False
        try:
            with self.unit() as unit:
                done = work(unit)
                committing = True
        except _GONE as error:
            if committing and not repeatable and not isinstance(error, _TRANSIENT):
                raise Unavailable(
                    "the database went away while this was being stored",
                    remedy="look whether it was, then send it again",
                ) from error
            if not isinstance(error, _TRANSIENT):
                # One connection is dead, so its neighbours may be: drop those now, rather than ask each before use.
                self._pool.check()
            raise
        return done
