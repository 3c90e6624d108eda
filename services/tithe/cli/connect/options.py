"""What the commands of `tithe connect` are told in the same words."""

from __future__ import annotations

from typing import Annotated

import typer

#: As `--url` elsewhere; here that may be the tool's address.
Gateway = Annotated[
    str | None,
    typer.Option("--gateway", envvar="TITHE_URL", help="Tithe's gateway; default: the stack on the data folder."),
]
Project = Annotated[str | None, typer.Option("-p", help="The project in Tithe, by name or id.")]
Name = Annotated[str, typer.Argument(help="The connection's name.")]
NewName = Annotated[
    str | None, typer.Option("--name", help="What the connection is called in Tithe; default: the tool's name.")
]
TokenStdin = Annotated[
    bool, typer.Option("--token-stdin", help="Read the secret from standard input; it is never an option's value.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to wait until the first pass is over.")]
Window = Annotated[int | None, typer.Option(min=1, help="Tasks that wait in the tool at a time.")]
PollSeconds = Annotated[float | None, typer.Option(min=1, help="How often the tool is asked what changed.")]
Alias = Annotated[
    list[str] | None,
    typer.Option(help="TOOL=PROJECT: what the tool calls a label of the project. Say it once for each."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="KEY=VALUE: another setting of the tool. Say it once for each.")
]
HooksUrl = Annotated[
    str | None,
    typer.Option(
        help="Tithe's gateway as the tool reaches it: then changes are told at once. Default: only asked for."
    ),
]
