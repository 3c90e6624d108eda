"""A batch as its annotator holds it: answer it, keep it, give it back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID, uuid4

from tithe.client.problem import TitheProblem
from tithe.client.transport import Transport
from tithe.contracts.api import BatchItem, HandOut, Heartbeat, LabelsStored, Ranking


@dataclass(frozen=True)
class Skip:
    """An answer that is none: the annotator leaves the item out, perhaps with a reason."""

    note: str | None = None


SKIP = Skip()
Answers = Mapping[str, Any] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Nothing:
    """No items, and why. Counts as false, so that ``while batch := project.next_batch("ada")`` ends."""

    because: str  #: pool_empty, budget_spent, budget_reserved, pool_exhausted or all_leased
    retry_after_seconds: float | None  #: when asking again makes sense; None: never by itself

    @property
    def finished(self) -> bool:
        """Whether asking again is pointless as things stand."""
        return self.retry_after_seconds is None

    def __bool__(self) -> Literal[False]:
        return False


class BatchHandle:
    """Some items leased to one annotator.

    As a context manager it keeps the lease alive in the background, and gives back what was not answered at the end.
    """

    def __init__(self, transport: Transport, given: HandOut, *, annotator: str, lease_seconds: float) -> None:
        if given.batch_id is None or given.expires_at is None:
            raise ValueError("a hand-out without items is no batch")
        self.id: UUID = given.batch_id
        self.annotator = annotator
        self.items: list[BatchItem] = given.items
        self.round: int | None = given.round
        self.ranking: Ranking = given.ranking
        self.expires_at: datetime = given.expires_at
        self.waiting = len(given.items)  #: items that still wait for an answer
        self.closed = False  #: whether the server said that the lease is over
        self._transport = transport
        self._lease_seconds = lease_seconds
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __bool__(self) -> Literal[True]:
        return True

    def submit(
        self, answers: Answers, *, key: str | None = None, annotator: str | None = None, correct: bool = False
    ) -> LabelsStored:
        """Send answers: all of them are stored, or none. Sent again, by a retry or by you, they count once.

        Parameters
        ----------
        answers
            Item id → label, or :data:`SKIP`; or objects as the HTTP interface takes them.
        key
            The Idempotency-Key; default: made from the batch and the answers, so that the same call has the same key.
            Corrections have one of their own each time: who says A, then B, then A again means it.
        annotator
            Who answered, where the batch is held for several people; default: the batch's annotator.
        correct
            They take the place of what the annotator said of these items before, through whatever batch.

        Raises
        ------
        TitheProblem
            ``invalid_label`` with every fault named in ``errors``; ``not_found``; or the server stayed away.
        """
        more = ({"annotator": annotator} if annotator else {}) | ({"correct": True} if correct else {})
        body = {"labels": [more | one for one in _wire(answers)]}
        stored = LabelsStored.model_validate(
            self._transport.call(
                "POST",
                f"/v1/batches/{self.id}/labels",
                body=body,
                headers={"Idempotency-Key": key or (_own_key() if correct else _key(self.id, body))},
            )
        )
        self.waiting = stored.waiting
        self.closed = stored.batch_state != "open"
        return stored

    def heartbeat(self) -> datetime:
        """Keep the lease; until when. Raises TitheProblem ``batch_closed`` where it is over."""
        try:
            kept = Heartbeat.model_validate(self._transport.call("POST", f"/v1/batches/{self.id}/heartbeat"))
        except TitheProblem as problem:
            self.closed = self.closed or problem.code in ("batch_closed", "not_found")
            raise
        self.expires_at = kept.expires_at
        return kept.expires_at

    def release(self) -> None:
        """Give back what is not answered: it goes to whoever asks next. Releasing twice is no error."""
        self._transport.call("POST", f"/v1/batches/{self.id}/release")
        self.closed = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._keep, name=f"lease of {self.annotator}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if not self.closed and self.waiting:
            with contextlib.suppress(TitheProblem):  # unreleased, the lease lapses by itself
                self.release()

    def _keep(self) -> None:
        """Renew the lease well before it ends. A server that is away is asked again; a closed batch ends it."""
        while not self.closed and not self._over.wait(max(0.2, self._lease_seconds / 3)):
            with contextlib.suppress(TitheProblem):
                self.heartbeat()


def _wire(answers: Answers) -> Iterable[dict[str, Any]]:
    if not isinstance(answers, Mapping):
        yield from (dict(one) for one in answers)
        return
    for item_id, answer in answers.items():
        if isinstance(answer, Skip):
            yield {"item_id": item_id, "skip": True} | ({"note": answer.note} if answer.note else {})
        else:
            yield {"item_id": item_id, "label": answer}


def _own_key() -> str:
    return f"client-{uuid4().hex}"


def _key(batch_id: UUID, body: Any) -> str:
    text = json.dumps([str(batch_id), body], sort_keys=True, ensure_ascii=True)
    return f"client-{hashlib.sha256(text.encode()).hexdigest()[:40]}"
