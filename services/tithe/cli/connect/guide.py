"""From wanting a connection to people labeling: what will happen is said, agreed to, done and waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from tithe.cli.complaints import complain
from tithe.cli.connect.asking import on_terminal
from tithe.cli.connect.words import STATES
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from tithe.client import ProjectHandle
    from tithe.contracts.connectors import ConnectorState

_LONGEST_SECONDS = 180.0
_LOOK_SECONDS = 0.5


def agreed(project: ProjectHandle, kind: str, settings: Mapping[str, Any], secret: str, *, yes: bool) -> None:
    """Ask the tool, say what will happen, and have it agreed to. Exits where it cannot be, or is not wanted."""
    console = terminal()
    with console.status("asking the tool"):
        found = project.connections.preview(kind, settings, secret)
    for line in found.says:
        console.print(f"• {line}", highlight=False, soft_wrap=True)
    for fault in found.faults:
        complain(fault.detail, fault.remedy)
    if found.faults:
        raise typer.Exit(1)
    if yes:
        return
    if not on_terminal():
        raise typer.BadParameter("nothing was done: say --yes to agree to this")
    typer.confirm("Connect?", abort=True)


def connected(
    project: ProjectHandle,
    kind: str,
    settings: Mapping[str, Any],
    secret: str,
    *,
    name: str | None = None,
    hook_secret: str | None = None,
) -> ConnectorState:
    """Make the connection. The tool was asked a moment ago."""
    return project.connections.connect(kind, settings, secret, name=name, hook_secret=hook_secret, check=False)


def waited_for(project: ProjectHandle, name: str) -> None:
    """Wait until the first pass is over, and say where people label. Exit code 1 where it did not go well."""
    console = terminal()
    until = time.monotonic() + _LONGEST_SECONDS
    with console.status(f"{name} is starting") as spinner:
        while True:
            now = project.connections.get(name)
            if now.state in ("healthy", "attention") or time.monotonic() > until:
                break
            if now.problem is not None:
                spinner.update(f"{name} {STATES[now.state]}: {now.problem.detail}")
            time.sleep(_LOOK_SECONDS)
    if now.state == "healthy":
        say_where(now)
        return
    if now.problem is not None:
        complain(f"{name} {STATES[now.state]}: {now.problem.detail}", now.problem.remedy)
    else:
        complain(
            f"{name} is still starting", "is the sync service running? `tithe connect status` shows how it goes on"
        )
    raise typer.Exit(1)


def say_where(now: ConnectorState) -> None:
    """Where people label, as a line that can be copied."""
    where = f"people label at {now.url}" if now.url else "it is connected"
    waiting = f", where {now.there:,} tasks wait" if now.there else ", tasks come with the next round"
    terminal().print(f"{now.name} works: {where}{waiting}", highlight=False, soft_wrap=True)
