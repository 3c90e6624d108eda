"""A list that a shard kept, and how the lists of all shards become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tithe.strategies import ranking
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.class_balance import class_balanced
from tithe.strategies.sieves import Keep, Sieve


@dataclass(frozen=True, slots=True)
class Kept:
    """A list a shard kept, or the merged list of all shards.

    Attributes
    ----------
    ordinals
        int64, shape (n,), best first.
    scores
        float64, shape (n,): what the list is ordered by, higher first. Of centers: the distance to the nearest labeled
        item.
    groups
        int64, shape (n,): each row's predicted class, for lists kept by turns; None otherwise.
    radius
        Of centers: how far the shard's farthest row is from what is labeled or kept. None otherwise.
    shards
        How many shards' lists are merged in it.
    """

    ordinals: Int64
    scores: Float64
    groups: Int64 | None = None
    radius: float | None = None
    shards: int = 1

    def first(self, rows: int) -> Kept:
        """The first rows of the list."""
        groups = None if self.groups is None else self.groups[:rows]
        return replace(self, ordinals=self.ordinals[:rows], scores=self.scores[:rows], groups=groups)


NONE = Kept(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def merge(sieve: Sieve, parts: Sequence[Kept], seed: int) -> Kept:
    """One list of several shards' lists, or of several chunks': the same as if all rows had been one shard.

    Of centers it is the union: what the final choice is made from, and the largest radius.
    """
    ordinals = np.concatenate([part.ordinals for part in parts]) if parts else np.empty(0, np.int64)
    scores = np.concatenate([part.scores for part in parts]) if parts else np.empty(0)
    if sieve.keep is Keep.CENTERS:
        radii = [part.radius for part in parts if part.radius is not None]
        # Of one shard they are in the order of choosing; of several in that of their ordinals, whichever was first.
        order = np.argsort(ordinals) if len(parts) > 1 else np.arange(len(ordinals))
        return Kept(ordinals[order], scores[order], radius=max(radii, default=0.0), shards=len(parts))
    if sieve.keep is Keep.TURNS:
        groups = np.concatenate([_groups(part) for part in parts]) if parts else np.empty(0, np.int64)
        chosen = class_balanced(scores, groups, ordinals, sieve.rows, seed)
        return Kept(ordinals[chosen], scores[chosen], groups[chosen])
    chosen = ranking.top_k(scores, ordinals, sieve.rows, seed)
    return Kept(ordinals[chosen], scores[chosen])


def _groups(part: Kept) -> Int64:
    if part.groups is None:
        raise ValueError("a list kept by turns has a class for each row")
    return part.groups
