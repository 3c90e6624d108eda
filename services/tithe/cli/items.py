"""`tithe import` and `tithe export`: items in, labels out."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.complaints import as_option
from tithe.cli.terminal import terminal
from tithe.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from tithe.client import TitheProblem
    from tithe.client.files import Brought
    from tithe.client.uploads import Format as ServerFormat
    from tithe.connectors.files.format import Format, Written
    from tithe.contracts.api import Imported

_SHOWN_LINES = 20
#: A long transfer bridges a server that is restarted.
_RETRIES = 8
_NAMES = (
    "jsonl, csv, parquet, conll, bio, iob1, bioes, spacy, spacy-jsonl, huggingface, doccano, label-studio, "
    "label-studio-min, prodigy"
)
FileFormat = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help=f"Default: told from the file. One of: {_NAMES}.")
]


def import_(
    file: Annotated[Path, typer.Argument(help="A file, or the folder of a Hugging Face dataset.", exists=True)],
    project: Annotated[str, typer.Option("--project", "-p", help="The project's name or id.")],
    file_format: FileFormat = None,
    text_column: Annotated[str | None, typer.Option(help="The column or key that holds the text.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The column or key that holds labels known already.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column or key that holds your ids.")] = None,
    vector_column: Annotated[str | None, typer.Option(help="The column that holds ready-made vectors.")] = None,
    as_pool: Annotated[
        bool, typer.Option("--as-pool", help="Leave the file's labels aside: all is to be asked.")
    ] = False,
    split: Annotated[
        Literal["pool", "test"] | None, typer.Option(help="Where all of it goes; test is held out to score on.")
    ] = None,
    offsets: Annotated[
        Literal["code-points", "utf-16"], typer.Option(help="What the spans of other tools' files count.")
    ] = "code-points",
    extra: Annotated[
        Literal["meta", "reject"] | None, typer.Option(help="What becomes of other columns: kept as meta, or refused.")
    ] = None,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Send items to a project; labels in the file are seed labels. Sending it again adds only what is not there yet."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from tithe.client import TitheProblem
    from tithe.client.files import bring
    from tithe.connectors.files.format import Options

    if not file.is_file() and not file.is_dir():  # a pipe would be waited for, without a word
        raise BadInput(f"{file} is no file", remedy="write what it gives to a file first")
    if as_pool and split == "test":
        raise BadInput("what is held out needs its labels", remedy="leave out --as-pool, or --split test")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    console = terminal()
    with connect(url, data, retries=_RETRIES) as tithe:
        target = tithe.project(project)
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            bar = progress.add_task(file.name, total=None)
            try:
                done = bring(
                    target, file, file_format, vector_column=vector_column, extra=extra,
                    options=Options(text_column, label_column, id_column, as_pool, split, offsets),
                    progress=lambda sent, whole: progress.update(bar, completed=sent, total=whole),
                )  # fmt: skip
            except KeyboardInterrupt:
                console.print("stopped; the same command again goes on from here", highlight=False)
                raise typer.Exit(130) from None
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
    from tithe.client.files import chosen_for, take

    chosen = chosen_for(file, file_format)
    to_file = str(file) != "-"
    with connect(url, data, retries=_RETRIES) as tithe:
        handle = tithe.project(project)
        if chosen.write is None:
            size = handle.export(
                file if to_file else typer.get_binary_stream("stdout"), cast("ServerFormat", chosen.name),
                everything=everything, predictions=predictions, skips=skips,
            )  # fmt: skip
            if to_file:
                typer.echo(f"wrote {size:,} bytes to {file}" + ("" if size else ": there are no labels yet"))
            return
        if predictions:
            raise BadInput(f"{chosen.title} holds no predictions", remedy="leave them out, or --format jsonl")
        if to_file:
            _tell_written(take(handle, file, chosen.name, everything=everything, skips=skips), chosen, str(file))
        else:
            _to_stdout(lambda path: take(handle, path, chosen.name, everything=everything, skips=skips), chosen)


def _to_stdout(write: Callable[[Path], Written], chosen: Format) -> None:
    """Written whole beside first: formats are, and half of one is worth nothing."""
    with tempfile.TemporaryDirectory(prefix="tithe-export-") as folder:
        path = Path(folder) / "export"
        _tell_written(write(path), chosen, "standard output", err=True)
        if path.is_dir():
            raise BadInput(f"a {chosen.title} does not go to standard output", remedy="name a folder")
        with path.open("rb") as file:
            shutil.copyfileobj(file, typer.get_binary_stream("stdout"))


def _tell_written(written: Written, chosen: Format, where: str, *, err: bool = False) -> None:
    typer.echo(f"wrote {written.rows:,} items to {where} as {chosen.title}", err=err)
    for reason, times in written.left_out.items():
        typer.echo(f"left out: {times:,} {reason}", err=err)
    if chosen.loses:
        typer.echo(f"what this format does not hold: {chosen.loses}", err=err)


def _tell(brought: Brought, console: Console) -> None:
    done, counted = brought.imported, brought.format.counts
    known = f"{done.duplicates:,} with the content of an item that is there"
    said = f"{done.lines:,} {counted}s: {done.accepted:,} new items, {known}"
    if done.labeled:
        said += f", {done.labeled:,} labels"
    console.print(said, highlight=False)
    for remark, times in brought.remarks.items():
        console.print(f"{times:,} {remark}", highlight=False)
    _tell_rejected(done, console, counted, brought.format.places or counted)


def _tell_refused(problem: TitheProblem, console: Console) -> None:
    """The bad lines of an upload of which nothing was taken, or that broke midway, where the answer tells them."""
    from pydantic import ValidationError

    from tithe.contracts.api import Imported

    with contextlib.suppress(ValidationError):  # a refusal of the whole: it names no lines
        _tell_rejected(Imported.model_validate(problem.facts), console)


def _tell_rejected(done: Imported, console: Console, counted: str = "line", place: str = "line") -> None:
    if not done.rejected:
        return
    from rich.table import Table

    table = Table(
        place, "why not", "remedy", title=f"{done.rejected:,} {counted}s were not taken", title_justify="left"
    )
    for one in done.rejected_lines[:_SHOWN_LINES]:
        table.add_row(f"{one.line:,}", one.reason, as_option(one.remedy or ""))
    if done.rejected > _SHOWN_LINES:
        table.add_row("…", f"and {done.rejected - min(_SHOWN_LINES, len(done.rejected_lines)):,} more", "")
    console.print(table)
