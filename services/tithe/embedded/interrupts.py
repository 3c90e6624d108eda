"""Ctrl-C, once and twice.

The first SIGINT, SIGTERM or SIGHUP breaks off whatever the main thread is doing, as a KeyboardInterrupt; once the stop
has begun, a further one hastens it instead of breaking it off, so that nothing is left half stopped.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Signal handlers for as long as a stack runs. Started in another thread than the main one, it does nothing."""

    def __init__(self, hasten: Callable[[], None]) -> None:
        self._hasten = hasten
        self._stopping = False
        self._previous: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Take the signals over. An ignored one stays ignored: nohup means it."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if (previous := signal.getsignal(number)) != signal.SIG_IGN:
                self._previous[number] = previous
                signal.signal(number, self._handle)

    def begin_stop(self) -> None:
        """From now on a signal hastens."""
        self._stopping = True

    def restore(self) -> None:
        """Give the signals back."""
        while self._previous:
            number, previous = self._previous.popitem()
            signal.signal(number, previous)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._stopping:
            raise KeyboardInterrupt
        self._hasten()
