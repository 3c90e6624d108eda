"""The demo on one screen; and where there is no screen, a plain line whenever something is worth one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tithe.cli.up import processes_line

if TYPE_CHECKING:
    from tithe.cli.demo.board import Board

_MARKS = {"waiting": ("○", "dim"), "running": ("●", "yellow"), "done": ("✓", "green"), "failed": ("✗", "red")}
_BARS = "▁▂▃▄▅▆▇█"
_LINE_EVERY_SECONDS = 5.0


class Screen(Protocol):
    """Shows a board for as long as it is entered."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def screen(board: Board, console: Console) -> Screen:
    """The live picture on a terminal, plain lines elsewhere."""
    return Picture(board, console) if console.is_terminal else Lines(board, console)


class Picture:
    """One live picture, drawn four times a second by a thread of its own."""

    def __init__(self, board: Board, console: Console) -> None:
        self._live = Live(get_renderable=lambda: picture(board), console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class Lines:
    """A line when a stage begins or ends, and every few seconds between."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._stages()

    def _run(self) -> None:
        next_line = time.monotonic() + _LINE_EVERY_SECONDS
        while not self._over.wait(0.2):
            self._stages()
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + _LINE_EVERY_SECONDS
                self._print(summary(self._board))

    def _stages(self) -> None:
        for stage in self._board.stages:
            if stage.state != self._said.get(stage.name, "waiting"):
                self._said[stage.name] = stage.state
                took = f" ({stage.seconds:.1f} s)" if stage.state in ("done", "failed") else ""
                self._print(f"{stage.name}: {stage.state}{took}{f' — {stage.note}' if stage.note else ''}")

    def _print(self, line: str) -> None:
        if line:
            self._console.print(f"[{self._board.seconds:5.1f} s] {line}", markup=False, highlight=False, soft_wrap=True)


def summary(board: Board) -> str:
    """The stage that runs, in one line."""
    stage = board.current
    if stage is None:
        return ""
    parts = [stage.name]
    if stage.note:
        parts.append(stage.note)
    if board.encoded < board.to_encode:
        parts.append(f"encoded {board.encoded}/{board.to_encode}")
    if board.labels:
        parts.append(f"labels {board.labels}/{board.budget}")
    if board.round:
        parts.append(board.round)
    if board.curve:
        parts.append(f"{board.metric} {board.curve[-1][1]:.3f}")
    return " · ".join(parts)


def sparkline(values: Sequence[float]) -> str:
    """Values as bars, the smallest lowest.

    Examples
    --------
    >>> sparkline([0.1, 0.4, 0.8])
    '▁▄█'
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((value - low) / step)] for value in values)


def picture(board: Board) -> Panel:
    """The whole board."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(ratio=1)
    if board.to_encode:
        rows.add_row("encoded", _bar(board.encoded, board.to_encode))
    if board.budget:
        rows.add_row("labels", _bar(board.labels, board.budget))
    if board.round:
        rows.add_row("round", board.round)
    if board.curve:
        scores = [score for _, score in board.curve]
        rows.add_row(
            board.metric, Text(f"{sparkline(scores)}  {scores[-1]:.3f} at {board.curve[-1][0]} labels", "cyan")
        )
    if board.p50_ms is not None:
        rows.add_row("batch", f"half of them within {board.p50_ms:.0f} ms, 99 % within {board.p99_ms:.0f} ms")
    if board.memory_mb:
        rows.add_row("memory", f"{board.memory_mb:,.0f} MB at most")
    if board.processes:
        rows.add_row("processes", processes_line(board.processes))
    title = f"tithe demo · {board.seconds:.0f} s"
    return Panel(Group(_stages(board), Text(), rows), title=title, title_align="left", border_style="dim", width=100)


def _stages(board: Board) -> Table:
    grid = Table.grid(padding=(0, 2))
    for stage in board.stages:
        mark, style = _MARKS[stage.state]
        took = f"{stage.lasted():.1f} s" if stage.state != "waiting" else ""
        grid.add_row(Text(f"{mark} {stage.name}", style), Text(took, "dim"), Text(stage.note, "dim"))
    return grid


def _bar(done: int, total: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(ProgressBar(total=total, completed=done, width=50), f"{done:,} / {total:,}")
    return grid
