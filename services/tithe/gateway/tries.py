"""How often a sign-in may be tried: slow enough that guessing is hopeless, quick enough for a typing error.

Counted in each gateway process: with several of them a guesser has as many tries more.
"""

from __future__ import annotations

import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from tithe.errors import TooManyTries

_BY_NAME = (parse("5/minute"), parse("30/hour"))
_BY_ADDRESS = (parse("20/minute"), parse("200/hour"))


class Tries:
    """The tries of the last hour, by name and by address."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, name: str, address: str) -> None:
        """One more. Raises TooManyTries before anything is looked up: a right password does not help then."""
        checks = [(limit, "name", name.lower()[:100]) for limit in _BY_NAME]
        checks += [(limit, "address", address) for limit in _BY_ADDRESS]
        for limit, kind, key in checks:
            if not self._limiter.hit(limit, kind, key):
                reset = self._limiter.get_window_stats(limit, kind, key).reset_time
                raise TooManyTries(
                    f"too many tries for this {kind}", remedy="wait, then try again", retry_after_seconds=_until(reset)
                )

    def forget(self, name: str) -> None:
        """It was the right password: the next typing error is the first again."""
        for limit in _BY_NAME:
            self._limiter.clear(limit, "name", name.lower()[:100])


def _until(reset: float) -> int:
    return max(1, round(reset - time.time()))
