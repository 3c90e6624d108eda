"""What the keeper does each time it wakes. Each step is short, idempotent and by itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog

from tithe.bus.celery import Bus
from tithe.bus.relay import ring
from tithe.errors import TitheError
from tithe.loop import hand_out, ingest
from tithe.loop import rounds as turns
from tithe.loop.work import fail_subject
from tithe.runtime import Runtime
from tithe.storage import answers, connectors, files, jobs, predictions, projects, rounds
from tithe.storage.database import Unit

_log = structlog.get_logger("tithe.keeper")

#: Folders of a project's files. Others, of a version to come perhaps, are not ours to judge.
_KINDS = ("blocks", "words", "models", "said")
#: So long a file stays that no row needs: far longer than any writer, round or request for predictions takes.
_NEEDLESS_SECONDS = 86_400.0


@dataclass
class Keeper:
    """The steps and when each is next due (monotonic seconds)."""

    runtime: Runtime
    bus: Bus
    due: dict[str, float] = field(default_factory=dict)

    def wake(self) -> None:
        """Ring what waits; take every other step that is due. A step that fails is tried again next time."""
        self._step("connect", 1.0, lambda: self.runtime.database.run(connectors.wake_due))
        self._step("ring", 0.0, self._ring)
        self._step("lapse", 2.0, self._take_back_claims)
        self._step("reclaim", 5.0, lambda: hand_out.reclaim_lapsed(self.runtime.database))
        self._step("plan", 3.0, self._plan_left_over)
        self._step("retry", 5.0, self._open_rounds)
        self._step("revive", 15.0, lambda: self.runtime.database.run(lambda unit: jobs.revive(unit, 60.0)))
        self._step("purge", 10.0, self._purge)
        self._step("forget", 3600.0, self._forget)
        self._step("needless", 3600.0, self._delete_needless)

    def _step(self, name: str, every_seconds: float, work: Callable[[], object]) -> None:
        now = time.monotonic()
        if now < self.due.get(name, 0.0):
            return
        self.due[name] = now + every_seconds
        try:
            work()
        except TitheError as error:
            _log.warning("step_failed", step=name, reason=error.message)
        # One step that cannot be done must not keep the others from being done.
        except Exception:  # noqa: BLE001
            _log.exception("step_broke", step=name)

    def _ring(self) -> int:
        return ring(self.runtime.database, self.bus, self.runtime.settings.ring_again_seconds)

    def _open_rounds(self) -> None:
        """Rounds nobody else would ask for: after a failure, and when skips emptied the queue."""
        database = self.runtime.database
        due = database.run(
            lambda unit: [
                *((one, "retry") for one in rounds.to_retry(unit, after_seconds=60.0, most=6)),
                *((one, "queue_low") for one in rounds.running_dry(unit, 10.0)),
            ]
        )
        for project_id, reason in due:
            if turns.reopen(database, project_id, reason):
                _log.info("round_opened", project=str(project_id), reason=reason)

    def _take_back_claims(self) -> None:
        settings = self.runtime.settings

        def work(unit: Unit) -> None:
            for lapsed in jobs.lapse(unit, settings.claim_lapse_seconds, settings.attempts):
                _log.warning("claim_lapsed", topic=lapsed.topic, subject=str(lapsed.subject), state=lapsed.state)
                if lapsed.state == "failed":
                    fail_subject(unit, lapsed.topic, lapsed.subject, lapsed.last_error or "its workers died")

        self.runtime.database.run(work)

    def _plan_left_over(self) -> int:
        return ingest.plan_left_over(self.runtime.database, 5.0, self.runtime.block_sizes)

    def _forget(self) -> None:
        """What nobody will ask for again: month-old idempotency keys, hour-old predictions, files of no project."""
        self.runtime.database.run(lambda unit: answers.forget_keys(unit, 30))
        self.runtime.database.run(lambda unit: predictions.purge(unit, 3600.0))
        self._sweep_files()

    def _purge(self) -> None:
        """A deleted project's rows, slice by slice, then its files."""
        while slice_ := self.runtime.database.run(lambda unit: projects.purge_slice(unit, 30.0)):
            project_id, gone = slice_
            if gone:
                self._delete_files(project_id)
                _log.info("project_purged", project=str(project_id))

    def _sweep_files(self) -> None:
        """Files of projects that are no more: a worker wrote on, or a keeper died between the rows and the files."""
        named = {*self._folders(), *_ids(self._snapshots.glob("*.jsonl"))}
        alive = self.runtime.database.run(lambda unit: projects.known(unit, list(named)))
        for project_id in named - alive:
            self._delete_files(project_id)
        self.runtime.artifacts.sweep()

    def _delete_needless(self) -> None:
        """Files of living projects that no row needs: of claims that lapsed, lost blocks, models long superseded."""
        folders = self._folders()
        for project_id in self.runtime.database.run(lambda unit: projects.known(unit, list(folders))):
            self._delete_needless_of(project_id)

    def _delete_needless_of(self, project_id: UUID) -> None:
        store, old = self.runtime.artifacts, dict[str, int]()
        for kind in _KINDS:
            old |= store.older(f"{project_id}/{kind}", _NEEDLESS_SECONDS)
        if not old:
            return
        # Asked after looking: a row that came meanwhile counts. One that comes later would be of a writer a day late.
        needed = self.runtime.database.run(lambda unit: files.needed(unit, project_id, list(old), _NEEDLESS_SECONDS))
        gone = old.keys() - needed
        for key in gone:
            store.delete_prefix(key)
        if gone:
            freed = sum(old[key] for key in gone)
            _log.info("needless_files_deleted", project=str(project_id), files=len(gone), bytes=freed)

    def _folders(self) -> set[UUID]:
        """Projects that have a folder in the artifact store."""
        return _ids(self.runtime.settings.artifact_root().glob("*/"))

    @property
    def _snapshots(self) -> Path:
        return self.runtime.settings.data / "labels"

    def _delete_files(self, project_id: UUID) -> None:
        self.runtime.artifacts.delete_prefix(str(project_id))
        (self._snapshots / f"{project_id}.jsonl").unlink(missing_ok=True)


def _ids(paths: Iterable[Path]) -> set[UUID]:
    """The projects that files or folders are named after; other names are left out."""
    found = set()
    for path in paths:
        with contextlib.suppress(ValueError):
            found.add(UUID(path.stem))
    return found
