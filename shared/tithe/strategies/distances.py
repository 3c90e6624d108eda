"""Squared Euclidean distances between many vectors and some, a block at a time: never n x n numbers at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64

_BLOCK_VALUES = 2**17
# Up to so many multiplications a matrix product stays on one thread; above, it should be worth the threads' meeting.
_ONE_THREAD_PRODUCTS = 2**18
_MANY_THREAD_VALUES = 2**20


def checked_vectors(name: str, vectors: Floats, columns: int | None = None) -> Floats:
    """Vectors as float32 or float64 of shape (n, d); refuses another shape, NaN, and values whose squares overflow."""
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError(f"{name}, shape {array.shape}, {array.dtype}, must be real numbers of 2 axes, (n, d)")
    if columns not in (None, array.shape[1]):
        raise ValueError(f"{name}, shape {array.shape}, must have {columns} columns, as the vectors have")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    longest = float(np.finfo(array.dtype).max) * 2.0**-40  # sums over a trillion rows still fit
    for rows in row_blocks(len(array), array.shape[1]):
        good = _squared_norms(array[rows]) <= longest
        if not good.all():
            row = rows.start + int(good.argmin())
            reason = "is too long: its square overflows" if np.isfinite(array[row]).all() else "holds NaN or infinity"
            raise ValueError(f"{name}, shape {array.shape}: row {row} {reason}")
    return array


def checked_given(given: Floats | None, vectors: Floats) -> Floats:
    """The vectors that count as chosen already, of the candidates' dtype and columns; none where none are given."""
    if given is None:
        return np.empty((0, vectors.shape[1]), dtype=vectors.dtype)
    given = checked_vectors("given", given, columns=vectors.shape[1])
    with np.errstate(over="ignore"):  # what is too long for float32 becomes infinite, and is refused by name
        return checked_vectors("given", given.astype(vectors.dtype, copy=False))


def checked_distances(name: str, distances: Float64, n: int) -> Float64:
    """One distance of at least 0 for each of n vectors, as float64; infinity is one."""
    array = np.asarray(distances, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"{name}, shape {array.shape}, must hold one distance for each of the {n} vectors")
    good = array >= 0.0
    if not good.all():
        raise ValueError(f"{name}, shape {array.shape}: row {good.argmin()} is {array[good.argmin()]}, not 0 or more")
    return array


def checked_k(k: int, n: int) -> int:
    """How many of n can be chosen when k are asked for."""
    if k < 0:
        raise ValueError(f"k must be at least 0, not {k}")
    return min(int(k), n)


def row_blocks(n: int, values_per_row: int, block_values: int = _BLOCK_VALUES) -> Iterator[slice]:
    """Cut n rows into blocks of about so many values; by default what fits a cache."""
    step = max(1, block_values // max(1, values_per_row))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def squared_distances_to(vectors: Floats, center: Floats, positions: Int64 | None = None) -> Float64:
    """Squared distances of all vectors, or of those at the positions, to one center; exactly 0 for its copies."""
    n = len(vectors) if positions is None else len(positions)
    squared = np.empty(n)
    for rows in row_blocks(n, vectors.shape[1]):
        squared[rows] = _squared_norms(vectors[rows if positions is None else positions[rows]] - center)
    return squared


class Distances:
    """Squared distances from the same n vectors to changing centers, by matrix products.

    A product loses precision to what two vectors have in common, so all are measured from their mean; what is left
    below the rounding of the product counts as 0, so that copies of a center have no distance by accident.
    """

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors
        self._origin = vectors.mean(axis=0, dtype=np.float64).astype(vectors.dtype)

    def to(self, centers: Floats) -> Iterator[tuple[slice, Float64]]:
        """Yield blocks of rows and their squared distances, shape (rows, centers)."""
        shifted = (centers - self._origin).astype(self._vectors.dtype, copy=False)
        center_norms = _squared_norms(shifted)
        rounding = 16 * float(np.finfo(self._vectors.dtype).eps)
        for rows in self._product_blocks(len(centers)):
            block = self._vectors[rows] - self._origin
            scale = _squared_norms(block)[:, np.newaxis] + center_norms
            squared = scale - 2.0 * (block @ shifted.T)
            squared[squared < rounding * scale] = 0.0
            yield rows, squared

    def _product_blocks(self, centers: int) -> Iterator[slice]:
        n, d = self._vectors.shape
        if d * centers <= _ONE_THREAD_PRODUCTS // 64:
            return row_blocks(n, d * centers, _ONE_THREAD_PRODUCTS)
        return row_blocks(n, max(d, centers), _MANY_THREAD_VALUES)

    def nearest(self, centers: Floats) -> tuple[Int64, Float64]:
        """The position of each vector's nearest center, of equal ones the first, and the squared distance to it."""
        position = np.empty(len(self._vectors), dtype=np.int64)
        squared = np.empty(len(self._vectors))
        for rows, block in self.to(centers):
            position[rows] = block.argmin(axis=1)
            squared[rows] = block.min(axis=1)
        return position, squared


def _squared_norms(vectors: Floats) -> Float64:
    squared: Floats = np.einsum("ij,ij->i", vectors, vectors)
    return squared.astype(np.float64, copy=False)
