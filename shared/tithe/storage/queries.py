"""Reads the named queries out of ``sql/*.sql``: ``-- name: NAME`` begins one, the file's name is its prefix."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@functools.cache
def queries() -> dict[str, LiteralString]:
    """Every query by ``file.name``."""
    found: dict[str, LiteralString] = {}
    for file in sorted(resources.files("tithe.storage").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        _, *parts = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            # The text is a literal of this package: nothing a user sends is ever part of it.
            found[f"{file.name[:-4]}.{name}"] = cast("LiteralString", text.strip())
    return found
