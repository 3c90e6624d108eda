"""`tithe proof`, `stop` and `resume`: what the loop is worth, and whether it goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, Url, connect
from tithe.cli.terminal import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tithe.contracts.proof import Measured, Proof, Quality

Name = Annotated[str, typer.Argument(help="The project's name or id.")]


def proof(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    url: Url = None,
    data: Data = HERE,
) -> None:
    """Show how good the model is, what choosing saved, and whether more labels are worth their price."""
    with connect(url, data) as tithe:
        found = tithe.project(name).proof()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    terminal().print(shown(found))


def stop(name: Name, url: Url = None, data: Data = HERE) -> None:
    """Hand nothing out any more; what people hold they may still answer."""
    with connect(url, data) as tithe:
        project = tithe.project(name).stop()
    typer.echo(f"{project.name} is stopped; `tithe resume {json.dumps(project.name)}` goes on")


def resume(name: Name, url: Url = None, data: Data = HERE) -> None:
    """Hand out again."""
    with connect(url, data) as tithe:
        handle = tithe.project(name)
        rule = handle.settings.stop_when
        project = handle.resume()
    typer.echo(f"{project.name} goes on")
    if rule is not None and project.stop_when is None:
        typer.echo("the rule that stopped it is taken away; `tithe project patch` sets another")


def shown(found: Proof) -> RenderableType:
    """The newest measurement, in a table of words."""
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("control arm", f"{found.control:.0%} of every hand-out, {found.control_labels:,} labels so far")
    if found.stopped_at is not None:
        table.add_row(
            "stopped", f"{found.stopped_because} ({found.stopped_at.astimezone():%Y-%m-%d %H:%M})".replace("_", " ")
        )
    if found.failed is not None:
        table.add_row("not measured", f"round {found.failed.round}: {found.failed.reason}; the next round is tried")
    if found.latest is None:
        table.add_row("nothing yet", found.missing or "")
        return table
    latest = found.latest
    table.add_row("measured", f"round {latest.round}, model {latest.version}, {latest.labels:,} labels")
    for heading, told in _rows(latest.measured, found.currency or ""):
        table.add_row(heading, told)
    return table


def _rows(of: Measured, currency: str) -> list[tuple[str, str]]:
    rows = [("quality", quality(of.quality))]
    if of.accuracy is not None:
        rows.append(("", quality(of.accuracy)))
    if of.test is not None:
        rows.append(("on your test", quality(of.test)))
    rows.append(("saved", of.savings.words))
    if of.savings.money is not None:
        rows.append(("", f"worth {_money(of, currency)}"))
    if of.early is not None and not of.early.missing:
        rows.append(("early on", of.early.words))
    rows.append(("advice", of.advice.words))
    rows += [("met" if one.met else "not met", one.words) for one in of.advice.criteria]
    if of.toward_random:
        rows.append(("leaning", f"{of.toward_random:.0%} of the queue is random, as choosing showed no gain"))
    return rows + [("note", one) for one in of.notes]


def quality(one: Quality) -> str:
    """A score with its interval, or why there is none.

    Examples
    --------
    >>> from tithe.contracts.proof import Quality
    >>> quality(Quality(metric="macro_f1", score=0.8, low=0.7, high=0.9, level=0.95, rows=60, method="", missing=None))
    'macro_f1 0.800 (0.700 to 0.900 with 95 % confidence, from 60 labels)'
    """
    if one.score is None or one.low is None or one.high is None:
        return f"{one.metric}: {one.missing or 'not known yet'}"
    interval = f"{one.low:.3f} to {one.high:.3f} with {one.level * 100:.0f} % confidence"
    return f"{one.metric} {one.score:.3f} ({interval}, from {one.rows:,} labels)"


def _money(of: Measured, currency: str) -> str:
    low, high = of.savings.money_low, of.savings.money_high
    ends = [f"{one:,.2f}" for one in (low, high) if one is not None]
    return f"{of.savings.money:,.2f} {currency} ({' to '.join(ends)}{'' if high is not None else ' or more'})".replace(
        "  ", " "
    )
