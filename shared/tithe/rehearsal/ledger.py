"""Finished runs, a line each: what an interruption never costs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tithe.rehearsal.settings import RANDOM, Mix, Settings

#: Raised when the same settings would give other figures than before.
_FORMAT = "2"


@dataclass(frozen=True)
class Job:
    """One run: a strategy and a seed; or every label of the pool, as annotators say it or as it is."""

    name: str
    mix: Mix | None = field(compare=False)
    seed: int

    @property
    def of_a_strategy(self) -> bool:
        """Whether it is a curve."""
        return self.mix is not None


EVERY, EVERY_RIGHT = "every label", "every label, none wrong"


def fingerprint(job: Job, digest: str, settings: Settings, version: str) -> str:
    """What a run's figures depend on: data, settings, strategy, seed, version. Random knows no control arm.

    The number of seeds and the other strategies are not among it: more of them can be asked for later.
    """
    said = asdict(settings)
    ignored = {"rounds", "batch", "beyond", "control", "near_duplicate"} if not job.of_a_strategy else set()
    ignored |= {"control", "near_duplicate"} if job.mix == RANDOM else {"beyond"}
    if job.name == EVERY_RIGHT:
        ignored |= {"error_rate", "errors"}
    kept = {name: value for name, value in said.items() if name not in ignored}
    what = job.name if job.mix is None else job.mix
    text = json.dumps([_FORMAT, version, digest, kept, what, job.seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Ledger:
    """The file of finished runs. A line that was cut off by a crash counts as not written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, dict[str, Any]]:
        """Every finished run, by its fingerprint."""
        found: dict[str, dict[str, Any]] = {}
        if not self._path.exists():
            return found
        for line in self._path.read_bytes().splitlines():
            try:
                run = json.loads(line)
                found[run["fingerprint"]] = run
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def add(self, run: Mapping[str, Any]) -> None:
        """Append a run; once this returns it is on disk."""
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_well():
                file.write(b"\n")
            file.write(json.dumps(run).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _ends_well(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
