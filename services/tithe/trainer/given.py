"""What a round's model is made from, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tithe.contracts.projects import Project
from tithe.learners.stored import StoredModel
from tithe.loop.features import PoolVectors
from tithe.storage.pool import Block
from tithe.storage.rounds import Model as ModelRow
from tithe.storage.rounds import Round

T = TypeVar("T")
Labels = list[tuple[int, Any]]  #: (ordinal, what one person said), in the order they came


@dataclass(frozen=True)
class Given:
    """What a round's model is made from."""

    round: Round
    project: Project
    labels: Labels  #: of the pool
    held_out: Labels
    blocks: list[Block]
    vectors: PoolVectors
    previous: ModelRow | None


@dataclass(frozen=True)
class Fitted:
    """A model and what was measured of it on the held-out items; None where there are none."""

    model: StoredModel
    test: dict[str, Any] | None
    facts: dict[str, Any] = field(default_factory=dict)  #: what else is to be known of the labels


def opinions(labels: Labels, agreed: Callable[[list[Any]], T]) -> dict[int, T]:
    """One answer an item, in the order they were first labeled; of several people's, what `agreed` makes of them.

    One row an item, or folds would train on what they are scored on.
    """
    said: dict[int, list[Any]] = {}
    for ordinal, value in labels:
        said.setdefault(ordinal, []).append(value)
    return {ordinal: agreed(values) for ordinal, values in said.items()}
