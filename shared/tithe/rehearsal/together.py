"""Runs side by side: a process a core, one BLAS thread each, the data mapped from the same files."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from tithe.errors import Unavailable
from tithe.rehearsal.ledger import EVERY_RIGHT, Job
from tithe.rehearsal.replay import full_pool, replay
from tithe.rehearsal.settings import Settings
from tithe.rehearsal.stage import Stage

Ended = Callable[[Job, dict[str, Any]], None]
Round = Callable[[], None]
_LOOK_SECONDS = 0.2


def side_by_side(
    jobs: Sequence[Job],
    folder: Path,
    settings: Settings,
    full: dict[int, float],
    processes: int,
    ended: Ended,
    round_over: Round,
) -> None:
    """Do the jobs, in any order; each is told of as it ends.

    Parameters
    ----------
    jobs
        What is to be done.
    folder
        The stage.
    full
        Of each seed whose curves are among the jobs: the full-pool score.
    processes
        How many; with one, everything is done in this process.
    ended, round_over
        Called here, in this process, with each finished job, and after each of its rounds.

    Raises
    ------
    Unavailable
        When a process was killed, by a lack of memory for example. What had ended, has been told of.
    """
    if processes == 1 or len(jobs) <= 1:
        stage = Stage.opened(folder)
        with threadpool_limits(1):
            for job in jobs:
                ended(job, done(job, stage, settings, full.get(job.seed, 0.0), round_over))
        return
    context = multiprocessing.get_context("spawn")
    rounds: Any = context.Value("q", 0)
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, initializer=_begin, initargs=(folder, rounds))
    with _one_thread(), _cleared_away(pool):
        running: dict[Future[dict[str, Any]], Job] = {
            pool.submit(_done, job, settings, full.get(job.seed, 0.0)): job for job in jobs
        }
        told = 0
        while running:
            over, _ = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            while told < rounds.value:
                told += 1
                round_over()
            for one in over:
                try:
                    ended(running.pop(one), one.result())
                except BrokenProcessPool:
                    raise Unavailable(
                        "a process of the rehearsal was killed", remedy="was there too little memory? try --jobs 1; "
                        "the same command goes on where it was",
                    ) from None  # fmt: skip


def done(job: Job, stage: Stage, settings: Settings, full: float, round_over: Round) -> dict[str, Any]:
    """What the job gives."""
    if job.mix is None:
        found = full_pool(stage, settings, job.seed, 0.0 if job.name == EVERY_RIGHT else None)
        round_over()
        return found
    return replay(stage, settings, job.mix, job.seed, full, round_over)


#: What a process plays with; set when it begins.
_at_hand: dict[str, Any] = {}


def _begin(folder: Path, rounds: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _at_hand["stage"], _at_hand["rounds"] = Stage.opened(folder), rounds
    _at_hand["limits"] = threadpool_limits(1)


def _leave_with_parent() -> None:
    """End with the process that began this one, also where that one was killed and could say nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _done(job: Job, settings: Settings, full: float) -> dict[str, Any]:
    return done(job, _at_hand["stage"], settings, full, functools.partial(_count, _at_hand["rounds"]))


def _count(rounds: Any) -> None:
    with rounds.get_lock():
        rounds.value += 1


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries that processes load later read how many threads they may have from the environment."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _cleared_away(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Leave no process behind: where something goes wrong, or somebody presses Ctrl-C, nothing is waited for."""
    try:
        yield
    except BaseException:
        workers = list((pool._processes or {}).values())  # noqa: SLF001 - 3.11 has no other way to end them
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        raise
    pool.shutdown()
