"""Kill one process in the middle of everything, to see that nothing is lost by it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tithe.contracts.insight import RunningRound
    from tithe.embedded.stack import Stack

#: After this share of the budget; best while a round is running, at the latest after the second share.
_FROM, _AT_LATEST = 0.4, 0.6


def killable(scorers: int) -> list[str]:
    """Names of the processes a demo has."""
    numbered = [f"scorer-{number}" for number in range(1, scorers + 1)]
    return ["gateway", "trainer", *numbered, "prover", "sync", "keeper", "flower", "postgres", "valkey"]


class Killer:
    """Sends one SIGKILL to the process of that name."""

    def __init__(self, name: str, stack: Stack) -> None:
        self._name = name
        self._stack = stack
        self._done = False

    def look(self, spent: float, current: RunningRound | None) -> str | None:
        """Kill if it is time; what to tell of it, or None."""
        if self._done or spent < _FROM or (current is None and spent < _AT_LATEST):
            return None
        status = next((one for one in self._stack.processes if one.name == self._name), None)
        if status is None or status.pid is None:
            return None
        os.kill(status.pid, signal.SIGKILL)
        self._done = True
        return f"killed {self._name} (process {status.pid}) after {spent:.0%} of the labels"
