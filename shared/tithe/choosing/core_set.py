"""What is certain of a core-set that was chosen shard by shard."""

from __future__ import annotations

from typing import Any

import numpy as np

from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Float64, Int64


def radius_of_last(vectors: Float32, chosen: Int64, nearest_distance: Float64) -> float:
    """How far the last of the chosen rows is from the others and from what is labeled: the radius those leave.

    Farthest first chooses as its next row the one that is farthest from all before, so the next one is the measure.
    """
    last = vectors[chosen[-1]].astype(np.float64)
    others = vectors[chosen[:-1]].astype(np.float64) - last
    squared = np.einsum("ij,ij->i", others, others)
    return float(min(nearest_distance[chosen[-1]], np.sqrt(squared.min(initial=np.inf))))


def radius_facts(
    vectors: Float32, picked: Int64, depth: int, nearest: Float64, *, of_shards: float, shards: int
) -> dict[str, Any]:
    """Both ends of the radius the queue leaves, in Euclidean distance.

    A row is within the shards' radius of a row its shard kept (or of a labeled one), and that within the union's of a
    chosen one (or of a labeled one): together at most four times the smallest radius possible. And of k + 1 rows at
    least r apart from one another and from what is labeled some two share a center, so no k centers leave less than
    r / 2. With one shard the union is the pool's own greedy order, and its radius is the pool's.

    Parameters
    ----------
    vectors
        The candidates: what the shards kept.
    picked
        Positions in them, in the order of choosing, more than `depth` where there are more.
    depth
        How many are chosen.
    nearest
        Each candidate's distance to its nearest labeled item.
    of_shards
        How far the farthest row of any shard is from what its shard kept.
    shards
        How many there are.

    References
    ----------
    Malkomes, Kusner, Chen, Weinberger & Moseley 2015, Fast distributed k-center clustering with outliers on massive
    data, NIPS, pp. 1063-1071.
    """
    within = picked[: depth + 1]
    of_union = radius_of_last(vectors, within, nearest) if len(within) > depth else 0.0
    of_shards = of_shards if shards > 1 else 0.0
    return {
        "radius_at_most": of_shards + of_union,
        "radius_of_any_choice_at_least": max(of_shards, of_union) / 2,
    }
