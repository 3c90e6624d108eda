"""Predictions of the current model: at once where there are vectors, through a scorer where there are only texts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from tithe.contracts.predictions import AskPredictions, Prediction, Predictions
from tithe.contracts.projects import Project, Task
from tithe.errors import BadInput, InvalidVector, NoModelYet, NotFound, Unavailable
from tithe.gateway.context import Here, JsonOnly, ProjectId, leaving_seconds
from tithe.gateway.models import current_model, gather, pool_vectors, reads_vectors
from tithe.gateway.problems import documented
from tithe.loop.checking import LONGEST_SQUARED
from tithe.runtime import Runtime
from tithe.storage import pool, predictions, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.predictions import PredictRequest
from tithe.storage.rounds import Model

if TYPE_CHECKING:
    from tithe.learners.linear_model import LinearModel

_WAIT_SECONDS = 20.0
_FIRST_LOOK_SECONDS = 0.05
_SLOWEST_LOOK_SECONDS = 0.5

router = APIRouter(prefix="/v1/projects/{project_id}/predict", tags=["predictions"])


@dataclass(frozen=True)
class _Ready:
    """What can be answered now."""

    model: Model
    predictions: list[Prediction | None]


@dataclass(frozen=True)
class _Waiting:
    """What a scorer was asked."""

    model: Model
    request_id: UUID


@router.post(
    "", summary="Predict", dependencies=[JsonOnly],
    responses={202: {"model": Predictions, "description": "Still waiting for a scorer: ask at Location."},
               **documented(400, 404, 409, 413, 415, 422)},
)  # fmt: skip
async def predict(
    project_id: ProjectId, ask: AskPredictions, here: Here, call: Request, response: Response
) -> Predictions:
    """What the current model says of texts, of vectors, or of items of the pool.

    Texts wait for a scorer, up to twenty seconds; after that the answer is 202, and `Location` says where to ask
    again.
    """
    asked = await run_in_threadpool(_ask, here, project_id, ask)
    if isinstance(asked, _Ready):
        return Predictions(
            request_id=None, state="done", model_version=asked.model.version, predictions=asked.predictions
        )
    until, pause = time.monotonic() + _WAIT_SECONDS, _FIRST_LOOK_SECONDS
    while True:
        await anyio.sleep(pause)
        request = await run_in_threadpool(_look, here, project_id, asked.request_id)
        if request.state != "waiting" or time.monotonic() > until or leaving_seconds(call):
            break
        pause = min(_SLOWEST_LOOK_SECONDS, pause * 1.3)
    if request.state == "failed":
        raise Unavailable(f"the texts could not be predicted: {request.failure}", remedy="try again in a while")
    if request.state == "waiting":
        response.status_code = 202
        response.headers["Location"] = f"/v1/projects/{project_id}/predict/{request.id}"
        response.headers["Retry-After"] = "5"
    return _told(request, asked.model.version)


@router.get("/{request_id}", summary="Look at predictions of texts", responses=documented(404, 422))
def get_prediction(
    project_id: ProjectId, request_id: Annotated[UUID, Path(description="of the request for predictions")], here: Here
) -> Predictions:
    """What became of texts that were sent to be predicted. Kept for an hour."""
    request = _look(here, project_id, request_id)
    model = here.database.run(lambda unit: rounds.model(unit, request.model_id))
    return _told(request, model.version if model else None)


def _ask(here: Runtime, project_id: UUID, ask: AskPredictions) -> _Ready | _Waiting:
    project, model = here.database.run(
        lambda unit: (projects.get(unit, project_id), rounds.current_model(unit, project_id))
    )
    if model is None:
        raise NoModelYet(remedy="label some items; GET …/status shows when a model is there")
    if ask.vectors is not None:
        return _Ready(model, _of_vectors(here, project, model, ask.vectors))
    if ask.texts is not None and project.task is Task.VECTORS:
        raise BadInput("this project knows vectors only", place="body.texts", remedy="send vectors, or item_ids")
    if ask.item_ids is None:
        texts = ask.texts or []
        return _Waiting(model, here.database.run(lambda unit: predictions.create(unit, project_id, texts, model.id)))
    ordinals = here.database.run(lambda unit: _ordinals(unit, project_id, ask.item_ids or []))
    if reads_vectors(project, model):
        return _Ready(model, _of_items(here, project, model, ordinals))
    return _Waiting(model, here.database.run(lambda unit: _of_their_texts(unit, project_id, ordinals, model)))


def _of_their_texts(unit: Unit, project_id: UUID, ordinals: Sequence[int], model: Model) -> UUID:
    """Ask a scorer for what the model says of items it must read; it looks up how they came, as text or as tokens."""
    return predictions.create(unit, project_id, pool.texts_of(unit, project_id, ordinals), model.id, ordinals)


def _look(here: Runtime, project_id: UUID, request_id: UUID) -> PredictRequest:
    def work(unit: Unit) -> PredictRequest:
        projects.get(unit, project_id)
        found = predictions.read(unit, project_id, request_id)
        if found is None:
            raise NotFound(
                f"there is no request {request_id}", place="path.request_id",
                remedy="predictions are kept for an hour: send the texts again",
            )  # fmt: skip
        return found

    return here.database.run(work)


def _told(request: PredictRequest, version: int | None) -> Predictions:
    done = [Prediction.model_validate(one) for one in request.result or []] if request.state == "done" else None
    return Predictions(
        request_id=request.id, state=request.state, model_version=version, predictions=done, failure=request.failure
    )


def _of_vectors(
    here: Runtime, project: Project, model: Model, sent: Sequence[Sequence[float]]
) -> list[Prediction | None]:
    import numpy as np

    if not reads_vectors(project, model):
        raise BadInput(
            f"the current model (version {model.version}) reads texts, not vectors", place="body.vectors",
            remedy="send texts, or item_ids",
        )  # fmt: skip
    ready = current_model(here, model)
    for at, vector in enumerate(sent):
        if len(vector) != ready.dimension:
            raise InvalidVector(
                f"body.vectors[{at}] has {len(vector)} numbers, this model takes {ready.dimension}",
                place=f"body.vectors[{at}]", remedy="send vectors like those of the pool",
            )  # fmt: skip
    with np.errstate(over="ignore"):
        rows = np.asarray(sent, dtype=np.float64).astype(np.float32)
    if not np.isfinite(rows).all():
        raise InvalidVector("a number is beyond float32", place="body.vectors", remedy="scale the vectors down")
    for at, squared in enumerate(np.square(rows, dtype=np.float64).sum(axis=1)):
        if squared > LONGEST_SQUARED:
            raise InvalidVector(
                f"body.vectors[{at}] is too long to be compared in float32", place=f"body.vectors[{at}]",
                remedy="scale the vectors down",
            )  # fmt: skip
    return list(_read(project, ready, rows))


def _of_items(here: Runtime, project: Project, model: Model, ordinals: Sequence[int]) -> list[Prediction | None]:
    blocks = here.database.run(lambda unit: pool.ready_blocks(unit, project.id, min(ordinals), max(ordinals) + 1))
    found, rows = gather(here, project.id, pool_vectors(here, blocks), ordinals)
    told = iter(_read(project, current_model(here, model), rows) if len(rows) else [])
    return [next(told) if there else None for there in found]


def _read(project: Project, model: LinearModel, rows: Any) -> list[Prediction]:
    limits = model.thresholds.tolist()
    return [Prediction.of(project.task, project.labels, row, limits) for row in model.predict_proba(rows).tolist()]


def _ordinals(unit: Unit, project_id: UUID, ids: Sequence[str]) -> list[int]:
    known = pool.ordinals(unit, project_id, ids)
    faults = [
        {"place": f"body.item_ids[{at}]", "code": NotFound.code, "detail": f"this project has no item {one!r}"}
        for at, one in enumerate(ids)
        if one not in known
    ]
    if faults:
        raise NotFound(faults[0]["detail"], place=faults[0]["place"], errors=faults)
    return [known[one] for one in ids]
