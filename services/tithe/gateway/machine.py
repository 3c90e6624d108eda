"""Machine labels: have the model label what it is sure of, watch the audit, take the labels home."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from tithe.contracts.machine import AskMachineLabels, AuditState, MachineRun, MachineRuns
from tithe.contracts.projects import Project
from tithe.errors import Conflict
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.machine_rows import MEDIA, pieces
from tithe.gateway.problems import documented
from tithe.loop import machine as labelings
from tithe.storage import export, machine, projects
from tithe.storage.database import Unit
from tithe.storage.export import Snapshot
from tithe.storage.machine import Run

router = APIRouter(prefix="/v1/projects/{project_id}/machine-labels", tags=["machine labels"])
RunId = Annotated[UUID, Path(description="the machine labeling's id")]
_SHOWN = 100


@router.post(
    "", status_code=201, summary="Have the model label what it is sure of", dependencies=[JsonOnly],
    responses=documented(400, 404, 409, 413, 415, 422),
)  # fmt: skip
def ask_machine_labels(project_id: ProjectId, asked: AskMachineLabels, here: Here, response: Response) -> MachineRun:
    """Label every open item the current model is sure enough of, so that no more than `error` of the labels are wrong.

    From which confidence on that holds is found with the control arm's labels. A sample of the machine's labels is then
    asked of people like any other item, and what they say is held against the bound. With `preview` nothing is labeled.
    """
    made = here.database.run(lambda unit: labelings.begin(unit, project_id, asked), repeatable=False)
    response.headers["Location"] = f"/v1/projects/{project_id}/machine-labels/{made.id}"
    return told(made, None)


@router.get("", summary="List machine labelings", responses=documented(404, 422))
def list_machine_labels(project_id: ProjectId, here: Here) -> MachineRuns:
    """The newest hundred, newest first."""

    def work(unit: Unit) -> list[MachineRun]:
        project = projects.get(unit, project_id)
        return [_look(unit, project, run) for run in machine.newest(unit, project_id, _SHOWN)]

    return MachineRuns(runs=here.database.run(work))


@router.get("/{run_id}", summary="Look at a machine labeling", responses=documented(404, 422))
def get_machine_labels(project_id: ProjectId, run_id: RunId, here: Here) -> MachineRun:
    """How far it is, and what the audit says by now: a correction of an answer is seen here at once."""

    def work(unit: Unit) -> MachineRun:
        run = labelings.run_of(unit, project_id, run_id)
        return _look(unit, projects.get(unit, project_id), run)

    return here.database.run(work)


@router.delete("/{run_id}", status_code=204, summary="Take machine labels back", responses=documented(404, 422))
def withdraw_machine_labels(project_id: ProjectId, run_id: RunId, here: Here) -> None:
    """They are not exported any more, and what of the audit was not handed out yet is not asked for."""
    here.database.run(lambda unit: labelings.withdraw(unit, project_id, run_id))


@router.get(
    "/{run_id}/export", summary="Take machine labels home", response_class=StreamingResponse,
    responses={
        200: {"description": "The file.", "content": {media.partition(";")[0]: {} for media in MEDIA.values()}},
        **documented(404, 409, 422),
    },
)  # fmt: skip
def export_machine_labels(
    project_id: ProjectId,
    run_id: RunId,
    here: Here,
    format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl",  # noqa: A002  (its public name)
    people: Annotated[bool, Query(description="people's labels first, in the same file")] = False,
    anyway: Annotated[bool, Query(description="also while the audit is open, or after it failed")] = False,
) -> StreamingResponse:
    """One row an item, each marked: `source` is `machine`, beside it the model, its confidence, the bound and the run.

    What a person answered, before or after, is the person's: no machine label stands beside it.
    """

    def work(unit: Unit) -> tuple[Project, Run, AuditState | None, Snapshot]:
        project, run = projects.get(unit, project_id), labelings.run_of(unit, project_id, run_id)
        return project, *labelings.judged(unit, project, run), export.snapshot(unit, project_id)

    project, run, audit, covered = here.database.run(work)
    _check_may_leave(run, audit, anyway=anyway)
    parts = pieces(here.database, project, run, covered, format, people=people)
    first = next(parts, b"")  # what fails by now is an answer of its own; later it can only cut the file
    return StreamingResponse(
        itertools.chain([first], parts), media_type=MEDIA[format],
        headers={"Content-Disposition": f'attachment; filename="machine-labels-{run.id}.{format}"'},
    )  # fmt: skip


def _check_may_leave(run: Run, audit: AuditState | None, *, anyway: bool) -> None:
    if run.labeled_at is None or run.state == "withdrawn":
        raise Conflict(f"this machine labeling has no labels: it is {run.state}", remedy="ask for another one")
    if run.state != "accepted" and not anyway:
        raise Conflict(says(run, audit), place="path.run_id", remedy="send anyway=true to take the labels all the same")


def _look(unit: Unit, project: Project, run: Run) -> MachineRun:
    return told(*labelings.judged(unit, project, run))


def told(run: Run, audit: AuditState | None) -> MachineRun:
    """The run as it is told."""
    done = 1.0 if run.state != "labeling" else run.next_ordinal / max(1, run.pool_count)
    values = {name: getattr(run, name) for name in MachineRun.model_fields if name not in ("says", "progress", "audit")}
    return MachineRun(
        **values, says=says(run, audit), progress=done, audit=audit
    )  # fmt: skip


def says(run: Run, audit: AuditState | None) -> str:
    """How it stands, in words."""
    state = run.state
    if state == "labeling":
        return f"{run.labeled:,} labeled so far" if run.known is not None else "looking from which confidence on"
    if state == "proposed":
        share = run.share or 0.0
        return f"about {share:.0%} of the open items could be labeled, from a confidence of {run.threshold:.3f} on"
    if audit is None or state == "withdrawn":
        return run.because or state.replace("_", " ")
    if state == "auditing":
        return f"people have answered {audit.answered} of the {audit.size} in the audit, {audit.wrong} otherwise"
    return _of_audit(run, audit)


def _of_audit(run: Run, audit: AuditState) -> str:
    if audit.rate is None or audit.low is None or audit.high is None:
        return "the audit failed: nobody could answer any of it"
    found = (
        f"{audit.wrong} of {audit.answered} in the audit are otherwise: {audit.rate:.1%}, "
        f"{audit.low:.1%} to {audit.high:.1%}"
    )
    if run.state == "failed":
        return f"the audit failed: {found}, above the {run.error:.1%} allowed"
    if audit.rate > run.error:
        return f"the audit does not contradict the bound of {run.error:.1%}, but only just: {found}"
    return f"the audit bears the bound of {run.error:.1%} out: {found}"
