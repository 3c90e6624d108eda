"""Cuts a stream of bytes into lines, never holding more than one line and one piece of the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tithe.errors import BrokenUpload
from tithe.loop.checking import BadLine

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def lines(pieces: Iterable[bytes], limit_bytes: int) -> Iterator[tuple[int, bytes] | BadLine]:
    """Every line with its number from 1, without its newline; a last line without one counts too.

    A line over the limit is not collected: a BadLine stands in its place. A byte order mark at the start is dropped.
    """
    number, rest, skipping, begun = 1, b"", False, False
    for received in pieces:
        piece = rest + received
        rest = b""
        if not begun:
            if len(piece) < len(_BOM):  # the mark itself may come in pieces
                rest = piece
                continue
            begun, piece = True, _unmarked(piece)
        if skipping:
            _, newline, piece = piece.partition(b"\n")
            if not newline:
                continue
            yield _too_long(number, limit_bytes)
            number, skipping = number + 1, False
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield (number, line) if len(line) <= limit_bytes else _too_long(number, limit_bytes)
            number += 1
        if len(rest) > limit_bytes:
            rest, skipping = b"", True
    if skipping:
        yield _too_long(number, limit_bytes)
    elif rest := rest if begun else _unmarked(rest):
        yield number, rest


def _unmarked(start: bytes) -> bytes:
    if start.startswith(_UTF16):
        raise BrokenUpload("the file is UTF-16", place="body", remedy="save it as UTF-8")
    return start.removeprefix(_BOM)


def _too_long(number: int, limit_bytes: int) -> BadLine:
    return BadLine(
        number, "line_too_long", f"the line is longer than {limit_bytes:,} bytes",
        "shorten it or raise TITHE_LINE_LIMIT_BYTES; long vectors may come as Parquet",
    )  # fmt: skip
