"""Whether a process makes the vectors that a pool has."""

from __future__ import annotations

from uuid import UUID

from tithe.errors import Hopeless
from tithe.storage import pool
from tithe.storage.database import Unit

_PRECISIONS = frozenset({"float16", "bfloat16", "float32"})


def vectors_of(identity: str) -> str:
    """What of an encoder's identity its vectors depend on: all but the precision it computes in, where it names one.

    Hardware decides in what a process computes, and the vectors are the same to a cosine of 0.9999: a scorer with a GPU
    and one without, or the one after the other, may share a pool.

    Examples
    --------
    >>> vectors_of("torch/608c33e9ba7f/256/bfloat16/3"), vectors_of("hashing/1/256")
    ('torch/608c33e9ba7f/256/3', 'hashing/1/256')
    """
    return "/".join(part for part in identity.split("/") if part not in _PRECISIONS)


def check(unit: Unit, project_id: UUID, identity: str) -> None:
    """Raise Hopeless where the pool's vectors are another encoder's."""
    theirs = pool.encoder_of(unit, project_id)
    if theirs is not None and vectors_of(theirs) != vectors_of(identity):
        raise Hopeless(
            f"the pool has vectors of the encoder {theirs}, and this scorer's is {identity}: they cannot be compared",
            remedy="give all scorers the same files of the model and the same version of Tithe, or make a new project",
        )


def claim(unit: Unit, project_id: UUID, identity: str) -> None:
    """As :func:`check`, right before the pool gets such vectors: of two encoders that both are first, one is."""
    if pool.encoder_of(unit, project_id) is None:
        pool.lock(unit, project_id)
    check(unit, project_id, identity)
