"""What is certain of a core-set that was chosen shard by shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.distances import Distances


@dataclass(frozen=True, slots=True)
class Centers:
    """What the shards kept for a core-set.

    Attributes
    ----------
    ordinals
        int64, shape (n,).
    vectors
        Shape (n, d), float32.
    nearest
        Each one's distance to its nearest labeled item, float64.
    order
        Positions, farthest first.
    of_shards
        How far the farthest row of any shard is from what its shard kept or from what is labeled.
    shards
        How many there were. Of one, `order` is the pool's own greedy order.
    """

    ordinals: Int64
    vectors: Float32
    nearest: Float64
    order: Int64
    of_shards: float
    shards: int


def radius_of_last(vectors: Float32, chosen: Int64, nearest_distance: Float64) -> float:
    """How far the last of the chosen rows is from the others and from what is labeled: the radius those leave.

    Farthest first chooses as its next row the one that is farthest from all before, so the next one is the measure.
    """
    last = vectors[chosen[-1]].astype(np.float64)
    others = vectors[chosen[:-1]].astype(np.float64) - last
    squared = np.einsum("ij,ij->i", others, others)
    return float(min(nearest_distance[chosen[-1]], np.sqrt(squared.min(initial=np.inf))))


def radius_facts(kept: Centers, chosen: Int64) -> dict[str, Any]:
    """Both ends of the radius that a queue leaves, in Euclidean distance, whoever else chose for it.

    A row of the pool is within the shards' radius of a row its shard kept (or of a labeled one), and that within the
    union's of one in the queue (or of a labeled one). Where the queue is farthest first throughout, that is at most
    four times the smallest radius possible. And of k + 1 rows at least r apart from one another and from what is
    labeled some two share a center, so no k centers leave less than r / 2.

    Parameters
    ----------
    kept
        What the shards kept.
    chosen
        The ordinals of the whole queue, with those that stood in it before.

    References
    ----------
    Malkomes, Kusner, Chen, Weinberger & Moseley 2015, Fast distributed k-center clustering with outliers on massive
    data, NIPS, pp. 1063-1071.
    """
    depth = len(chosen)
    within = kept.order[: depth + 1]
    apart = radius_of_last(kept.vectors, within, kept.nearest) if len(within) > depth else 0.0
    first = set(kept.ordinals[kept.order[:depth]].tolist())
    exact = kept.shards == 1 and len(within) > depth and first == set(chosen.tolist())
    ends = {
        "radius_at_most": apart if exact else kept.of_shards + _left_by(kept, chosen),
        "radius_of_any_choice_at_least": max(kept.of_shards, apart) / 2,
    }
    return {name: end for name, end in ends.items() if np.isfinite(end)}  # infinite: nothing is labeled, nothing chosen


def _left_by(kept: Centers, chosen: Int64) -> float:
    """How far the farthest of the kept rows is from the queue's or from what is labeled."""
    inside = np.isin(kept.ordinals, chosen)
    distance = np.where(inside, 0.0, kept.nearest)
    if inside.any() and not inside.all():
        # The product only finds the nearest; how far it is, is measured directly.
        at = Distances(kept.vectors).nearest(kept.vectors[inside])[0]
        gaps = kept.vectors.astype(np.float64) - kept.vectors[inside][at]
        distance = np.minimum(distance, np.sqrt(np.einsum("ij,ij->i", gaps, gaps)))
    return float(distance.max(initial=0.0))
