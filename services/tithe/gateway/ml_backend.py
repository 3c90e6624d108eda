"""Tithe as an ML backend of Label Studio: what the model thinks, on the page where people label.

Label Studio calls these addresses without a credential it could be asked for, so a part of the address is one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from tithe.connectors.clean import storable
from tithe.connectors.errors import HookRefused
from tithe.connectors.label_studio import ml
from tithe.connectors.label_studio.hooks import HEADER
from tithe.connectors.label_studio.kind import KIND
from tithe.connectors.label_studio.ml import Guess
from tithe.connectors.schema import schema_of
from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Task
from tithe.errors import BadInput, NotFound, TitheError
from tithe.gateway import hooks
from tithe.gateway.context import Here, leaving_seconds
from tithe.gateway.problems import documented
from tithe.runtime import Runtime
from tithe.storage import predictions, projects, remote, rounds
from tithe.storage.connectors import Connection
from tithe.storage.database import Unit

#: What the backend must be called in Label Studio: it shows only predictions of that version.
TITLE = "tithe"
#: The page stands still while it asks for one task; who asks for many looks at a progress bar.
_ONE_WAITS_SECONDS = 0.8
_MANY_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.05
#: Texts a scorer is asked for at a time.
_TEXTS = 256

router = APIRouter(prefix="/v1/label-studio/{connector_id}/{key}", tags=["connections"])
ConnectorId = Annotated[UUID, Path(description="the connection's id")]
Key = Annotated[str, Path(description="the last part of the connection's `model_backend`", max_length=100)]


def address_of(here: Runtime, found: Connection) -> str | None:
    """Where Label Studio finds the backend of this connection; None: of another kind, or its secret is unreadable."""
    if found.kind != KIND.name:
        return None
    try:
        return f"/v1/label-studio/{found.id}/{_key(here, found)}"
    except TitheError:
        return None


def _key(here: Runtime, found: Connection) -> str:
    """Made of the hook's secret, which it does not give away."""
    secret = here.vault.open(found.hook_secret).encode()
    return hmac.new(secret, b"label-studio-ml-backend", hashlib.sha256).hexdigest()[:40]


@router.get("/health", summary="Whether the ML backend lives", responses=documented(403, 404, 422))
def ml_health(connector_id: ConnectorId, key: Key, here: Here) -> JSONResponse:
    """For Label Studio."""
    _let_in(here, connector_id, key)
    return JSONResponse(ml.health())


@router.post("/setup", summary="Meet the ML backend", responses=documented(403, 404, 422))
def ml_setup(connector_id: ConnectorId, key: Key, here: Here) -> JSONResponse:
    """For Label Studio. What it sends along, a token of its own among it, is not even read."""
    _let_in(here, connector_id, key)
    return JSONResponse(ml.setup(TITLE))


@router.get("/versions", summary="List the ML backend's versions", responses=documented(403, 404, 422))
def ml_versions(connector_id: ConnectorId, key: Key, here: Here) -> JSONResponse:
    """For Label Studio."""
    _let_in(here, connector_id, key)
    return JSONResponse(ml.versions(TITLE))


@router.post("/webhook", summary="Hear from Label Studio", responses=documented(403, 404, 413, 422))
async def ml_webhook(connector_id: ConnectorId, key: Key, here: Here, request: Request) -> JSONResponse:
    """For Label Studio: a reason to look, as any hook. It trains nothing; rounds do that by themselves."""
    body = await request.body()

    def work() -> None:
        found = _let_in(here, connector_id, key)
        # It knows the address, which is as good as the header that this webhook cannot carry.
        hooks.keep(here, found, hooks.read(found, key, {HEADER.lower(): key}, body))

    await run_in_threadpool(work)
    return JSONResponse({})


@router.post("/predict", summary="Predict for Label Studio", responses=documented(403, 404, 413, 422))
async def ml_predict(connector_id: ConnectorId, key: Key, here: Here, request: Request) -> JSONResponse:
    """For Label Studio: what the model thinks of each task, or nothing where that would take too long.

    A project that labels blindly shows nothing, and so does one without a model. Nor is anything told of a task that is
    to be answered without the model's opinion.
    """
    body = await request.body()
    asked, project_id, shown = await run_in_threadpool(_read, here, connector_id, key, body)
    texts = [question.text if question.task in shown else "" for question in asked.questions]
    found = await _guesses(here, request, project_id, texts) if any(texts) else []
    guesses = found or [None] * len(asked.questions)
    return JSONResponse(ml.predictions(asked, guesses, TITLE))


def _let_in(here: Runtime, connector_id: UUID, key: str) -> Connection:
    found = hooks.known(here, connector_id)
    if found.kind != KIND.name:
        raise NotFound("there is no such connection", place="path.connector_id")
    if not hmac.compare_digest(_key(here, found).encode(), key.encode()):
        raise HookRefused(
            "this is not the address of the connection's ML backend", place="path.key",
            remedy="`tithe connect show` tells it",
        )  # fmt: skip
    return found


def _read(here: Runtime, connector_id: UUID, key: str, body: bytes) -> tuple[ml.Asked, UUID, set[str]]:
    """What is asked, of which project, and of which tasks its annotators may see what the model thinks."""
    found = _let_in(here, connector_id, key)
    project = here.database.run(lambda unit: projects.get(unit, found.project_id))
    settings = KIND.settings.model_validate(found.settings)
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("the body is no JSON", place="body") from None
    asked = ml.read_predict(said, schema_of(project, settings), found.settings.get("aliases") or {})
    if not project.pre_annotate or project.task is Task.VECTORS or asked.reading is None:
        return asked, project.id, set()
    tasks = [question.task for question in asked.questions]
    blind = here.database.run(lambda unit: remote.blind_tasks(unit, connector_id, tasks))
    return asked, project.id, {*tasks} - blind


async def _guesses(here: Runtime, call: Request, project_id: UUID, texts: Sequence[str]) -> list[Guess | None]:
    """What the model thinks of each text, as far as the scorers tell it in time."""
    wanted = [(at, storable(text)) for at, text in enumerate(texts) if text]
    guesses: list[Guess | None] = [None] * len(texts)
    until = time.monotonic() + (_ONE_WAITS_SECONDS if len(texts) == 1 else _MANY_WAIT_SECONDS)
    for start in range(0, len(wanted), _TEXTS):
        some = wanted[start : start + _TEXTS]
        told = await _predicted(here, call, project_id, [text for _, text in some], until)
        if told is None:
            break
        for (at, _), prediction in zip(some, told, strict=True):
            guesses[at] = Guess(prediction.answer(), prediction.confidence)
    return guesses


async def _predicted(
    here: Runtime, call: Request, project_id: UUID, texts: list[str], until: float
) -> list[Prediction] | None:
    """Predictions of the current model; None: there is none, or no scorer told them in time."""

    def ask(unit: Unit) -> UUID | None:
        model = rounds.current_model(unit, project_id)
        return None if model is None else predictions.create(unit, project_id, texts, model.id)

    request_id = await run_in_threadpool(here.database.run, ask, repeatable=False)
    while request_id is not None and time.monotonic() < until and not leaving_seconds(call):
        await anyio.sleep(_LOOK_SECONDS)
        found = await run_in_threadpool(
            here.database.run, lambda unit, asked=request_id: predictions.read(unit, project_id, asked)
        )
        if found is None or found.state != "waiting":
            done = found is not None and found.state == "done"
            return [Prediction.model_validate(one) for one in found.result or []] if found and done else None
    return None
