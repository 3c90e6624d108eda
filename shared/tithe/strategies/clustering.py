"""k-means and density within a cluster: what typical examples are chosen by."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import Distances

_MOST_ITERATIONS = 100


def k_means(vectors: Floats, seeds: Floats) -> Int64:
    """The cluster of each vector, as :func:`k_means_centers`."""
    return k_means_centers(vectors, seeds)[0]


def k_means_centers(vectors: Floats, seeds: Floats) -> tuple[Int64, Floats]:
    """Assign each vector to a cluster by Lloyd's iteration from the seeds, until nothing moves or 100 times.

    Returns positions in the seeds, shape (n,), and the centers they are nearest to, shape (k, d). A cluster that has
    lost all its vectors keeps its center.

    References
    ----------
    Lloyd 1982, Least squares quantization in PCM, IEEE Transactions on Information Theory 28(2), pp. 129-137.
    """
    distances = Distances(vectors)
    centers = seeds.copy()
    cluster = distances.nearest(centers)[0]
    for _ in range(_MOST_ITERATIONS):
        for label in np.unique(cluster):
            centers[label] = vectors[cluster == label].mean(axis=0, dtype=np.float64)
        moved = distances.nearest(centers)[0]
        if np.array_equal(moved, cluster):
            break
        cluster = moved
    return cluster, centers


def mean_neighbour_distance(vectors: Floats, neighbours: int) -> Float64:
    """Mean Euclidean distance of each vector to so many nearest others, or to all others where there are fewer."""
    others = min(neighbours, len(vectors) - 1)
    if others == 0:
        return np.zeros(len(vectors))
    mean = np.empty(len(vectors))
    for rows, squared in Distances(vectors).to(vectors):
        nearest = np.partition(squared, others, axis=1)[:, : others + 1]  # itself among them, at distance 0
        mean[rows] = np.sqrt(nearest).sum(axis=1) / others
    return mean
