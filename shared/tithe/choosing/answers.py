"""What the choice asks of a model: what it says of items, by their ordinals."""

from __future__ import annotations

from typing import Protocol

from tithe.learners.linear_model import LinearModel
from tithe.learners.words import Tagged
from tithe.strategies.arrays import Float64, Int64


class Answers(Protocol):
    """A model together with what it reads of items: the states of their words, or their texts."""

    @property
    def costly(self) -> bool:
        """Whether each answer costs a pass through a neural network."""

    def of(self, ordinals: Int64, *, committee: bool = False) -> Float64 | Tagged:
        """What the model, or each member of its committee, says of the items.

        Returns
        -------
        float64, shape (n, classes) or (members, n, classes), for items with classes; :class:`Tagged` for words.
        """


#: A linear model reads vectors, which the choice has at hand, and can be asked for the best rows without finishing the
#: others; every other model stands behind its answers.
Asked = LinearModel | Answers
