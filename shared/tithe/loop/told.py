"""What a tool tells of a task becomes answers: the label's walk of whoever labels elsewhere.

A task is read whole, so it is compared with what was known of it: what is new is recorded, what changed is corrected,
what is missing is withdrawn. The same reading again changes nothing, whoever died in between, and two hooks in the
wrong order lead to the same end.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from tithe.connectors.protocol import Annotation, Kind, Seen
from tithe.contracts.labels import check_label
from tithe.contracts.projects import Project, Task
from tithe.contracts.shapes import Annotator
from tithe.errors import InvalidLabel
from tithe.loop import budget, correct
from tithe.loop import rounds as turns
from tithe.storage import answers, desk, pool, remote
from tithe.storage.answers import Answer, Standing
from tithe.storage.database import Unit
from tithe.storage.remote import Found, Held, Known, Note

_ANNOTATOR: TypeAdapter[str] = TypeAdapter(Annotator)


@dataclass(frozen=True)
class Link:
    """For whom items are held, and by what rules what is told of them counts."""

    connector_id: UUID
    project: Project
    held: Held
    keeps_deleted: bool = True  #: labels stay when their task is deleted in the tool
    seeds: bool = False  #: given before we came: it trains, but no budget pays for it


@dataclass
class Told:
    """What became of what was told."""

    known: bool = True  #: False: the task is none of ours
    counts: Counter[str] = field(default_factory=Counter)  #: counted, corrected, withdrawn, extra, quarantined

    @property
    def changed(self) -> bool:
        """Whether anything did."""
        return bool(self.counts)


def fold(unit: Unit, link: Link, seen: Seen) -> Told:
    """Bring a task's answers to what the tool says of it now."""
    row = remote.find(unit, link.connector_id, seen.task, seen.key)
    if row is not None and seen.exists and _is_another(row, seen):
        remote.detach(unit, link.project.id, link.connector_id, link.held.batch_id, [seen.task], [])
        row = remote.find(unit, link.connector_id, seen.task, seen.key)
    if row is None and seen.key is not None and remote.twin(unit, link.connector_id, seen.task, seen.key):
        row = remote.find(unit, link.connector_id, seen.task, None)
    if row is None:
        return Told(known=False)
    told = _Fold(unit, link, row, seen)
    if seen.exists:
        told.settle()
        remote.place(unit, link.held.batch_id, row.id)
    else:
        told.leave()
    return Told(counts=told.counts)


def _is_another(row: Found, seen: Seen) -> bool:
    """Whether the id is another task's by now: of one that we made the key says so, of others what it shows."""
    if row.task != seen.task:
        return False
    if row.own:
        return seen.key != row.key
    return seen.text is not None and row.text is not None and seen.text != row.text


class _Fold:
    """One reading of one task."""

    def __init__(self, unit: Unit, link: Link, row: Found, seen: Seen) -> None:
        self._unit, self._link, self._row, self._seen = unit, link, row, seen
        self.counts: Counter[str] = Counter()
        self._known = {one.annotation: one for one in remote.said(unit, row.id)}

    def settle(self) -> None:
        """The task is there: follow what is said of it."""
        self._note_place()
        here = {one.id for one in self._seen.annotations}
        for gone in (one for one in self._known.values() if one.annotation not in here and one.state != "removed"):
            self._remove(gone)
        foreign = remote.elsewhere(self._unit, self._link.connector_id, self._row.id, sorted(here))
        # In the order they were given: of more opinions than were asked for the first ones count.
        for one in sorted(self._seen.annotations, key=lambda a: (a.created_at is None, a.created_at, a.id)):
            if one.id in foreign:  # a tool that uses an id twice: the first stays
                continue
            known = self._known.get(one.id)
            if known is None or known.digest != digest_of(one) or known.state in ("quarantined", "extra", "removed"):
                self._follow(one, known)

    def leave(self) -> None:
        """The task is not there any more. What people said of it stays, or goes with it, as the connection has it."""
        for one in self._known.values():
            if one.state != "removed" and not (one.state == "counted" and self._link.keeps_deleted):
                self._remove(one, task_stays=False)
        remote.release(self._unit, self._link.project.id, self._link.held.batch_id, [self._row.ordinal])
        if self._row.state != "gone":
            remote.note_task(self._unit, self._row, self._seen.task, "gone", "deleted in the tool")

    def _note_place(self) -> None:
        row = self._row
        if row.state == "intended":
            remote.note_task(self._unit, row, self._seen.task, "there")
        elif row.state == "gone":  # it was missed, and is there after all; one of ours that nobody holds is taken back
            other = remote.has_other(self._unit, self._link.connector_id, row)
            place = "there" if row.own else "parked"
            remote.note_task(self._unit, row, self._seen.task, "twin" if other else place)

    def _follow(self, one: Annotation, known: Known | None) -> None:
        """A new annotation, or one that changed, or one that did not count so far."""
        fault, value = self._checked(one)
        if known is not None and known.state == "counted":
            if fault is not None or known.annotator != one.annotator:
                self._take_back(known, task_stays=True)
            elif self._correct(one, known, value):
                return
        if fault is not None:
            self._note(one, None, "quarantined", fault, known)
        elif self._said_before(one, value):
            self._note(one, value, "counted", None, known)
        elif because := self._not_asked(one):
            self._note(one, value, "extra", because, known)
        else:
            self._count(one, value, known)

    def _checked(self, one: Annotation) -> tuple[str | None, object]:
        """Why it cannot be a label, or the label as it is stored."""
        try:
            _ANNOTATOR.validate_python(one.annotator)
        except ValidationError as fault:
            return f"the annotator's name {one.annotator[:80]!r} cannot be used: {fault.errors()[0]['msg']}", None
        if one.kind is Kind.UNREADABLE:
            return one.fault or "it cannot be read", None
        if one.kind is Kind.SKIP:
            return None, None
        project = self._link.project
        try:
            text, tokens = self._content if project.task is Task.TOKENS else (None, None)
            return None, check_label(
                project.task, project.labels, one.value, place="the label", text=text, tokens=tokens
            )
        except InvalidLabel as fault:
            return f"{fault.message}; {fault.remedy}" if fault.remedy else fault.message, None

    @cached_property
    def _content(self) -> tuple[str | None, list[str] | None]:
        return pool.contents_of(self._unit, self._link.project.id, [self._row.ordinal])[0]

    def _not_asked(self, one: Annotation) -> str | None:
        """Why an opinion is more than was asked for; None: it is not."""
        if self._row.split == "test":
            return "the item is held out to score the model"
        return "the same person answered it before" if self._standing(one.annotator) else None

    def _said_before(self, one: Annotation, value: object) -> bool:
        """Whether this is what they are known to say, from a connection that is no more: it goes on from there."""
        standing = self._standing(one.annotator)
        return (
            standing is not None
            and (standing.kind, standing.value) == (one.kind.value, value)
            and not remote.claimed(self._unit, standing.answer_id)
        )

    def _standing(self, annotator: str) -> Standing | None:
        """What this person's say of the item is; nobody changes it until the unit ends."""
        answers.lock_progress(self._unit, self._link.project.id)
        found = answers.standing(self._unit, self._link.project.id, [self._row.ordinal], annotator)
        return found[0] if found else None

    def _count(self, one: Annotation, value: object, known: Known | None) -> None:
        project, row = self._link.project, self._row
        state = "skipped" if one.kind is Kind.SKIP else "done"
        lease_id = remote.settle(self._unit, self._link.held.batch_id, row.ordinal, one.annotator, state)
        held = lease_id is not None
        if lease_id is None and (self._link.seeds or self._affordable(one)):
            chosen_by = "seed" if self._link.seeds else "tool"
            lease_id = remote.settle_free(
                self._unit, project.id, row.ordinal, one.annotator, state, chosen_by, project.overlap
            )
        if lease_id is None:
            self._note(one, value, "extra", "more opinions than were asked for, or the budget is spent", known)
            return
        progress = desk.record(
            self._unit, project.id, one.annotator, self._link.held.batch_id if held else None,
            "import" if self._link.seeds else "annotator",
            [Answer(row.ordinal, one.kind.value, value, None, lease_id, cost=row.cost)], slots=1,
        )  # fmt: skip
        self._note(one, value, "counted", None, known)
        self.counts["counted"] += 1
        counters = pool.read(self._unit, project.id)
        turns.open_for_labels(
            self._unit, project, progress, (counters.item_count - counters.test_count) * project.overlap
        )

    def _affordable(self, one: Annotation) -> bool:
        """Whether the budget pays for an answer that nobody reserved anything for."""
        return one.kind is Kind.SKIP or self._fits()

    def _fits(self) -> bool:
        project = self._link.project
        progress = answers.lock_progress(self._unit, project.id)
        return budget.fits(self._unit, project, progress, [self._row.cost]) > 0

    def _correct(self, one: Annotation, known: Known, value: object) -> bool:
        """Put what they say now in the place of what they said; False: that does not stand any more."""
        standing = self._standing(known.annotator)
        if standing is None:
            return False
        if (standing.kind, standing.value) != (one.kind.value, value):
            kind: Literal["label", "skip"] = "skip" if one.kind is Kind.SKIP else "label"
            correct.correct(self._unit, self._link.project, standing, kind, value)
            self.counts["corrected"] += 1
        now = self._standing(known.annotator)
        # A skip that became a label the budget has nothing left for: the skip stands.
        beyond = now is not None and (now.kind, now.value) != (one.kind.value, value)
        self._note(one, value, "counted", "budget_spent" if beyond else None, known)
        return True

    def _remove(self, known: Known, *, task_stays: bool = True) -> None:
        """An annotation is not there any more."""
        if known.state == "counted":
            self._take_back(known, task_stays=task_stays)
        remote.mark_removed(self._unit, self._link.connector_id, known.annotation)

    def _take_back(self, known: Known, *, task_stays: bool) -> None:
        """Withdraw what it said; while the task is there, the tool is waited for once more."""
        project, row = self._link.project, self._row
        if standing := self._standing(known.annotator):
            correct.withdraw(self._unit, project, standing, "taken back in the tool")
            self.counts["withdrawn"] += 1
        if task_stays and row.state in ("there", "answered") and self._fits():
            remote.hold_again(self._unit, project.id, self._link.held, row.ordinal, project.overlap)

    def _note(self, one: Annotation, value: object, state: str, because: str | None, known: Known | None) -> None:
        if state in ("extra", "quarantined") and (known is None or known.state != state):
            self.counts[state] += 1
        standing = self._standing(one.annotator) if state == "counted" else None
        answer_id = standing.answer_id if standing else None
        note = Note(
            one.id, one.annotator, digest_of(one), one.kind.value, value, one.raw, state, because, answer_id,
            one.created_at,
        )  # fmt: skip
        live = not self._link.seeds and (known is None or known.state != "counted")
        remote.note_annotation(self._unit, self._link.connector_id, self._row.id, note, live=live)


def digest_of(one: Annotation) -> bytes:
    """What an annotation says, and who says it: what changes nothing of these changes nothing."""
    said = json.dumps([one.annotator, one.kind.value, one.value, one.fault], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(said.encode()).digest()
