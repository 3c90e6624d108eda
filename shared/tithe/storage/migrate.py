"""Brings a database to the newest schema. Forward only; two migrators at once take turns."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tithe.errors import Unavailable

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_102_026  # any number, as long as every migrator takes the same
_OLDEST_PGVECTOR = (0, 8, 4)  # HNSW corruption and recall fixes before that are not optional


def migrate(url: str) -> str:
    """Apply every migration that is missing; return the revision reached. Raises Unavailable."""
    engine = _engine(url)
    with _connected(engine) as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            _check_pgvector(connection)
        finally:
            connection.rollback()
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()
    engine.dispose()
    return newest()


def newest() -> str:
    """The revision this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are packaged")
    return head


def current(url: str) -> str | None:
    """The revision the database is at; None: never migrated. Raises Unavailable."""
    engine = _engine(url)
    with _connected(engine) as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return revision


def _engine(url: str) -> sqlalchemy.Engine:
    driver_url = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(driver_url, poolclass=sqlalchemy.NullPool)


def _connected(engine: sqlalchemy.Engine) -> sqlalchemy.Connection:
    try:
        return engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise Unavailable(f"the database does not answer: {reason}", remedy="check TITHE_DATABASE_URL") from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def too_old_pgvector(version: str | None) -> str | None:
    """What is wrong with that version of the extension; None: nothing.

    Examples
    --------
    >>> too_old_pgvector("0.8.3"), too_old_pgvector("0.8.4"), too_old_pgvector("0.10"), too_old_pgvector(None)
    ('pgvector 0.8.3 is too old', None, None, 'pgvector is missing')
    """
    if version is None:
        return "pgvector is missing"
    parts = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")[:3])
    return f"pgvector {version} is too old" if parts < _OLDEST_PGVECTOR else None


#: What to do about a pgvector that is too old.
PGVECTOR_REMEDY = "install pgvector 0.8.4 or newer, then ALTER EXTENSION vector UPDATE"


def _check_pgvector(connection: sqlalchemy.Connection) -> None:
    version = connection.scalar(sqlalchemy.text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    if (fault := too_old_pgvector(version)) is not None:
        raise Unavailable(fault, remedy=PGVECTOR_REMEDY)
