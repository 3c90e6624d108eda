"""`tithe connect list`, `status` and `show`: how the connections are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tithe.cli.address import HERE, Data, connect, running
from tithe.cli.connect.options import Gateway, Name, Project
from tithe.cli.connect.words import COLOURS, STATES, advice, lag, since
from tithe.cli.terminal import terminal
from tithe.errors import BadInput

if TYPE_CHECKING:
    from tithe.client import ProjectHandle, Tithe
    from tithe.contracts.connectors import ConnectorState

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_SHOWN = 20


def status(project: Project = None, as_json: AsJson = False, gateway: Gateway = None, data: Data = HERE) -> None:
    """Show every connection: how it is, what counted, how far behind it is, what to do."""
    with connect(gateway, data) as tithe:
        pools = [tithe.project(project)] if project else tithe.projects()
        found = [(pool.name, one) for pool in pools for one in pool.connections.all()]
    if as_json:
        typer.echo(json.dumps([{"project": pool, **one.model_dump(mode="json")} for pool, one in found], indent=2))
        return
    if not found:
        typer.echo("no connections yet; `tithe connect label-studio` makes one")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("project", "name", "state", "waiting there", "counted", "quarantined", "lag", "last success")
    for pool, one in found:
        table.add_row(
            pool, one.name, Text(STATES[one.state], COLOURS.get(one.state, "")), f"{one.there:,}", f"{one.counted:,}",
            f"{one.quarantined:,}", lag(one.lag_seconds), since(one.ok_at),
        )  # fmt: skip
    console = terminal()
    console.print(table)
    for _, one in found:
        if (todo := advice(one)) is not None:
            console.print(f"{one.name}: {todo}", highlight=False, soft_wrap=True)


def show(
    name: Name,
    project: Project = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Annotations that do not count.")] = _SHOWN,
    as_json: AsJson = False,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Show one connection in full, with the annotations that do not count and why."""
    from rich.table import Table

    there = running(data)
    base = there.gateway_url if there is not None else ""
    with connect(gateway, data) as tithe:
        pool = the_one(tithe, project, name)
        now, kept = pool.connections.get(name), pool.connections.quarantine(name, limit).annotations
    if as_json:
        told = now.model_dump(mode="json") | {"quarantine": [one.model_dump(mode="json") for one in kept]}
        typer.echo(json.dumps(told, indent=2))
        return
    console = terminal()
    console.print(f"{now.name} ({now.kind})", highlight=False)
    for what, value in _rows(pool.name, now, gateway or base):
        console.print(f"  {what:<16}{value}", highlight=False, soft_wrap=True)  # never cut: addresses are copied
    if kept:
        reasons = Table("item", "by", "task", "annotation", "why it does not count", title="do not count")
        for one in kept:
            reasons.add_row(one.item_id, one.annotator, one.task or "-", one.annotation, one.because or one.state)
        console.print(reasons)


def the_one(tithe: Tithe, project: str | None, name: str) -> ProjectHandle:
    """The project whose connection is meant. Raises BadInput where none or several are."""
    if project:
        return tithe.project(project)
    every = {pool: {one.name for one in pool.connections.all()} for pool in tithe.projects()}
    having = [pool for pool, names in every.items() if name in names]
    if len(having) == 1:
        return having[0]
    if having:
        names = ", ".join(pool.name for pool in having)
        raise BadInput(f"several projects have a connection {name!r}: {names}", remedy="say which by -p")
    there = ", ".join(sorted({one for names in every.values() for one in names})) or "none yet"
    raise BadInput(f"there is no connection {name!r}", remedy=f"there are: {there}")


def _rows(pool: str, now: ConnectorState, gateway: str) -> list[tuple[str, str]]:
    rows = [
        ("project", pool),
        ("state", STATES[now.state]),
        ("to do", advice(now) or "nothing"),
        ("people label at", now.url or "-"),
        ("tool", str((now.facts.get("tool") or {}).get("detail") or "-")),
        ("waiting there", f"{now.there:,} tasks, {now.held:,} answers; {now.rejected:,} items it does not take"),
        ("counted", f"{now.counted:,} labels, {now.skipped:,} skips"),
        ("not counted", f"{now.quarantined:,} that fit no label, {now.extra:,} beyond what was asked for"),
        ("lag", lag(now.lag_seconds)),
        ("last success", since(now.ok_at)),
        ("settings", ", ".join(f"{key}={_said(value)}" for key, value in now.settings.items() if value is not None)),
        ("hooks", _hooks(now, gateway)),
    ]
    if cost := now.facts.get("cost"):
        rows.append(("cost so far", f"{cost['amount']} {cost['currency']}"))
    if now.model_backend:
        rows.append(("ML backend", f"{gateway.rstrip('/')}{now.model_backend} (its name must be: tithe)"))
    return rows


def _hooks(now: ConnectorState, gateway: str) -> str:
    told = now.facts.get("hooks") or {}
    if told.get("registered"):
        return f"registered: {told.get('url')}"
    return (
        f"not registered: {told['reason']}"
        if told.get("reason")
        else f"none; they go to {gateway.rstrip('/')}{now.hook}"
    )


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
