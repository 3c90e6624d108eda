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
from tithe.learners.words import Document
from tithe.loop.models import load
from tithe.loop.reading import documents_of, encoder, word_encoder
from tithe.runtime import Runtime
from tithe.scorer.reasons import spans_of
from tithe.storage import jobs, pool, predictions, projects
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.predictions import PredictRequest


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
    documents = _documents(runtime, project, request)
    told = predicted(project, load(runtime, request.model_id), documents, runtime.settings.encoder_threads)
    result = [one.model_dump(mode="json", exclude_none=True) for one in told]

    def work(unit: Unit) -> None:
        jobs.finish(unit, claim)
        predictions.finish(unit, message.request_id, result)

    runtime.database.run(work)


def _documents(runtime: Runtime, project: Project, request: PredictRequest) -> list[Document]:
    """The texts cut into words; items that came as tokens keep these, so that no span ends within one."""
    of_items = request.ordinals
    if of_items is None:
        return [document(text) for text in request.texts]
    return documents_of(runtime.database.run(lambda unit: pool.contents_of(unit, project.id, of_items)))


def predicted(project: Project, model: Any, documents: list[Document], threads: int) -> list[Prediction]:
    """What the model says of the documents."""
    name, texts = project.encoder or "", [one.text for one in documents]
    if isinstance(model, LinearModel):
        rows = model.predict_proba(encoder(name, threads).encode(texts))
    elif model.reads == "texts":
        rows = model.predict_proba(texts)
    else:
        if model.reads == "words":
            read = read_features(word_encoder(name, threads), documents)
            said = model.tag(read.words, read.starts)
        else:
            said = model.tag_documents(documents)
        return spans_of(project, model, said, documents)
    return [Prediction.of(project.task, project.labels, row, model.thresholds.tolist()) for row in rows]
