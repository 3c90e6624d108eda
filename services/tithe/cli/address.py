"""Which server a command speaks to: the one that is named, else the one that runs on the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from tithe.client import Tithe
    from tithe.embedded.endpoints import Endpoints
    from tithe.settings import Settings

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="TITHE_URL", help="The gateway; default: the stack running on the data folder."),
]
Data = Annotated[Path, typer.Option("--data", envvar="TITHE_DATA", help="The data folder of `tithe up`.")]
HERE = Path(".tithe")


def running(data: Path) -> Endpoints | None:
    """Where the stack of this data folder answers; None: none is running there."""
    from tithe.embedded.folder import DataFolder
    from tithe.embedded.state import StateFile

    folder = DataFolder(data)
    return StateFile(folder.state_file).read().endpoints if folder.holder() is not None else None


def local_key(data: Path) -> str | None:
    """The key that `tithe up` left in its data folder; None: there is none, or it is somebody else's."""
    from tithe.embedded.folder import DataFolder

    try:
        return DataFolder(data).local_key.read_text("utf-8").strip() or None
    except OSError:
        return None


def connect(url: str | None, data: Path, *, retries: int = 3) -> Tithe:
    """A client of the gateway. Raises Unavailable where none is named and none runs.

    Whoever may read the data folder of a stack is its admin: the key is there. Elsewhere TITHE_API_KEY has it.
    """
    from tithe.client import Tithe

    if url:
        return Tithe(url, retries=retries)
    endpoints = running(data)
    if endpoints is None:
        raise Unavailable(
            f"no stack is running on {data}",
            remedy="start one with `tithe up`, or name a gateway by --url (of tithe connect: --gateway) or TITHE_URL",
        )
    return Tithe(endpoints.gateway_url, retries=retries, key=local_key(data))


def read_settings() -> Settings:
    """The environment's settings. Raises BadInput, naming the variable."""
    from pydantic import ValidationError

    from tithe.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "TITHE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadInput(f"{name}: {first['msg']}", place=name, remedy="set it right, or unset it") from error


def database_url(data: Path) -> str:
    """The database: TITHE_DATABASE_URL, else that of the stack running on the data folder. Raises BadInput."""
    settings = read_settings()
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    endpoints = running(data)
    if endpoints is None:
        raise BadInput(
            f"TITHE_DATABASE_URL is not set, and no stack is running on {data}", remedy="set it, or start `tithe up`"
        )
    return endpoints.database_url
