"""No two almost the same in one batch: a walk down a ranking that skips what looks like something already kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.distances import checked_k, checked_vectors

_BLOCK_ROWS = 256
# The cosine of two copies is 1 within the rounding of a sum of d products; two float32 roundings of one direction are
# closer still, as a cosine falls with the square of the angle.
_ROUNDING = 1e-12


class KeptApart(NamedTuple):
    """What a walk down a ranking kept, and what it skipped for whose sake.

    Attributes
    ----------
    kept
        Positions, best first, int64.
    skipped
        Positions, in the order of the walk, int64. Rows after the last one kept were not looked at.
    duplicates
        For each skipped one the position of the first kept one it is too similar to, int64; for row i of `beside` it is
        ``-1 - i``.
    """

    kept: Int64
    skipped: Int64
    duplicates: Int64


def keep_apart(vectors: Floats, order: Int64, k: int, threshold: float, beside: Floats | None = None) -> KeptApart:
    """Walk rows best first and keep k, skipping each whose cosine similarity to one kept before reaches a threshold.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        Need not have length 1. A vector of zeros has no direction: it is a duplicate of vectors of zeros only.
    order : array of shape (m,), int64
        Positions in `vectors`, best first, no two alike.
    k : int
        How many to keep, at least 0; fewer are kept where the rows run out.
    threshold : float
        Cosine similarity, above 0 and at most 1. A similarity within 1e-12 of it reaches it, so that exact copies are
        found at 1, whatever their length.
    beside : array of shape (b, d), optional
        Vectors that count as kept already, such as those out with labelers.

    Returns
    -------
    KeptApart
        Of positions; see there.

    Raises
    ------
    ValueError
        If the threshold is not above 0 and at most 1, k is negative, an array has the wrong shape, a vector holds NaN
        or infinity, or `order` holds what is no position or one twice.

    Notes
    -----
    Time O(rows walked * (kept + b) * d) in products of blocks of float64, memory O((kept + b + 256) * d). Exact: what
    is kept depends on the rows and their order only, not on the blocks.

    References
    ----------
    Carbonell & Goldstein 1998, The use of MMR, diversity-based reranking for reordering documents and producing
    summaries, SIGIR, pp. 335-336, of which this is the form with a limit instead of a trade.

    Examples
    --------
    The second best is the best one over again, twice as long. The last one was not needed.

    >>> vectors = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> keep_apart(vectors, np.array([0, 1, 2, 3]), k=2, threshold=0.95)
    KeptApart(kept=array([0, 2]), skipped=array([1]), duplicates=array([0]))
    """
    vectors = checked_vectors("vectors", vectors)
    order = _checked_order(order, len(vectors))
    k = checked_k(k, len(order))
    apart = Apart(threshold)
    if beside is not None:
        apart.keep(checked_vectors("beside", beside, columns=vectors.shape[1]))
    before = len(apart)
    twin = np.empty(0, dtype=np.int64)
    while len(apart) < before + k and len(twin) < len(order):
        more = order[len(twin) : len(twin) + _BLOCK_ROWS]
        twin = np.concatenate([twin, apart.twins(vectors[more], most=before + k - len(apart))])
    walked = order[: len(twin)]
    kept, skipped = walked[twin < 0], walked[twin >= 0]
    of = twin[twin >= 0]
    first_kept = np.concatenate([-1 - np.arange(before), kept])
    return KeptApart(kept, skipped, first_kept[of])


class Apart:
    """Vectors kept so far, no two of them too similar; fed in slices, it keeps what it would keep fed at once.

    Parameters
    ----------
    threshold : float
        Cosine similarity, above 0 and at most 1; see :func:`keep_apart`.

    Examples
    --------
    >>> apart = Apart(threshold=0.9)
    >>> apart.offer(np.array([[1.0, 0.0], [1.0, 0.1]]))
    array([ True, False])
    >>> apart.offer(np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([ True, False])
    """

    def __init__(self, threshold: float) -> None:
        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")
        self._reach = float(threshold) - _ROUNDING
        self._kept = np.empty((0, 0))  # directions; the last column is for vectors of zeros
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def offer(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Which of the vectors, best first, are kept: those not too similar to one kept before.

        Raises
        ------
        ValueError
            If the vectors are not (n, d), hold NaN or infinity, or have another d than those before.
        """
        twins = self.twins(checked_vectors("vectors", vectors), most=len(vectors))
        return np.asarray(twins < 0)

    def keep(self, vectors: Floats) -> None:
        """Keep vectors without asking how similar they are."""
        self._append(self._directions(vectors))

    def twins(self, vectors: Floats, most: int) -> Int64:
        """For each vector the number of the first kept one it is too similar to, or -1 where it is kept itself.

        Kept ones are numbered 0, 1, ... as they come. Ends with the vector that is the `most`-th kept of this call.
        """
        found = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(vectors), _BLOCK_ROWS):
            if most <= 0:
                break
            block = self._directions(vectors[start : start + _BLOCK_ROWS])
            twin = np.full(len(block), -1)
            if self._count:
                near = block @ self._kept[: self._count].T >= self._reach
                np.copyto(twin, near.argmax(axis=1), where=near.any(axis=1))
            end, kept = self._walk(block, twin, most)
            most -= len(kept)
            self._append(block[kept])
            found.append(twin[:end])
        return np.concatenate(found)

    def _walk(self, block: Float64, twin: Int64, most: int) -> tuple[int, Int64]:
        """Settle, in `twin`, what the rows of a block are to one another; how far it went, and which it kept."""
        kept: list[int] = []
        open_rows = np.flatnonzero(twin < 0)
        near = block[open_rows] @ block[open_rows].T >= self._reach
        for i, row in enumerate(open_rows):
            if twin[row] >= 0:
                continue
            later = open_rows[i + 1 :][near[i, i + 1 :]]
            twin[later[twin[later] < 0]] = self._count + len(kept)
            kept.append(int(row))
            if len(kept) == most:
                return int(row) + 1, np.array(kept)
        return len(block), np.array(kept, dtype=np.int64)

    def _directions(self, vectors: Floats) -> Float64:
        """Each vector at length 1 in float64, and one more column: 1 for a vector of zeros, which has no direction."""
        if self._kept.shape[1] not in (0, vectors.shape[1] + 1):
            raise ValueError(f"vectors, shape {vectors.shape}, must have {self._kept.shape[1] - 1} columns, as before")
        exact = np.asarray(vectors, dtype=np.float64)
        largest = np.abs(exact).max(axis=1, initial=0.0)
        directions = np.zeros((len(exact), exact.shape[1] + 1))
        # First to a largest value of 1: the squares of very small numbers would be 0.
        np.divide(exact, largest[:, np.newaxis], out=directions[:, :-1], where=largest[:, np.newaxis] > 0.0)
        directions[:, -1] = largest == 0.0
        directions /= np.sqrt(np.einsum("ij,ij->i", directions, directions))[:, np.newaxis]
        return directions

    def _append(self, directions: Float64) -> None:
        if not self._kept.size:
            self._kept = np.empty((0, directions.shape[1]))
        after = self._count + len(directions)
        if after > len(self._kept):
            grown = np.empty((max(after, 2 * len(self._kept)), directions.shape[1]))
            grown[: self._count] = self._kept[: self._count]
            self._kept = grown
        self._kept[self._count : after] = directions
        self._count = after


def _checked_order(order: Int64, n: int) -> Int64:
    array = np.asarray(order)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(f"order, shape {array.shape}, {array.dtype}, must be one row of positions, (m,)")
    array = array.astype(np.int64)
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < n:
        raise ValueError(f"order holds positions {array.min()} to {array.max()}, but there are {n} vectors")
    times = np.bincount(array, minlength=1)
    if times.max() > 1:
        raise ValueError(f"order holds position {times.argmax()} {times.max()} times")
    return array
