"""`tithe demo` itself: options, the run from beginning to end, and what is told afterwards."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tithe.cli.demo import options as defaults
from tithe.cli.demo.kill import killable
from tithe.cli.demo.options import DemoOptions
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from tithe.cli.demo.report import Outcome
    from tithe.embedded.stack import Stack
    from tithe.runtime import Runtime

_RUNS = Path(".tithe/demo")


def demo(
    pool: Annotated[int, typer.Option(min=50, help="Reviews to choose from.")] = defaults.POOL,
    test: Annotated[int, typer.Option(min=20, help="Held-out reviews.")] = defaults.TEST,
    budget: Annotated[int, typer.Option(min=10, help="Labels to spend.")] = defaults.BUDGET,
    annotators: Annotated[int, typer.Option(min=1, max=64, help="Simulated annotators.")] = defaults.ANNOTATORS,
    strategy: Annotated[
        str, typer.Option(help="How the next reviews are chosen; default: by what the product chose by measurement.")
    ] = defaults.STRATEGY,
    metric: Annotated[Literal["macro_f1", "accuracy"], typer.Option(help="Of the learning curve.")] = defaults.METRIC,
    encoder: Annotated[str, typer.Option(help="What turns reviews into vectors.")] = defaults.ENCODER,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, the strategy and the annotators.")] = 0,
    scorers: Annotated[int, typer.Option(min=1, max=64, help="How many scorers.")] = defaults.SCORERS,
    batch_size: Annotated[int, typer.Option(min=1, help="Reviews handed out at a time.")] = defaults.BATCH_SIZE,
    retrain_every: Annotated[int, typer.Option(min=1, help="Labels per round.")] = defaults.RETRAIN_EVERY,
    random_seconds: Annotated[
        float, typer.Option(min=0, help="Time for the comparison with random.")
    ] = defaults.RANDOM_SECONDS,
    keep: Annotated[bool, typer.Option("--keep", help="Keep everything running until Ctrl-C, and its data.")] = False,
    kill: Annotated[
        str | None,
        typer.Option(help="Kill -9 this process in the middle: gateway, trainer, scorer-1, keeper, sync, postgres …"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the stack keeps its data; default: a fresh folder.")] = None,
    out: Annotated[Path, typer.Option(help="Where the report and the picture go.")] = Path("demo"),
) -> None:
    """Watch the whole loop on real reviews: import, label, train, rank, and compare with random."""
    if budget > pool:
        raise typer.BadParameter("--budget cannot be larger than --pool")
    kill = "scorer-1" if kill == "scorer" else kill
    if kill is not None and kill not in killable(scorers):
        raise typer.BadParameter(f"--kill is one of {', '.join(killable(scorers))}")
    own_folder = data is None
    if data is None:
        _RUNS.mkdir(parents=True, exist_ok=True)
        data = Path(tempfile.mkdtemp(dir=_RUNS, prefix="run-"))
    options = DemoOptions(
        data=data, out=out, pool=pool, test=test, budget=budget, annotators=annotators, strategy=strategy,
        metric=metric, encoder=encoder, seed=seed, scorers=scorers, batch_size=batch_size,
        retrain_every=retrain_every, random_seconds=random_seconds, keep=keep, kill=kill,
    )  # fmt: skip
    console = terminal()
    keep_folder = keep or not own_folder
    try:
        wrong = _run(options, console)
        keep_folder = keep_folder or bool(wrong)
    except KeyboardInterrupt:
        console.print("broken off", style="yellow")
        raise typer.Exit(130) from None
    except Exception:
        keep_folder = True
        console.print(f"the stack's logs are in {data / 'logs'}", style="yellow", highlight=False)
        raise
    finally:
        if not keep_folder:
            shutil.rmtree(data, ignore_errors=True)
    for line in wrong:
        console.print(line, style="bold red", highlight=False)
    if wrong:
        raise typer.Exit(1)


def _run(options: DemoOptions, console: Console) -> list[str]:
    """What went wrong; empty: all is well."""
    from tithe.cli.demo import data
    from tithe.cli.demo.board import Board, Stage
    from tithe.cli.demo.loop import STAGES, Demo
    from tithe.cli.demo.memory import PeakMemory
    from tithe.cli.demo.watch import screen
    from tithe.cli.up import attend, bring_up_to_date
    from tithe.embedded.options import StackOptions
    from tithe.embedded.stack import Stack

    board = Board([Stage(name) for name in STAGES], metric=options.metric)
    # It is there to be looked at: whoever is on this machine is let in, and nobody else.
    stack = Stack(
        StackOptions(data=options.data, scorers=options.scorers, env={"TITHE_OPEN_LOOPBACK": "true"}),
        migrate=bring_up_to_date,
    )
    with stack:
        with PeakMemory() as memory, screen(board, console):
            with board.stage("reviews") as stage:
                reviews = data.load(data.fetch(lambda line: setattr(stage, "note", line)))
                sample = data.sample(reviews, options.pool, options.test, options.seed)
                stage.note = f"{len(sample.pool):,} to choose from, {len(sample.test):,} held out"
            with board.stage("stack") as stage:
                stack.start(lambda line: setattr(stage, "note", line))
                stage.note = stack.endpoints.gateway_url
            with _runtime(stack, options) as runtime:
                outcome = Demo(options, sample, stack, board, memory).run(runtime)
        _tell(outcome, stack, console)
        if options.keep:
            attend(stack, console)
    return outcome.broken


@contextlib.contextmanager
def _runtime(stack: Stack, options: DemoOptions) -> Iterator[Runtime]:
    """What a service of this stack is given: for the feature blocks and the invariants."""
    from pydantic import SecretStr

    from tithe.runtime import from_settings
    from tithe.settings import Settings

    settings = Settings(
        database_url=SecretStr(stack.endpoints.database_url), data=options.data.resolve(), artifacts=None
    )
    runtime = from_settings(settings, connections=2)
    try:
        yield runtime
    finally:
        runtime.database.close()


def _tell(outcome: Outcome, stack: Stack, console: Console) -> None:
    """The files, the table, and where to look further."""
    from tithe.cli.demo import plot, report
    from tithe.cli.demo.report import proof_lines

    path = report.write(outcome, outcome.options.out)
    console.print(report.table(outcome))
    picture = outcome.options.out / "curve.png"
    options = outcome.options
    drawn = bool(outcome.curve) and plot.draw(
        picture,
        outcome.curve,
        outcome.random,
        strategy=options.strategy,
        metric=options.metric,
        title=report.verdict(outcome),
    )
    ledger, board = outcome.ledger, outcome.board
    invariants = "clean" if not outcome.violations else "VIOLATED"
    memory = f"{board.memory_mb:,.0f} MB of memory at the peak ({outcome.memory_measured_as}, all processes)"
    lines = [
        f"batches: half within {ledger.wait_ms(0.5)} ms, 99 % within {ledger.wait_ms(0.99)} ms",
        *proof_lines(outcome),
        f"double hand-outs: {ledger.double_handouts}; labels lost: {outcome.lost_labels}; invariants: {invariants}",
        *([f"{options.kill} was killed with -9 midway and restarted"] if options.kill else []),
        f"{board.seconds:.0f} s, {memory}",
        f"report: {path}",
        f"picture: {picture}" if drawn else "no picture: matplotlib is not installed",
    ]
    endpoints = stack.endpoints
    if options.keep:
        lines += [
            f"gateway: {endpoints.gateway_url} (interface: {endpoints.gateway_url}/docs)",
            f"Flower: {endpoints.flower_url} (user {endpoints.flower_user}, password {endpoints.flower_password})",
            f"data: {options.data} (tithe up --data {options.data} starts it again)",
        ]
    else:
        lines.append("make demo KEEP=1 leaves the gateway and Flower, the dashboard of the workers, to be looked at")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
