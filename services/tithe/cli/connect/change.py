"""`tithe connect pause`, `resume`, `change`, `sync` and `remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from tithe.cli.address import HERE, Data, connect
from tithe.cli.connect import asking
from tithe.cli.connect.look import the_one
from tithe.cli.connect.options import Gateway, Name, Project, Set, TokenStdin, Yes
from tithe.cli.connect.tools import kind_named


def pause(name: Name, project: Project = None, gateway: Gateway = None, data: Data = HERE) -> None:
    """Ask nothing of a tool for a while; its tasks stay held."""
    with connect(gateway, data) as tithe:
        the_one(tithe, project, name).connections.change(name, paused=True)
    typer.echo(f"{name} is paused; `tithe connect resume {name}` goes on")


def resume(name: Name, project: Project = None, gateway: Gateway = None, data: Data = HERE) -> None:
    """Go on with a tool that was paused."""
    with connect(gateway, data) as tithe:
        the_one(tithe, project, name).connections.change(name, paused=False)
    typer.echo(f"{name} goes on; `tithe connect status` shows how")


def change(
    name: Name,
    set_: Set = None,
    token: Annotated[bool, typer.Option("--token", help="Ask for a new secret.")] = False,
    token_stdin: TokenStdin = False,
    project: Project = None,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Give a connection other settings, or a new secret; it is tried out at once."""
    if not (set_ or token or token_stdin):
        raise typer.BadParameter("say what to change: --set KEY=VALUE, --token or --token-stdin")
    with connect(gateway, data) as tithe:
        pool = the_one(tithe, project, name)
        kind = kind_named(tithe, pool.connections.get(name).kind)
        settings = asking.typed_settings(set_, kind.settings) if set_ else None
        secret = None
        if token or token_stdin:
            secret = asking.secret(kind.title, kind.secret_help, [], from_stdin=token_stdin)
        pool.connections.change(name, settings=settings, secret=secret)
    typer.echo(f"changed, and tried out now: `tithe connect show {name}` tells how it went")


def sync(name: Name, project: Project = None, gateway: Gateway = None, data: Data = HERE) -> None:
    """Look at a tool now rather than when its time comes."""
    with connect(gateway, data) as tithe:
        the_one(tithe, project, name).connections.sync(name)
    typer.echo(f"{name} is being looked at; `tithe connect status` shows what came")


def remove(
    name: Name,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Do not ask the tool: its tasks stay, and what they say is not read.")
    ] = False,
    yes: Yes = False,
    project: Project = None,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Leave a tool: what nobody answered there is taken back. What counted stays counted."""
    with connect(gateway, data) as tithe:
        pool = the_one(tithe, project, name)
        now = pool.connections.get(name)
        if not yes:
            if not asking.on_terminal():
                raise typer.BadParameter("say --yes to agree to it")
            typer.confirm(f"Leave {name}, where {now.there:,} tasks wait?", abort=True)
        pool.connections.leave(name, at_once=at_once)
    typer.echo(f"{name} is gone" if at_once else f"{name} is being left; it is gone when the tool gave its tasks back")
