"""Texts somebody wants predicted with the current model: the gateway has no encoder, a scorer has."""

from __future__ import annotations

from tithe.contracts.predictions import Prediction
from tithe.contracts.tasks import PredictTexts
from tithe.errors import Hopeless
from tithe.runtime import Runtime
from tithe.scorer.embed import encoder
from tithe.scorer.models import load
from tithe.storage import jobs, predictions, projects
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim


def predict_texts(runtime: Runtime, message: PredictTexts, claim: Claim) -> None:
    """Write the predictions beside the request."""
    project, request = runtime.database.run(
        lambda unit: (
            projects.get(unit, message.project_id),
            predictions.read(unit, message.project_id, message.request_id),
        )
    )
    if request is None or request.state != "waiting":
        runtime.database.run(lambda unit: jobs.finish(unit, claim))
        return
    if project.encoder is None:
        raise Hopeless("this project has no encoder: send vectors, not texts")
    vectors = encoder(project.encoder, runtime.settings.encoder_threads).encode(request.texts)
    rows = load(runtime, request.model_id).predict_proba(vectors)
    result = [
        Prediction.of(project.task, project.labels, row).model_dump(mode="json", exclude_none=True) for row in rows
    ]

    def work(unit: Unit) -> None:
        jobs.finish(unit, claim)
        predictions.finish(unit, message.request_id, result)

    runtime.database.run(work)
