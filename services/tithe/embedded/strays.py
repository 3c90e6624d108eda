"""Processes that an earlier life left behind: found without guessing, ended before the next life starts.

Each child leads a session of its own, so its session id finds what it started even after it is dead itself. Postgres
backends leave that session, but they, like every server here, keep the data folder as their working directory.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

_SAME_SECONDS = 2.0  # systems compute a process's birth from a boot time that wavers by a second


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does anything. A zombie does not, and a container's first process may never collect it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def session_members(session: int) -> list[psutil.Process]:
    """List the living processes of a session."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(pid) == session and is_alive(process := psutil.Process(pid)):
                members.append(process)
    return members


def kill_session(session: int) -> None:
    """Kill everything in a session at once, and see it die."""
    end_processes(session_members(session), signal.SIGKILL, 5.0)


def end_processes(processes: Iterable[psutil.Process], ask: signal.Signals, seconds: float) -> None:
    """Ask with a signal, wait, then kill what is left."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.send_signal(ask)
    for process in _still_alive(asked, seconds):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _still_alive(asked, 5.0)


def _still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end_recorded(pid: int, create_time: float, ask: signal.Signals, seconds: float) -> None:
    """End a child of an earlier supervisor, and its session, unless the pid belongs to a stranger by now."""
    leader = None
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(pid)
        if abs(leader.create_time() - create_time) > _SAME_SECONDS:
            return
    if leader is not None:
        end_processes([leader], ask, seconds)
    kill_session(pid)


def servers_in(folder: Path, name: str) -> list[psutil.Process]:
    """List processes called `name` that work in `folder`."""
    found = []
    place = os.path.realpath(folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == name and process.cwd() == place:
                found.append(process)
    return found
