"""The round's choice: merge what the shards kept, say why each was chosen, swap the ready queue."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import SelectReady
from tithe.learners.linear_model import LinearModel
from tithe.loop import rounds as turns
from tithe.loop.features import Ordinals, PoolVectors, Vectors
from tithe.runtime import Runtime
from tithe.scorer.models import load
from tithe.scorer.score import strategy_of
from tithe.storage import jobs, pool, projects, queue, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.queue import Choice
from tithe.storage.rounds import Round, Shard
from tithe.strategies import ranking
from tithe.strategies.catalog import Needs, Strategy


def select_ready(runtime: Runtime, message: SelectReady, claim: Claim) -> None:
    """End the round: its best items, best first, become the queue that is handed out."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, project, shards, blocks, waiting = read
    model = load(runtime, current.model_id) if current.model_id else None
    strategy = strategy_of(current, model)
    vectors = PoolVectors(runtime.artifacts, blocks)
    ordinals, scores = _choose(current, strategy, shards, vectors)
    ordinals, scores, first = _half_answered_first(ordinals, scores, waiting)
    whys = _why(project, model, *vectors.gather(ordinals))
    choices = [
        Choice(
            int(ordinal),
            None if np.isnan(score) else float(score),
            "second_opinion" if at < first else strategy.name,
            {"rank": at, **why},
        )
        for at, (ordinal, score, why) in enumerate(zip(ordinals, scores, whys, strict=True))
    ]
    facts = {
        "strategy_used": strategy.name,
        "rows_scored": sum(shard.scored or 0 for shard in shards),
        "scoring_seconds": round(sum(shard.seconds or 0.0 for shard in shards), 3),
    }
    runtime.database.run(lambda unit: turns.swap_ready(unit, claim, choices, facts))


def _choose(
    current: Round, strategy: Strategy, shards: list[Shard], vectors: PoolVectors
) -> tuple[Ordinals, np.ndarray]:
    parts = [
        (np.array(shard.ordinals or [], dtype=np.int64), np.array(shard.scores or [], dtype=np.float64))
        for shard in shards
    ]
    if strategy.needs is not Needs.VECTORS:
        return ranking.merge_top_k(parts, current.depth, current.seed)
    # A fixed order of the sample, so that the choice does not depend on which shard finished first.
    sample = np.sort(np.concatenate([ordinals for ordinals, _ in parts])) if parts else np.empty(0, np.int64)
    found, rows = vectors.gather(sample)
    sample = sample[found]
    picked = strategy.function(rows, min(current.depth, len(sample)), np.random.default_rng(current.seed))
    return sample[picked], np.full(len(picked), np.nan)


def _half_answered_first(
    ordinals: Ordinals, scores: np.ndarray, waiting: list[int]
) -> tuple[Ordinals, np.ndarray, int]:
    """Items that wait for a second opinion go before new ones."""
    extra = np.array(waiting, dtype=np.int64)
    new = ~np.isin(ordinals, extra)
    return (
        np.concatenate([extra, ordinals[new]]),
        np.concatenate([np.full(len(extra), np.nan), scores[new]]),
        len(extra),
    )


def _why(
    project: Project, model: LinearModel | None, found: npt.NDArray[np.bool_], rows: Vectors
) -> list[dict[str, Any]]:
    """What the model thinks of each item: label, confidence, the committee's votes. Without a vector: nothing."""
    if model is None or not found.any():
        return [{} for _ in found]
    told = [
        {"prediction": Prediction.of(project.task, project.labels, row).model_dump(mode="json", exclude_none=True)}
        for row in model.predict_proba(rows)
    ]
    if project.task is not Task.MULTILABEL:
        votes = model.committee_proba(rows).argmax(axis=2).T
        told = [{**one, "votes": _votes(project.labels, members)} for one, members in zip(told, votes, strict=True)]
    each = iter(told)
    return [next(each) if here else {} for here in found]


def _votes(labels: list[str], members: np.ndarray) -> dict[str, int]:
    """How many of the committee vote for each class, classes without a vote left out."""
    counts = np.bincount(members, minlength=len(labels))
    return {labels[at]: int(counts[at]) for at in np.flatnonzero(counts)}


def _read(
    unit: Unit, message: SelectReady, claim: Claim
) -> tuple[Round, Project, list[Shard], list[pool.Block], list[int]] | None:
    current = rounds.get(unit, message.round_id)
    if current is None or current.state != "selecting":
        jobs.finish(unit, claim)
        return None
    project = projects.get(unit, current.project_id)
    waiting = queue.half_answered(unit, project.id, project.overlap, current.depth) if project.overlap > 1 else []
    return current, project, rounds.shards(unit, current.id), pool.ready_blocks(unit, project.id), waiting
