"""Batches and labels: the labeler's walk. No broker, no model, no waiting."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import ValidationError

from tithe.contracts.api import (
    AskBatch,
    AskMore,
    BatchItem,
    BatchState,
    HandOut,
    Heartbeat,
    LabelsStored,
    Prediction,
    Ranking,
    SendLabels,
)
from tithe.contracts.blinding import BLIND, shown
from tithe.errors import NotFound
from tithe.gateway.access import Who, named
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.metrics import Meters
from tithe.gateway.problems import documented
from tithe.loop import hand_out
from tithe.loop.hand_out import HandedOut, Staleness
from tithe.loop.record import Sent, record
from tithe.storage import queue, status
from tithe.storage.database import Unit
from tithe.storage.queue import LeasedItem
from tithe.storage.status import SeenBatch

router = APIRouter(prefix="/v1", tags=["labeling"])
#: What a hand-out says of an item in blind labeling: where it stood in the queue, not what a model makes of it.
_TOLD_BLINDLY = frozenset({"rank", "blind", "place", "because", "distance_to_labeled"})
BatchId = Annotated[UUID, Path(description="the batch's id")]


@router.post(
    "/projects/{project_id}/batches", summary="Ask for items to label", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
def ask_batch(
    project_id: ProjectId, ask: AskBatch, who: Who, here: Here, request: Request, response: Response
) -> HandOut:
    """The items most worth a label, held for this annotator for `lease_seconds`.

    An open batch of theirs is given again, so asking twice costs nothing. With nothing to hand out `items` is empty
    and `empty_because` says why. Items come with what the model thinks of them, unless the project labels blindly
    (`pre_annotate: false`).
    """
    handed = hand_out.hand_out(here.database, project_id, named(who, ask.annotator, "body.annotator"), ask.size)
    if handed.batch is not None:
        _meters(request).batches.inc()
    return _handed(handed, response)


@router.post(
    "/batches/{batch_id}/more", summary="Ask for more items in a batch", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
def ask_more(batch_id: BatchId, ask: AskMore, here: Here, response: Response) -> HandOut:
    """Fills an open batch up to `size` items that wait for an answer, so that a page always has the next at hand.

    Answers with all that wait. `empty_because` says why nothing was added although there was room. The lease is
    extended.
    """
    return _handed(hand_out.top_up(here.database, batch_id, ask.size), response)


def _handed(handed: HandedOut, response: Response) -> HandOut:
    if handed.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(handed.retry_after_seconds)
    return HandOut(
        batch_id=handed.batch.id if handed.batch else None,
        expires_at=handed.batch.expires_at if handed.batch else None,
        round=handed.staleness.round_number,
        ranking=_ranking(handed.staleness),
        items=[_item(lease, blind=not handed.pre_annotate) for lease in handed.items],
        empty_because=handed.empty_because,
        retry_after_seconds=handed.retry_after_seconds,
    )


@router.get("/batches/{batch_id}", summary="Look at a batch", responses=documented(404, 422))
def get_batch(batch_id: BatchId, here: Here) -> BatchState:
    """The batch as it stands, with every item it was handed out with. Looking does not extend its lease."""

    def work(unit: Unit) -> tuple[SeenBatch, list[LeasedItem]]:
        return _known(unit, batch_id), queue.leases(unit, batch_id)

    batch, leases = here.database.run(work)
    return BatchState(
        batch_id=batch.id,
        project_id=batch.project_id,
        annotator=batch.annotator,
        state="expired" if batch.state == "open" and batch.lapsed else batch.state,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        waiting=sum(lease.state == "active" for lease in leases),
        items=[_item(lease, blind=not batch.pre_annotate) for lease in leases],
    )


@router.post(
    "/batches/{batch_id}/labels", status_code=201, summary="Send answers", dependencies=[JsonOnly],
    responses={200: {"model": LabelsStored, "description": "Nothing new: the call or its answers came before."},
               **documented(400, 404, 409, 413, 415, 422)},
)  # fmt: skip
def send_labels(
    batch_id: BatchId,
    sent: SendLabels,
    who: Who,
    here: Here,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            pattern=r"^[\x20-\x7e]+$",
            description="the same key with the same body is answered as the first time, for thirty days",
        ),
    ] = None,
) -> LabelsStored:
    """Answers to items of one batch, a part of them or all: stored together or not at all.

    An answer that comes after its lease lapsed still counts if nobody took the item over; otherwise it is kept as
    superseded. `correct` changes one's mind, `annotator` says who answered where a tool holds the batch for several
    people.
    """
    for at, one in enumerate(sent.labels):
        if one.annotator is not None:
            named(who, one.annotator, f"body.labels[{at}].annotator")
    answers = [Sent(one.item_id, one.label, one.skip, one.note, one.annotator, one.correct) for one in sent.labels]
    recorded, replayed = record(here.database, None, batch_id, answers, idempotency_key)
    stored = LabelsStored.model_validate(asdict(recorded))
    if replayed:
        response.headers["Idempotent-Replay"] = "true"
    if replayed or all(one.outcome == "duplicate" for one in stored.outcomes):
        response.status_code = 200
    else:
        _meters(request).labels.inc(sum(one.outcome == "counted" for one in stored.outcomes))
    return stored


@router.post("/batches/{batch_id}/heartbeat", summary="Keep a batch", responses=documented(404, 409, 422))
def keep_batch(batch_id: BatchId, here: Here) -> Heartbeat:
    """Holds the batch for another `lease_seconds` from now."""
    expires_at = hand_out.heartbeat(here.database, None, batch_id)
    return Heartbeat(batch_id=batch_id, expires_at=expires_at)


@router.post(
    "/batches/{batch_id}/release", status_code=204, summary="Give a batch back", responses=documented(404, 409, 422)
)
def release_batch(batch_id: BatchId, here: Here) -> None:
    """Its unanswered items go to whoever asks next. Giving back twice is no error."""
    hand_out.release(here.database, None, batch_id)


def _known(unit: Unit, batch_id: UUID) -> SeenBatch:
    found = status.batch(unit, batch_id)
    if found is None:
        raise NotFound(f"there is no batch {batch_id}", place="path.batch_id", remedy="ask for a new batch")
    return found


def _item(lease: LeasedItem, *, blind: bool) -> BatchItem:
    """The item as its annotator is to see it; `blind`: without anything that the model says of it."""
    chosen_by, told = shown(lease.chosen_by, lease.why)
    why = {name: what for name, what in told.items() if not blind or name in _TOLD_BLINDLY}
    return BatchItem(
        item_id=lease.external_id,
        text=lease.text,
        tokens=lease.tokens,
        meta=lease.meta,
        score=None if blind or BLIND in told else lease.score,
        chosen_by=chosen_by,
        prediction=_prediction(why.pop("prediction", None)),
        why=why,
        state=lease.state,
    )


def _prediction(written: Any) -> Prediction | None:
    """What the scorer wrote; what cannot be read is no reason to hand out nothing."""
    if written is None:
        return None
    try:
        return Prediction.model_validate(written)
    except ValidationError:
        return None


def _ranking(staleness: Staleness) -> Ranking:
    ranked_at = staleness.ranked_at
    age = max(0.0, (datetime.now(UTC) - ranked_at).total_seconds()) if ranked_at else None
    return Ranking(
        round=staleness.round_number,
        model_version=staleness.model_version,
        labels_since=staleness.labels_since,
        ranked_at=ranked_at,
        age_seconds=age,
    )


def _meters(request: Request) -> Meters:
    found: Meters = request.app.state.meters
    return found
