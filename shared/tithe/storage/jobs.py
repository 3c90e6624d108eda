"""Work that is to be done, and who does it. A row is claimed before anything happens; a fence guards its effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tithe.contracts.tasks import TaskMessage
from tithe.errors import StaleClaim
from tithe.storage.database import Unit


@dataclass(frozen=True)
class Claim:
    """The right to do one job, until somebody newer claims it."""

    id: int
    fence: int
    attempt: int
    project_id: UUID
    subject: UUID
    topic: str


@dataclass(frozen=True)
class Bell:
    """A message that is to be sent."""

    id: int
    topic: str
    queue: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Lapsed:
    """A job whose owner fell silent, and what became of it."""

    id: int
    topic: str
    subject: UUID
    state: str
    last_error: str | None


def claim(unit: Unit, message: TaskMessage, worker: str) -> Claim | None:
    """Take the message's job if it waits to be done now; None: nothing to do. Of two callers one gets it."""
    return unit.one(
        "jobs.claim", Claim, topic=message.topic, subject=message.subject(), part=message.part(), worker=worker
    )


def beat(unit: Unit, claimed: Claim) -> bool:
    """Say that the owner lives; False: the claim is no longer ours."""
    return unit.run("jobs.beat", id=claimed.id, fence=claimed.fence) == 1


def finish(unit: Unit, claimed: Claim) -> None:
    """Mark the job done, in its effects' transaction. Raises StaleClaim, and so undoes them, if it was taken over."""
    if unit.run("jobs.finish", id=claimed.id, fence=claimed.fence) != 1:
        raise StaleClaim(job=claimed.id)


def give_back(
    unit: Unit, claimed: Claim, error: str, *, attempts: int, delay_seconds: float, hopeless: bool
) -> str | None:
    """Record a failure: the job waits for its next attempt, or is failed for good. Its new state; None: not ours."""
    state: str | None = unit.value(
        "jobs.give_back", id=claimed.id, fence=claimed.fence, error=error[:2000], attempts=attempts,
        delay=delay_seconds, hopeless=hopeless,
    )  # fmt: skip
    return state


def cancel(unit: Unit, subject: UUID) -> int:
    """Call off whatever of the subject's work is not finished."""
    return unit.run("jobs.cancel", subject=subject)


def to_ring(unit: Unit, again_seconds: float, most: int) -> list[Bell]:
    """Jobs whose message is unsent, or sent and unanswered, so that at most `most` of a queue are under way.

    Held until the unit ends: two relays share them out.
    """
    return unit.all("jobs.to_ring", Bell, again=again_seconds, most=most)


def rung(unit: Unit, ids: list[int]) -> None:
    """Remember that the messages were sent."""
    unit.run("jobs.rung", ids=ids)


def lapse(unit: Unit, silent_seconds: float, attempts: int) -> list[Lapsed]:
    """Take back claims whose owner fell silent: to be done again, or failed when too many owners died over it."""
    return unit.all("jobs.lapse", Lapsed, silent=silent_seconds, attempts=attempts)


def revive(unit: Unit, after_seconds: float) -> int:
    """Give failed encoding another chance once in a while: nothing else would ever ask for it again."""
    return unit.run("jobs.revive", after=after_seconds)


def again(unit: Unit, message: TaskMessage) -> bool:
    """Have done work done again, because what it made is gone; False: it is under way anyway."""
    return unit.run("jobs.again", topic=message.topic, subject=message.subject(), part=message.part()) == 1
