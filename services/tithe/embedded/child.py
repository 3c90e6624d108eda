"""One supervised process through all its lives: a small state machine, moved on by `tick`."""

import contextlib
import os
import signal
import subprocess

import psutil

from tithe.embedded import log_file
from tithe.embedded.launch import launched
from tithe.embedded.process import Backoff, ProcessSpec, ProcessStatus, State
from tithe.embedded.strays import kill_session


class Child:
    """One process that is to run until it is told to stop. Only the supervisor's thread may call its methods."""

    def __init__(self, spec: ProcessSpec, backoff: Backoff) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.failures = 0  # in a row, since it last ran well
        self._backoff = backoff
        self._process: subprocess.Popen[bytes] | None = None
        self._create_time: float | None = None
        self._starts = 0
        self._last_exit: int | None = None
        self._next_start = 0.0
        self._running_since = 0.0
        self._deadline = 0.0

    @property
    def status(self) -> ProcessStatus:
        """How it fares now."""
        return ProcessStatus(
            name=self.spec.name,
            state=self.state,
            pid=self._process.pid if self._process else None,
            create_time=self._create_time,
            restarts=max(0, self._starts - 1),
            last_exit=self._last_exit,
            stop_signal=int(self.spec.stop_signal),
            log=self.spec.log,
        )

    def tick(self, now: float) -> None:
        """Start it when it is due, notice that it is ready, notice that it died, end it when its time to stop is up."""
        if self.state is State.WAITING:
            if now >= self._next_start:
                self._start(now)
            return
        if self._process is None:
            return
        if self._exited(self._process):
            self._bury(self._process, now)
        elif self.state is State.STARTING and self._is_ready():
            self.state = State.RUNNING
            self._running_since = now
        elif self.state is State.STOPPING and now >= self._deadline:
            log_file.note(self.spec.log, "did not stop in time, killed")
            kill_session(self._process.pid)

    def stop(self, now: float) -> None:
        """Ask it to stop; `tick` sees to the rest."""
        if self._process is None:
            self.state = State.STOPPED
            return
        self.state = State.STOPPING
        self._deadline = now + self.spec.stop_seconds
        self._process.send_signal(self.spec.stop_signal)

    def hasten(self, now: float) -> None:
        """Give a child that is stopping no more time."""
        self._deadline = min(self._deadline, now)

    def kill(self) -> None:
        """End it and all it started, now."""
        if self._process is not None:
            kill_session(self._process.pid)
            self._process.wait()

    def _start(self, now: float) -> None:
        spec = self.spec
        self._starts += 1
        log_file.bound(spec.log)
        try:
            if spec.clear is not None:
                spec.clear()
            with spec.log.open("ab") as out:
                self._process = subprocess.Popen(
                    launched(spec.argv, death_signal=spec.death_signal, identity=spec.identity),
                    env=dict(spec.env),
                    cwd=spec.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # the terminal's Ctrl-C must reach the supervisor only
                )
        except OSError as error:  # no memory, no file handles, a full disk: it may pass
            log_file.note(spec.log, f"cannot start: {error}")
            self._fail(now)
            return
        self._create_time = _create_time(self._process.pid)
        self.state = State.STARTING
        log_file.note(spec.log, f"started, pid {self._process.pid}")

    def _is_ready(self) -> bool:
        if self.spec.ready is None:
            return True
        try:
            return self.spec.ready()
        except OSError:  # a log not written, a connection not taken: not yet
            return False

    def _exited(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it is dead; if so, so is its session.

        The session is killed before the dead leader is collected: until then the kernel gives its pid to nobody else.
        """
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return process.poll() is not None
        try:
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
        except ChildProcessError:  # somebody else collected it
            pass
        kill_session(process.pid)
        return True

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        self._last_exit = process.wait()
        kill_session(process.pid)
        self._process = self._create_time = None
        log_file.note(self.spec.log, f"ended, {_cause(self._last_exit)}")
        if self.state is State.STOPPING:
            self.state = State.STOPPED
            if self._last_exit == -signal.SIGKILL and self.spec.clear is not None:
                with contextlib.suppress(OSError):
                    self.spec.clear()  # what it started outside its session may not have noticed yet
        else:
            self._fail(now)

    def _fail(self, now: float) -> None:
        if self.state is State.RUNNING and now - self._running_since >= self._backoff.well_seconds:
            self.failures = 0
        self.failures += 1
        self._next_start = now + self._backoff.delay(self.failures)
        self.state = State.WAITING


def _create_time(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _cause(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
