"""One upload, from its first piece to its last chunk. Runs in a thread of its own, beside the event loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tithe.contracts.api import Imported, RejectedLine
from tithe.contracts.projects import Project
from tithe.errors import BadInput, BrokenUpload, TitheError, TooLarge, Unavailable
from tithe.loop import ingest
from tithe.loop.checking import BadLine, Checker, Record
from tithe.runtime import Runtime
from tithe.storage.pool import NewItem

_TOLD_LINES = 100
_CHUNK_BYTES = 8 << 20
_CHUNK_SECONDS = 5.0


class GatewayLeaves(Unavailable):
    """This gateway was told to stop."""


@dataclass
class Intake:
    """Checks records and admits them chunk by chunk. A chunk ends when it is full, large or old."""

    here: Runtime
    project: Project
    import_id: UUID
    checker: Checker
    waiting: list[NewItem] = field(default_factory=list)
    waiting_bytes: int = 0
    rejected_since: int = 0
    admitted_at: float = field(default_factory=time.monotonic)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("lines", "accepted", "duplicates", "rejected", "labeled"), 0)
    )
    rejected_lines: list[RejectedLine] = field(default_factory=list)

    def take(self, records: Iterator[Record | BadLine]) -> Imported:
        """Everything the upload holds. What was committed before it broke stays.

        Raises
        ------
        BrokenUpload
            The upload ended early, or cannot be read.
        BadInput
            Not one line of it could be taken.
        """
        try:
            for record in records:
                self._take(record)
            self._admit()
        except TitheError as error:
            self._keep_what_came(error)
            raise
        except BaseException:
            self._end(whole=False)
            raise
        ingest.finish(self.here.database, self.project.id, self.import_id, self.here.block_sizes, whole=True)
        return self._told()

    def _take(self, record: Record | BadLine) -> None:
        self.counts["lines"] += 1
        try:
            if isinstance(record, BadLine):
                raise record
            self.waiting.append(self.checker.item(record))
            self.waiting_bytes += record.size
        except BadLine as bad:
            self._reject(bad)
        full = len(self.waiting) >= self.here.settings.import_chunk_rows or self.waiting_bytes >= _CHUNK_BYTES
        if full or time.monotonic() - self.admitted_at > _CHUNK_SECONDS:
            self._admit()

    def _reject(self, bad: BadLine) -> None:
        self.counts["rejected"] += 1
        self.rejected_since += 1
        if len(self.rejected_lines) < _TOLD_LINES:
            self.rejected_lines.append(RejectedLine(line=bad.line, code=bad.code, reason=bad.reason, remedy=bad.remedy))

    def _admit(self) -> None:
        self.admitted_at = time.monotonic()
        if not self.waiting and not self.rejected_since:
            return
        chunk, rejected = self.waiting, self.rejected_since
        self.waiting, self.waiting_bytes, self.rejected_since = [], 0, 0
        done = ingest.admit(self.here.database, self.project.id, self.import_id, chunk, rejected, self.here.block_sizes)
        self.counts["accepted"] += done.accepted
        self.counts["duplicates"] += done.duplicates
        self.counts["labeled"] += done.labeled
        for line, external_id in done.clashes:
            self._reject(
                BadLine(line, "id_taken", f"the id {external_id[:80]!r} names other content already",
                        "give it an id of its own, or none")
            )  # fmt: skip
            self.rejected_since -= 1  # the chunk has counted it

    def _keep_what_came(self, error: TitheError) -> None:
        """An upload that was cut: whole lines that came before the cut are kept."""
        if isinstance(error, (BrokenUpload, TooLarge, GatewayLeaves)):
            with contextlib.suppress(TitheError):
                self._admit()
        self._end(whole=False)
        error.facts.update(self._facts())

    def _end(self, *, whole: bool) -> None:
        with contextlib.suppress(TitheError):  # the project is gone, or the database: there is nothing to end
            ingest.finish(self.here.database, self.project.id, self.import_id, self.here.block_sizes, whole=whole)

    def _told(self) -> Imported:
        counts = self.counts
        if not counts["lines"]:
            raise BrokenUpload("the upload holds no lines", place="body", remedy="send at least one item")
        if not counts["accepted"] + counts["duplicates"]:
            first = self.rejected_lines[0]
            raise BadInput(
                f"not one of {counts['lines']:,} lines could be taken; line {first.line}: {first.reason}",
                place=f"line {first.line}", remedy=first.remedy, **self._facts(),
            )  # fmt: skip
        return Imported(**self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            "import_id": str(self.import_id),
            **self.counts,
            "rejected_lines": [line.model_dump() for line in self.rejected_lines],
        }
