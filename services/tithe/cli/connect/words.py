"""States of a connection, as a person says them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tithe.contracts.connectors import ConnectorState

STATES = {
    "starting": "is starting",
    "healthy": "works",
    "failing": "does not answer",
    "attention": "needs you",
    "paused": "is paused",
    "leaving": "is being left",
}
COLOURS = {"healthy": "green", "starting": "yellow", "leaving": "yellow", "failing": "red", "attention": "bold red"}


def lag(seconds: float | None) -> str:
    """A lag as people read it.

    Examples
    --------
    >>> lag(None), lag(0.43), lag(12), lag(400)
    ('-', '0.4 s', '12 s', '7 min')
    """
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def since(moment: datetime | None) -> str:
    """How long ago.

    Examples
    --------
    >>> since(None)
    'never'
    """
    return "never" if moment is None else f"{lag((datetime.now(UTC) - moment).total_seconds())} ago"


def advice(now: ConnectorState) -> str | None:
    """What there is to do about it; None: nothing."""
    if now.state == "paused":
        return f"`tithe connect resume {now.name}` goes on"
    if now.problem is not None:
        words = now.problem.detail if now.problem.remedy is None else f"{now.problem.detail} — {now.problem.remedy}"
        return words if now.state != "failing" else f"{words} (tried again by itself)"
    if now.facts.get("finished"):
        return "the budget is spent: answers there count no longer; `tithe project patch --budget` raises it"
    if now.quarantined:
        return f"`tithe connect show {now.name}` tells what does not count"
    return None
