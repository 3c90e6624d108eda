"""Fold new centers into the distances that are kept: the running minimum of core-set selection."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_ROWS, _CENTERS = 2_048, 1_024  # 8 MiB of products at a time
_PAIRS = 4_096


def fold(distances: Float32, rows: Float32, centers: Float32) -> None:
    """Lower each row's distance to that of its nearest center, where this is nearer. `distances` is written to.

    The running minimum of farthest-first traversal (Gonzalez 1985, pp. 294-296; Sener & Savarese 2018, algorithm 1)
    over centers that come in portions. A float32 matrix product says which pairs may matter; only those are measured,
    directly and in float64. So a distance never depends on the portions, or on who came first: it is the exact one,
    rounded once, and exactly 0 for copies of a center.

    Parameters
    ----------
    distances
        Shape (n,), float32, Euclidean; infinity where nothing was folded in yet. Changed in place.
    rows
        Shape (n, d), float32, finite.
    centers
        Shape (m, d), float32, finite.

    Raises
    ------
    ValueError
        When the shapes do not fit.

    Notes
    -----
    O(n · m · d) in one pass of products, O(d) more for each row that comes nearer; 8 MiB of scratch. A product of
    vectors as long as x and c, with their squares, is off by less than 2 (d + 16) · eps · (x² + c²), whatever the
    order of its sums. All are measured from the centers' mean, to keep x and c short.

    Examples
    --------
    >>> kept = np.full(3, np.inf, dtype=np.float32)
    >>> rows = np.array([[0, 0], [3, 4], [6, 8]], dtype=np.float32)
    >>> fold(kept, rows, rows[:1])
    >>> kept
    array([ 0.,  5., 10.], dtype=float32)
    >>> fold(kept, rows, rows[2:])
    >>> kept
    array([0., 5., 0.], dtype=float32)
    """
    if rows.ndim != 2 or centers.ndim != 2 or rows.shape[1] != centers.shape[1] or distances.shape != (len(rows),):
        raise ValueError(f"shapes {distances.shape}, {rows.shape} and {centers.shape} are not (n,), (n, d) and (m, d)")
    if not len(rows) or not len(centers):
        return
    origin = centers.mean(axis=0, dtype=np.float64).astype(np.float32)
    for c in range(0, len(centers), _CENTERS):
        portion = centers[c : c + _CENTERS]
        shifted = portion - origin
        squares = _squares(shifted)
        for r in range(0, len(rows), _ROWS):
            _fold(distances[r : r + _ROWS], rows[r : r + _ROWS], portion, shifted, squares, origin)


def _fold(
    distances: Float32, rows: Float32, centers: Float32, shifted: Float32, squares: Float32,
    origin: Float32,
) -> None:  # fmt: skip
    """One block of rows, one portion of centers."""
    block = rows - origin
    own = _squares(block).astype(np.float64)
    error = 2 * (rows.shape[1] + 16) * float(np.finfo(np.float32).eps) * (own + float(squares.max()))
    error += rows.shape[1] * float(np.finfo(np.float32).tiny)  # what underflows on the way
    kept = np.square(distances, dtype=np.float64)
    products = block @ shifted.T
    products *= -2.0
    products += squares  # the squared distances, less each row's own square
    least = products.min(axis=1)
    nearer = np.flatnonzero((least + own - error < kept) & (kept > 0.0))
    if not nearer.size:
        return
    bound = np.minimum(least[nearer] + 2.0 * error[nearer], (kept + error - own)[nearer])
    at, center = np.nonzero(products[nearer] <= bound.astype(np.float32)[:, np.newaxis])
    at = nearer[at]
    for first in range(0, len(at), _PAIRS):
        pairs = slice(first, first + _PAIRS)
        apart = rows[at[pairs]].astype(np.float64) - centers[center[pairs]]
        exact = np.sqrt(np.einsum("ij,ij->i", apart, apart)).astype(np.float32)
        np.minimum.at(distances, at[pairs], exact)


def _squares(vectors: Float32) -> Float32:
    found: Float32 = np.einsum("ij,ij->i", vectors, vectors)
    return found
