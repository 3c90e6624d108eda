"""Cluster-Margin: the most uncertain items, one from each of many clusters, small clusters first."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import checked_k, checked_vectors
from tithe.strategies.linkage import average_linkage, joined_clusters
from tithe.strategies.shortlist import checked_uncertainty, most_uncertain, shortlist_length

_MOST_CLUSTERED = 4096  # 128 MiB of distances
_MEAN_SIZE = 10


def cluster_margin(
    vectors: Floats,
    uncertainty: Float64,
    k: int,
    rng: np.random.Generator,
    *,
    candidates: int | None = None,
    threshold: float | None = None,
) -> Int64:
    """Choose k of the most uncertain items by turns over their clusters, from the smallest cluster to the largest.

    Every turn takes one item of each cluster that has any left, drawn uniformly, as in the paper; clusters of one
    size are put in an order by lot. The paper clusters the whole pool once and looks up the uncertain items in it.
    Here the uncertain items are clustered, anew for each batch: it costs less than keeping a pool's clusters, and needs
    no state.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates.
    uncertainty : array of shape (n,), float64
        Higher = more worth asking, in any unit; the paper's is the margin score. NaN is refused.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator
    candidates : int, optional
        How many of the most uncertain to cluster, ``10 * k`` if not given, as in the paper; never fewer than k and
        never more than 4,096. Of a k above that, what is over follows in the order of uncertainty.
    threshold : float, optional
        Clusters are joined up to this average Euclidean distance, at least 0. If not given, until a cluster has ten
        items on average, as the paper sets it: then there are k clusters for k picks.

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions in `vectors`, in the order of choosing.

    Raises
    ------
    ValueError
        If k, candidates or the threshold is negative (or NaN), `vectors` is not (n, d) or holds NaN or infinity, or
        `uncertainty` is not one number per vector.

    Notes
    -----
    Time O(n + candidates² * d), memory O(n + candidates²).

    References
    ----------
    Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh & Kumar 2021, Batch active learning at scale,
    NeurIPS 34, pp. 11933-11944 (algorithms 1 and 2).

    Examples
    --------
    The certain item at 50 is no candidate. The rest are two clusters, of one and of three: the small one goes first.

    >>> line, doubt = np.array([[0.0], [1.0], [2.0], [9.0], [50.0]]), np.array([0.9, 0.9, 0.9, 0.8, 0.1])
    >>> chosen = cluster_margin(line, doubt, 2, np.random.default_rng(0), candidates=4, threshold=3.0)
    >>> int(chosen[0]), int(chosen[1]) in (0, 1, 2)
    (3, True)
    """
    vectors = checked_vectors("vectors", vectors)
    uncertainty = checked_uncertainty(uncertainty, len(vectors))
    k = checked_k(k, len(vectors))
    if threshold is not None and not threshold >= 0.0:
        raise ValueError(f"threshold must be at least 0, not {threshold}")
    ranked = most_uncertain(uncertainty, shortlist_length(candidates, k), rng)
    if k == 0:
        return ranked[:0]
    shortlist, beyond = ranked[:_MOST_CLUSTERED], ranked[_MOST_CLUSTERED:]
    joins = average_linkage(np.asarray(vectors[shortlist]))
    if threshold is None:
        cluster = joined_clusters(joins, len(shortlist) - max(1, len(shortlist) // _MEAN_SIZE))
    else:
        cluster = joined_clusters(joins, int(np.searchsorted(joins.height, threshold, side="right")))
    return np.concatenate([shortlist[_by_turns(cluster, rng)], beyond])[:k]


def _by_turns(cluster: Int64, rng: np.random.Generator) -> Int64:
    """All positions: a random one of each cluster, smallest cluster first, then a second one of each, and so on."""
    sizes = np.bincount(cluster)
    place_of_cluster = np.empty(len(sizes), dtype=np.int64)
    place_of_cluster[np.lexsort((rng.permutation(len(sizes)), sizes))] = np.arange(len(sizes))
    place = place_of_cluster[cluster]
    order = np.lexsort((rng.permutation(len(cluster)), place))
    starts = np.cumsum(sizes[np.argsort(place_of_cluster)]) - sizes[np.argsort(place_of_cluster)]
    turn = np.arange(len(cluster)) - starts[place[order]]
    return order[np.lexsort((place[order], turn))]
