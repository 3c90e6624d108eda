"""Texts somebody wants predicted with the current model: the gateway has no encoder, a scorer has."""

from __future__ import annotations

from typing import Any

from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project
from tithe.contracts.tasks import PredictTexts
from tithe.errors import Hopeless
from tithe.learners.linear_model import LinearModel
from tithe.learners.tagging.words import document
from tithe.learners.word_features import read_features
from tithe.loop.reading import encoder, word_encoder
from tithe.runtime import Runtime
from tithe.scorer.models import load
from tithe.scorer.reasons import spans_of
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
    told = predicted(project, load(runtime, request.model_id), request.texts, runtime.settings.encoder_threads)
    result = [one.model_dump(mode="json", exclude_none=True) for one in told]

    def work(unit: Unit) -> None:
        jobs.finish(unit, claim)
        predictions.finish(unit, message.request_id, result)

    runtime.database.run(work)


def predicted(project: Project, model: Any, texts: list[str], threads: int) -> list[Prediction]:
    """What the model says of the texts."""
    name = project.encoder or ""
    if isinstance(model, LinearModel):
        rows = model.predict_proba(encoder(name, threads).encode(texts))
    elif model.reads == "texts":
        rows = model.predict_proba(texts)
    else:
        documents = [document(text) for text in texts]
        if model.reads == "words":
            read = read_features(word_encoder(name, threads), documents)
            said = model.tag(read.words, read.starts)
        else:
            said = model.tag_documents(documents)
        return spans_of(project, model, said, documents)
    return [Prediction.of(project.task, project.labels, row, model.thresholds.tolist()) for row in rows]
