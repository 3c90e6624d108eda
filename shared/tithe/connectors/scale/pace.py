"""How fast the tool is asked: no faster than told, slower when it says that it is too fast, then faster again."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Spaces calls. A refusal halves the pace; each call that goes well brings a twentieth of it back.

    Examples
    --------
    >>> now = 0.0
    >>> waits = []
    >>> pace = Pace(4, clock=lambda: now, sleep=waits.append)
    >>> pace.wait(); pace.wait()
    >>> waits
    [0.25]
    >>> pace.refused(); pace.per_second
    2.0
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.per_second = per_second
        self._most = per_second
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def wait(self) -> None:
        """Wait until the next call may be made."""
        now = self._clock()
        if self._free_at > now:
            self._sleep(self._free_at - now)
        self._free_at = max(now, self._free_at) + 1 / self.per_second

    def went_well(self) -> None:
        """A call was answered."""
        self.per_second = min(self._most, self.per_second + self._most / 20)

    def refused(self) -> None:
        """A call was too fast."""
        self.per_second = max(self._most / 64, self.per_second / 2)
