"""What a child process is to the supervisor: how to start it, and how it fares."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tithe.embedded.launch import Identity


class State(StrEnum):
    """Where in its life a child is."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # it died, and is due to start again
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start, recognise and end one child.

    `ready` is asked again and again while the child is starting, and must answer within a second or so; without it a
    started child counts as running. `clear` runs before every start, to remove what an earlier life left behind.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 90.0
    awaited: bool = True  # False: its start is not waited for, and its failure is only shown
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    # Sent by the kernel when the supervisor is gone. Nobody is left to set a deadline then, so services die at once:
    # rows are the truth, and a service may be killed at any moment.
    death_signal: signal.Signals = signal.SIGKILL
    identity: Identity = Identity.SELF
    cwd: Path | None = None
    clear: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How one child fares. `create_time` with `pid` names the process for good: pids are used again."""

    name: str
    state: State
    pid: int | None
    create_time: float | None
    restarts: int
    last_exit: int | None  # negative: the signal that ended it
    stop_signal: int
    log: Path


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next start: doubling, bounded, forgotten after the child ran well for a while."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    well_seconds: float = 30.0

    def delay(self, failures: int) -> float:
        """Seconds before the start that follows the `failures`-th failure in a row."""
        doublings = min(failures - 1, 30)  # beyond that the bound has long been reached
        return float(min(self.first_seconds * 2**doublings, self.longest_seconds))
