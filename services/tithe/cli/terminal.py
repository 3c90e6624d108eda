"""Where the commands print: what users and servers wrote is shown as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def terminal() -> Console:
    """The terminal. ``[text]`` is no markup and ``:bell:`` no emoji to it, in lines, tables and titles alike."""
    from rich.console import Console

    return Console(markup=False, emoji=False)
