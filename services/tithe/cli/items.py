"""`tithe import` and `tithe export`: items in, labels out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, Url, connect

if TYPE_CHECKING:
    from tithe.contracts.api import Imported

Project = Annotated[str, typer.Option("--project", "-p", help="The project's name or id.")]
_SHOWN_LINES = 20
