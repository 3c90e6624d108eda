"""Whole or not at all: what is written appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tithe.errors import BadInput


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write; it becomes `path` when the block ends well. Raises BadInput where that is a folder."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder", remedy="name a file")
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path, *, ours: str) -> Iterator[Path]:
    """A new folder to write into; it becomes `path` when the block ends well.

    One that is there is replaced where it is empty or holds the file `ours`: it was written before. Raises BadInput.
    """
    if path.exists() and not path.is_dir():
        raise BadInput(f"{path} is a file", remedy="name a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / ours).is_file():
        raise BadInput(f"the folder {path} holds something else", remedy="name a new folder, or an empty one")
    part, old = path.with_name(path.name + ".part"), path.with_name(path.name + ".old")
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if path.is_dir():
            path.rename(old)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
