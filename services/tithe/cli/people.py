"""`tithe user`, `tithe key`, `tithe member`: accounts and keys by the database, members by the gateway.

Whoever can reach the database runs the server: accounts are made there, so that nobody can be locked out for good.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tithe.cli.address import HERE, Data, Url, connect, database_url, running
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from tithe.storage.database import Unit

T = TypeVar("T")
_BY = "@tithe"

users = typer.Typer(help="Accounts: who may come in.", no_args_is_help=True)
keys = typer.Typer(help="API keys: for programs that act as somebody.", no_args_is_help=True)
members = typer.Typer(help="Who may do what in a project.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The account's name.")]


class Role(StrEnum):
    """What somebody may do at most."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    MANAGER = "manager"
    ADMIN = "admin"


class InProject(StrEnum):
    """What somebody may do in a project."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    MANAGER = "manager"


def _within(data: Path, work: Callable[[Unit], T]) -> T:
    from tithe.storage.database import Database

    with Database(database_url(data), connections=1) as database:
        return database.run(work, repeatable=False)


def _show_link(invitation: str, data: Path) -> None:
    endpoints = running(data)
    address = endpoints.gateway_url if endpoints else ""
    typer.echo(f"{address}/welcome/{invitation}")
    typer.echo("shown once, good for seven days", err=True)


@users.command("add")
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="The most they may do.")] = Role.ANNOTATOR,
    data: Data = HERE,
) -> None:
    """Add an account; prints the link by which its owner sets a password."""
    from tithe.contracts.people import NewUser
    from tithe.loop import people as accounts

    new = NewUser(name=name, role=role.value)
    _show_link(_within(data, lambda unit: accounts.add(unit, new.name, new.role, _BY))[1], data)


@users.command("invite")
def invite(name: Name, data: Data = HERE) -> None:
    """A new link for somebody who lost the way in."""
    from tithe.loop import people as accounts

    _show_link(_within(data, lambda unit: accounts.invite(unit, name, _BY)), data)


@users.command("change")
def change(
    name: Name,
    role: Annotated[Role | None, typer.Option(help="Another role.")] = None,
    lock_out: Annotated[
        bool | None, typer.Option("--lock-out/--let-in", help="Keys and sessions count no more.")
    ] = None,
    data: Data = HERE,
) -> None:
    """Another role, locked out, or let in again."""
    from tithe.loop import people as accounts

    _within(data, lambda unit: accounts.change(unit, name, _BY, role=role.value if role else None, disabled=lock_out))


@users.command("list")
def list_(data: Data = HERE) -> None:
    """Every account."""
    from rich.table import Table

    from tithe.storage import people

    table = Table("name", "role", "projects", "last here", "state")
    for one in _within(data, lambda unit: people.accounts(unit, limit=100_000)):
        state = "locked out" if one.disabled_at else "in" if one.has_password else "invited"
        seen = one.seen_at.strftime("%Y-%m-%d %H:%M") if one.seen_at else ""
        table.add_row(one.name, one.role, str(one.projects), seen, state)
    terminal().print(table)


@keys.command("add")
def add_key(
    name: Name,
    purpose: Annotated[str, typer.Option("--for", help="What it is for.")] = "tithe key add",
    days: Annotated[int, typer.Option(min=0, max=3650, help="How long it counts; 0: until it is revoked.")] = 90,
    data: Data = HERE,
) -> None:
    """A key by which a program acts as that account. Printed once."""
    from tithe.loop import people as accounts

    def work(unit: Unit) -> str:
        who = accounts.known(unit, name)
        return accounts.add_key(unit, who.id, _BY, purpose, days or None)[0]

    typer.echo(_within(data, work))


@keys.command("list")
def list_keys(name: Name, data: Data = HERE) -> None:
    """The keys of an account."""
    from rich.table import Table

    from tithe.loop import people as accounts
    from tithe.storage import people

    table = Table("id", "for", "begins", "counts until", "last used")
    for one in _within(data, lambda unit: people.keys(unit, accounts.known(unit, name).id)):
        until = (
            "revoked"
            if one.revoked_at
            else one.expires_at.strftime("%Y-%m-%d")
            if one.expires_at
            else "revoked by hand"
        )
        table.add_row(
            str(one.id), one.name, one.begins + "…", until, one.used_at.strftime("%Y-%m-%d") if one.used_at else ""
        )
    terminal().print(table)


@keys.command("revoke")
def revoke(
    name: Name, key: Annotated[str, typer.Argument(help="Its id, or its first characters.")], data: Data = HERE
) -> None:
    """It counts no more."""
    from tithe.errors import NotFound
    from tithe.loop import people as accounts
    from tithe.storage import people

    def work(unit: Unit) -> None:
        who = accounts.known(unit, name)
        begun = key.rstrip("…")
        found = [one for one in people.keys(unit, who.id) if str(one.id) == key or one.begins == begun]
        if len(found) != 1:
            raise NotFound(f"{name} has no such key", remedy=f"tithe key list {name}")
        accounts.revoke_key(unit, found[0].id, who.id, _BY)

    _within(data, work)


@members.command("set")
def set_member(
    project: Annotated[str, typer.Argument(help="The project's name or id.")],
    name: Name,
    role: Annotated[InProject, typer.Option(help="What they may do there.")] = InProject.ANNOTATOR,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Let somebody into a project, or give them another role there."""
    with connect(url, data) as tithe:
        tithe.project(project).set_member(name, role.value)


@members.command("drop")
def drop(
    project: Annotated[str, typer.Argument(help="The project's name or id.")],
    name: Name,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Show somebody out of a project. What they answered stays."""
    with connect(url, data) as tithe:
        tithe.project(project).drop_member(name)


@members.command("list")
def list_members(
    project: Annotated[str, typer.Argument(help="The project's name or id.")], url: Url = None, data: Data = HERE
) -> None:
    """Who may do what in a project, beside admins."""
    from rich.table import Table

    with connect(url, data) as tithe:
        table = Table("name", "role", "since")
        for one in tithe.project(project).members():
            table.add_row(one.name, one.role, one.since.strftime("%Y-%m-%d"))
    terminal().print(table)
