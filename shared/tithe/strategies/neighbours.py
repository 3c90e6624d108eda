"""SEALS: look only at the neighbours of what is labeled, and the cost of a round no longer grows with the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64, Ordinals
from tithe.strategies.distances import checked_vectors, row_blocks

_BLOCK_PRODUCTS = 2**21
_PAIR_VALUES = 2**20


class Neighbours(NamedTuple):
    """The nearest items of each of m labeled ones, nearest first, of equally near ones the smaller ordinal first.

    Attributes
    ----------
    ordinals
        Shape (m, count), int64.
    distances
        Shape (m, count), float64: Euclidean.
    """

    ordinals: Int64
    distances: Float64


def neighbours_of(vectors: Floats, labeled: Floats, count: int) -> Int64:
    """Positions of all vectors that are among the `count` nearest of some labeled one.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The unlabeled items; may be a memory map.
    labeled : array of shape (m, d), float32 or float64
    count : int
        Neighbours of each labeled item, at least 0; more than n means all n. The paper takes 100.

    Returns
    -------
    array of shape (between min(count, n) and m * count,), int64
        Distinct positions, ascending; none where nothing is labeled.

    Raises
    ------
    ValueError
        If count is negative, or an array is not (n, d), holds NaN or infinity, or `labeled` has another d.

    Notes
    -----
    As :func:`nearest_neighbours`.

    References
    ----------
    Coleman, Chou, Katz-Samuels, Culatana, Bailis, Berg, Nowak, Sumbaly, Zaharia & Yalniz 2022, Similarity search for
    efficient active learning and search of rare concepts, AAAI 36(6), pp. 6402-6410.

    Examples
    --------
    Two neighbours each of 0 and of 10:

    >>> neighbours_of(np.array([[1.0], [2.0], [5.0], [9.0], [11.0]]), np.array([[0.0], [10.0]]), count=2)
    array([0, 1, 3, 4])
    """
    found = nearest_neighbours(vectors, np.arange(len(vectors)), labeled, count)
    return seals_candidates([found], count)


def seals_candidates(parts: Sequence[Neighbours], count: int) -> Int64:
    """Ordinals of all items that are among the `count` nearest of some labeled one, from each shard's neighbours.

    Parameters
    ----------
    parts : sequence of Neighbours
        Of the same labeled items in the same order, from shards without common items; see :func:`nearest_neighbours`.
    count : int
        At least 0, and no larger than the count the shards were asked for.

    Returns
    -------
    array of shape (c,), int64
        Distinct ordinals, ascending.

    Raises
    ------
    ValueError
        As :func:`merge_neighbours`.

    References
    ----------
    Coleman et al. 2022, Similarity search for efficient active learning and search of rare concepts, AAAI 36(6),
    pp. 6402-6410.

    Examples
    --------
    >>> one = Neighbours(np.array([[4, 7]]), np.array([[0.5, 2.0]]))
    >>> other = Neighbours(np.array([[2, 9]]), np.array([[1.0, 3.0]]))
    >>> seals_candidates([one, other], count=2)
    array([2, 4])
    """
    return np.unique(merge_neighbours(parts, count).ordinals)


def nearest_neighbours(vectors: Floats, ordinals: Ordinals, labeled: Floats, count: int) -> Neighbours:
    """The `count` nearest vectors of each labeled one, exactly, in one pass over the vectors.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The unlabeled items of a shard; may be a memory map.
    ordinals : array of shape (n,), int64
        Their ordinals, no two alike.
    labeled : array of shape (m, d), float32 or float64
    count : int
        At least 0; more than n means all n.

    Returns
    -------
    Neighbours
        Of shape (m, min(count, n)).

    Raises
    ------
    ValueError
        If count is negative, an array has the wrong shape or length, or a vector holds NaN or infinity.

    Notes
    -----
    Time O(n * m * d) in matrix products, memory O(m * count) beside a block. Products of the vectors' own precision
    only rule out: what they leave, rounding allowed for, is measured as the difference of the two vectors in float64.
    So a distance does not depend on what else is in the shard, and shards merge into the same bytes. Of very many
    copies of one vector, all equally near, all are measured, which takes longer.

    Examples
    --------
    >>> nearest_neighbours(np.array([[3.0], [1.0], [9.0]]), np.array([20, 21, 22]), np.array([[0.0]]), count=2)
    Neighbours(ordinals=array([[21, 20]]), distances=array([[1., 3.]]))
    """
    vectors = checked_vectors("vectors", vectors)
    labeled = checked_vectors("labeled", labeled, columns=vectors.shape[1])
    ordinals = _checked_ordinals(ordinals, len(vectors))
    if count < 0:
        raise ValueError(f"count must be at least 0, not {count}")
    count = min(int(count), len(vectors))
    nearest = _Nearest(vectors, ordinals, labeled, count)
    if count and len(labeled):
        nearest.read_all()
    return Neighbours(nearest.ordinals, np.sqrt(nearest.squared))


def merge_neighbours(parts: Sequence[Neighbours], count: int) -> Neighbours:
    """The `count` nearest of each labeled item from several shards' nearest.

    Exact where every shard gave its own `count` nearest, or all it has: an item with so many nearer ones in its shard
    has them in the pool. The order, by distance and then ordinal, is total.

    Parameters
    ----------
    parts : sequence of Neighbours
        Of the same m labeled items in the same order, from shards without common items.
    count : int
        At least 0; fewer are given where all parts together have fewer.

    Returns
    -------
    Neighbours
        Of shape (m, count) or narrower; (0, 0) of no parts.

    Raises
    ------
    ValueError
        If count is negative, a distance is NaN, or a part's arrays are not of one shape (m, c) with the same m
        throughout.

    Examples
    --------
    >>> one = Neighbours(np.array([[4, 7]]), np.array([[0.5, 2.0]]))
    >>> other = Neighbours(np.array([[2, 9]]), np.array([[0.5, 3.0]]))
    >>> merge_neighbours([one, other], count=3)
    Neighbours(ordinals=array([[2, 4, 7]]), distances=array([[0.5, 0.5, 2. ]]))
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, not {count}")
    for i, (ordinals, distances) in enumerate(parts):
        first = np.shape(parts[0].distances)
        if np.ndim(distances) != 2 or np.shape(ordinals) != np.shape(distances) or len(distances) != first[0]:
            shapes = f"ordinals of shape {np.shape(ordinals)} and distances of shape {np.shape(distances)}"
            raise ValueError(f"parts[{i}] has {shapes}, not both (m, c) with the same m as the first part")
        if np.isnan(distances).any():
            raise ValueError(f"parts[{i}] has a distance that is NaN")
    if not parts:
        return Neighbours(np.empty((0, 0), dtype=np.int64), np.empty((0, 0)))
    ordinals = np.concatenate([part.ordinals for part in parts], axis=1).astype(np.int64, copy=False)
    distances = np.concatenate([part.distances for part in parts], axis=1)
    order = np.lexsort((ordinals, distances), axis=1)[:, :count]
    return Neighbours(np.take_along_axis(ordinals, order, axis=1), np.take_along_axis(distances, order, axis=1))


class _Nearest:
    """The nearest so far of each labeled vector, and the bar another must reach to be measured at all.

    What is compared is ``x . y - |x|² / 2``, which is ``(|y|² - |x - y|²) / 2``: the larger, the nearer. All is counted
    from the labeled vectors' mean, as a product loses what two vectors have in common. What rounding can take from it
    is at most ``rounding * (|x|² * 3 / 2 + |y|² / 2)``: the first part is added to it, the second taken from the bar.
    """

    def __init__(self, vectors: Floats, ordinals: Int64, labeled: Floats, count: int) -> None:
        self._vectors, self._all_ordinals, self._count = vectors, ordinals, count
        self._labeled = labeled.astype(np.float64)
        self._origin = self._labeled.mean(axis=0).astype(vectors.dtype) if len(labeled) else labeled.sum(axis=0)
        centered = self._labeled - self._origin
        self._squares = np.einsum("ij,ij->i", centered, centered)
        self._centers = centered.astype(vectors.dtype)
        self._rounding = (vectors.shape[1] + 16) * float(np.finfo(vectors.dtype).eps)
        self.ordinals = np.empty((len(labeled), count), dtype=np.int64)
        self.squared = np.empty((len(labeled), count))

    def read_all(self) -> None:
        n, d = self._vectors.shape
        m = len(self._labeled)
        waiting: list[Int64] = []  # flat positions in (n, m)
        bar = None
        step = max(self._count, _BLOCK_PRODUCTS // max(m, d), 1)  # the first block must fill every list
        for start in range(0, n, step):
            near, longest = self._nearness(slice(start, min(start + step, n)))
            if bar is None:
                waiting.append(np.flatnonzero(near >= self._first_bar(near, longest)))
                bar = self._measure(waiting, kept=0)
                continue
            waiting.append(np.flatnonzero(near >= bar) + start * m)
            if sum(map(len, waiting)) >= self.squared.size:
                bar = self._measure(waiting, kept=self._count)
        self._measure(waiting, kept=self._count)

    def _nearness(self, rows: slice) -> tuple[Floats, float]:
        """How near rows are, at most, shape (rows, m), and the largest squared length among them."""
        block = np.asarray(self._vectors[rows]) - self._origin
        squares = np.einsum("ij,ij->i", block, block)
        near = block @ self._centers.T
        near -= ((0.5 - 1.5 * self._rounding) * squares)[:, np.newaxis]
        return near, float(squares.max())

    def _first_bar(self, near: Floats, longest: float) -> Floats:
        """Below the `count`-th nearest of a block, whichever that may be."""
        reached = np.partition(near, len(near) - self._count, axis=0)[len(near) - self._count]
        slack = self._rounding * (3.0 * longest + 2.0 * self._squares)
        return np.asarray(reached - slack, dtype=near.dtype)

    def _measure(self, waiting: list[Int64], kept: int) -> Floats:
        """Take in those that wait, and raise the bar; `kept` of the lists' places are taken so far."""
        m = len(self._labeled)
        position, label = np.divmod(np.concatenate([np.empty(0, dtype=np.int64), *waiting]), m)
        waiting.clear()
        label = np.concatenate([np.repeat(np.arange(m), kept), label])
        ordinals = np.concatenate([self.ordinals[:, :kept].ravel(), self._all_ordinals[position]])
        squared = np.concatenate([self.squared[:, :kept].ravel(), self._squared(position, label[m * kept :])])
        order = np.lexsort((ordinals, squared, label))
        starts = np.searchsorted(label[order], np.arange(m))
        best = order[starts[:, np.newaxis] + np.arange(self._count)]
        self.ordinals, self.squared = ordinals[best], squared[best]
        last = self.squared[:, -1]
        slack = self._rounding * (0.5 * self._squares + last)
        return np.asarray((self._squares - last) / 2.0 - slack, dtype=self._vectors.dtype)

    def _squared(self, position: Int64, label: Int64) -> Float64:
        """Squared distances of pairs, each the same to the bit whatever other pairs there are."""
        squared = np.empty(len(position))
        for pairs in row_blocks(len(position), self._vectors.shape[1], _PAIR_VALUES):
            apart = self._vectors[position[pairs]] - self._labeled[label[pairs]]
            squared[pairs] = np.square(apart, out=apart).sum(axis=1)
        return squared


def _checked_ordinals(ordinals: Ordinals, n: int) -> Int64:
    array = np.asarray(ordinals)
    if array.shape != (n,) or (array.dtype.kind not in "iu" and n):
        raise ValueError(f"ordinals, shape {array.shape}, {array.dtype}, must be integers, one for each of {n} vectors")
    return array.astype(np.int64, copy=False)
