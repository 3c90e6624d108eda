"""`tithe nearest-labeled`: which labels are near an item."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.terminal import terminal

_SHOWN_CHARACTERS = 80


def nearest_labeled(
    project: Annotated[str, typer.Argument(help="The project's name or id.")],
    item: Annotated[str, typer.Argument(help="The item's id.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many.")] = 5,
    exact: Annotated[bool, typer.Option("--exact", help="Look at every labeled item, also where an index is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Show the labeled items nearest to an item, as the model sees them."""
    with connect(url, data) as tithe:
        found = tithe.project(project).nearest_labeled(item, k, exact=exact)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    from rich.table import Table

    how = "every one compared" if found.mode == "exact" else "by index"
    since = f", {found.labels_since:,} labels since" if found.labels_since else ""
    title = f"nearest of {found.labeled:,} labeled items, {how}{since}"
    table = Table("distance", "cosine", "label", "item", "text", title=title, title_justify="left")
    for one in found.neighbours:
        cosine = "-" if one.cosine is None else f"{one.cosine:.3f}"
        text = one.text if one.text is not None else json.dumps(one.meta) if one.meta else ""
        table.add_row(f"{one.distance:.4f}", cosine, _said(one.label), one.item_id, _cut(text))
    terminal().print(table)


def _said(label: Any) -> str:
    return label if isinstance(label, str) else json.dumps(label)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"
