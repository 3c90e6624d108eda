"""Keeps children alive: starts them stage by stage, restarts what dies, stops them in the opposite order.

One thread does all of it, and lives as long as any child: the kernel's death signal watches the thread that started a
child, not the process.
"""

import atexit
import threading
import time
from collections.abc import Callable, Sequence

from tithe.embedded import log_file
from tithe.embedded.child import Child
from tithe.embedded.errors import ServiceNotReadyError, SupervisorEndedError
from tithe.embedded.process import Backoff, ProcessSpec, ProcessStatus, State

_TICK_SECONDS = 0.05
_BOUND_LOGS_SECONDS = 30.0
_HOPELESS_FAILURES = 3  # a child that fails this often before it was ever ready fails the start


class Supervisor:
    """Children in stages. A later stage needs the earlier ones, so it stops first.

    Parameters
    ----------
    changed
        Called from the supervisor's thread with all statuses whenever one of them changed.
    """

    def __init__(
        self,
        changed: Callable[[Sequence[ProcessStatus]], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._stages: list[list[Child]] = []
        self._statuses: tuple[ProcessStatus, ...] = ()
        self._stopping = False
        self._hastened = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tithe-supervisor", daemon=True)

    @property
    def statuses(self) -> tuple[ProcessStatus, ...]:
        """How every child fares, in the order they were started."""
        return self._statuses

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start the next stage side by side and return when its awaited children are ready.

        A stage that fails goes on being supervised; `stop` ends it with the others.

        Raises
        ------
        ServiceNotReadyError
            One of them failed three times before it was ready, or took longer than its `ready_seconds`.
        """
        for spec in specs:
            spec.log.parent.mkdir(parents=True, exist_ok=True)
        stage = [Child(spec, self._backoff) for spec in specs]
        self._stages.append(stage)
        if not self._thread.is_alive():
            atexit.register(self.stop)
            self._thread.start()
        self._wake.set()
        began = time.monotonic()
        while unready := [child for child in stage if child.spec.awaited and child.state is not State.RUNNING]:
            if self._ended.wait(_TICK_SECONDS):
                raise SupervisorEndedError("the supervisor ended while children were starting")
            for child in unready:
                _check_hope(child, time.monotonic() - began)

    def wait(self) -> None:
        """Block until supervision ends; raises SupervisorEndedError if nobody asked for that."""
        self._ended.wait()
        if not self._stopping:
            raise SupervisorEndedError("the supervisor's thread ended by itself; its traceback is on standard error")

    def stop(self) -> None:
        """Stop every child, last stage first, and return when none is left. Safe to call again."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        atexit.unregister(self.stop)

    def hasten(self) -> None:
        """Cut a stop short: kill instead of waiting. Takes no lock, so a signal handler may call it."""
        self._hastened = True

    def _run(self) -> None:
        next_bound = time.monotonic() + _BOUND_LOGS_SECONDS
        try:
            while not (self._stopping and self._all_stopped()):
                self._wake.clear()
                now = time.monotonic()
                if self._stopping:
                    self._stop_last_stage(now)
                for child in self._children():
                    child.tick(now)
                self._publish()
                if now >= next_bound:
                    next_bound = now + _BOUND_LOGS_SECONDS
                    for child in self._children():
                        log_file.bound(child.spec.log)
                self._wake.wait(_TICK_SECONDS)
        finally:
            for child in self._children():
                child.kill()
            self._ended.set()

    def _children(self) -> list[Child]:
        return [child for stage in self._stages for child in stage]

    def _all_stopped(self) -> bool:
        return all(child.state is State.STOPPED for child in self._children())

    def _stop_last_stage(self, now: float) -> None:
        """Earlier stages go on running, and being supervised, until the later ones are gone."""
        for stage in reversed(self._stages):
            alive = [child for child in stage if child.state is not State.STOPPED]
            for child in alive:
                if child.state is not State.STOPPING:
                    child.stop(now)
                if self._hastened:
                    child.hasten(now)
            if alive:
                return

    def _publish(self) -> None:
        statuses = tuple(child.status for child in self._children())
        if statuses != self._statuses:
            self._statuses = statuses
            if self._changed is not None:
                self._changed(statuses)


def _check_hope(child: Child, waited: float) -> None:
    spec = child.spec
    if child.failures >= _HOPELESS_FAILURES:
        reason = f"failed {child.failures} times in a row"
    elif waited > spec.ready_seconds:
        reason = f"was not ready within {spec.ready_seconds:.0f} seconds"
    else:
        return
    raise ServiceNotReadyError(spec.name, reason, spec.log, log_file.tail(spec.log))
