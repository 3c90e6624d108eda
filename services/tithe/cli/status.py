"""`tithe status`: every project in a line, or one in full; with --watch, again and again."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tithe.client import ProjectHandle, Tithe
    from tithe.contracts.insight import Embedding, Status

_LOOK_SECONDS = 1.0
#: How a failure of the encoding is named.
_ENCODING = "block.embed"


def status(
    project: Annotated[str | None, typer.Argument(help="A project's name or id; default: all of them.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every second until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Show how far the labeling is."""
    with connect(url, data) as tithe:
        if as_json:
            typer.echo(json.dumps(_plain(tithe, project), indent=2))
            return
        console = terminal()
        if not watch:
            console.print(_shown(tithe, project))
            return
        if not console.is_terminal:
            while True:
                console.print(_shown(tithe, project))
                time.sleep(10 * _LOOK_SECONDS)
        from rich.live import Live

        live = Live(_shown(tithe, project), console=console, auto_refresh=False)
        with contextlib.suppress(KeyboardInterrupt), live:
            while True:
                time.sleep(_LOOK_SECONDS)
                live.update(_shown(tithe, project), refresh=True)


def _plain(tithe: Tithe, project: str | None) -> object:
    handles = tithe.projects() if project is None else [tithe.project(project)]
    found = [{"name": one.name, **one.status().model_dump(mode="json")} for one in handles]
    return found if project is None else found[0]


def _shown(tithe: Tithe, project: str | None) -> RenderableType:
    return overview(tithe.projects()) if project is None else in_full(tithe.project(project))


def overview(handles: list[ProjectHandle]) -> RenderableType:
    """A line a project."""
    from rich.table import Table

    if not handles:
        return "no projects yet; `tithe project create` makes one"
    table = Table("project", "items", "labels", "model", "score", "round", "state")
    for one in handles:
        now = one.status()
        table.add_row(
            one.name, f"{now.counts.items:,}", _labels(now), str(now.model.version) if now.model else "-", _score(now),
            _round(now), _state(now),
        )  # fmt: skip
    return table


def in_full(project: ProjectHandle) -> RenderableType:
    """One project: counts, round, model, annotators."""
    from rich.table import Table

    now = project.status()
    counts, embedding = now.counts, now.embedding
    table = Table(show_header=False, box=None, padding=(0, 2), title=project.name, title_justify="left")
    table.add_row(
        "items",
        f"{counts.items:,}: {counts.labeled:,} labeled, {counts.skipped:,} skipped, {counts.unlabeled:,} unlabeled, "
        f"{counts.test:,} held out",
    )
    table.add_row("encoded", _encoded(embedding))
    table.add_row("budget" if now.budget.unit == "words" else "labels", _labels(now))
    table.add_row("queue", f"{now.queue_depth:,} ranked, {counts.leased:,} in annotators' hands")
    table.add_row("round", _round(now))
    table.add_row(
        "ranking",
        f"round {now.ranking.round}, {now.ranking.labels_since} labels ago" if now.ranking.round is not None else "-",
    )
    table.add_row("model", f"version {now.model.version}, {now.model.label_count:,} labels" if now.model else "-")
    table.add_row("score", _score(now))
    table.add_row("state", _state(now))
    if now.class_counts:
        table.add_row("classes", ", ".join(f"{name} {count:,}" for name, count in now.class_counts.items()))
    for one in now.annotators:
        table.add_row(
            one.annotator,
            f"{one.labels:,} labels, {one.skips:,} skips, last seen {one.last_seen.astimezone():%Y-%m-%d %H:%M:%S %Z}",
        )
    if now.last_failure is not None:
        table.add_row("last failure", f"{now.last_failure.what}: {now.last_failure.reason}", style="red")
    return table


def _labels(now: Status) -> str:
    total = f" of {now.budget.total:,}" if now.budget.total is not None else ""
    return f"{now.budget.received:,}{total}" + (" words" if now.budget.unit == "words" else "")


def _encoded(embedding: Embedding) -> str:
    told = f"{embedding.rows_ready:,} of {embedding.rows:,}"
    if embedding.seconds_left and embedding.rows_per_second is not None:
        told += f", {embedding.rows_per_second:,.0f} a second, about {_span(embedding.seconds_left)} left"
    return told


def _span(seconds: float) -> str:
    """A time as people say it.

    Examples
    --------
    >>> _span(40), _span(600), _span(90_000)
    ('40 s', '10 min', '25 h')
    """
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s"


def _score(now: Status) -> str:
    if now.model is None or now.model.score is None:
        return "-"
    return f"{now.model.metric} {now.model.score:.3f} ({(now.model.score_from or '').replace('_', ' ')})"


def _round(now: Status) -> str:
    if now.round is None:
        return "none running"
    done = f", {now.round.shards_done} of {now.round.shards} shards" if now.round.shards else ""
    if now.round.training is not None:
        done = f", {now.round.training:.0%}"
    return f"{now.round.number}: {now.round.state}{done}"


def _state(now: Status) -> str:
    if now.finished:
        return f"finished: {(now.finished_because or '').replace('_', ' ')}"
    broken = now.last_failure is not None and now.last_failure.what == _ENCODING
    if broken and now.embedding.rows_ready < now.embedding.rows:
        return "encoding fails"
    return "labeling"
