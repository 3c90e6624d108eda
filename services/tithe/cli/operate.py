"""Commands for whoever runs a server: one service, the migrations, the invariants, a round by hand."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from tithe.cli.address import HERE, Data, Url, connect, database_url, read_settings
from tithe.cli.terminal import terminal
from tithe.errors import BadInput


class Service(StrEnum):
    """The services, by the name of their package."""

    GATEWAY = "gateway"
    TRAINER = "trainer"
    SCORER = "scorer"
    PROVER = "prover"
    SYNC = "sync"
    KEEPER = "keeper"


def worker(service: Annotated[Service, typer.Argument(help="Which service.")]) -> None:
    """Become one service: for containers and process managers. Settings come from TITHE_… variables."""
    settings = read_settings()
    needed = {"TITHE_DATABASE_URL": settings.database_url}
    if service is not Service.GATEWAY:
        needed["TITHE_BROKER_URL"] = settings.broker_url
    for name, value in needed.items():
        if value is None or not value.get_secret_value():
            raise BadInput(
                f"{name} is not set", remedy="set it to your server, or run `tithe up`, which starts its own"
            )
    os.execv(sys.executable, [sys.executable, "-m", f"tithe.{service.value}"])  # noqa: S606 -- our own interpreter


def migrate(data: Data = HERE) -> None:
    """Bring the database to this version's schema. TITHE_DATABASE_URL says which."""
    from tithe.storage.migrate import migrate as bring

    typer.echo(f"the database is at {bring(database_url(data))}")


def check(data: Data = HERE) -> None:
    """Check what must always be true of the database and its files; exit code 1 and a table of what is not."""
    from rich.table import Table

    from tithe.artifacts import ArtifactStore
    from tithe.loop.audit import audit
    from tithe.storage.database import Database

    settings = read_settings()
    store = ArtifactStore(settings.artifacts or data / "artifacts")
    with Database(database_url(data), connections=1, statement_seconds=600) as database:
        found = audit(database, store)
    if not found:
        typer.echo("clean: every invariant holds")
        return
    table = Table("invariant", "project", "what is wrong", title="violated invariants")
    for one in found:
        table.add_row(one.invariant, str(one.project_id or ""), one.detail)
    terminal().print(table)
    raise typer.Exit(1)


def round_(
    project: Annotated[str, typer.Argument(help="The project's name or id.")], url: Url = None, data: Data = HERE
) -> None:
    """Ask for a round now, whatever the labels say."""
    with connect(url, data) as tithe:
        asked = tithe.project(project).ask_for_round()
    typer.echo(f"round {asked.number} is {asked.state}")
