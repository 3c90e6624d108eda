"""What a shard keeps of its rows for a strategy: small enough to send, enough for the choice to be as if it saw all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Keep(StrEnum):
    """By what rule a shard keeps rows. All but the last merge exactly, however the pool is cut into shards."""

    BEST = "best"  #: the highest scores, as :func:`tithe.strategies.ranking.merge_top_k`
    TURNS = "turns"  #: each predicted class's best, as :func:`tithe.strategies.class_balance.class_balanced`
    DRAWN = "drawn"  #: a random draw in proportion to the score, as :func:`tithe.strategies.draws.draw_keys`
    CENTERS = "centers"  #: farthest first from what is labeled, shard by shard, then over the union


@dataclass(frozen=True, slots=True)
class Sieve:
    """One list a shard keeps.

    Attributes
    ----------
    keep
        The rule.
    by
        The strategy whose score of a row the rule goes by; ``"random"`` is a score too.
    rows
        How many rows the merged list holds, and so at most each shard's.
    """

    keep: Keep
    by: str
    rows: int

    @property
    def name(self) -> str:
        """What the list is filed under: the same for two strategies that can share it."""
        return f"{self.keep}:{self.by}"


def joined(sieves: list[Sieve]) -> list[Sieve]:
    """Each list once, as long as the longest that was asked for.

    Examples
    --------
    >>> two = [Sieve(Keep.BEST, "margin", 10), Sieve(Keep.BEST, "random", 9), Sieve(Keep.BEST, "margin", 30)]
    >>> [(one.name, one.rows) for one in joined(two)]
    [('best:margin', 30), ('best:random', 9)]
    """
    longest: dict[str, Sieve] = {}
    for sieve in sieves:
        if sieve.name not in longest or longest[sieve.name].rows < sieve.rows:
            longest[sieve.name] = sieve
    return list(longest.values())
