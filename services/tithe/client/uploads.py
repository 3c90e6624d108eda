"""What an import sends: a file as it is, one of another tool as rows, or Python objects as lines of JSON.

Streamed, never whole in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tithe.connectors.files.sending import Sending

Format = Literal["jsonl", "csv", "parquet"]
#: Called with what was sent so far and the whole, where that is known: bytes of a file, rows of objects.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Converted:
    """A file that is read here and sent as lines of JSON."""

    sending: Sending


Source = str | Path | Iterable[Mapping[str, Any]] | Converted

_MEDIA: dict[Format, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_CHUNK_BYTES = 256 << 10


@dataclass(frozen=True)
class Upload:
    """A body that can be streamed. `again`: from its beginning once more."""

    media: str
    content: Callable[[], Iterator[bytes]]
    again: bool


def upload(source: Source, format: Format | None, progress: Progress | None) -> Upload:  # noqa: A002 -- as users say it
    """Make an upload of a path or of objects. Raises ValueError where a file's format cannot be told from its name."""
    say: Progress = progress or (lambda _sent, _whole: None)
    if isinstance(source, (str, Path)):
        path = Path(source)
        chosen = format or format_of(path)
        if chosen is None:
            raise ValueError(f"{path.name}: cannot tell the format from the name; say jsonl, csv or parquet")
        path.stat()  # a missing file is said before anything is sent
        return Upload(_MEDIA[chosen], lambda: _file(path, say), again=True)
    if isinstance(source, Converted):
        return Upload(_MEDIA["jsonl"], lambda: _converted(source.sending, say), again=True)
    return Upload(_MEDIA["jsonl"], lambda: _lines(source, say), again=not isinstance(source, Iterator))


def format_of(path: Path) -> Format | None:
    """The format a file's name tells; None: it tells none."""
    return _ENDINGS.get(path.suffix.lower())


def _file(path: Path, say: Progress) -> Iterator[bytes]:
    whole, sent = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            say(sent, whole)


def _converted(sending: Sending, say: Progress) -> Iterator[bytes]:
    return sending.pieces(lambda rows: say(rows, None))


def _lines(rows: Iterable[Mapping[str, Any]], say: Progress) -> Iterator[bytes]:
    whole = len(rows) if isinstance(rows, Sized) else None
    buffer, sent = bytearray(), 0
    for row in rows:
        buffer += json.dumps(row, separators=(",", ":")).encode() + b"\n"
        sent += 1
        if len(buffer) >= _CHUNK_BYTES:
            yield bytes(buffer)
            buffer.clear()
            say(sent, whole)
    if buffer:
        yield bytes(buffer)
    say(sent, whole)
