"""How much memory the whole demo needs at most: this process and every child of it, looked at once a second."""

from __future__ import annotations

import threading
from typing import Self

import psutil

_EVERY_SECONDS = 1.0


class PeakMemory:
    """Sums the process tree's memory in a thread of its own; `megabytes` is the largest sum so far.

    A page that several processes share is divided among them (PSS) where the kernel tells; elsewhere what is resident
    is counted in full for each process (RSS), which is too much rather than too little.
    """

    def __init__(self) -> None:
        self.megabytes = 0.0
        self.measured_as = "PSS"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while True:
            total = sum(self._of(process) for process in (me, *_children(me)))
            self.megabytes = max(self.megabytes, total / (1 << 20))
            if self._over.wait(_EVERY_SECONDS):
                return

    def _of(self, process: psutil.Process) -> int:
        """Bytes of one process; 0: it is gone."""
        try:
            if self.measured_as == "PSS":
                full = process.memory_full_info()
                if (pss := getattr(full, "pss", None)) is not None:
                    return int(pss)
                self.measured_as = "RSS"
            return int(process.memory_info().rss)
        except psutil.AccessDenied:
            self.measured_as = "RSS"
            return self._of(process)
        except (psutil.Error, OSError):
            return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
