"""Real servers for every test that asks: one Postgres and one Valkey a session, a fresh database a test."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.embedded.ports import choose_port
from tithe.embedded.postgres import Postgres
from tithe.embedded.supervisor import Supervisor
from tithe.embedded.valkey import Valkey
from tithe.runtime import Runtime
from tithe.settings import Settings
from tithe.storage import projects
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

_numbers = itertools.count()
# Whoever calls from this machine is an admin, in every gateway that a test starts; tests of people switch it off.
os.environ["TITHE_OPEN_LOOPBACK"] = "true"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Postgres with pgvector; its URL names a migrated database that nobody writes to."""
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder, choose_port(None, ()), durable=False)
    server.prepare()
    supervisor = Supervisor()
    supervisor.start([server.spec(folder / "postgres.log")])
    server.create_database()
    migrate(server.url)
    yield server.url
    supervisor.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Valkey."""
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder, choose_port(None, ()))
    server.prepare()
    supervisor = Supervisor()
    supervisor.start([server.spec(folder / "valkey.log")])
    yield server.url
    supervisor.stop()


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A database of the test's own, cloned from the migrated one."""
    name = f"test_{next(_numbers)}_{uuid.uuid4().hex[:8]}"
    admin = postgres.rpartition("/")[0] + "/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE tithe").format(sql.Identifier(name)))
    yield postgres.rpartition("/")[0] + "/" + name
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's own database, open."""
    with Database(database_url, connections=10) as opened:
        yield opened


@pytest.fixture
def runtime(database_url: str, database: Database, tmp_path: Path) -> Runtime:
    """What a service is given, on the test's own database and folder."""
    settings = Settings(database_url=database_url, data=tmp_path / "data", _env_file=None)
    return Runtime(settings, database)


@pytest.fixture
def project(database: Database) -> Project:
    """A small text project: two classes, batches of 5, a round every 10 labels."""
    spec = ProjectSpec(
        name="mail",
        task=Task.TEXT,
        labels=["ham", "spam"],
        encoder="hashing",
        batch_size=5,
        retrain_every=10,
        seed=7,
        control=0.0,
    )
    return database.run(lambda unit: projects.create(unit, spec))
