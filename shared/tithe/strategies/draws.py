"""A random draw without replacement in proportion to weights, as a score per row: so it merges over shards."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Ordinals
from tithe.strategies.ranking import draw_chances


def draw_keys(weights: Float64, ordinals: Ordinals, seed: int) -> Float64:
    """Keys whose k highest are k rows drawn one after the other, each in proportion to its weight among those left.

    Each row's key is ``log(u) / weight`` with u its own random number in (0, 1), which depends on the seed and the
    ordinal only: the draw is the same from whatever shards the rows come.

    Parameters
    ----------
    weights : array of shape (n,), float64
        At least 0, in any unit. Rows of weight 0 come after all others, in random order among themselves.
    ordinals : array of shape (n,), int64 or uint64
    seed : int
        Any integer; taken modulo 2**64.

    Returns
    -------
    array of shape (n,), float64
        At most 0, higher = drawn earlier; finite.

    Raises
    ------
    ValueError
        If the arrays are not one row each of the same length, or a weight is negative, NaN or infinite.

    Notes
    -----
    O(n) time and memory.

    References
    ----------
    Efraimidis & Spirakis 2006, Weighted random sampling with a reservoir, Information Processing Letters 97(5),
    pp. 181-185.

    Examples
    --------
    A weight of 0 is drawn last, whatever the seed:

    >>> int(draw_keys(np.array([1.0, 0.0, 2.0]), np.array([5, 6, 7]), seed=3).argmin())
    1
    """
    weights = np.asarray(weights, dtype=np.float64)
    chance = draw_chances(ordinals, seed)
    if weights.shape != chance.shape:
        raise ValueError(f"weights, shape {weights.shape}, must be as long as ordinals, shape {chance.shape}")
    good = np.isfinite(weights) & (weights >= 0.0)
    if not good.all():
        row = int(good.argmin())
        told = f"weights, shape {weights.shape}: row {row} is {weights[row]}"
        raise ValueError(f"{told}, not a finite number of at least 0")
    # The smallest chance is half a step of the generator's 2**-53, so that no logarithm is infinite.
    logs = np.log(chance + 2.0**-54)
    # Past the smallest weight there is, keys of weight 0 begin: below any quotient of a logarithm and a weight.
    with np.errstate(over="ignore"):
        keys = logs / np.maximum(weights, np.finfo(np.float64).tiny)
    lowest = -np.finfo(np.float64).max
    return np.where(weights > 0.0, np.maximum(keys, lowest / 4), lowest / 2 + logs * (-lowest / 1000))
