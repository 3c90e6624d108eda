"""The folder of a virtual environment: what is known about its content, its lock, and how it is emptied.

Standard library only, in syntax that Python 3.8 reads, like bootstrap.py, whose decisions these are.
"""
# ruff: noqa: T201 - whoever waits is told so

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Mapping, Sequence  # noqa: UP035 - Python 3.8 must read this

from machine import dotted
from pytorch import NEED_TORCH

ROOT = Path(__file__).resolve().parent.parent
PINS = {"run": "requirements/run.txt", "text": "requirements/text.txt", "dev": "requirements/lock.txt"}
HOLDS = {"run": ("run",), "text": ("run", "text"), "dev": ("run", "text", "dev")}  # what else is there with a set
ALWAYS = (
    "requirements/models.txt",
    "requirements/uv.txt",
    "pyproject.toml",
    "deploy/bootstrap.py",
    "deploy/environment.py",
    "deploy/machine.py",
    "deploy/pytorch.py",
)

STAMP, PARTIAL, LOCK = "tithe-setup.json", "tithe-setup.partial", "tithe-setup.lock"


# ---- when there is nothing to do -------------------------------------------------------------------------------------


def set_key(pins: str, version: Sequence[int], root: Path = ROOT) -> str:
    """Return a digest of everything an installed set depends on: the Python version, pins, project and this script."""
    digest = hashlib.sha256(repr(tuple(version)).encode())
    for name in (PINS[pins], *ALWAYS):
        digest.update(f"\0{name}\0".encode() + (root / name).read_bytes())
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """Return what the last finished setup wrote; empty when there was none."""
    try:
        stamp = json.loads((venv / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, stamp: Mapping[str, str]) -> None:
    """Write the stamp in one step, so that no reader sees half of it."""
    draft = venv / (STAMP + ".new")
    draft.write_text(json.dumps(stamp, indent=2) + "\n", "utf-8")
    draft.replace(venv / STAMP)


def place(venv: Path) -> str:
    """Return what an environment does not survive a change of: the paths in its scripts and the link to the sources."""
    return f"{venv} for {ROOT}"


def venv_version(venv: Path) -> tuple[int, ...] | None:
    """Return the version of the environment's Python; None if it does not run, or is not the one it was made with."""
    command = [str(venv / "bin" / "python"), "-I", "-S", "-c", "import sys; print(*sys.version_info[:3])"]
    try:
        out = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
        version = tuple(map(int, out.split()))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return version if (venv / "lib" / f"python{dotted(version[:2])}" / "site-packages").is_dir() else None


def is_ready(venv: Path, pins: str, torch: str = "") -> bool:
    """Tell whether the set is installed as pinned, in this place, by a Python that still runs.

    ``torch`` names the build of torch that is wanted; empty means the one that was chosen last.
    """
    stamp = read_stamp(venv)
    if pins in NEED_TORCH and torch not in ("", stamp.get("torch")):
        return False
    if pins not in stamp or stamp.get("place") != place(venv) or not (venv / "bin" / "tithe").exists():
        return False
    version = venv_version(venv)
    return version is not None and stamp[pins] == set_key(pins, version)


def widest(pins: str, stamp: Mapping[str, str]) -> str:
    """Return the largest of the set that is asked for and those that are there.

    They share packages: moving a small set's pins alone would leave the rest of a larger one with strangers.
    """
    return [name for name in PINS if name == pins or name in stamp][-1]


# ---- filling and emptying it ---------------------------------------------------------------------------------------


def is_ours(venv: Path) -> bool:
    """Tell whether the folder may be filled and emptied: it is missing, empty, or a virtual environment."""
    content = {entry.name for entry in venv.iterdir()} - {LOCK} if venv.exists() else set()
    return not content or bool(content & {"pyvenv.cfg", PARTIAL})


def empty(venv: Path) -> None:
    """Remove everything in the environment but the lock."""
    for entry in venv.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


@contextlib.contextmanager
def locked(venv: Path) -> Iterator[int]:
    """Hold the environment's lock; yield its descriptor."""
    lock = acquire(venv)
    while lock is None:  # the one before us removed the folder, and the lock with it
        lock = acquire(venv)
    try:
        yield lock
    finally:
        os.close(lock)


def acquire(venv: Path) -> int | None:
    """Wait for the lock; None if it is no longer the file that others would lock."""
    venv.mkdir(parents=True, exist_ok=True)
    lock = os.open(venv / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"setup: another one is at work in {venv}; waiting for it", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(lock), (venv / LOCK).stat()):
            return lock
    os.close(lock)
    return None
