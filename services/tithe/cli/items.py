"""`tithe import` and `tithe export`: items in, labels out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.complaints import as_option
from tithe.cli.terminal import terminal
from tithe.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from tithe.client import TitheProblem
    from tithe.contracts.api import Imported

_SHOWN_LINES = 20
#: A long transfer bridges a server that is restarted.
_RETRIES = 8
FileFormat = Annotated[
    Literal["jsonl", "csv", "parquet"] | None, typer.Option("--format", help="Default: told from the file's name.")
]


def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet.", exists=True, dir_okay=False)],
    project: Annotated[str, typer.Option("--project", "-p", help="The project's name or id.")],
    file_format: FileFormat = None,
    text_column: Annotated[str | None, typer.Option(help="The column that holds the text.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The column that holds labels known already.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column that holds your ids.")] = None,
    vector_column: Annotated[str | None, typer.Option(help="The column that holds ready-made vectors.")] = None,
    extra: Annotated[
        Literal["meta", "reject"] | None, typer.Option(help="What becomes of other columns: kept as meta, or refused.")
    ] = None,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Send items to a project. Sending a file again adds only what is not there yet; bad lines are told by number."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from tithe.client import TitheProblem

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = terminal()
    with connect(url, data, retries=_RETRIES) as tithe:
        target = tithe.project(project)
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            bar = progress.add_task(file.name, total=file.stat().st_size)
            try:
                done = target.import_items(
                    file, format=file_format, text_column=text_column, label_column=label_column, id_column=id_column,
                    vector_column=vector_column, extra=extra,
                    progress=lambda sent, whole: progress.update(bar, completed=sent, total=whole),
                )  # fmt: skip
            except KeyboardInterrupt:
                console.print("stopped; the same command again goes on from here", highlight=False)
                raise typer.Exit(130) from None
            except ValueError as error:
                raise BadInput(str(error), remedy="--format jsonl, csv or parquet") from error
            except TitheProblem as problem:
                _tell_refused(problem, console)
                raise
    _tell(done, console)


def export(
    project: Annotated[str, typer.Argument(help="The project's name or id.")],
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")],
    file_format: FileFormat = None,
    everything: Annotated[bool, typer.Option("--all", help="Items without a label, too.")] = False,
    predictions: Annotated[bool, typer.Option("--predictions", help="Add what the model says.")] = False,
    skips: Annotated[bool, typer.Option("--skips", help="Tell what was skipped, and why.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Write a project's labels to a file; it appears whole or not at all."""
    with connect(url, data, retries=_RETRIES) as tithe:
        target = file if str(file) != "-" else typer.get_binary_stream("stdout")
        size = tithe.project(project).export(
            target, file_format, everything=everything, predictions=predictions, skips=skips
        )
    if target is file:
        typer.echo(f"wrote {size:,} bytes to {file}" + ("" if size else ": there are no labels yet"))


def _tell(done: Imported, console: Console) -> None:
    known = f"{done.duplicates:,} with the content of an item that is there"
    said = f"{done.lines:,} lines: {done.accepted:,} new items, {known}"
    if done.labeled:
        said += f", {done.labeled:,} labels"
    console.print(said, highlight=False)
    _tell_rejected(done, console)


def _tell_refused(problem: TitheProblem, console: Console) -> None:
    """The bad lines of an upload of which nothing was taken, or that broke midway, where the answer tells them."""
    from pydantic import ValidationError

    from tithe.contracts.api import Imported

    with contextlib.suppress(ValidationError):  # a refusal of the whole: it names no lines
        _tell_rejected(Imported.model_validate(problem.facts), console)


def _tell_rejected(done: Imported, console: Console) -> None:
    if not done.rejected:
        return
    from rich.table import Table

    table = Table("line", "why not", "remedy", title=f"{done.rejected:,} lines were not taken", title_justify="left")
    for one in done.rejected_lines[:_SHOWN_LINES]:
        table.add_row(f"{one.line:,}", one.reason, as_option(one.remedy or ""))
    if done.rejected > _SHOWN_LINES:
        table.add_row("…", f"and {done.rejected - min(_SHOWN_LINES, len(done.rejected_lines)):,} more", "")
    console.print(table)
