"""Every message and every queue: the whole conversation between the services, on one page.

A message is a nudge. It carries ids, never data, and is delivered at least once; the row it points at (``jobs``) says
whether there is anything to do. Its JSON is pinned by golden files: old and new workers run together in a rollout.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Queue(StrEnum):
    """One queue per kind of worker, so that slow work never stands before quick work."""

    TRAIN = "train"
    SCORE = "score"
    EMBED = "embed"
    SYNC = "sync"
    PROVE = "prove"


class TaskMessage(BaseModel):
    """One thing a worker is asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: ClassVar[str]
    queue: ClassVar[Queue]

    def subject(self) -> UUID:
        """The round or project the work belongs to."""
        raise NotImplementedError

    def part(self) -> int:
        """Which part of the subject's work this is; 0 where there is only one."""
        return 0

    def wire(self) -> dict[str, Any]:
        """The message as JSON-ready values."""
        return self.model_dump(mode="json")


class EmbedBlock(TaskMessage):
    """Encode the items whose ordinals begin at `start` into one immutable block of vectors."""

    topic = "block.embed"
    queue = Queue.EMBED

    project_id: UUID
    start: int

    def subject(self) -> UUID:
        """The project."""
        return self.project_id

    def part(self) -> int:
        """The block's first ordinal."""
        return self.start


class TrainRound(TaskMessage):
    """Fit the round's model on every label up to its watermark."""

    topic = "round.train"
    queue = Queue.TRAIN

    round_id: UUID

    def subject(self) -> UUID:
        """The round."""
        return self.round_id


class ScoreShard(TaskMessage):
    """Score one shard of the round's pool and keep its best candidates."""

    topic = "shard.score"
    queue = Queue.SCORE

    round_id: UUID
    shard: int

    def subject(self) -> UUID:
        """The round."""
        return self.round_id

    def part(self) -> int:
        """The shard's number."""
        return self.shard


class SelectReady(TaskMessage):
    """Merge the shards' candidates and swap the ready queue."""

    topic = "round.select"
    queue = Queue.SCORE

    round_id: UUID

    def subject(self) -> UUID:
        """The round."""
        return self.round_id


class PredictTexts(TaskMessage):
    """Predict texts somebody sent over HTTP, with the model that was current then."""

    topic = "texts.predict"
    queue = Queue.SCORE

    project_id: UUID
    request_id: UUID

    def subject(self) -> UUID:
        """The request."""
        return self.request_id


class SnapshotLabels(TaskMessage):
    """Write every label counted so far as a file beside the database, after a round."""

    topic = "labels.snapshot"
    queue = Queue.SYNC

    round_id: UUID

    def subject(self) -> UUID:
        """The round."""
        return self.round_id


class SyncConnector(TaskMessage):
    """Make a pass over a connection to a tool: read what people said there, and tell it what to ask next."""

    topic = "connector.sync"
    queue = Queue.SYNC

    connector_id: UUID

    def subject(self) -> UUID:
        """The connection."""
        return self.connector_id


class MeasureRound(TaskMessage):
    """Measure the round's model on the control arm: quality, savings, advice."""

    topic = "round.measure"
    queue = Queue.PROVE

    round_id: UUID

    def subject(self) -> UUID:
        """The round."""
        return self.round_id


class MachineLabel(TaskMessage):
    """Let a model label what it is sure of: find from which confidence on, then so many items at a time."""

    topic = "machine.label"
    queue = Queue.PROVE

    run_id: UUID
    start: int = 0

    def subject(self) -> UUID:
        """The machine labeling."""
        return self.run_id

    def part(self) -> int:
        """The ordinal it goes on from."""
        return self.start


MESSAGES: dict[str, type[TaskMessage]] = {
    m.topic: m
    for m in (
        EmbedBlock, TrainRound, ScoreShard, SelectReady, PredictTexts, SnapshotLabels, SyncConnector, MeasureRound,
        MachineLabel,
    )
}  # fmt: skip
