"""`tithe auto-label …`: let the model label what it is sure of, by a bound on the error."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.terminal import terminal
from tithe.errors import NotFound

if TYPE_CHECKING:
    from tithe.client.machine import MachineLabels
    from tithe.contracts.machine import MachineRun

app = typer.Typer(help="Let the model label what it is sure of, by a bound on the error.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The project's name or id.")]
WhichRun = Annotated[UUID | None, typer.Option("--run", help="Which machine labeling; default: the newest.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("start")
def start(
    project: Name,
    error: Annotated[float, typer.Option(min=0.001, max=0.5, help="So many may be wrong: 0.05 is every twentieth.")],
    certainty: Annotated[float, typer.Option(min=0.5, max=0.999, help="How sure that must be.")] = 0.95,
    audit: Annotated[int, typer.Option(min=1, max=5000, help="So many of them are asked of people.")] = 100,
    preview: Annotated[bool, typer.Option("--preview", help="Tell how many it would be; label nothing.")] = False,
    test_labels: Annotated[
        bool, typer.Option("--test-labels", help="Calibrate with the test split too, if it is a random sample.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the labels are there.")] = True,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Have the current model label every open item it is sure enough of."""
    with connect(url, data) as tithe:
        labels = tithe.project(project).machine_labels
        run = labels.ask(error, certainty=certainty, audit=audit, preview=preview, test_labels=test_labels)
        while wait and run.state == "labeling":
            time.sleep(0.5)
            run = labels.run(run.id)
    _tell(run)


@app.command("status")
def status(project: Name, run: WhichRun = None, as_json: AsJson = False, url: Url = None, data: Data = HERE) -> None:
    """Show how a machine labeling stands, and what its audit says by now."""
    with connect(url, data) as tithe:
        found = _chosen(tithe.project(project).machine_labels, run)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    _tell(found)


@app.command("export")
def export(
    project: Name,
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")],
    run: WhichRun = None,
    file_format: Annotated[Literal["jsonl", "csv"] | None, typer.Option("--format", help="Told from the name.")] = None,
    people: Annotated[bool, typer.Option("--people", help="People's labels first, in the same file.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also without an audit that bears the bound out.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Write the machine's labels to a file, each marked."""
    chosen = file_format or ("csv" if file.suffix == ".csv" else "jsonl")
    with connect(url, data) as tithe:
        labels = tithe.project(project).machine_labels
        target = typer.get_binary_stream("stdout") if str(file) == "-" else file
        size = labels.export(_chosen(labels, run).id, target, chosen, people=people, anyway=anyway)
    if str(file) != "-":
        typer.echo(f"wrote {size:,} bytes to {file}")


@app.command("withdraw")
def withdraw(project: Name, run: WhichRun = None, url: Url = None, data: Data = HERE) -> None:
    """Take the machine's labels back; the audit is asked for no more."""
    with connect(url, data) as tithe:
        labels = tithe.project(project).machine_labels
        found = _chosen(labels, run)
        labels.withdraw(found.id)
    typer.echo(f"withdrew {found.labeled:,} machine labels ({found.id})")


def _chosen(labels: MachineLabels, run: UUID | None) -> MachineRun:
    if run is not None:
        return labels.run(run)
    if not (runs := labels.runs()):
        raise NotFound("this project has no machine labels", remedy="tithe auto-label start makes some")
    return runs[0]


def _tell(run: MachineRun) -> None:
    from rich.table import Table

    table = Table(show_header=False, title=f"machine labels {run.id}", title_justify="left")
    table.add_row("state", run.state)
    table.add_row("bound", f"at most {run.error:.1%} wrong, with {run.certainty:.1%} certainty")
    table.add_row("model", f"version {run.model_version}")
    if run.known is not None:
        calibrated = f"{run.known:,} labels that no model was trained on"
        table.add_row("calibrated", f"{calibrated}; {run.above:,} of them compared, {run.wrong:,} otherwise")
    if run.threshold is not None:
        table.add_row("confidence", f"from {run.threshold:.4f} on: {run.share or 0:.1%} of the open items")
    if run.labeled:
        table.add_row("labeled", f"{run.labeled:,} of {run.considered:,}")
    table.add_row("", run.says)
    terminal().print(table)
