"""A data folder: its layout, and the lock that lets one stack at a time use it."""

import fcntl
import os
from pathlib import Path
from typing import IO

from tithe.embedded.errors import FolderInUseError


class DataFolder:
    """Everything of one stack that must survive it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.state_file = self.path / "stack.json"
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.artifacts = self.path / "artifacts"
        self.flower_password = self.path / "flower.password"
        self.secret_key = self.path / "secret.key"
        self.local_key = self.path / "local.key"
        self._lock: IO[str] | None = None

    @property
    def locked(self) -> bool:
        """Whether this process holds the folder."""
        return self._lock is not None

    def log(self, name: str) -> Path:
        """Say where the child `name` writes."""
        return self.path / "logs" / f"{name}.log"

    def lock(self) -> None:
        """Take the folder for this process, until `unlock` or death. Raises FolderInUseError."""
        for place in (self.path, self.artifacts, self.path / "logs"):
            place.mkdir(parents=True, exist_ok=True)
        held = (self.path / "lock").open("a+")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            raise FolderInUseError(self.path, _pid_in(self.path / "lock")) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        self._lock = held

    def holder(self) -> int | None:
        """Say which process runs a stack on this folder; None if none does."""
        try:
            with (self.path / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(self.path / "lock")
        except FileNotFoundError:
            pass
        return None

    def unlock(self) -> None:
        """Let the folder go; nothing to do if it was never taken. The file stays: removing it would race."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None


def _pid_in(lock: Path) -> int | None:
    text = lock.read_text().strip()
    return int(text) if text.isdigit() else None
