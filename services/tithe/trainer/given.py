"""What a round's model is made from, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tithe.contracts.projects import Project
from tithe.learners.stored import StoredModel
from tithe.loop.features import PoolVectors
from tithe.loop.opinions import Labels
from tithe.storage.pool import Block
from tithe.storage.rounds import Model as ModelRow
from tithe.storage.rounds import Round


@dataclass(frozen=True)
class Given:
    """What a round's model is made from."""

    round: Round
    project: Project
    labels: Labels  #: of the pool
    held_out: Labels
    control: int  #: labeled items of the control arm, which are not among these labels
    blocks: list[Block]
    vectors: PoolVectors
    previous: ModelRow | None


@dataclass(frozen=True)
class Fitted:
    """A model and what was measured of it on the held-out items; None where there are none."""

    model: StoredModel
    test: dict[str, Any] | None
    facts: dict[str, Any] = field(default_factory=dict)  #: what else is to be known of the labels
