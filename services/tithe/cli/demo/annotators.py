"""Simulated annotators: threads that know the true labels, and speak to the server as anybody does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from tithe.cli.demo.ledger import Ledger
from tithe.cli.demo.options import RETRIES
from tithe.client import ProjectHandle, Tithe, TitheProblem

NAMES = ("ada", "grace", "alan", "edsger", "barbara", "donald", "katherine", "john")
_LAST_CALL_SECONDS = 5.0


@dataclass(frozen=True)
class Pace:
    """How quickly somebody answers, and how far the ranking may lag before they take a breath.

    A real person needs seconds for a review; these need milliseconds, and would be through the budget before a second
    model is trained. So nobody begins a batch while the ranking has missed `patience_labels` or more, for a while.
    """

    seconds_per_item: tuple[float, float]
    patience_labels: int
    patience_seconds: float = 30.0


class Crew:
    """Annotators at work until nothing is left to answer. `failure` is what broke one of them, if anything did.

    Parameters
    ----------
    url, project
        Where they work.
    truth
        The true label of every item.
    ledger
        Where they note what they see.
    people, pace, seed
        How many, how quick, and the seed of their thinking times.
    behind
        How many labels the ranking has not seen.
    """

    def __init__(
        self, url: str, project: UUID, truth: Mapping[str, str], ledger: Ledger, *, people: int, pace: Pace, seed: int,
        behind: Callable[[], int],
    ) -> None:  # fmt: skip
        self.failure: BaseException | None = None
        self._url = url
        self._project = project
        self._truth = truth
        self._ledger = ledger
        self._pace = pace
        self._behind = behind
        self._over = threading.Event()
        names = [f"{NAMES[n % len(NAMES)]}{n // len(NAMES) or ''}" for n in range(people)]
        self._threads = [
            threading.Thread(target=self._work, args=(name, random.Random(f"{seed}/{name}")), name=name, daemon=True)  # noqa: S311
            for name in names
        ]

    @property
    def at_work(self) -> bool:
        """Whether anybody still is."""
        return any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let everybody finish their call and go; who waits for a server that stays away is not waited for."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=_LAST_CALL_SECONDS)

    def _work(self, name: str, chance: random.Random) -> None:
        try:
            with Tithe(self._url, retries=RETRIES) as tithe:
                project = tithe.project(self._project)
                while not self._over.is_set() and self._one_batch(project, name, chance):
                    pass
        except TitheProblem as problem:
            self.failure = problem
            self._over.set()

    def _one_batch(self, project: ProjectHandle, name: str, chance: random.Random) -> bool:
        """Answer one batch; False: nothing is left."""
        self._wait_for_the_ranking()
        asked_at, began = datetime.now(UTC), time.perf_counter()
        batch = project.next_batch(name)
        wait_ms = (time.perf_counter() - began) * 1000
        if not batch:
            return not batch.finished and not self._over.wait(min(1.0, batch.retry_after_seconds or 1.0))
        self._ledger.handed_out(batch, name, wait_ms, asked_at)
        answers: dict[str, str] = {}
        for item in batch.items:
            self._over.wait(chance.uniform(*self._pace.seconds_per_item))
            answers[item.item_id] = self._truth[item.item_id]
        stored = batch.submit(answers)
        self._ledger.acknowledged(
            {one.item_id: answers[one.item_id] for one in stored.outcomes if one.outcome in ("counted", "duplicate")}
        )
        return True

    def _wait_for_the_ranking(self) -> None:
        until = time.monotonic() + self._pace.patience_seconds
        while self._behind() >= self._pace.patience_labels and time.monotonic() < until:
            if self._over.wait(0.05):
                return
