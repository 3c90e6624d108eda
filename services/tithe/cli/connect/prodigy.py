"""`tithe connect prodigy`: the recipe file, and the line that runs it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tithe.cli.address import HERE, Data, connect, running
from tithe.cli.connect import asking
from tithe.cli.connect.options import Gateway, Project
from tithe.cli.terminal import terminal
from tithe.errors import BadInput

_RECIPES = {
    "text_classification": "tithe.textcat", "multilabel_classification": "tithe.textcat",
    "token_classification": "tithe.ner",
}  # fmt: skip


def prodigy(
    pool_name: Annotated[str | None, typer.Argument(metavar="[PROJECT]", help="As -p says it.")] = None,
    project: Project = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the recipe.")] = Path("tithe_prodigy.py"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that says something else.")] = False,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Write the recipe that your own Prodigy runs, and say how. Nothing of Prodigy runs in Tithe."""
    from tithe.connectors.prodigy import recipe_source

    with connect(gateway, data) as tithe:
        pool = asking.chosen_project(tithe, project or pool_name).settings
    recipe = _RECIPES.get(pool.task.value)
    if recipe is None:
        raise BadInput(f"Prodigy is given texts to label, and {pool.task} has none")
    source = recipe_source()
    if out.exists() and out.read_text("utf-8", errors="replace") != source and not force:
        raise BadInput(f"{out} is there and says something else", remedy="name another by -o, or say --force")
    out.write_text(source, "utf-8")
    there = running(data)
    url = gateway or (there.gateway_url if there is not None else "http://127.0.0.1:8000")
    line = shlex.join(["prodigy", recipe, "my_dataset", "--project", pool.name, "--url", url, "-F", str(out)])
    console = terminal()
    console.print(f"wrote {out}; it needs Prodigy, Python 3.9 or newer, and nothing else. Run:", highlight=False)
    console.print(f"  {line}", highlight=False, soft_wrap=True)
