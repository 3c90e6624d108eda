"""`tithe strategies`: what a project may choose by. Needs no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tithe.strategies.catalog import Strategy


def strategies(
    task: Annotated[str | None, typer.Option(help="Only those that serve this task.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the table of docs/strategies.md.")] = False,
) -> None:
    """List the ways to choose what is asked next."""
    from tithe.contracts.projects import Task
    from tithe.strategies.catalog import CATALOG

    if task is not None and task not in list(Task):
        raise typer.BadParameter(f"{task!r} is no task; there are {', '.join(Task)}", param_hint="--task")
    shown = [one for one in CATALOG.values() if task is None or task in one.tasks]
    if markdown:
        typer.echo(as_markdown(shown))
        return
    from rich.table import Table

    table = Table("strategy", "what it asks for", "when", show_lines=True)
    for one in shown:
        table.add_row(one.name, one.summary, one.use)
    terminal().print(table)


def as_markdown(shown: Iterable[Strategy]) -> str:
    """The catalog as a Markdown table, one row a strategy."""
    head = "| strategy | asks for | when | needs | cost beyond one pass | tasks | after |"
    rule = "|---|---|---|---|---|---|---|"
    words = ("one label", "several", "spans")
    short = dict(zip(("text_classification", "multilabel_classification", "token_classification"), words, strict=True))
    rows = (
        f"| `{one.name}` | {one.summary} | {one.use} | {one.needs.value} | {one.cost} | "
        f"{', '.join(short[task] for task in short if task in one.tasks)} | {one.reference} |"
        for one in shown
    )
    return "\n".join([head, rule, *rows])
