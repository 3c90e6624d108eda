"""Looking on: status, rounds, the learning curve."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tithe.contracts.api import Ranking
from tithe.contracts.insight import (
    AnnotatorState,
    Budget,
    Counts,
    Embedding,
    Failure,
    FinishedBecause,
    History,
    HistoryPoint,
    ModelState,
    RoundPage,
    RoundState,
    RunningRound,
    StageSeconds,
    Status,
)
from tithe.contracts.projects import Project, said
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.problems import documented
from tithe.loop import rounds as turns
from tithe.storage import answers, projects, rounds, status
from tithe.storage.database import Unit
from tithe.storage.rounds import Point, Round
from tithe.storage.status import Overview

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["looking on"])


@router.get("/status", summary="How far the project is", responses=documented(404, 422))
def get_status(project_id: ProjectId, here: Here) -> Status:
    """Counts, budget, what is ready to hand out, the round under way and its progress, the model, who labeled."""
    return here.database.run(lambda unit: _status(unit, project_id))


def _status(unit: Unit, project_id: UUID) -> Status:
    project = projects.get(unit, project_id)
    seen = status.overview(unit, project_id)
    pool = seen.item_count - seen.test_count
    # One answer an item: the counters say it. Otherwise the items have to be counted.
    labeled, skipped = (
        (seen.label_count, seen.skip_count) if project.overlap == 1 else status.answered_items(unit, project_id)
    )
    failed = status.last_failure(unit, project_id)
    finished = _finished(project, seen, pool)
    return Status(
        project_id=project_id,
        counts=Counts(
            items=seen.item_count, test=seen.test_count, labeled=labeled, skipped=skipped, leased=seen.leased,
            unlabeled=pool - labeled - skipped,
        ),
        budget=Budget(
            unit=project.budget_unit, total=project.budget, received=seen.paid_count,
            left=None if project.budget is None else max(0, project.budget - seen.paid_count),
        ),
        queue_depth=seen.queue_depth,
        embedding=Embedding(
            blocks_ready=seen.blocks_ready, blocks=seen.blocks_planned, rows_ready=seen.rows_ready,
            rows=seen.item_count, imports_running=seen.imports_running, **_pace(seen),
        ),
        round=_running(unit, rounds.unfinished(unit, project_id)),
        ranking=Ranking(
            round=seen.served_round, model_version=seen.served_model,
            labels_since=seen.change_count - (seen.served_changes or 0),
            ranked_at=seen.served_at, age_seconds=None if seen.served_age is None else max(0.0, seen.served_age),
        ),
        model=_model(project, seen),
        last_failure=None if failed is None else Failure(what=failed.what, reason=failed.reason, at=failed.at),
        class_counts=dict.fromkeys(project.labels, 0) | answers.class_counts(unit, project_id),
        annotators=[
            AnnotatorState(annotator=who, labels=labels, skips=skips, last_seen=at)
            for who, labels, skips, at in answers.annotators(unit, project_id)
        ],
        finished=finished is not None,
        finished_because=finished,
    )  # fmt: skip


def _pace(seen: Overview) -> dict[str, float | None]:
    """How fast the pool is encoded, and how long that takes on."""
    left, pace = seen.item_count - seen.rows_ready, seen.rows_per_second
    seconds = 0.0 if left <= 0 else None if not pace else round(left / pace, 1)
    return {"rows_per_second": None if pace is None else round(pace, 1), "seconds_left": seconds}


def _finished(project: Project, seen: Overview, pool: int) -> FinishedBecause | None:
    if project.stopped_at is not None:
        return "stopped"
    if project.budget is not None and seen.paid_count >= project.budget:
        return "budget_spent"
    return "pool_exhausted" if pool > 0 and seen.settled_slots >= pool * project.overlap else None


def _running(unit: Unit, current: Round | None) -> RunningRound | None:
    if current is None:
        return None
    shards_done, shards, rows_done, rows = rounds.shard_counts(unit, current.id)
    return RunningRound(
        number=current.number, state=current.state, reason=current.reason, requested_at=current.requested_at,
        shards_done=shards_done, shards=shards, rows_done=rows_done, rows=rows,
        training=current.facts.get("training") if current.state == "training" else None,
    )  # fmt: skip


def _model(project: Project, seen: Overview) -> ModelState | None:
    if seen.model_version is None or seen.model_labels is None or seen.model_at is None:
        return None
    return ModelState(
        version=seen.model_version, score=seen.model_score, score_from=seen.model_score_from, metric=project.metric,
        label_count=seen.model_labels, created_at=seen.model_at,
    )  # fmt: skip


@router.get("/rounds", summary="List rounds", responses=documented(404, 422))
def list_rounds(
    project_id: ProjectId,
    here: Here,
    after: Annotated[int, Query(ge=-1, lt=1 << 31, description="the `next` of the page before")] = -1,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> RoundPage:
    """Every turn of the loop in order, with how long each stage took."""

    def work(unit: Unit) -> list[Round]:
        projects.get(unit, project_id)
        return rounds.page(unit, project_id, after, limit + 1)

    found = here.database.run(work)
    more = len(found) > limit
    return RoundPage(rounds=[_round(one) for one in found[:limit]], next=found[limit - 1].number if more else None)


@router.post("/rounds", status_code=202, summary="Ask for a round", responses=documented(404, 409, 422))
def ask_round(project_id: ProjectId, here: Here) -> RoundState:
    """Trains on every label so far and ranks the pool anew, without waiting for `retrain_every` labels."""
    return _round(turns.ask_for_round(here.database, project_id))


def _round(one: Round) -> RoundState:
    began = one.training_at or one.scoring_at
    return RoundState(
        number=one.number, state=one.state, reason=one.reason, strategy=one.strategy,
        near_duplicate=one.near_duplicate, label_count=one.label_count, pool_count=one.pool_count,
        failure=one.failure, facts=one.facts, requested_at=one.requested_at, ended_at=one.ended_at,
        seconds=StageSeconds(
            waiting=_between(one.requested_at, began or one.ended_at),
            training=_between(one.training_at, one.scoring_at or one.ended_at),
            scoring=_between(one.scoring_at, one.selecting_at or one.ended_at),
            selecting=_between(one.selecting_at, one.ended_at),
            total=_between(one.requested_at, one.ended_at),
        ),
    )  # fmt: skip


def _between(start: datetime | None, stop: datetime | None) -> float | None:
    return None if start is None or stop is None else (stop - start).total_seconds()


@router.get(
    "/history", summary="The learning curve",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **documented(404, 422)},
    response_model=History,
)  # fmt: skip
def get_history(
    project_id: ProjectId,
    here: Here,
    format: Annotated[Literal["json", "csv"], Query()] = "json",  # noqa: A002  (the parameter's public name)
) -> Any:
    """One point for each trained model: how many labels it was given, and what it scored on labels it had not seen."""
    project, points = here.database.run(lambda unit: (projects.get(unit, project_id), rounds.history(unit, project_id)))
    history = History(
        metric=project.metric,
        points=[
            HistoryPoint(
                labels=point.label_count + _control(point), control=_control(point), score=point.score,
                score_from=point.score_from, metric=project.metric, strategy=point.strategy, version=point.version,
                round=point.number, at=point.ended_at,
            )
            for point in points
        ],
    )  # fmt: skip
    if format == "json":
        return history
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(HistoryPoint.model_fields), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({**point.model_dump(mode="json"), "strategy": said(point.strategy)} for point in history.points)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


def _control(point: Point) -> int:
    """Labeled items the model was not given, because they measure it."""
    return int(point.facts.get("control", 0))
