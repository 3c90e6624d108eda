"""One shard of one round: predict what the strategy needs, score, keep the best. Never returns every score."""

from __future__ import annotations

import time
from uuid import UUID

import numpy as np

from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import ScoreShard
from tithe.errors import Hopeless
from tithe.learners.linear_model import LinearModel
from tithe.loop import rounds as turns
from tithe.loop.features import Ordinals, PoolVectors, Vectors
from tithe.runtime import Runtime
from tithe.scorer.models import load
from tithe.storage import jobs, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.rounds import Round, Shard
from tithe.strategies import ranking
from tithe.strategies.catalog import CATALOG, Needs, Strategy, lookup

_CHUNK_ROWS = 16_384
#: Coverage is chosen from a random sample of about so many rows of the whole pool.
COVERAGE_SAMPLE = 20_000


def score_shard(runtime: Runtime, message: ScoreShard, claim: Claim) -> None:
    """Score the shard's open rows with the round's strategy and keep its best `depth`, best first."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, shard, project, blocks, closed, shards = read
    began = time.perf_counter()
    model = load(runtime, current.model_id) if current.model_id else None
    strategy = strategy_of(current, model)
    keep = -(-COVERAGE_SAMPLE // shards) if strategy.needs is Needs.VECTORS else current.depth
    best: tuple[Ordinals, np.ndarray] = (np.empty(0, np.int64), np.empty(0, np.float64))
    scored = 0
    for first, rows in PoolVectors(runtime.artifacts, blocks).runs(_CHUNK_ROWS):
        ordinals = np.arange(first, first + len(rows), dtype=np.int64)
        asked = ~np.isin(ordinals, closed, assume_unique=True)
        if not asked.any():
            continue
        ordinals = ordinals[asked]
        scores = score_rows(strategy, project.task, model, rows if asked.all() else rows[asked], ordinals, current.seed)
        best = ranking.merge_top_k([best, (ordinals, scores)], keep, current.seed)
        scored += len(ordinals)
    runtime.database.run(
        lambda unit: turns.finish_shard(
            unit,
            claim,
            shard.shard,
            ordinals=best[0].tolist(),
            scores=best[1].tolist(),
            scored=scored,
            seconds=time.perf_counter() - began,
        )
    )


def strategy_of(current: Round, model: LinearModel | None) -> Strategy:
    """The round's strategy, or coverage while there is no model for it to ask."""
    chosen = lookup(current.strategy)
    if model is None and chosen.needs in (Needs.PROBABILITIES, Needs.COMMITTEE):
        return CATALOG["coverage"]
    return chosen


def score_rows(
    strategy: Strategy, task: Task, model: LinearModel | None, rows: Vectors, ordinals: Ordinals, seed: int
) -> np.ndarray:
    """The strategy's score of each row, shape (n,) float64, higher = more worth asking.

    Strategies that look at many vectors at once are given a random sample by their shards: here every row gets its
    random number, whatever the number of shards.
    """
    if strategy.needs in (Needs.NOTHING, Needs.VECTORS) or model is None:
        return ranking.random_scores(ordinals, seed)
    predicted = model.committee_proba(rows) if strategy.needs is Needs.COMMITTEE else model.predict_proba(rows)
    score = strategy.multilabel if task is Task.MULTILABEL else strategy.function
    if score is None:
        raise Hopeless(f"{strategy.name} is not defined for {task}")
    return score(predicted)


def _read(
    unit: Unit, message: ScoreShard, claim: Claim
) -> tuple[Round, Shard, Project, list[pool.Block], Ordinals, int] | None:
    current = rounds.get(unit, message.round_id)
    shard = rounds.shard(unit, message.round_id, message.shard)
    if current is None or shard is None or current.state != "scoring" or shard.done:
        jobs.finish(unit, claim)
        return None
    where: tuple[UUID, int, int] = (current.project_id, shard.start, shard.stop)
    project = projects.get(unit, current.project_id)
    shards = rounds.shard_counts(unit, current.id)[1]
    return current, shard, project, pool.ready_blocks(unit, *where), pool.closed_ordinals(unit, *where), shards
