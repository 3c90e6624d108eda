"""An item's nearest labeled items, as people look at them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tithe.errors import Conflict
from tithe.loop.features import Vectors
from tithe.storage import answers, labeled
from tithe.storage.database import Unit
from tithe.storage.labeled import LabeledSet, Shown


class NothingLabeledYet(Conflict):
    """No round has seen a labeled item yet."""

    code = "nothing_labeled_yet"


class NoVectorYet(Conflict):
    """The item has no vector yet."""

    code = "no_vector_yet"


@dataclass(frozen=True)
class Neighbour:
    """A labeled item, what it was labeled, and how far it is."""

    item: Shown
    label: Any
    distance: float
    cosine: float


@dataclass(frozen=True)
class Neighbours:
    """What is near, nearest first, and what was looked at."""

    found: list[Neighbour]
    exact: bool
    of: LabeledSet
    labels_since: int


def labeled_set(unit: Unit, project_id: UUID) -> LabeledSet:
    """The project's labeled vectors. Raises NothingLabeledYet."""
    of = labeled.read(unit, project_id)
    if of is None or of.vectors == 0:
        waiting = 0 if of is None else of.waiting
        raise NothingLabeledYet(
            f"none of the {waiting} labeled items is encoded yet" if waiting else None,
            remedy="label some items, then wait for a round, or ask for one: POST …/rounds",
        )
    return of


def neighbours(unit: Unit, project_id: UUID, ordinal: int, vector: Vectors, k: int, *, exact: bool) -> Neighbours:
    """The k labeled items nearest to an item whose vector, shape (1, d), this is. It is no neighbour of itself.

    Raises NothingLabeledYet; NoVectorYet where the vector is not of the labeled ones' kind.
    """
    of = labeled_set(unit, project_id)
    if vector.shape[1] != of.dimension:
        raise NoVectorYet(
            f"this item's vector has {vector.shape[1]} numbers, those of labeled items {of.dimension}",
            remedy="wait for the next round",
        )
    near = labeled.nearest(unit, of, vector, k + 1, exact=exact)
    shown = labeled.shown(unit, project_id, near.ordinals[0].tolist())
    found = [
        Neighbour(shown[other], agreed(shown[other].labels or []), float(distance), float(cosine))
        for other, distance, cosine in zip(near.ordinals[0].tolist(), near.distances[0], near.cosines[0], strict=True)
        if other != ordinal
    ]
    since = answers.progress(unit, project_id).label_count - of.label_count
    return Neighbours(found[:k], near.exact, of, max(0, since))


def agreed(labels: Sequence[Any]) -> Any:
    """What most said; of a tie, what was said first; None of nothing.

    Examples
    --------
    >>> agreed(["ham", "spam", "spam"]), agreed([["a"], ["b"]]), agreed([])
    ('spam', ['a'], None)
    """
    if not labels:
        return None
    said = Counter(json.dumps(label, sort_keys=True) for label in labels)
    return json.loads(said.most_common(1)[0][0])
