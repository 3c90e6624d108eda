"""Rounds, their shards and their models: the ledger of how the pool was ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.contracts.projects import stored_as, strategy_from
from tithe.storage.database import Unit

#: A name from the catalog, or names with their shares.
Strategy = str | dict[str, float]


@dataclass(frozen=True)
class Round:
    """One turn of the loop: requested → training → scoring → selecting → ready, or failed."""

    id: UUID
    project_id: UUID
    number: int
    state: str
    reason: str
    strategy: Strategy
    near_duplicate: float | None
    seed: int
    depth: int
    watermark: int
    label_count: int
    pool_count: int
    model_id: UUID | None
    failure: str | None
    facts: dict[str, Any]
    requested_at: datetime
    training_at: datetime | None
    scoring_at: datetime | None
    selecting_at: datetime | None
    ended_at: datetime | None
    control: float = 0.0  #: the share of the queue that is the control arm
    reserve: float = 0.0  #: the share of the pool that is set aside for it

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", strategy_from(self.strategy))


@dataclass(frozen=True)
class Shard:
    """A run of blocks one scorer reads."""

    round_id: UUID
    shard: int
    start: int
    stop: int
    done: bool
    scored: int | None
    seconds: float | None


@dataclass(frozen=True)
class KeptList:
    """What a shard kept of its rows by one rule, best first."""

    shard: int
    sieve: str
    ordinals: list[int]
    scores: list[float]
    groups: list[int] | None
    radius: float | None


@dataclass(frozen=True)
class Model:
    """A trained model's row."""

    id: UUID
    project_id: UUID
    version: int
    round_id: UUID
    path: str
    sha256: str
    size: int
    watermark: int
    label_count: int
    score: float | None
    score_from: str | None
    facts: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Point:
    """A point of the learning curve."""

    number: int
    id: UUID
    version: int
    label_count: int
    score: float | None
    score_from: str | None
    facts: dict[str, Any]
    strategy: Strategy
    ended_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", strategy_from(self.strategy))


def request(
    unit: Unit, project_id: UUID, *, number: int, reason: str, strategy: Strategy,
    near_duplicate: float | None, seed: int, depth: int, watermark: int, label_count: int, change_count: int,
    control: float = 0.0, reserve: float = 0.0,
) -> Round | None:  # fmt: skip
    """Open a round; None: one is unfinished. The caller holds the project's progress row."""
    made = unit.one(
        "rounds.request", Round, project_id=project_id, number=number, reason=reason, strategy=stored_as(strategy),
        near_duplicate=near_duplicate, seed=seed, depth=depth, watermark=watermark, label_count=label_count,
        change_count=change_count, control=control, reserve=reserve,
    )  # fmt: skip
    if made is not None:
        unit.run("rounds.note_request", project_id=project_id, number=number)
    return made


def get(unit: Unit, round_id: UUID) -> Round | None:
    """The round."""
    return unit.one("rounds.get", Round, id=round_id)


def lock(unit: Unit, round_id: UUID) -> Round | None:
    """The round, held: whoever counts its shards takes turns here."""
    return unit.one("rounds.lock", Round, id=round_id)


def page(unit: Unit, project_id: UUID, after: int, limit: int) -> list[Round]:
    """Rounds in order, beginning after number `after`."""
    return unit.all("rounds.list", Round, project_id=project_id, after=after, limit=limit)


def unfinished(unit: Unit, project_id: UUID) -> Round | None:
    """The round that is running."""
    return unit.one("rounds.unfinished", Round, project_id=project_id)


def last(unit: Unit, project_id: UUID) -> Round | None:
    """The newest round, whatever its state."""
    return unit.one("rounds.last", Round, project_id=project_id)


def to_training(unit: Unit, round_id: UUID) -> bool:
    """requested → training; False: it is elsewhere."""
    return unit.run("rounds.to_training", id=round_id) == 1


def note_training(unit: Unit, round_id: UUID, share: float) -> bool:
    """Note how far the fit is, in [0, 1]; False: the round does not train any more."""
    return unit.run("rounds.note_training", id=round_id, share=share) > 0


def to_scoring(unit: Unit, round_id: UUID, model_id: UUID | None, pool_count: int, facts: dict[str, Any]) -> bool:
    """requested or training → scoring `pool_count` rows, with the model it scores with (None: there is none)."""
    values = {"id": round_id, "model_id": model_id, "pool_count": pool_count}
    return unit.run("rounds.to_scoring", **values, facts=Jsonb(facts)) == 1


def to_selecting(unit: Unit, round_id: UUID) -> bool:
    """scoring → selecting; False: somebody was there before."""
    return unit.run("rounds.to_selecting", id=round_id) == 1


def to_ready(unit: Unit, project_id: UUID, round_id: UUID, facts: dict[str, Any]) -> bool:
    """selecting → ready, and its queue is the one that is served."""
    if unit.run("rounds.to_ready", id=round_id, facts=Jsonb(facts)) == 0:
        return False
    unit.run("rounds.drop_lists", round_id=round_id)
    unit.run("rounds.serve", id=round_id, project_id=project_id)
    return True


def fail(unit: Unit, round_id: UUID, failure: str) -> bool:
    """Any unfinished state → failed, with the reason."""
    failed = unit.run("rounds.fail", id=round_id, failure=failure[:2000]) == 1
    if failed:
        unit.run("rounds.drop_lists", round_id=round_id)
    return failed


def add_shards(unit: Unit, round_id: UUID, ranges: Sequence[tuple[int, int]]) -> None:
    """Write the round's shard list: ``(start, stop)`` each."""
    for number, (start, stop) in enumerate(ranges):
        unit.run("rounds.add_shard", round_id=round_id, shard=number, start=start, stop=stop)


def shard(unit: Unit, round_id: UUID, number: int) -> Shard | None:
    """One shard."""
    return unit.one("rounds.shard", Shard, round_id=round_id, shard=number)


def shards(unit: Unit, round_id: UUID) -> list[Shard]:
    """Every shard of the round, in order."""
    return unit.all("rounds.shards", Shard, round_id=round_id)


def shard_counts(unit: Unit, round_id: UUID) -> tuple[int, int, int, int]:
    """Shards done, shards in all, rows done, rows in all."""
    a, b, c, d = unit.rows("rounds.shard_counts", round_id=round_id)[0]
    return int(a), int(b), int(c), int(d)


def shard_done(
    unit: Unit, round_id: UUID, number: int, *, lists: Sequence[KeptList], scored: int, seconds: float
) -> int:
    """Keep a shard's lists; how many shards are left. The caller holds the round."""
    done = unit.run("rounds.shard_done", round_id=round_id, shard=number, scored=scored, seconds=seconds)
    for one in lists if done else ():
        unit.run(
            "rounds.keep_list", round_id=round_id, shard=number, sieve=one.sieve, ordinals=one.ordinals,
            scores=one.scores, groups=one.groups, radius=one.radius,
        )  # fmt: skip
    return int(unit.value("rounds.shards_left", round_id=round_id))


def lists(unit: Unit, round_id: UUID) -> list[KeptList]:
    """What the round's shards kept, by rule and shard. Gone once the round has ended."""
    return unit.all("rounds.lists", KeptList, round_id=round_id)


def add_model(
    unit: Unit, *, id: UUID, project_id: UUID, round_id: UUID, path: str, sha256: str, size: int, watermark: int,  # noqa: A002
    label_count: int, score: float | None, score_from: str | None, facts: dict[str, Any],
) -> int:  # fmt: skip
    """Add the model and make it the project's current one; its version."""
    version: int = unit.value(
        "rounds.add_model", id=id, project_id=project_id, round_id=round_id, path=path, sha256=sha256, size=size,
        watermark=watermark, label_count=label_count, score=score, score_from=score_from, facts=Jsonb(facts),
    )  # fmt: skip
    unit.run("rounds.use_model", id=id, project_id=project_id)
    return version


def model(unit: Unit, model_id: UUID) -> Model | None:
    """A model's row."""
    return unit.one("rounds.model", Model, id=model_id)


def current_model(unit: Unit, project_id: UUID) -> Model | None:
    """The model the project predicts with."""
    return unit.one("rounds.current_model", Model, project_id=project_id)


def history(unit: Unit, project_id: UUID) -> list[Point]:
    """The learning curve: one point per round that trained a model, in order."""
    return unit.all("rounds.history", Point, project_id=project_id)


def to_retry(unit: Unit, *, after_seconds: float, most: int) -> list[UUID]:
    """Projects whose newest round failed and is due to be tried again; at most `most` times in a row."""
    return [row[0] for row in unit.rows("rounds.to_retry", after=after_seconds, most=most)]


def running_dry(unit: Unit, after_seconds: float) -> list[UUID]:
    """Projects whose ready queue holds less than a batch although items are left and no round runs."""
    return [row[0] for row in unit.rows("rounds.running_dry", after=after_seconds)]
