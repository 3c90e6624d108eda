"""`tithe up`: the whole stack on this machine, in the foreground."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, read_settings
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from tithe.embedded.endpoints import Endpoints
    from tithe.embedded.process import ProcessStatus
    from tithe.embedded.stack import Stack

_COLOURS = {"running": "green", "starting": "yellow", "waiting": "red", "stopping": "yellow", "stopped": "dim"}
_LOOK_SECONDS = 0.5


def up(
    data: Data = HERE,
    host: Annotated[
        str | None, typer.Option(help="Where the gateway listens; default: TITHE_HOST or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The gateway's port; default: TITHE_PORT, or a free one, kept."),
    ] = None,
    scorers: Annotated[int, typer.Option(min=1, max=64, help="How many scorers.")] = 2,
    flower: Annotated[bool, typer.Option("--flower/--no-flower", help="Flower, the dashboard of the workers.")] = True,
) -> None:
    """Start Postgres, the broker and every service here; Ctrl-C stops them.

    TITHE_DATABASE_URL and TITHE_BROKER_URL put servers of yours in place of the embedded ones.
    """
    from tithe.embedded.options import StackOptions
    from tithe.embedded.stack import Stack

    settings = read_settings()
    options = StackOptions(
        data=data,
        scorers=scorers,
        host=host or settings.host,
        port=port or (settings.port if "port" in settings.model_fields_set else None),
        flower=flower,
        # It may stand in a file that a service's environment would outvote.
        env={"TITHE_SECRET_KEY": settings.secret_key.get_secret_value()} if settings.secret_key else {},
        database_url=settings.database_url.get_secret_value() if settings.database_url else None,
        broker_url=settings.broker_url.get_secret_value() if settings.broker_url else None,
    )
    console = terminal()
    with Stack(options, migrate=bring_up_to_date) as stack:
        with contextlib.suppress(KeyboardInterrupt):
            stack.start(lambda line: console.print(line, style="dim", highlight=False))
            show_endpoints(stack.endpoints, data, console)
            show_way_in(stack.endpoints, data, console)
            attend(stack, console)
        console.print("stopping", style="dim")


def bring_up_to_date(url: str) -> None:
    """Migrate the stack's database."""
    from tithe.storage.migrate import migrate

    migrate(url)


def show_endpoints(endpoints: Endpoints, data: Path, console: Console) -> None:
    """Where everything answers, and with which passwords: plain lines, never cut, so that they can be copied."""
    lines = [("gateway", f"{endpoints.gateway_url}  (interface: {endpoints.gateway_url}/docs)")]
    if endpoints.flower_url:
        lines.append(("Flower", endpoints.flower_url))
        lines.append(("", f"user {endpoints.flower_user}, password {endpoints.flower_password}"))
    lines += [("database", endpoints.database_url), ("data", str(data.resolve()))]
    for name, value in lines:
        console.print(f"  {name:<10}{value}", highlight=False, soft_wrap=True, markup=False)


def show_way_in(endpoints: Endpoints, data: Path, console: Console) -> None:
    """How the first admin comes in, once; and a key for the commands on this machine, in the data folder."""
    from tithe.cli.let_in import first_admin, keep_local_key

    invitation = first_admin(endpoints.database_url)
    keep_local_key(endpoints.database_url, data)
    if invitation is not None:
        console.print(
            f"  first admin  {endpoints.gateway_url}/welcome/{invitation}  (shown once, good for seven days)",
            highlight=False, soft_wrap=True, markup=False,
        )  # fmt: skip
    else:
        console.print(
            f"  sign in      {endpoints.gateway_url}/sign-in  (lost the way in? `tithe user invite NAME`)",
            highlight=False, soft_wrap=True, markup=False,
        )  # fmt: skip


def processes_line(statuses: Sequence[ProcessStatus]) -> Text:
    """Every process with its state, on one line."""
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis")
    for status in statuses:
        line.append("● ", style=_COLOURS.get(status.state.value, ""))
        line.append(status.name)
        if status.state.value != "running":
            line.append(f" {status.state.value}", style=_COLOURS.get(status.state.value, ""))
        if status.restarts:
            line.append(f" (restarts: {status.restarts})", style="yellow")
        line.append("  ")
    return line


def attend(stack: Stack, console: Console) -> None:
    """Show how the processes fare until Ctrl-C: one live line on a terminal, a line per change elsewhere."""
    with contextlib.suppress(KeyboardInterrupt):
        if console.is_terminal:
            from rich.live import Live

            with Live(get_renderable=lambda: processes_line(stack.processes), console=console, refresh_per_second=2):
                stack.wait()
            return
        console.print("running; Ctrl-C stops", highlight=False)
        before = ""
        while True:
            now = processes_line(stack.processes).plain
            if now != before:
                console.print(now, highlight=False, soft_wrap=True)
                before = now
            time.sleep(_LOOK_SECONDS)
