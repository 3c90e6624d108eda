"""A labeling loop as a plain ``for``: batches are asked for, kept, answered and given back behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tithe.client.batch import SKIP, BatchHandle, Nothing, Skip
from tithe.contracts.api import BatchItem


class Question:
    """One item that waits for its answer."""

    def __init__(self, item: BatchItem, batch: BatchHandle) -> None:
        self.item = item
        self.batch = batch
        self.said: Any = None

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self.item.item_id

    @property
    def text(self) -> str:
        """Its text; tokens joined by spaces; empty for a bare vector."""
        return self.item.text if self.item.text is not None else " ".join(self.item.tokens or [])

    def answer(self, label: Any) -> None:
        """Label the item: a class name, a list of class names, or a list of spans."""
        self.said = label

    def skip(self, note: str | None = None) -> None:
        """Leave the item out."""
        self.said = Skip(note) if note else SKIP


def ask(next_batch: Callable[[], BatchHandle | Nothing]) -> Iterator[Question]:
    """Yield question after question until nothing is left.

    Answers are sent batch by batch, also when the loop is left early; what was not answered is given back. A batch that
    nobody answered at all ends the loop: the same items would come again.
    """
    while batch := next_batch():
        with batch:
            questions = [Question(item, batch) for item in batch.items]
            try:
                yield from questions
            finally:
                answers = {one.item_id: one.said for one in questions if one.said is not None}
                if answers:
                    batch.submit(answers)
        if not answers:
            return
