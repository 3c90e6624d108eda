"""What a rehearsal shows while it goes, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tithe.rehearsal.ledger import Job
from tithe.rehearsal.verdict import ratio_said

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class Board:
    """A bar of rounds done, where there is a terminal; quiet elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left:"), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal, transient=True,
        )  # fmt: skip
        self._encoding: TaskID | None = None
        self._rounds: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, notes: Sequence[str]) -> None:
        """What should be known of the data."""
        for note in notes:
            self._console.print(f"note: {note}", style="yellow", highlight=False)

    def encoded(self, done: int, of: int) -> None:
        """So many items are encoded."""
        if self._encoding is None:
            self._encoding = self._progress.add_task("encoding", total=of)
        self._progress.update(self._encoding, completed=done)

    def planned(self, rounds: int, done: int) -> None:
        """So many rounds there are; those of an earlier command are done."""
        if done:
            self._console.print(f"{done:,} of {rounds:,} rounds were played before", highlight=False)
        self._rounds = self._progress.add_task("rounds", total=rounds, completed=done)

    def round_over(self) -> None:
        """One more."""
        if self._rounds is not None:
            self._progress.advance(self._rounds)

    def over(self, job: Job, run: Mapping[str, Any]) -> None:
        """A run has ended."""
        del run
        if self._rounds is not None:
            self._progress.update(self._rounds, description=f"rounds, last {job.name}")

    def tell(self, report: Mapping[str, Any], page: Path) -> None:
        """The table, the recommendation, and where the report is."""
        strategies = report["strategies"]
        table = Table(title=f"labels for a share of the full-pool score ({report['full_pool']['score']['median']:.3f})")
        table.add_column("strategy")
        for target in strategies[0]["targets"]:
            table.add_column(f"{target['share']:.0%}", justify="right")
        table.add_column("mean height", justify="right")
        for one in strategies:
            cells = [
                "\n".join(filter(None, [_short(target["labels"]["median"]), ratio_said(target["against_random"])]))
                for target in one["targets"]
            ]
            table.add_row(one["name"], *cells, f"{one['area']['median']:.4f}")
        self._console.print(table)
        for sentence in report["recommendation"]["words"]:
            self._console.print(sentence, highlight=False)
        self._console.print(f"the report is in {page}", style="bold", highlight=False, soft_wrap=True)


def _short(labels: float | None) -> str:
    return "not reached" if labels is None else f"{labels:,.0f}"
