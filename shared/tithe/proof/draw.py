"""Which items the control arm is drawn from, and in which order: decided by the items' numbers alone.

Every item of a pool has a key in [0, 1) that follows from its ordinal and the project's seed, and from nothing else.
The items whose keys lie below the project's *reserve* are set aside: no strategy ever chooses them, no model is
trained on them. The control arm asks for them in the order of their keys. So what is labeled of them is a simple
random sample of the pool, whatever the strategies do, and stays one while the pool grows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

#: Apart from what rounds draw with the same seed.
_STREAM = 0x5DEECE66D
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys(seed: int, ordinals: Int64) -> Float64:
    """Each item's key: float64, shape (n,), uniform in [0, 1). The same item has the same key for ever.

    Parameters
    ----------
    seed
        The project's.
    ordinals
        int64, shape (n,).

    References
    ----------
    Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators, OOPSLA, pp. 453-472.

    Examples
    --------
    >>> keys(0, np.array([0, 1, 2])).round(3)
    array([0.15 , 0.465, 0.129])
    """
    with np.errstate(over="ignore"):
        start = _mixed(np.array([seed ^ _STREAM], dtype=np.uint64) * _GOLDEN)
        mixed = _mixed(start + (ordinals.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def reserved(seed: int, ordinals: Int64, reserve: float) -> npt.NDArray[np.bool_]:
    """Which of the items are set aside: bool, shape (n,). `reserve` in [0, 1] is the share of the pool.

    Examples
    --------
    >>> int(reserved(0, np.arange(1000), 0.05).sum())
    51
    """
    return keys(seed, ordinals) < reserve


def in_turn(seed: int, ordinals: Int64, reserve: float) -> Int64:
    """Those of the items that are set aside, in the order in which the control arm asks for them."""
    drawn = keys(seed, ordinals)
    positions = np.flatnonzero(drawn < reserve)
    found: Int64 = ordinals[positions[np.argsort(drawn[positions], kind="stable")]]
    return found
