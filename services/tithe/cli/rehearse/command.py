"""`tithe rehearse` itself: its options, and how they become a rehearsal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from tithe.contracts.projects import ProjectSpec
    from tithe.rehearsal.records import Records
    from tithe.rehearsal.settings import Source

_DATA = "Data and columns"
_LOOP = "The loop"


def rehearse(
    data: Annotated[Path, typer.Argument(help="Labeled data: Parquet, CSV, JSON lines, or another tool's file.")],
    label: Annotated[str, typer.Option(help="The column of labels.", rich_help_panel=_DATA)] = "label",
    text: Annotated[str, typer.Option(help="The column of texts.", rich_help_panel=_DATA)] = "text",
    tokens: Annotated[str, typer.Option(help="The column of tokens, beside tags.", rich_help_panel=_DATA)] = "tokens",
    vectors: Annotated[
        str | None, typer.Option(help="A column of lists of numbers, or an .npy file.", rich_help_panel=_DATA)
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="What a label is; default: as the label column looks.", rich_help_panel=_DATA)
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="A file to measure on; default: each seed holds out.", rich_help_panel=_DATA)
    ] = None,
    test_vectors: Annotated[
        str | None, typer.Option(help="The test file's vectors, where --vectors is a file.", rich_help_panel=_DATA)
    ] = None,
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Held out of the data.", rich_help_panel=_DATA)
    ] = 0.2,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="A strategy, `default`, or a mix: margin=0.9,random=0.1; may be said again."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Fewer than 5 give no intervals.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Batches to label.", rich_help_panel=_LOOP)] = 40,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Labels a round.", rich_help_panel=_LOOP)] = 20,
    error_rate: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of wrong answers.", rich_help_panel=_LOOP)
    ] = 0.0,
    errors: Annotated[
        Literal["uniform", "confusion"],
        typer.Option(help="Which wrong class is said: any, or one that is easily confused.", rich_help_panel=_LOOP),
    ] = "uniform",
    encoder: Annotated[
        str | None, typer.Option(help="What turns texts into vectors; default: minilm.", rich_help_panel=_LOOP)
    ] = None,
    learner: Annotated[Literal["linear", "transformer"], typer.Option(rich_help_panel=_LOOP)] = "linear",
    metric: Annotated[
        str | None, typer.Option(help="macro_f1, accuracy; of entities entity_f1.", rich_help_panel=_LOOP)
    ] = None,
    control: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of every batch drawn at random.", rich_help_panel=_LOOP)
    ] = 0.05,
    near_duplicate: Annotated[
        float, typer.Option(min=0, max=1, help="From which cosine on; 0: let them in.", rich_help_panel=_LOOP)
    ] = 0.95,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: the cores there are.")] = None,
    out: Annotated[Path, typer.Option(help="Where the report goes, and what an interruption keeps.")] = Path(
        "rehearsal"
    ),
    price: Annotated[float | None, typer.Option(min=0, help="What a label costs.")] = None,
    currency: Annotated[str, typer.Option(help="In which the price is.")] = "EUR",
) -> None:
    """Play the loop on labeled data: which strategy saves how many labels, before anybody is paid to label.

    Several strategies run side by side with your encoder and learner, several seeds each. The same command again goes
    on after an interruption.
    """
    from tithe.cli.demo.machine import cores
    from tithe.cli.rehearse.watch import Board
    from tithe.contracts.projects import Task
    from tithe.rehearsal.outcome import Price
    from tithe.rehearsal.plots import check_matplotlib
    from tithe.rehearsal.records import gather
    from tithe.rehearsal.rehearse import Script
    from tithe.rehearsal.rehearse import rehearse as play
    from tithe.rehearsal.settings import Settings, Source, named, usual

    if task is not None and task not in list(Task):
        raise typer.BadParameter(f"{task!r} is no task; there are {', '.join(Task)}", param_hint="--task")
    check_matplotlib()
    console = terminal()
    source = Source(data, label, text, tokens, vectors, test, test_vectors, Task(task) if task else None)
    records = gather(source)
    chosen = {
        "encoder": encoder, "learner": learner, "metric": metric, "near_duplicate": near_duplicate or None,
        "batch_size": batch, "control": control,
    }  # fmt: skip
    spec = _spec(records, source, chosen)
    settings = Settings(
        task=spec.task, metric=str(spec.metric), rounds=rounds, batch=batch, error_rate=error_rate, errors=errors,
        encoder=spec.encoder, learner=spec.learner, control=control, near_duplicate=near_duplicate or None,
        test_share=test_share,
    )  # fmt: skip
    strategies = named(strategy or usual(spec.task), spec)
    script = Script(settings, strategies, range(seeds), Price(price, currency), jobs or cores())
    try:
        with Board(console) as board:
            board.note(records.notes)
            report = play(records, script, out, board)
    except KeyboardInterrupt:
        console.print("broken off; the same command goes on from here", style="yellow")
        raise typer.Exit(130) from None
    report["data"]["file"] = data.name
    board.tell(report, _written(report, out))


def _spec(records: Records, source: Source, chosen: dict[str, Any]) -> ProjectSpec:
    """The project that is rehearsed, checked as the server would check it."""
    from tithe.contracts.projects import Task
    from tithe.errors import BadInput
    from tithe.learners.registry import check_encoder_name
    from tithe.rehearsal.settings import spec_of

    if chosen["encoder"] is not None:
        check_encoder_name(chosen["encoder"])
    if records.task is Task.VECTORS and source.vectors is None:
        raise BadInput(f"{source.data.name} is played by its vectors: say where they are", place="--vectors")
    if records.vectors is not None and records.task is Task.TOKENS:
        raise BadInput("entities are found by the words of their texts, not by vectors", remedy="leave --vectors out")
    if records.vectors is not None and (chosen["encoder"] is not None or chosen["learner"] == "transformer"):
        raise BadInput("the data brings its vectors: nothing is encoded or tuned", remedy="leave --vectors out")
    spec = spec_of(records.task, records.classes, chosen)
    return spec.model_copy(update={"encoder": None}) if records.vectors is not None else spec


def _written(report: dict[str, Any], out: Path) -> Path:
    """The report's two files, written; the page's path."""
    from tithe.rehearsal.page import page

    (out / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    path = out / "report.html"
    path.write_text(page(report), "utf-8")
    return path
