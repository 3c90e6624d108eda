"""`tithe project …`: make, list, show, change and delete projects."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from tithe.contracts.projects import Project

app = typer.Typer(help="Make, list, show, change and delete projects.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The project's name or id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Strategy = Annotated[
    str | None, typer.Option(help="How the next items are chosen: a name, or a mix as margin=0.9,random=0.1.")
]
NearDuplicate = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Cosine similarity from which two items are near-duplicates, never in one queue; 0: never."
    ),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Items handed out at a time.")]
RetrainEvery = Annotated[int | None, typer.Option(min=1, help="New labels that ask for a round.")]
LeaseSeconds = Annotated[int | None, typer.Option(min=1, help="How long a batch is kept for its annotator.")]
Overlap = Annotated[int | None, typer.Option(min=1, help="How many annotators answer each item.")]
Budget = Annotated[int | None, typer.Option(min=1, help="Labels, or words, to pay for.")]
Learner = Annotated[
    Literal["linear", "transformer"] | None,
    typer.Option(help="linear: a head on the encoder, seconds a round; transformer: the encoder itself is tuned."),
]
PreAnnotate = Annotated[
    bool | None, typer.Option("--pre-annotate/--blind", help="Whether annotators see what the model thinks.")
]

Control = Annotated[
    float | None, typer.Option(min=0, max=0.5, help="Share of every hand-out drawn at random, to measure by; 0: none.")
]
Price = Annotated[float | None, typer.Option(min=0, help="Of one label, or of one word where the budget counts words.")]
Currency = Annotated[str | None, typer.Option(help="What the price is in, as EUR.")]
StopAt = Annotated[
    float | None, typer.Option("--stop-at", min=0, max=1, help="Stop once the true score has reached this.")
]
Certainty = Annotated[float | None, typer.Option(min=0.5, max=1, help="How sure that has to be; default 0.8.")]
StopGain = Annotated[
    float | None, typer.Option("--stop-gain", min=0, max=1, help="Stop once 100 labels more are worth less than this.")
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name nobody uses yet.")],
    labels: Annotated[list[str], typer.Option("--label", "-l", help="A class; say it once for each, or a,b,c.")],
    task: Annotated[str, typer.Option(help="What a label is.")] = "text_classification",
    strategy: Strategy = None,
    near_duplicate: NearDuplicate = None,
    metric: Annotated[str | None, typer.Option(help="macro_f1 or accuracy; of entities entity_f1.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="What reads texts: minilm, hashing, or torch:, onnx: or static:NAME_OR_FOLDER.")
    ] = None,
    learner: Learner = None,
    pre_annotate: PreAnnotate = None,
    batch_size: BatchSize = None,
    retrain_every: RetrainEvery = None,
    lease_seconds: LeaseSeconds = None,
    overlap: Overlap = None,
    budget: Budget = None,
    budget_unit: Annotated[
        Literal["labels", "words"] | None, typer.Option(help="What the budget counts: labels, or words of their texts.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed chooses the same items.")] = None,
    control: Control = None,
    price: Price = None,
    currency: Currency = None,
    stop_at: StopAt = None,
    certainty: Certainty = None,
    stop_gain: StopGain = None,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Make a project."""
    classes = [part.strip() for label in labels for part in label.split(",") if part.strip()]
    settings = _given(
        strategy=_mix(strategy), metric=metric, encoder=encoder, learner=learner, pre_annotate=pre_annotate,
        batch_size=batch_size, retrain_every=retrain_every, lease_seconds=lease_seconds, overlap=overlap, budget=budget,
        budget_unit=budget_unit, seed=seed, control=control, price=price, currency=currency,
        stop_when=_stop_when(stop_at, certainty, stop_gain),
    )  # fmt: skip
    if near_duplicate is not None:
        settings["near_duplicate"] = near_duplicate or None
    with connect(url, data) as tithe:
        made = tithe.create_project(name, labels=classes, task=task, **settings)
    typer.echo(f"made {made.name} ({made.id})")


@app.command("list")
def list_(as_json: AsJson = False, url: Url = None, data: Data = HERE) -> None:
    """List every project."""
    with connect(url, data) as tithe:
        found = [handle.settings for handle in tithe.projects()]
    if as_json:
        typer.echo(json.dumps([project.model_dump(mode="json") for project in found], indent=2))
        return
    if not found:
        typer.echo("no projects yet; `tithe project create` makes one")
        return
    from rich.table import Table

    from tithe.contracts.projects import said

    table = Table("name", "task", "classes", "strategy", "budget", "id")
    for project in found:
        budget = f"{project.budget:,} {project.budget_unit}" if project.budget else "none"
        table.add_row(
            project.name, project.task.value, str(len(project.labels)), said(project.strategy), budget, str(project.id)
        )
    terminal().print(table)


@app.command("show")
def show(name: Name, as_json: AsJson = False, url: Url = None, data: Data = HERE) -> None:
    """Show one project's settings."""
    with connect(url, data) as tithe:
        _print(tithe.project(name).settings, as_json)


@app.command("patch")
def patch(
    name: Name,
    rename: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    strategy: Strategy = None,
    near_duplicate: NearDuplicate = None,
    learner: Learner = None,
    pre_annotate: PreAnnotate = None,
    batch_size: BatchSize = None,
    retrain_every: RetrainEvery = None,
    lease_seconds: LeaseSeconds = None,
    overlap: Overlap = None,
    budget: Budget = None,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Lift the budget.")] = False,
    control: Control = None,
    price: Price = None,
    currency: Currency = None,
    stop_at: StopAt = None,
    certainty: Certainty = None,
    stop_gain: StopGain = None,
    never_stop: Annotated[bool, typer.Option("--never-stop", help="Stop only when the budget is spent.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Change settings while the project runs."""
    changes = _given(
        name=rename, strategy=_mix(strategy), learner=learner, pre_annotate=pre_annotate, batch_size=batch_size,
        retrain_every=retrain_every, lease_seconds=lease_seconds, overlap=overlap, budget=budget, control=control,
        price=price, currency=currency, stop_when=_stop_when(stop_at, certainty, stop_gain),
    )  # fmt: skip
    if never_stop:
        if "stop_when" in changes:
            raise typer.BadParameter("say --never-stop, or when to stop, not both")
        changes["stop_when"] = None
    if near_duplicate is not None:
        changes["near_duplicate"] = near_duplicate or None
    if no_budget and budget is not None:
        raise typer.BadParameter("say --budget or --no-budget, not both")
    if no_budget:
        changes["budget"] = None
    if not changes:
        raise typer.BadParameter("say what to change; --help lists the options")
    with connect(url, data) as tithe:
        _print(tithe.project(name).patch(**changes), as_json=False)


@app.command("delete")
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Delete a project with its items, labels and models."""
    with connect(url, data) as tithe:
        project = tithe.project(name)
        if not yes:
            typer.confirm(f"Delete {project.name} with everything in it?", abort=True)
        project.delete()
    typer.echo(f"deleted {project.name}")


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _stop_when(score: float | None, certainty: float | None, min_gain: float | None) -> dict[str, float] | None:
    if certainty is not None and score is None:
        raise typer.BadParameter("--certainty goes with --stop-at")
    return _given(score=score, certainty=certainty, min_gain=min_gain) or None


def _mix(strategy: str | None) -> str | dict[str, float] | None:
    """A strategy's name, or a mix written as margin=0.9,random=0.1."""
    if strategy is None or "=" not in strategy:
        return strategy
    mix: dict[str, float] = {}
    for part in strategy.split(","):
        name, _, share = part.partition("=")
        try:
            mix[name.strip()] = float(share)
        except ValueError:
            raise typer.BadParameter(f"{part.strip()!r} is not NAME=SHARE, as in margin=0.9,random=0.1") from None
    if not all(map(math.isfinite, mix.values())):
        raise typer.BadParameter("shares are numbers from 0 to 1 that sum to 1, as in margin=0.9,random=0.1")
    return mix


def _print(project: Project, as_json: bool) -> None:
    values = project.model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    from rich.table import Table

    from tithe.contracts.projects import said

    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in values.items():
        shown = ", ".join(value) if isinstance(value, list) else "none" if value is None else str(value)
        if name == "strategy":
            shown = said(value)
        table.add_row(name, shown)
    terminal().print(table)
