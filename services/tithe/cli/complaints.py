"""What a person reads when a command fails: one red line with the remedy, and exit code 1. Never a traceback."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from tithe.client import TitheProblem

#: The root of the command line's own errors, wherever the installed typer keeps it.
_ClickException = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException")


class TidyGroup(TyperGroup):
    """A group of commands whose failures are said in one line. TITHE_TRACE=1 shows where they come from instead."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer publishes its own Context
        """Run the command; whatever it raises on purpose becomes a line on standard error."""
        logging.getLogger().addHandler(logging.NullHandler())  # libraries' warnings are no answer to a command
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever reads has seen enough, as `head` has. What is left to flush goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
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
    from tithe.client import TitheProblem
    from tithe.embedded.errors import EmbeddedError
    from tithe.errors import TitheError

    said: tuple[str, str | None] | None = None
    if isinstance(error, (_ClickException, typer.Exit, typer.Abort)):
        pass
    elif isinstance(error, TitheError):
        said = error.message, error.remedy
    elif isinstance(error, TitheProblem):
        said = _with_errors(error), error.remedy and as_option(error.remedy)
    elif isinstance(error, EmbeddedError):
        said = str(error), None
    elif isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: {error.strerror}", None
    else:
        said = f"unexpected {type(error).__name__}: {error}", "TITHE_TRACE=1 shows where; please report it"
    return said


def as_option(remedy: str) -> str:
    """A server's remedy as this command line takes it.

    Examples
    --------
    >>> as_option("put it into meta, or send ?extra=meta")
    'put it into meta, or say --extra meta'
    """
    return remedy.replace("send ?extra=meta", "say --extra meta")


def _with_errors(problem: TitheProblem) -> str:
    """A refusal with every fault it names, up to a handful."""
    said = [f"{e.get('place')}: {e.get('detail')}" for e in problem.errors[:5] if e.get("detail")]
    return "; ".join([problem.detail, *(line for line in said if line not in problem.detail)])
