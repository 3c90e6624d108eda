"""Kill one process in the middle of everything, to see that nothing is lost by it."""

from __future__ import annotations

import os
import signal

from tithe.contracts.insight import RunningRound
from tithe.embedded.stack import Stack
from tithe.errors import BadInput

#: After this share of the budget; best while a round is running, at the latest after the second share.
_FROM, _AT_LATEST = 0.4, 0.6


class Killer:
    """Sends one SIGKILL to the process of that name. Raises BadInput where there is none."""

    def __init__(self, name: str, stack: Stack) -> None:
        known = [status.name for status in stack.processes]
        self._name = "scorer-1" if name == "scorer" else name
        self._stack = stack
        self._done = False
        if self._name not in known:
            raise BadInput(f"there is no process {name!r} to kill", place="--kill", remedy=f"one of {', '.join(known)}")

    def look(self, spent: float, current: RunningRound | None) -> str | None:
        """Kill if it is time; what to tell of it, or None."""
        if self._done or spent < _FROM or (current is None and spent < _AT_LATEST):
            return None
        status = next(one for one in self._stack.processes if one.name == self._name)
        if status.pid is None:
            return None
        os.kill(status.pid, signal.SIGKILL)
        self._done = True
        return f"killed {self._name} (process {status.pid}) after {spent:.0%} of the labels"
