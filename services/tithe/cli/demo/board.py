"""What the demo knows of itself at this moment. The run writes it, the screen reads it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tithe.embedded.process import ProcessStatus


@dataclass
class Stage:
    """One step of the demo."""

    name: str
    state: str = "waiting"  #: waiting, running, done, failed
    note: str = ""
    began: float = 0.0
    seconds: float = 0.0

    def lasted(self) -> float:
        """Seconds it took, or takes so far."""
        return time.monotonic() - self.began if self.state == "running" else self.seconds


@dataclass
class Board:
    """Everything that is on the screen."""

    stages: list[Stage]
    began: float = field(default_factory=time.monotonic)
    encoded: int = 0
    to_encode: int = 0
    labels: int = 0
    budget: int = 0
    round: str = ""
    metric: str = ""
    curve: Sequence[tuple[int, float]] = ()
    p50_ms: float | None = None
    p99_ms: float | None = None
    memory_mb: float = 0.0
    processes: Sequence[ProcessStatus] = ()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    @property
    def current(self) -> Stage | None:
        """The stage that runs."""
        return next((stage for stage in self.stages if stage.state == "running"), None)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Run one stage; one that raises has failed."""
        stage = next(one for one in self.stages if one.name == name)
        stage.state, stage.began = "running", time.monotonic()
        try:
            yield stage
        except BaseException:
            stage.seconds, stage.state = stage.lasted(), "failed"
            raise
        stage.seconds, stage.state = stage.lasted(), "done"
