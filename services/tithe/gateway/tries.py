"""How often a sign-in may be tried: slow enough that guessing is hopeless, quick enough for a typing error.

Counted in each gateway process: with several of them a guesser has as many tries more.
"""

from __future__ import annotations

import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from tithe.errors import TooManyTries

_BY_NAME = (parse("5/minute"), parse("30/hour"))
#: Only what went wrong: a whole office may come in at nine through one address.
_BY_ADDRESS = (parse("20/minute"), parse("200/hour"))


class Tries:
    """The tries of the last hour, by name and by address."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, name: str, address: str) -> None:
        """One more. Raises TooManyTries before anything is looked up: a right password does not help then."""
        for limit in _BY_ADDRESS:
            if not self._limiter.test(limit, "address", address):
                raise self._too_many(limit, "address", address)
        for limit in _BY_NAME:
            if not self._limiter.hit(limit, "name", _known_as(name)):
                raise self._too_many(limit, "name", _known_as(name))

    def wrong(self, address: str) -> None:
        """It went wrong."""
        for limit in _BY_ADDRESS:
            self._limiter.hit(limit, "address", address)

    def right(self, name: str) -> None:
        """It was right: the next typing error is the first again."""
        for limit in _BY_NAME:
            self._limiter.clear(limit, "name", _known_as(name))

    def _too_many(self, limit: RateLimitItem, kind: str, key: str) -> TooManyTries:
        reset = self._limiter.get_window_stats(limit, kind, key).reset_time
        seconds = max(1, round(reset - time.time()))
        return TooManyTries(
            f"too many tries for this {kind}", remedy="wait, then try again", retry_after_seconds=seconds
        )


def _known_as(name: str) -> str:
    return name.lower()[:100]
