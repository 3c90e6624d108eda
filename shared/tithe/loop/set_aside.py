"""The reserve: items that no strategy chooses and no model is trained on, so that the control arm is fair."""

from __future__ import annotations

import numpy as np

from tithe.contracts.projects import Project
from tithe.loop.features import Ordinals, PoolVectors
from tithe.proof import draw
from tithe.storage import queue
from tithe.storage.database import Unit

_AT_ONCE = 1 << 20


def with_reserve(closed: Ordinals, start: int, stop: int, seed: int, reserve: float) -> Ordinals:
    """What a strategy may not choose between two ordinals: what is closed, and what is set aside. int64, ascending."""
    if not reserve:
        return closed
    ordinals = np.arange(start, stop, dtype=np.int64)
    return np.union1d(closed, ordinals[draw.reserved(seed, ordinals, reserve)])


def drawn(seed: int, vectors: PoolVectors, reserve: float, most: int | None = None) -> Ordinals:
    """The first `most` encoded items of the reserve in the order of the draw, whatever became of them."""
    if not reserve:
        return np.empty(0, dtype=np.int64)
    everything = vectors.ordinals()
    parts = [
        part[draw.reserved(seed, part, reserve)]
        for part in (everything[at : at + _AT_ONCE] for at in range(0, len(everything), _AT_ONCE))
    ]
    return draw.in_turn(seed, np.concatenate([*parts, np.empty(0, dtype=np.int64)]), reserve)[:most]


def control_arm(seed: int, vectors: PoolVectors, reserve: float, closed: Ordinals, most: int) -> list[int]:
    """The next items of the control arm: of the reserve those that are open, in the order of the draw."""
    found = drawn(seed, vectors, reserve)
    return [int(one) for one in found[~np.isin(found, closed)][:most]]


def chosen_by_chance(unit: Unit, project: Project) -> set[int]:
    """Items of the reserve that chance chose: what models are measured on, and never trained on, once they have labels.

    Labels that came with their items are not among them, as somebody chose those; nor are items that a strategy chose
    before the reserve had grown to hold them.
    """
    if not project.reserve:
        return set()
    chosen = np.array(list(queue.asked_by_chance(unit, project.id)), dtype=np.int64)
    return set(chosen[draw.reserved(project.seed, chosen, project.reserve)].tolist())


def behind(unit: Unit, project: Project, drawn: Ordinals) -> int:
    """How many of the drawn items the control arm has passed over: they came to the pool when it was further on.

    While there are many, what is labeled leans to the items of before.

    Parameters
    ----------
    drawn
        int64, in the order of the draw.
    """
    asked = [ordinal for ordinal, control in queue.asked_by_chance(unit, project.id).items() if control]
    reached = np.flatnonzero(np.isin(drawn, np.array(asked, dtype=np.int64)))
    return int(reached[-1] + 1 - len(reached)) if len(reached) else 0
