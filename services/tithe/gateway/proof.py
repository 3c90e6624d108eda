"""What the loop is worth, and stopping it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tithe.contracts.projects import Project
from tithe.contracts.proof import Measurement, NotMeasured, Proof, as_told
from tithe.gateway.access import Who
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.problems import documented
from tithe.loop import rounds as turns
from tithe.storage import answers, audit, projects, proof
from tithe.storage.database import Unit
from tithe.storage.proof import MeasuredRound

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["proof"])


@router.get("/proof", summary="What the loop is worth", responses=documented(404, 422))
def get_proof(
    project_id: ProjectId,
    here: Here,
    before: Annotated[int | None, Query(ge=0, lt=1 << 31, description="only rounds before this one")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Proof:
    """Quality with an interval, labels saved against random, whether more labels are worth their price.

    Measured after every round, on the control arm: a random slice of what people are asked, which no model was trained
    on. Where something cannot be told yet, `missing` says what it takes.
    """
    return here.database.run(lambda unit: _proof(unit, project_id, before, limit))


@router.post("/stop", summary="Stop handing out", responses=documented(404, 422))
def stop(project_id: ProjectId, who: Who, here: Here) -> Project:
    """Nothing is handed out any more; what people hold they may still answer. Stopping twice is no error."""
    return here.database.run(lambda unit: _stopped(unit, project_id, who.name))


@router.post("/resume", summary="Hand out again", responses=documented(404, 422))
def resume(project_id: ProjectId, who: Who, here: Here) -> Project:
    """Goes on where it stopped. A `stop_when` that stopped it is taken away, or it would at once stop it again."""
    return here.database.run(lambda unit: _resumed(unit, project_id, who.name))


def _stopped(unit: Unit, project_id: UUID, who: str) -> Project:
    projects.get(unit, project_id)
    answers.lock_progress(unit, project_id)
    if projects.stop(unit, project_id, "asked"):
        audit.note(unit, project_id, who, "project.stopped")
    project = projects.get(unit, project_id)
    turns.maybe_open(unit, project)  # whatever was labeled since the last round is learned from
    return project


def _resumed(unit: Unit, project_id: UUID, who: str) -> Project:
    projects.get(unit, project_id)
    answers.lock_progress(unit, project_id)  # as stopping does: one follows the other
    if projects.resume(unit, project_id):
        audit.note(unit, project_id, who, "project.resumed")
    return projects.get(unit, project_id)


def _proof(unit: Unit, project_id: UUID, before: int | None, limit: int) -> Proof:
    project = projects.get(unit, project_id)
    newest = [_measurement(one) for one in proof.newest(unit, project_id, None, 1)]
    found = [_measurement(one) for one in proof.newest(unit, project_id, before, limit + 1)]
    history = found[-limit:]
    failed = proof.not_measured(unit, project_id)
    return Proof(
        project_id=project_id, control=project.control, reserve=project.reserve, unit=project.budget_unit,
        price=project.price, currency=project.currency, stopped_at=project.stopped_at,
        stopped_because=project.stopped_because, toward_random=project.toward_random,
        control_labels=proof.control_answers(unit, project_id), latest=newest[0] if newest else None,
        history=history, earlier=history[0].round if len(found) > limit else None,
        failed=None if failed is None else NotMeasured(round=failed.number, reason=failed.reason, at=failed.at),
        missing=None if newest else _nothing_yet(project),
    )  # fmt: skip


def _measurement(one: MeasuredRound) -> Measurement:
    return Measurement(
        round=one.number, version=one.version, labels=one.labels, at=one.created_at, measured=as_told(one.found)
    )


def _nothing_yet(project: Project) -> str:
    if not project.reserve:
        return "the project has no control arm: PATCH it with control, 0.05 say, and label on"
    return "no model was measured yet: that happens after each round that has a model"
