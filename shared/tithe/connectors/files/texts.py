"""Text files line by line: UTF-8, whatever ends the lines. A file in another encoding is told as a whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tithe.connectors.files.row import Fault
from tithe.errors import BadInput

BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_LINE = 64 << 20
_PIECE = 1 << 20
_BINARY_WITHIN = 1024
#: What files that are not UTF-8 most often are; it holds all of Latin-1 that people write.
_SUSPECT = "windows-1252"


def check_text(path: Path) -> None:
    """Raise BadInput where a file is empty, a folder, or not UTF-8 for the most part.

    Single lines that are not UTF-8 in a file that otherwise is are left for whoever reads it to tell.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder", remedy="name the file in it")
    with path.open("rb") as file:
        start = file.read(_BINARY_WITHIN)
        if not start.removeprefix(BOM).strip():
            if not file.read(1):
                raise BadInput(f"{path.name} is empty", remedy="check where it comes from")
        elif start.startswith(_UTF16) or b"\x00" in start:
            encoding = "UTF-16" if start.startswith(_UTF16) else "no text: it holds NUL bytes"
            raise BadInput(f"{path.name} is {encoding}", remedy=_converted(path, "UTF-16"))
        file.seek(0)
        _check_encoding(path, file)


def _check_encoding(path: Path, file: BinaryIO) -> None:
    broken = fine = number = 0
    first = ""
    begins = True
    for piece in _pieces(file):
        number += begins
        begins = piece.endswith(b"\n")
        if piece.isascii():
            continue
        try:
            piece.decode()
        except UnicodeDecodeError as error:
            broken += 1
            near = piece[max(0, error.start - 12) : error.end + 12].decode(_SUSPECT, "replace").strip()
            first = first or f"byte 0x{piece[error.start]:02X} in line {number:,}; as Latin-1 it reads {near!r}"
        else:
            fine += 1
    if broken > fine:
        raise BadInput(f"{path.name} is not UTF-8, probably Latin-1: {first}", remedy=_converted(path, _SUSPECT))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Lines, long ones in pieces that cut no character in two."""
    reader = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    while piece := reader.readline(_PIECE):
        if not piece.endswith(b"\n"):
            for _ in range(3):
                following = reader.peek(1)[:1]  # type: ignore[attr-defined]  # a BufferedReader
                if not b"\x80" <= following < b"\xc0":
                    break
                piece += reader.read(1)
        yield piece


def _converted(path: Path, encoding: str) -> str:
    return f"save it as UTF-8: iconv -f {encoding.upper()} -t UTF-8 {path.name} > utf8-{path.name}"


def lines(path: Path) -> Iterator[tuple[int, str] | Fault]:
    """Every line with its number from 1, without what ends it (LF or CRLF). Raises BadInput as :func:`check_text`."""
    check_text(path)
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                yield Fault(number, "line_too_long", f"the line is longer than {_LONGEST_LINE >> 20} MiB", "shorten it")
                _skip_line(file)
                continue
            try:
                yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                yield Fault(number, "not_utf8", f"byte {error.start} is not UTF-8", "save the file as UTF-8")


def _skip_line(file: BinaryIO) -> None:
    while (more := file.readline(_PIECE)) and not more.endswith(b"\n"):
        pass
