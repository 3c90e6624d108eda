"""What becomes of answers that were not waited for: late ones, second ones, other people's, corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tithe.loop import budget
from tithe.storage import answers, desk, queue
from tithe.storage.answers import Answer, Standing
from tithe.storage.database import Unit
from tithe.storage.desk import Answering, Held, Settling

#: States of a lease that nobody holds any more.
_GIVEN_UP = ("expired", "released")


@dataclass(frozen=True)
class Said:
    """One answer, checked: who said what of which item, and the lease it is an answer to."""

    lease: Held
    annotator: str
    kind: str  #: label or skip
    value: Any  #: as it is stored
    note: str | None
    correct: bool

    @property
    def at(self) -> tuple[int, str]:
        """What is answered, and by whom."""
        return self.lease.ordinal, self.annotator

    @property
    def fresh(self) -> bool:
        """Whether it is what the lease waits for."""
        return self.lease.state == "active" and self.lease.annotator == self.annotator


@dataclass(frozen=True)
class Verdict:
    """What becomes of an answer."""

    outcome: str  #: counted, skipped, corrected, duplicate or superseded
    because: str | None = None
    lease_id: int | None = None  #: of the slot it takes; None: that of the batch
    was: Standing | None = None  #: what it takes the place of
    settles: bool = False  #: a slot was taken that was open before
    waits_no_more: bool = False  #: the batch's lease is answered by it

    def answer(self, said: Said) -> Answer | None:
        """What is stored; None: nothing."""
        if self.outcome == "duplicate":
            return None
        state = "superseded" if self.outcome == "superseded" else "counted"
        return Answer(
            said.lease.ordinal, said.kind, said.value, said.note, self.lease_id or said.lease.id, state, self.because,
            said.lease.cost, said.annotator, self.was,
        )  # fmt: skip


_SIMPLE = {
    "label": Verdict("counted", settles=True, waits_no_more=True),
    "skip": Verdict("skipped", settles=True, waits_no_more=True),
}


def simple(said: Said) -> Verdict:
    """Of an answer that the lease waited for."""
    return _SIMPLE[said.kind]


def judge(unit: Unit, batch: Answering, batch_id: UUID, said: Sequence[Said]) -> dict[int, Verdict]:
    """Of answers that are not :attr:`Said.fresh`: ordinal → what becomes of each. Their leases are settled after it.

    Nobody counts twice for an item: the same again is a duplicate, something else is superseded, or takes the place of
    what was said before where that is asked for. An active lease is given the name of the one who answered. One that is
    over is as good while a slot of the item is free.
    """
    before = _before(unit, batch, said)
    # Other people's batches are locked for these, which is done before the counters are: as everybody does.
    first = [one for one in said if one.lease.state == "active" and one.at not in before]
    verdicts = _in_their_name(unit, batch, batch_id, first)
    rest = [one for one in said if one.lease.ordinal not in verdicts]
    if not rest:
        return verdicts
    # Held from here on: what stands is only replaced under it, and late answers only touch the ready queue under it, as
    # a round's swap does.
    answers.lock_progress(unit, batch.id)
    before = _before(unit, batch, rest)
    again: list[tuple[Said, Standing]] = []
    new: list[Said] = []
    for one in rest:
        was = before.get(one.at)
        if was is None:
            new.append(one)
        elif (was.kind, was.value) == (one.kind, one.value):
            verdicts[one.lease.ordinal] = Verdict("duplicate", "answered_before")
        elif one.correct:
            again.append((one, was))
        else:
            verdicts[one.lease.ordinal] = Verdict("superseded", "answered_before")
    late = [one for one in new if one.lease.state != "active"]
    beyond = _beyond(unit, batch, late, again)
    return (
        verdicts
        | _in_their_name(unit, batch, batch_id, [one for one in new if one.lease.state == "active"])
        | _rescued(unit, batch, late, beyond)
        | _corrected(unit, again, beyond)
    )


def _before(unit: Unit, batch: Answering, said: Sequence[Said]) -> dict[tuple[int, str], Standing]:
    """What those who answer say of their items so far."""
    ordinals, people = [one.lease.ordinal for one in said], sorted({one.annotator for one in said})
    return {(one.ordinal, one.annotator): one for one in answers.standing(unit, batch.id, ordinals, people)}


def _counted(said: Said) -> str:
    return "skipped" if said.kind == "skip" else "counted"


def _beyond(unit: Unit, batch: Answering, late: Sequence[Said], again: Sequence[tuple[Said, Standing]]) -> set[int]:
    """Items whose label would cost what nobody reserved, and the budget does not have."""
    costs = {one.lease.ordinal: one.lease.cost for one in late if one.kind == "label"}
    costs |= {one.lease.ordinal: was.cost for one, was in again if budget.costs_more(one.kind, was)}
    if batch.budget is None or not costs:
        return set()
    fitting = budget.fits(unit, batch, answers.progress(unit, batch.id), list(costs.values()))
    return set(list(costs)[fitting:])


def _in_their_name(unit: Unit, batch: Answering, batch_id: UUID, said: Sequence[Said]) -> dict[int, Verdict]:
    """Settle active leases of the batch that others than its holder answered."""
    if said:
        settling = [Settling(one.lease.id, one.lease.ordinal, one.annotator, one.kind) for one in said]
        desk.settle_for(unit, batch.id, batch_id, settling)
    return {one.lease.ordinal: simple(one) for one in said}


def _rescued(unit: Unit, batch: Answering, late: Sequence[Said], beyond: set[int]) -> dict[int, Verdict]:
    """Take free slots for answers to leases that are over, as far as the budget goes."""
    good = [one for one in late if one.lease.ordinal not in beyond]
    taken: dict[int, int] = {}
    if good:
        taken = queue.lease_late(
            unit, [one.lease.id for one in good], [one.annotator for one in good], [one.kind for one in good],
            batch.overlap,
        )  # fmt: skip
    if taken:
        queue.recount_ready(unit, batch.id, list(taken))
    return {
        one.lease.ordinal: Verdict(_counted(one), lease_id=taken[one.lease.ordinal], settles=True)
        if one.lease.ordinal in taken
        else Verdict("superseded", "lease_lapsed" if one.lease.state in _GIVEN_UP else "item_taken")
        for one in late
    }


def _corrected(unit: Unit, again: Sequence[tuple[Said, Standing]], beyond: set[int]) -> dict[int, Verdict]:
    """Replace what stands. A skip stays one where the budget has nothing left for a label."""
    good = [(one, was) for one, was in again if one.lease.ordinal not in beyond]
    turned = {was.lease_id: one.kind for one, was in good if was.lease_id is not None and was.kind != one.kind}
    if turned:
        desk.turn(unit, turned)
    replaced = {one.lease.ordinal: Verdict("corrected", lease_id=was.lease_id, was=was) for one, was in good}
    return {one.lease.ordinal: Verdict("superseded", "budget_spent") for one, _ in again} | replaced
