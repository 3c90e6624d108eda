"""The product's one order of scored items: score descending, ties by a seeded hash of the item's ordinal.

The order is total and does not depend on what else is being ranked, so the best k of a pool are the best k of the
best k of its shards, byte for byte, however the pool is cut. Ordinals number the items of a pool; no two items share
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats, Int64, Ordinals, UInt64

OrdinalT = TypeVar("OrdinalT", bound=np.integer[Any])

_WEYL = 0x9E3779B97F4A7C15
#: The fractions of the square roots of 2 and 3: draws that must not know of one another.
_TIE_STREAM, _RANDOM_STREAM, _DRAW_STREAM = 0, 0x6A09E667F3BCC909, 0xBB67AE8584CAA73B


def tie_hash(ordinals: Ordinals, seed: int) -> UInt64:
    """Seeded 64-bit hash of each ordinal (splitmix64): of equal scores the item with the smaller hash comes first.

    For one seed it is a bijection of the 64-bit numbers (an odd multiplication, an addition and splitmix64's finisher
    are each invertible), so different ordinals never share a hash and the order of the product is total.

    Parameters
    ----------
    ordinals : array of shape (n,), int64 or uint64
    seed : int
        Any integer; taken modulo 2**64.

    Returns
    -------
    array of shape (n,), uint64

    Raises
    ------
    ValueError
        If ordinals is not one row of integers.

    Notes
    -----
    O(n) time and memory.

    References
    ----------
    Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators, OOPSLA, pp. 453-472.

    Examples
    --------
    An item's hash does not depend on the company it is in:

    >>> alone, together = tie_hash(np.array([2]), seed=7), tie_hash(np.array([3, 1, 2]), seed=7)
    >>> bool(alone[0] == together[2])
    True
    """
    return _hash(_checked_ordinals("ordinals", ordinals), seed, _TIE_STREAM)


def random_scores(ordinals: Ordinals, seed: int) -> Float64:
    """Uniform scores in [0, 1): the random strategy and the control arm, the same for an item in whatever shard.

    The top 53 bits of a second stream of the hash of :func:`tie_hash`, so that which item is picked at random tells
    nothing about how ties fall.

    Parameters
    ----------
    ordinals : array of shape (n,), int64 or uint64
    seed : int
        Any integer; taken modulo 2**64.

    Returns
    -------
    array of shape (n,), float64
        Multiples of 2**-53 in [0, 1), without a unit.

    Raises
    ------
    ValueError
        If ordinals is not one row of integers.

    Notes
    -----
    O(n) time and memory.

    References
    ----------
    Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators, OOPSLA, pp. 453-472.

    Examples
    --------
    >>> bool((random_scores(np.arange(10), seed=1)[4:] == random_scores(np.arange(4, 10), seed=1)).all())
    True
    """
    return _uniform(ordinals, seed, _RANDOM_STREAM)


def draw_chances(ordinals: Ordinals, seed: int) -> Float64:
    """As :func:`random_scores`, and independent of them: a weighted draw must not be the random sample over again."""
    return _uniform(ordinals, seed, _DRAW_STREAM)


def top_k(scores: Floats, ordinals: Ordinals, k: int, seed: int) -> Int64:
    """Positions of the k best items, best first.

    Parameters
    ----------
    scores : array of shape (n,), float32 or float64
        Higher = more worth asking; infinities are in order, NaN is refused.
    ordinals : array of shape (n,), int64 or uint64
        The items' ordinals, no two alike.
    k : int
        At least 0; more than n means all n.
    seed : int
        Of the order among equal scores; any integer, taken modulo 2**64.

    Returns
    -------
    array of shape (min(k, n),), int64

    Raises
    ------
    ValueError
        If a score is NaN, k is negative, or the two arrays are not one row each of the same length.

    Notes
    -----
    O(n + k log k): a selection, then a sort of the chosen; only items that are chosen or tied with the last are hashed.

    Examples
    --------
    >>> top_k(np.array([0.1, 0.9, 0.5]), np.array([10, 11, 12]), k=2, seed=0)
    array([1, 2])
    """
    values = _checked_scores("scores", scores)
    ordinals = _checked_ordinals("ordinals", ordinals)
    if len(values) != len(ordinals):
        raise ValueError(f"ordinals, shape {ordinals.shape}, must be as long as scores, shape {values.shape}")
    if k < 0:
        raise ValueError(f"k must be at least 0, not {k}")
    if k == 0:
        return np.empty(0, dtype=np.int64)
    chosen = np.arange(len(values))
    if k < len(values):
        last = np.partition(values, -k)[-k]
        above, tied = np.flatnonzero(values > last), np.flatnonzero(values == last)
        lots = _hash(ordinals[tied], seed, _TIE_STREAM)
        places = k - len(above)
        chosen = np.concatenate([above, tied[np.argpartition(lots, places - 1)[:places]]])
    order = np.lexsort((_hash(ordinals[chosen], seed, _TIE_STREAM), -values[chosen]))
    return chosen[order].astype(np.int64, copy=False)


def merge_top_k(
    parts: Sequence[tuple[npt.NDArray[OrdinalT], Floats]], k: int, seed: int
) -> tuple[npt.NDArray[OrdinalT], Float64]:
    """The k best items of several shards, from each shard's own k best (or more), best first.

    Parameters
    ----------
    parts : sequence of (ordinals, scores)
        One pair of arrays of equal length per shard, in any order; all ordinals of one dtype, int64 or uint64, and no
        two alike.
    k : int
        At least 0.
    seed : int
        The seed the shards were ranked with.

    Returns
    -------
    ordinals : array of shape (min(k, n),), int64 or uint64 as given
    scores : array of the same shape, float64

    Raises
    ------
    ValueError
        As :func:`top_k`, naming the part, and if signed and unsigned ordinals are mixed.

    Notes
    -----
    O(n + k log k) for n items in all parts together. Exact because the order is total: an item with k better ones in
    its shard has k better ones in the pool.

    Examples
    --------
    >>> merge_top_k([(np.array([0, 1]), np.array([0.9, 0.2])), (np.array([7]), np.array([0.5]))], k=2, seed=0)
    (array([0, 7]), array([0.9, 0.5]))
    """
    all_ordinals: list[Ordinals] = []
    all_scores: list[Float64] = []
    for i, (ordinals, scores) in enumerate(parts):
        all_ordinals.append(_checked_ordinals(f"parts[{i}][0]", ordinals))
        all_scores.append(_checked_scores(f"parts[{i}][1]", scores))
        if len(all_ordinals[i]) != len(all_scores[i]):
            raise ValueError(f"parts[{i}] has {len(all_ordinals[i])} ordinals and {len(all_scores[i])} scores")
    if len({ordinals.dtype for ordinals in all_ordinals}) > 1:
        raise ValueError("parts mixes signed and unsigned ordinals")
    if not all_ordinals:
        return cast("npt.NDArray[OrdinalT]", np.empty(0, dtype=np.int64)), np.empty(0)
    merged, merged_scores = np.concatenate(all_ordinals), np.concatenate(all_scores)
    best = top_k(merged_scores, merged, k, seed)
    return cast("npt.NDArray[OrdinalT]", merged[best]), merged_scores[best]


def _uniform(ordinals: Ordinals, seed: int, stream: int) -> Float64:
    top_bits = _hash(_checked_ordinals("ordinals", ordinals), seed, stream) >> np.uint64(11)
    return top_bits.astype(np.float64) * 2.0**-53


def _hash(ordinals: Ordinals, seed: int, stream: int) -> UInt64:
    start = _finish(np.array([int(seed) % 2**64], dtype=np.uint64) ^ np.uint64(stream))
    return _finish(ordinals.astype(np.uint64) * np.uint64(_WEYL) + start)


def _finish(state: UInt64) -> UInt64:
    """splitmix64: one step of its Weyl sequence, then its finisher. Wraps around at 2**64, as it should."""
    state = state + np.uint64(_WEYL)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _checked_scores(name: str, scores: Floats) -> Float64:
    array = np.asarray(scores)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise ValueError(f"{name}, shape {array.shape}, {array.dtype}, must be one row of real numbers, (n,)")
    missing = np.isnan(array)
    if missing.any():
        raise ValueError(f"{name}, shape {array.shape}: row {missing.argmax()} is NaN")
    return array.astype(np.float64, copy=False)


def _checked_ordinals(name: str, ordinals: Ordinals) -> Ordinals:
    array = np.asarray(ordinals)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(f"{name}, shape {array.shape}, {array.dtype}, must be one row of integers, (n,)")
    if array.dtype.kind == "u":
        return array.astype(np.uint64, copy=False)
    return array.astype(np.int64, copy=False)
