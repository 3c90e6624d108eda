"""Machine labels: asked for, audited by people, judged by what they said."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from tithe.contracts.machine import AskMachineLabels, AuditState
from tithe.contracts.projects import Project, Task
from tithe.errors import Conflict, NoModelYet, NotFound
from tithe.loop.opinions import Labels, class_targets, opinions, spans_by_most
from tithe.loop.set_aside import chosen_by_chance
from tithe.proof.exact import lower, needed_without_mistake, upper
from tithe.storage import answers, jobs, machine, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.machine import Run

JUDGED = frozenset({"auditing", "accepted", "failed"})


class TooFewControlLabels(Conflict):
    """There are too few labels that no model was trained on to prove a bound."""

    code = "too_few_control_labels"


def begin(unit: Unit, project_id: UUID, asked: AskMachineLabels) -> Run:
    """Have the current model label what it is sure of. Raises NoModelYet, TooFewControlLabels, Conflict."""
    project = projects.get(unit, project_id)
    model = rounds.current_model(unit, project_id)
    if model is None:
        raise NoModelYet(remedy="label some items first")
    _check_enough(project, asked, len(calibration(unit, project, test_labels=asked.test_labels)))
    made = machine.create(
        unit, project_id, model.id, error=asked.error, certainty=asked.certainty, audit_size=asked.audit,
        preview=asked.preview, test_labels=asked.test_labels,
    )  # fmt: skip
    if made is None:
        raise Conflict("another machine labeling is under way", remedy="wait for its end, or withdraw it")
    return run_of(unit, project_id, made)


def _check_enough(project: Project, asked: AskMachineLabels, known: int) -> None:
    needed = needed_without_mistake(asked.error, asked.certainty)
    if known < needed:
        raise TooFewControlLabels(
            f"{needed} confident control labels without a mistake are needed for {asked.error:.1%}; there are {known}",
            place="body.error", remedy=more_labels(project, needed - known), needed=needed, known=known,
        )  # fmt: skip


def more_labels(project: Project, missing: int) -> str:
    """What brings so many more labels of the control arm."""
    if not project.control:
        return "give the project a control share, and label on; or allow a higher error"
    more = math.ceil(missing / project.control)
    return f"label about {more:,} more items, raise the project's control share, or allow a higher error"


def run_of(unit: Unit, project_id: UUID, run_id: UUID) -> Run:
    """The project's run. Raises NotFound."""
    projects.get(unit, project_id)
    found = machine.get(unit, run_id, project_id)
    if found is None:
        raise NotFound(f"this project has no machine labeling {run_id}", remedy="GET …/machine-labels lists them")
    return found


def withdraw(unit: Unit, project_id: UUID, run_id: UUID) -> None:
    """Take the run's labels back: its work is called off, and its audit is asked for no more. Again: nothing."""
    run = run_of(unit, project_id, run_id)
    if machine.withdraw(unit, run.id):
        jobs.cancel(unit, run.id)


def calibration(unit: Unit, project: Project, *, test_labels: bool) -> dict[int, Any]:
    """What people say of items that no model was trained on and that chance chose, by ordinal, as it is compared."""
    seq = answers.progress(unit, project.id).answer_seq
    control = chosen_by_chance(unit, project)
    known = [one for one in answers.training_set(unit, project.id, seq, "pool") if one[0] in control]
    if test_labels:
        known += answers.training_set(unit, project.id, seq, "test")
    return agreed(project, known)


def agreed(project: Project, labels: Labels) -> dict[int, Any]:
    """One answer an item, in the form of :func:`compared`; of several people's, the majority's."""
    if project.task is Task.TOKENS:
        return {ordinal: compared(spans) for ordinal, spans in opinions(labels, spans_by_most).items()}
    if not labels:
        return {}
    ordinals, targets = class_targets(project, labels)
    if project.task is not Task.MULTILABEL:
        return dict(zip(ordinals.tolist(), (project.labels[at] for at in targets.tolist()), strict=True))
    rows = ([name for name, said in zip(project.labels, row, strict=True) if said] for row in targets.tolist())
    return {ordinal: compared(row) for ordinal, row in zip(ordinals.tolist(), rows, strict=True)}


def compared(value: Any) -> Any:
    """A label so that equal ones are equal: a class; the set of classes; the set of spans.

    Examples
    --------
    >>> compared(["b", "a"]) == compared(["a", "b"])
    True
    """
    if isinstance(value, str):
        return value
    return frozenset(one if isinstance(one, str) else (one["start"], one["end"], one["label"]) for one in value)


def judged(unit: Unit, project: Project, run: Run) -> tuple[Run, AuditState | None]:
    """The run and its audit as people's answers say by now; the row is brought up to it.

    The audit fails a run whose bound it contradicts: with the run's certainty, more than the error that is allowed is
    wrong. One that nobody could answer fails too: it shows nothing.
    """
    if run.labeled_at is None:
        return run, None
    audit = audit_of(project, run, machine.audit(unit, run.id))
    if run.state in JUDGED:
        state = "auditing" if audit.waiting else verdict(run, audit)
        if state != run.state and machine.settle(unit, run.id, state):
            run = run_of(unit, project.id, run.id)
    return run, audit


def verdict(run: Run, audit: AuditState) -> str:
    """What a whole audit says."""
    return "failed" if audit.low is None or audit.low > run.error else "accepted"


def audit_of(project: Project, run: Run, sample: list[machine.Audited]) -> AuditState:
    """The sample's answers, counted."""
    said = {one.ordinal: compared(one.value) for one in sample}
    labels = agreed(project, [(one.ordinal, one.said) for one in sample if one.kind == "label"])
    skipped = {one.ordinal for one in sample if one.kind == "skip"} - labels.keys()
    answered, wrong = len(labels), sum(said[ordinal] != label for ordinal, label in labels.items())
    return AuditState(
        size=len(said), answered=answered, skipped=len(skipped), waiting=len(said) - answered - len(skipped),
        wrong=wrong, rate=wrong / answered if answered else None,
        low=round(lower(wrong, answered, run.certainty), 6) if answered else None,
        high=round(upper(wrong, answered, run.certainty), 6) if answered else None,
    )  # fmt: skip
