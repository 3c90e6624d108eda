"""What the keeper does each time it wakes. Each step is short, idempotent and by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from tithe.bus.celery import Bus
from tithe.bus.relay import ring
from tithe.errors import TitheError
from tithe.loop import hand_out, ingest
from tithe.loop.work import fail_subject
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, predictions, projects
from tithe.storage.database import Unit

_log = structlog.get_logger("tithe.keeper")


@dataclass
class Keeper:
    """The steps and when each is next due (monotonic seconds)."""

    runtime: Runtime
    bus: Bus
    due: dict[str, float] = field(default_factory=dict)

    def wake(self) -> None:
        """Ring what waits; take every other step that is due. A step that fails is tried again next time."""
        self._step("ring", 0.0, self._ring)
        self._step("lapse", 2.0, self._take_back_claims)
        self._step("reclaim", 5.0, lambda: hand_out.reclaim_lapsed(self.runtime.database))
        self._step("plan", 10.0, self._plan_left_over)
        self._step("revive", 15.0, lambda: self.runtime.database.run(lambda unit: jobs.revive(unit, 60.0)))
        self._step("purge", 10.0, self._purge)
        self._step("forget", 3600.0, self._forget)

    def _step(self, name: str, every_seconds: float, work: Callable[[], object]) -> None:
        now = time.monotonic()
        if now < self.due.get(name, 0.0):
            return
        self.due[name] = now + every_seconds
        try:
            work()
        except TitheError as error:
            _log.warning("step_failed", step=name, reason=error.message)

    def _ring(self) -> int:
        sent = 0
        while batch := ring(self.runtime.database, self.bus, self.runtime.settings.ring_again_seconds):
            sent += batch
        return sent

    def _take_back_claims(self) -> None:
        settings = self.runtime.settings

        def work(unit: Unit) -> None:
            for lapsed in jobs.lapse(unit, settings.claim_lapse_seconds, settings.attempts):
                _log.warning("claim_lapsed", topic=lapsed.topic, subject=str(lapsed.subject), state=lapsed.state)
                if lapsed.state == "failed":
                    fail_subject(unit, lapsed.topic, lapsed.subject, lapsed.last_error or "its workers died")

        self.runtime.database.run(work)

    def _plan_left_over(self) -> int:
        return ingest.plan_left_over(self.runtime.database, 15.0, self.runtime.block_sizes)

    def _forget(self) -> None:
        """What nobody will ask for again: month-old idempotency keys, hour-old predictions, drafts of dead writers."""
        self.runtime.database.run(lambda unit: answers.forget_keys(unit, 30))
        self.runtime.database.run(lambda unit: predictions.purge(unit, 3600.0))
        self.runtime.artifacts.sweep()

    def _purge(self) -> None:
        gone = self.runtime.database.run(lambda unit: projects.purge_next(unit, 30.0))
        if gone is not None:
            self.runtime.artifacts.delete_prefix(str(gone))
            _log.info("project_purged", project=str(gone))
