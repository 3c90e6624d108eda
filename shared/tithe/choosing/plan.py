"""How a round chooses, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tithe.choosing.answers import Asked
from tithe.choosing.mix import Part
from tithe.learners.protocol import Float32
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.catalog import CATALOG
from tithe.strategies.sieves import Sieve, joined

#: What fills the queue where a strategy's list ends early, because of near-duplicates say.
FILLER = Part(CATALOG["random"], 1.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a round chooses.

    Attributes
    ----------
    parts
        The strategies and their shares.
    depth
        How many items the queue is to hold.
    seed
        The round's.
    task
        What a label is.
    near_duplicate
        The cosine similarity from which two items are near-duplicates; None: never.
    """

    parts: Sequence[Part]
    depth: int
    seed: int
    task: str
    near_duplicate: float | None

    def sieves(self) -> list[Sieve]:
        """What shards keep: every strategy's lists, and the filler's."""
        return joined([sieve for part in (*self.parts, FILLER) for sieve in part.strategy.sieves(self.depth)])


@dataclass(frozen=True, slots=True)
class Pool:
    """What a choice may look at beside the lists.

    Attributes
    ----------
    gather
        Which of the given ordinals have a vector, and those vectors, in order.
    model
        None before there is one.
    labeled
        Gives the labeled items' vectors, shape (m, d); of any d where m is 0.
    nearest
        Gives the Euclidean distance from each given ordinal's vector to the nearest labeled one.
    """

    gather: Callable[[Int64], tuple[npt.NDArray[np.bool_], Float32]]
    model: Asked | None
    labeled: Callable[[], Float32]
    nearest: Callable[[Int64, Float32], Float64]
