"""What a person reads when a command fails: one red line with the remedy, and exit code 1. Never a traceback."""

from __future__ import annotations

import os

import typer
from typer.core import TyperGroup


class TidyGroup(TyperGroup):
    """A group of commands whose failures are said in one line. TITHE_TRACE=1 shows where they come from instead."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer publishes its own Context
        """Run the command; whatever it raises on purpose becomes a line on standard error."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if os.environ.get("TITHE_TRACE") or (said := complaint(error)) is None:
                raise
            complain(*said)
            raise typer.Exit(1) from None


def complain(message: str, remedy: str | None = None) -> None:
    """Print one failure to standard error."""
    from rich.console import Console
    from rich.text import Text

    line = Text(message, style="bold red")
    if remedy:
        line.append(f" — {remedy}", style="not bold default")
    Console(stderr=True, soft_wrap=True, highlight=False).print(line)


def complaint(error: Exception) -> tuple[str, str | None] | None:
    """Message and remedy of a failure; None: it is the command line's own way of ending."""
    from click import ClickException
    from click.exceptions import Abort, Exit

    from tithe.client import TitheProblem
    from tithe.embedded.errors import EmbeddedError
    from tithe.errors import TitheError

    match error:
        case ClickException() | Exit() | Abort():
            return None
        case TitheError():
            return error.message, error.remedy
        case TitheProblem():
            return _with_errors(error), error.remedy
        case EmbeddedError():
            return str(error), None
        case OSError(filename=str() as name, strerror=str() as reason):
            return f"{name}: {reason}", None
        case _:
            return f"unexpected {type(error).__name__}: {error}", "TITHE_TRACE=1 shows where; please report it"


def _with_errors(problem: Exception) -> str:
    """A refusal with every fault it names, up to a handful."""
    errors = getattr(problem, "errors", None) or []
    said = [f"{e.get('place')}: {e.get('detail')}" for e in errors[:5] if e.get("detail")]
    return "; ".join([str(problem), *(line for line in said if line not in str(problem))])
