"""Texts that wait to be predicted, and what a scorer made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.contracts.tasks import PredictTexts
from tithe.storage.database import Unit


@dataclass(frozen=True)
class PredictRequest:
    """Texts somebody wants predicted: waiting → done or failed."""

    id: UUID
    project_id: UUID
    texts: list[str]
    ordinals: list[int] | None  #: of the items they are the texts of; None: somebody sent them
    model_id: UUID
    state: str
    result: list[dict[str, Any]] | None  #: per text a ``tithe.contracts.predictions.Prediction``
    failure: str | None
    created_at: datetime


def create(
    unit: Unit, project_id: UUID, texts: Sequence[str], model_id: UUID, ordinals: Sequence[int] | None = None
) -> UUID:
    """Write the request and ask a scorer for it, in one transaction. `ordinals`: whose texts they are."""
    request_id: UUID = unit.value(
        "predictions.create", project_id=project_id, texts=list(texts), model_id=model_id,
        ordinals=None if ordinals is None else list(ordinals),
    )  # fmt: skip
    unit.send(PredictTexts(project_id=project_id, request_id=request_id), project_id)
    return request_id


def read(unit: Unit, project_id: UUID, request_id: UUID) -> PredictRequest | None:
    """The request as it stands; None: not known, or gone after its hour."""
    return unit.one("predictions.read", PredictRequest, id=request_id, project_id=project_id)


def finish(unit: Unit, request_id: UUID, result: Sequence[dict[str, Any]]) -> bool:
    """waiting → done, with one prediction per text; False: it waits no more."""
    return unit.run("predictions.finish", id=request_id, result=Jsonb(list(result))) == 1


def fail(unit: Unit, request_id: UUID, failure: str) -> bool:
    """waiting → failed, with the reason; False: it waits no more."""
    return unit.run("predictions.fail", id=request_id, failure=failure[:2000]) == 1


def purge(unit: Unit, after_seconds: float) -> None:
    """Take away requests older than that, whatever became of them, and their jobs."""
    unit.run("predictions.purge", after=after_seconds)
