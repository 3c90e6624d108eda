"""A rehearsal from its data to its report; what was finished before is used again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from tithe.errors import BadInput
from tithe.rehearsal.ledger import EVERY, EVERY_RIGHT, Job, Ledger, fingerprint
from tithe.rehearsal.outcome import Played, Price, outcome
from tithe.rehearsal.problem import parts_of
from tithe.rehearsal.records import Records
from tithe.rehearsal.settings import RANDOM, Mix, Settings
from tithe.rehearsal.stage import Stage, build
from tithe.rehearsal.together import side_by_side
from tithe.rehearsal.verdict import verdict

#: A test part with fewer items moves by points from chance alone.
_FEW_TEST_ROWS = 200


class Watch(Protocol):
    """Who is told how it goes."""

    def encoded(self, done: int, of: int) -> None:
        """So many items are encoded."""

    def planned(self, rounds: int, done: int) -> None:
        """So many rounds there are in all, of which so many were finished by an earlier command."""

    def round_over(self) -> None:
        """One more round is over."""

    def over(self, job: Job, run: Mapping[str, Any]) -> None:
        """A run has ended, and is kept."""


@dataclass(frozen=True)
class Script:
    """What is to be played, by whom, how often."""

    settings: Settings
    strategies: Mapping[str, Mix]  #: by the names of a report; random is among them
    seeds: Sequence[int]
    price: Price
    processes: int


def rehearse(records: Records, script: Script, out: Path, watch: Watch) -> dict[str, Any]:
    """Play what is not played yet, and say what came of it.

    Every finished run is a line of ``out/runs.jsonl``; the same command after an interruption does only what is
    missing, and ends with the same report. Runs of other data or settings stay there, unused.

    Raises
    ------
    BadInput
        When the pool is too small for a single round.
    """
    out.mkdir(parents=True, exist_ok=True)
    folder = build(records, script.settings, out, script.processes, watch.encoded)
    stage = Stage.opened(folder)
    settings, notes = fitting(stage, script.settings, records.notes)
    records = replace(records, notes=notes)
    ledger = Ledger(out / "runs.jsonl")
    marked = {job: fingerprint(job, stage.digest, settings, version("tithe")) for job in _jobs(script)}
    kept = ledger.read()
    made = {job: kept[mark] for job, mark in marked.items() if mark in kept}
    each = {job: settings.rounds if job.of_a_strategy else 1 for job in marked}
    watch.planned(sum(each.values()), sum(each[job] for job in made))

    def ended(job: Job, run: dict[str, Any]) -> None:
        made[job] = {"fingerprint": marked[job], "strategy": job.name, "seed": job.seed, **run}
        ledger.add(made[job])
        watch.over(job, run)

    for curves in (False, True):  # curves want to know the full-pool scores
        full = {job.seed: made[job][settings.metric] for job in made if job.name == EVERY}
        missing = [job for job in marked if job.of_a_strategy is curves and job not in made]
        side_by_side(missing, folder, settings, full, script.processes, ended, watch.round_over)
    report = outcome(records, stage, settings, _played(script, made), script.price)
    return {**report, "recommendation": verdict(report)}


def fitting(stage: Stage, settings: Settings, notes: Sequence[str]) -> tuple[Settings, list[str]]:
    """The settings with as many rounds as the pool holds, and what is to be told of the parts."""
    pool, test = parts_of(stage, settings, 0)
    told = list(notes)
    if len(test) < _FEW_TEST_ROWS:
        told.append(f"the test part has {len(test):,} items only: its scores move by points from chance alone")
    rounds = len(pool) // settings.batch
    if not rounds:
        raise BadInput(f"the pool holds {len(pool):,} items, not one batch of {settings.batch}", remedy="--batch 10")
    if rounds < settings.rounds:
        told.append(f"the pool holds {len(pool):,} items: {rounds} rounds of {settings.batch} are played")
        settings = replace(settings, rounds=rounds)
    return settings, told


def _jobs(script: Script) -> list[Job]:
    """Every run; the longest-lasting ones, of which there is one a seed, first."""
    every = [Job(EVERY, None, seed) for seed in script.seeds]
    if script.settings.error_rate:
        every += [Job(EVERY_RIGHT, None, seed) for seed in script.seeds]
    pairs = itertools.product(script.seeds, script.strategies.items())
    return every + [Job(name, mix, seed) for seed, (name, mix) in pairs]


def _played(script: Script, made: Mapping[Job, dict[str, Any]]) -> Played:
    def of(name: str) -> dict[int, dict[str, Any]]:
        return {job.seed: made[job] for job in sorted(made, key=lambda job: job.seed) if job.name == name}

    strategies = {RANDOM: script.strategies[RANDOM], **script.strategies}
    return Played(strategies, {name: of(name) for name in strategies}, of(EVERY), of(EVERY_RIGHT))
