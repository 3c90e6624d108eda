"""A labeling loop as a plain ``for``: batches are asked for, kept, answered and given back behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from typing import Any

from tithe.client.batch import SKIP, BatchHandle, Nothing, Skip
from tithe.client.problem import TitheProblem
from tithe.contracts.api import BatchItem
from tithe.contracts.labels import check_label
from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project
from tithe.errors import InvalidLabel

_log = logging.getLogger(__name__)


class Question:
    """One item that waits for its answer."""

    def __init__(self, item: BatchItem, batch: BatchHandle, project: Project) -> None:
        self.item = item
        self.batch = batch
        self._project = project
        self.said: Any = None

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self.item.item_id

    @property
    def text(self) -> str:
        """Its text; tokens joined by spaces; empty for a bare vector."""
        return self.item.text if self.item.text is not None else " ".join(self.item.tokens or [])

    @property
    def prediction(self) -> Prediction | None:
        """What the model thinks; its ``answer()`` agrees with it. None: no model yet, or blind labeling."""
        return self.item.prediction

    @property
    def why(self) -> Mapping[str, Any]:
        """How the item was chosen: rank, votes, doubtful words and more, as far as its strategy tells."""
        return self.item.why

    def answer(self, label: Any) -> None:
        """Label the item: a class name, a list of class names, or a list of spans.

        Raises TitheProblem ``invalid_label`` at once where the project has no such label, or a span does not fit the
        text; the question then waits for another answer.
        """
        if isinstance(label, Skip):
            self.said = label
            return
        project, item = self._project, self.item
        value = list(label) if isinstance(label, tuple) else label
        try:
            self.said = check_label(
                project.task, project.labels, value, place="label", text=item.text, tokens=item.tokens
            )
        except InvalidLabel as error:
            raise TitheProblem(
                error.status, error.code, f"item {item.item_id!r}: {error.message}", place=error.place,
                remedy=error.remedy,
            ) from None  # fmt: skip

    def skip(self, note: str | None = None) -> None:
        """Leave the item out."""
        self.said = Skip(note) if note else SKIP


def ask(next_batch: Callable[[], BatchHandle | Nothing], project: Project) -> Generator[Question]:
    """Yield question after question until nothing is left.

    Answers are sent batch by batch, also when the loop is left early; what was not answered is given back. A batch that
    nobody answered at all ends the loop: the same items would come again.
    """
    while batch := next_batch():
        with batch:
            questions = [Question(item, batch, project) for item in batch.items]
            try:
                yield from questions
            except GeneratorExit:
                _send_last(batch, _answers(questions))
                raise
            if answers := _answers(questions):
                batch.submit(answers)
        if not answers:
            return


def _answers(questions: list[Question]) -> dict[str, Any]:
    return {one.item_id: one.said for one in questions if one.said is not None}


def _send_last(batch: BatchHandle, answers: dict[str, Any]) -> None:
    """Send what a loop that was left has. Nobody can catch an error any more: it becomes one line of the log."""
    if not answers:
        return
    try:
        batch.submit(answers)
    except TitheProblem as error:
        _log.warning("answers of %s that were not sent: %d; %s", batch.annotator, len(answers), error)
