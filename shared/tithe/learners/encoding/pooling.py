"""How states of tokens become one vector, by the names that sentence-transformers gives the ways; in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32
from tithe.learners.words import Int64

#: In the order in which sentence-transformers sets them side by side.
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def pool(states: Float32, lengths: Sequence[int], modes: Sequence[str]) -> Float32:
    """Pool each sequence's tokens, its special ones included: that is what the models are trained with.

    Parameters
    ----------
    states
        float32, shape (t, d): sequence after sequence, without padding.
    lengths
        Tokens of each sequence, at least 1; they sum to t.
    modes
        Of :data:`MODES`; several go side by side.

    Returns
    -------
    float32, shape (len(lengths), d * len(modes)).

    Examples
    --------
    >>> pool(np.array([[1, 4], [3, 0], [5, 5]], np.float32), [2, 1], ["mean", "lasttoken"]).tolist()
    [[2.0, 2.0, 3.0, 0.0], [5.0, 5.0, 5.0, 5.0]]
    """
    many = np.asarray(lengths)
    ends = np.cumsum(many)
    starts = ends - many
    return np.concatenate([_pooled(mode, states, many, starts, ends) for mode in modes], axis=1, dtype=np.float32)


def _pooled(mode: str, states: Float32, many: Int64, starts: Int64, ends: Int64) -> NDArray[Any]:
    if mode == "cls":
        return states[starts]
    if mode == "lasttoken":
        return states[ends - 1]
    if mode == "max":
        return np.asarray(np.maximum.reduceat(states, starts, axis=0))
    rank = np.arange(1, len(states) + 1) - np.repeat(starts, many)
    weights = rank if mode == "weightedmean" else np.ones(len(states), np.int64)
    sums = np.add.reduceat(states * weights[:, None].astype(np.float32), starts, axis=0)
    total = np.add.reduceat(weights, starts).astype(np.float32)
    return np.asarray(sums / (np.sqrt(total) if mode == "mean_sqrt_len_tokens" else total)[:, None])
