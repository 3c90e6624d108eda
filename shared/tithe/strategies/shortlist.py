"""The most uncertain rows: what methods that cannot look at a whole pool look at instead."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.ranking import top_k


def checked_uncertainty(uncertainty: Floats, n: int) -> Float64:
    """One uncertainty for each of n vectors, as float64; refuses another shape and NaN."""
    array = np.asarray(uncertainty, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"uncertainty, shape {array.shape}, must hold one number for each of the {n} vectors")
    missing = np.isnan(array)
    if missing.any():
        raise ValueError(f"uncertainty, shape {array.shape}: row {missing.argmax()} is NaN")
    return array


def most_uncertain(uncertainty: Float64, count: int, rng: np.random.Generator) -> Int64:
    """Positions of the `count` most uncertain rows, or of all, most uncertain first; equal ones by lot."""
    return top_k(uncertainty, np.arange(len(uncertainty)), count, seed=int(rng.integers(2**63)))


def shortlist_length(candidates: int | None, k: int) -> int:
    """How many of the most uncertain to look at for a batch of k: ten times as many where it is not said."""
    if candidates is not None and candidates < 0:
        raise ValueError(f"candidates must be at least 0, not {candidates}")
    return max(k, 10 * k if candidates is None else int(candidates))
