"""A real Label Studio on loopback: started from a cached, migrated data folder, stopped, killed, started again."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from label_studio.people import Person

#: The user every folder has: may do everything.
ADMIN = "admin@tithe.example"
PASSWORD = "correct-horse-battery"
LEGACY_TOKEN = "0123456789abcdef0123456789abcdef01234567"
#: Where the executable is told, and where migrated folders are kept.
EXECUTABLE = "TITHE_LABEL_STUDIO"
CACHE = "TITHE_LABEL_STUDIO_CACHE"
_BOOT_SECONDS = 600
_HOST = "127.0.0.1"


class LabelStudio:
    """One server with a data folder of its own.

    >>> with LabelStudio.started(tmp_path) as studio:  # doctest: +SKIP
    ...     ada = studio.user("ada@tithe.example")
    ...     task = ada.next_task(project)
    ...     ada.annotate(task, "spam")
    """

    def __init__(
        self, folder: Path, *, port: int | None = None, guard_private: bool = False, executable: Path | None = None
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.guard_private = guard_private
        self._executable = executable or Path(os.environ[EXECUTABLE])
        self._process: subprocess.Popen[bytes] | None = None
        self._people: dict[str, Person] = {}
        self._personal: str | None = None

    @classmethod
    @contextmanager
    def started(
        cls, folder: Path, *, port: int | None = None, guard_private: bool = False, executable: Path | None = None
    ) -> Iterator[Self]:
        """A running server on a folder: an empty one is filled from the cache first.

        `guard_private` is Label Studio's own default: it calls no address of a private network, so no hook of ours.
        """
        studio = cls(folder, port=port, guard_private=guard_private, executable=executable)
        studio.start()
        try:
            yield studio
        finally:
            studio.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_HOST}:{self.port}"

    @property
    def legacy_token(self) -> str:
        """The admin's legacy token."""
        return LEGACY_TOKEN

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder.with_name(self.folder.name + ".log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        if not (self.folder / "label_studio.sqlite3").exists():
            shutil.copytree(template(self._executable), self.folder, dirs_exist_ok=True)
        self._process = _spawn(self._executable, self.folder, self.port, self.log, guard_private=self.guard_private)
        _wait_until_up(self.url, self._process, self.log)

    def stop(self) -> None:
        """Stop it, kindly at first; it may be stopped already."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Stop it for good, and let go of everybody's connections."""
        self.stop()
        for person in self._people.values():
            person.http.close()

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def restart(self, *, guard_private: bool | None = None) -> None:
        """Stop and start on the same folder and port."""
        self.stop()
        if guard_private is not None:
            self.guard_private = guard_private
        self.start()

    @property
    def admin(self) -> Person:
        """The user that owns everything."""
        return self.user(ADMIN)

    @property
    def api(self) -> httpx.Client:
        """Calls as the admin, with a session."""
        return self.admin.http

    def user(self, email: str) -> Person:
        """Somebody who labels: signs up by the organisation's invitation, or signs in."""
        if email not in self._people:
            invited = None if email == ADMIN else self.admin.http.get("/api/invite").json()["invite_url"]
            self._people[email] = Person.signed_in(self.url, email, PASSWORD, invited)
        return self._people[email]

    def personal_token(self) -> str:
        """The admin's personal access token; Label Studio gives it away once, so it is kept here."""
        if self._personal is None:
            self._personal = self.admin.personal_token()
        return self._personal

    def allow_legacy_tokens(self, allowed: bool) -> None:
        """Switch legacy tokens on or off for the organisation, as its owner can on the page."""
        wanted = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": allowed}
        self.api.post("/api/jwt/settings", json=wanted).raise_for_status()

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run SQL in its database: for what time or an accident does to it, and nothing else."""
        with sqlite3.connect(self.folder / "label_studio.sqlite3", timeout=30) as database:
            return database.execute(statement, values).fetchall()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._process = None


def template(executable: Path) -> Path:
    """A migrated data folder with the admin in it, made once for an installation: about two minutes, then nothing."""
    installed = str(executable.resolve().parent.parent).strip("/").replace("/", "-")
    root = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "tithe" / "label-studio")
    root.mkdir(parents=True, exist_ok=True)
    ready = root / f"{installed}-{int(executable.stat().st_mtime)}"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            making = ready.with_name(ready.name + ".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            studio = LabelStudio(making, executable=executable)
            log = making.with_name(making.name + ".log")
            studio._process = _spawn(executable, making, studio.port, log, guard_private=False)
            try:
                _wait_until_up(studio.url, studio._process, log)
            finally:
                studio.stop()
            making.rename(ready)
    return ready


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _spawn(executable: Path, folder: Path, port: int, log: Path, *, guard_private: bool) -> subprocess.Popen[bytes]:
    guard = "true" if guard_private else "false"
    told = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder), "DJANGO_DB": "sqlite", "LABEL_STUDIO_USERNAME": ADMIN,
        "LABEL_STUDIO_PASSWORD": PASSWORD, "LABEL_STUDIO_USER_TOKEN": LEGACY_TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true", "SSRF_PROTECTION_ENABLED": guard, "ML_BLOCK_LOCAL_IP": guard,
        "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "", "COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false",
    }  # fmt: skip
    # Its settings may carry these prefixes: the surroundings must not decide how it runs.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABEL_STUDIO_", "HEARTEX_", "DJANGO_", "PYTHON"))}
    command = [executable, "start", "--no-browser", "--internal-host", _HOST, "--port", str(port)]
    with log.open("ab") as out:
        return subprocess.Popen(command, env=kept | told, stdout=out, stderr=out, stdin=subprocess.DEVNULL)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise RuntimeError(f"Label Studio did not come up (exit status {process.poll()}):\n{said}")
