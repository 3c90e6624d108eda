"""`tithe up`: the whole stack on this machine, in the foreground."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tithe.embedded.endpoints import Endpoints
    from tithe.embedded.process import ProcessStatus
    from tithe.embedded.stack import Stack

_COLOURS = {"running": "green", "starting": "yellow", "waiting": "red", "stopping": "yellow", "stopped": "dim"}
_LOOK_SECONDS = 0.5


def up(
    data: Data = HERE,
    host: Annotated[str, typer.Option(help="Where the gateway listens.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The gateway's port; default: a free one, taken again next time."),
    ] = None,
    scorers: Annotated[int, typer.Option(min=1, max=64, help="How many scorers.")] = 2,
    flower: Annotated[bool, typer.Option("--flower/--no-flower", help="Flower, the dashboard of the workers.")] = True,
) -> None:
    """Start Postgres, the broker and every service here; Ctrl-C stops them.

    TITHE_DATABASE_URL and TITHE_BROKER_URL put servers of yours in place of the embedded ones.
    """
    from rich.console import Console

    from tithe.embedded.options import StackOptions
    from tithe.embedded.stack import Stack

    settings = read_settings()
    options = StackOptions(
        data=data,
        scorers=scorers,
        host=host,
        port=port,
        flower=flower,
        database_url=settings.database_url.get_secret_value() if settings.database_url else None,
        broker_url=settings.broker_url.get_secret_value() if settings.broker_url else None,
    )
    console = Console()
    with Stack(options, migrate=bring_up_to_date) as stack:
        with contextlib.suppress(KeyboardInterrupt):
            stack.start(lambda line: console.print(line, style="dim", highlight=False))
            console.print(endpoints_table(stack.endpoints, data))
            attend(stack, console)
        console.print("stopping", style="dim")


def bring_up_to_date(url: str) -> None:
    """Migrate the stack's database."""
    from tithe.storage.migrate import migrate

    migrate(url)


def endpoints_table(endpoints: Endpoints, data: Path) -> Table:
    """Where everything answers, and with which passwords."""
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("gateway", f"{endpoints.gateway_url}  (interface: {endpoints.gateway_url}/docs)")
    if endpoints.flower_url:
        table.add_row(
            "Flower", f"{endpoints.flower_url}  user {endpoints.flower_user}, password {endpoints.flower_password}"
        )
    table.add_row("database", endpoints.database_url)
    table.add_row("data", str(data.resolve()))
    return table


def processes_line(statuses: Sequence[ProcessStatus]) -> Text:
    """Every process with its state, on one line."""
    from rich.text import Text

    line = Text()
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
