"""Which items a model is asked about where its answers are dear: neighbours of labeled ones, and some by lot."""

from __future__ import annotations

import numpy as np

from tithe.learners.protocol import Float32
from tithe.strategies import ranking
from tithe.strategies.arrays import Int64
from tithe.strategies.neighbours import neighbours_of

#: Neighbours of each labeled item, as the paper has it; fewer where that would be more than half of what may be asked.
NEIGHBOURS = 100


def worth_asking(ordinals: Int64, vectors: Float32, labeled: Float32, most: int, seed: int) -> Int64:
    """At most `most` of the items: up to half of them neighbours of labeled ones, the others by lot.

    Parameters
    ----------
    ordinals, vectors
        int64, shape (n,), ascending, and float32, shape (n, d): the items that may be asked for.
    labeled
        float32, shape (m, d): what is labeled; m may be 0.
    most
        At least 0.
    seed
        Of the lot.

    Returns
    -------
    int64, shape (min(n, most),), ascending.

    References
    ----------
    Coleman, Chou, Katz-Samuels, Culatana, Bailis, Berg, Nowak, Sumbaly, Zaharia & Yalniz 2022, Similarity search for
    efficient active learning and search of rare concepts, AAAI 36(6), pp. 6402-6410.
    """
    if len(ordinals) <= most:
        return ordinals
    lot = ranking.random_scores(ordinals, seed)
    near = np.zeros(len(ordinals), dtype=bool)
    if len(labeled):
        near[neighbours_of(vectors, labeled, min(NEIGHBOURS, max(1, most // (2 * len(labeled)))))] = True
    positions = np.arange(len(ordinals), dtype=np.int64)
    found = positions[near]
    chosen = found[ranking.top_k(lot[found], ordinals[found], most // 2, seed)]
    rest = np.setdiff1d(positions, chosen)
    by_lot = rest[ranking.top_k(lot[rest], ordinals[rest], most - len(chosen), seed)]
    asked: Int64 = ordinals[np.sort(np.concatenate([chosen, by_lot]))]
    return asked
