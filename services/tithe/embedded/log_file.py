"""A child's log: bounded in size, marked at each start and end, its tail quoted in errors."""

import contextlib
import os
import shutil
import time
from pathlib import Path

MAX_BYTES = 10_000_000


def bound(log: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move a log that grew too long aside as `.1`. Its writer has it open to append, so truncating it is safe."""
    with contextlib.suppress(OSError):  # a full disk must not end the supervisor
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)


def note(log: Path, text: str) -> None:
    """Add a line of the supervisor's own."""
    with contextlib.suppress(OSError), log.open("a") as out:
        out.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} supervisor: {text}\n")


def tail(log: Path, lines: int = 15, max_bytes: int = 8000) -> str:
    """Quote the last lines, for an error message."""
    try:
        with log.open("rb") as source:
            source.seek(max(0, source.seek(0, os.SEEK_END) - max_bytes))
            text = source.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
