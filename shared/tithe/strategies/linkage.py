"""Average-linkage clustering of a few thousand vectors, exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import Distances


class Joins(NamedTuple):
    """The n - 1 steps from n clusters of one to one cluster of n, nearest clusters first.

    Attributes
    ----------
    one, other
        Shape (n - 1,), int64: a member of each of the two clusters joined.
    height
        Shape (n - 1,), float64, ascending: the mean Euclidean distance between their members.
    """

    one: Int64
    other: Int64
    height: Float64


def average_linkage(vectors: Floats) -> Joins:
    """Join, n - 1 times, the two clusters with the smallest mean Euclidean distance between their members.

    By chains of nearest neighbours: whoever is each other's nearest can be joined at once, as no later join brings
    anything nearer. The joins are the same as one by one, found in another order.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        At least one.

    Returns
    -------
    Joins
        In the order of their heights. Of equal distances any may be joined first.

    Notes
    -----
    Time O(n² * d) for the distances and O(n²) for the joins, memory 8 * n² bytes.

    References
    ----------
    Murtagh 1983, A survey of recent advances in hierarchical clustering algorithms, The Computer Journal 26(4),
    pp. 354-359. Müllner 2011, Modern hierarchical, agglomerative clustering algorithms, arXiv:1109.2378, pp. 8-13.

    Examples
    --------
    0 and 1 join at 1; 4 joins them at the mean of 4 and 3.

    >>> average_linkage(np.array([[0.0], [4.0], [1.0]])).height
    array([1. , 3.5])
    """
    n = len(vectors)
    apart = np.empty((n, n))
    exact = np.asarray(vectors, dtype=np.float64)
    for rows, squared in Distances(exact).to(exact):
        np.sqrt(squared, out=apart[rows])
    np.fill_diagonal(apart, np.inf)
    sizes = np.ones(n)
    left = np.ones(n, dtype=bool)
    one, other = np.empty((2, max(n - 1, 0)), dtype=np.int64)
    height = np.empty(len(one))
    chain: list[int] = []
    for step in range(n - 1):
        if not chain:
            chain = [int(left.argmax())]
        while True:
            row = apart[chain[-1]]
            near = int(row.argmin())
            if len(chain) > 1 and row[chain[-2]] <= row[near]:
                break  # each other's nearest; of equally near ones the one before, or the chain would run in a ring
            chain.append(near)
        gone, stays = chain.pop(), chain.pop()
        one[step], other[step], height[step] = gone, stays, apart[gone, stays]
        _join(apart, sizes, gone, stays)
        left[gone] = False
    order = np.argsort(height, kind="stable")
    return Joins(one[order], other[order], height[order])


def _join(apart: Float64, sizes: Float64, gone: int, stays: int) -> None:
    """Let `stays` stand for both clusters: the distance to a third is the mean over all pairs."""
    mean = sizes[gone] * apart[gone] + sizes[stays] * apart[stays]
    sizes[stays] += sizes[gone]
    mean /= sizes[stays]
    mean[[gone, stays]] = np.inf
    apart[stays] = mean
    apart[:, stays] = mean
    apart[gone] = np.inf
    apart[:, gone] = np.inf


def joined_clusters(joins: Joins, steps: int) -> Int64:
    """The cluster of each vector after the first so many joins, numbered from 0 without gaps, shape (n,).

    Examples
    --------
    >>> joined_clusters(average_linkage(np.array([[0.0], [4.0], [1.0]])), 1)
    array([0, 1, 0])
    """
    parent = list(range(len(joins.one) + 1))

    def root(member: int) -> int:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for one, other in zip(joins.one[:steps].tolist(), joins.other[:steps].tolist(), strict=True):
        parent[root(one)] = root(other)
    return np.unique([root(member) for member in range(len(parent))], return_inverse=True)[1].astype(np.int64)
