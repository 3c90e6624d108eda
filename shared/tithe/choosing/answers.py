"""What the choice asks of a model: what it says of items, by their ordinals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tithe.learners.linear_model import LinearModel
from tithe.learners.words import Tagged
from tithe.strategies.arrays import Float64, Int64


class Answers(Protocol):
    """A model together with what it reads of items: the states of their words, or their texts."""

    @property
    def costly(self) -> bool:
        """Whether each answer costs a pass through a neural network."""

    def portions(self, ordinals: Int64) -> Iterator[Int64]:
        """The items in portions whose answers fit the memory together."""

    def of(self, ordinals: Int64, *, committee: bool = False) -> Float64 | Tagged:
        """What the model says of the items.

        Returns
        -------
        float64, shape (n, classes), for items with classes; :class:`Tagged` for words. With the committee there is one
        axis more, of 1 + members: the model's own answer first.
        """


#: A linear model reads vectors, which the choice has at hand, and can be asked for the best rows without finishing the
#: others; every other model stands behind its answers.
Asked = LinearModel | Answers
