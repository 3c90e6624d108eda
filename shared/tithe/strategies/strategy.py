"""What a strategy is: what it needs, what it computes, what shards keep for it, whose idea it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy.typing as npt

from tithe.strategies.sieves import Keep, Sieve


class Needs(Enum):
    """What a strategy is given, and so how its function is called."""

    NOTHING = "nothing"  # function(ordinals, seed) -> scores
    PROBABILITIES = "probabilities"  # function(probabilities of shape (n, classes)) -> scores
    COMMITTEE = "committee"  # function(member_probabilities of shape (members, n, classes)) -> scores
    VECTORS = "vectors"  # function(candidates, k, rng) -> positions, best first; needs no model
    VECTORS_AND_MODEL = "vectors and a model"  # the same, of candidates with probabilities
    TAGS = "tags of words"  # function(probabilities of shape (words, tags), starts) -> one score a text
    TAG_COMMITTEE = "committee's tags of words"  # function(member_probabilities of (members, words, tags), starts)

    @property
    def a_model(self) -> bool:
        """Whether it can choose only once a model is there."""
        return self not in (Needs.NOTHING, Needs.VECTORS)

    @property
    def words(self) -> bool:
        """Whether it reads what the model says of each word of a text."""
        return self in (Needs.TAGS, Needs.TAG_COMMITTEE)

    @property
    def a_set(self) -> bool:
        """Whether it looks at many candidates at once, rather than scoring each by itself."""
        return self in (Needs.VECTORS, Needs.VECTORS_AND_MODEL)


Function = Callable[..., npt.NDArray[Any]]
Sieves = Callable[[int], tuple[Sieve, ...]]

ONE_LABEL = frozenset({"text_classification", "vector_classification"})
SEVERAL_LABELS = frozenset({"multilabel_classification"})
TOKEN_LABELS = frozenset({"token_classification"})

#: How many rows of the pool strategies look at that need no model, or stand for it in a sum: a random sample.
SAMPLE = 20_000
#: The most rows any strategy that looks at sets is given.
MOST_CANDIDATES = 20_000


def spare(depth: int) -> int:
    """How many of the best are kept for a queue of so many: near-duplicates among them are to be left out."""
    return 2 * depth + 1000


def best(by: str) -> Sieves:
    """Keep the highest scores by that strategy."""
    return lambda depth: (Sieve(Keep.BEST, by, spare(depth)),)


def by_turns(by: str) -> Sieves:
    """Keep each predicted class's highest scores."""
    return lambda depth: (Sieve(Keep.TURNS, by, spare(depth)),)


def sample(depth: int) -> tuple[Sieve, ...]:
    """Keep a random sample of the pool."""
    return (Sieve(Keep.BEST, "random", max(SAMPLE, 4 * depth)),)


def centers(depth: int) -> tuple[Sieve, ...]:
    """Keep each shard's own farthest-first rows."""
    return (Sieve(Keep.CENTERS, "k_center", depth + depth // 4 + 1),)


def most_doubtful(depth: int) -> tuple[Sieve, ...]:
    """Keep the smallest margins, ten times as many as are to be chosen."""
    return (Sieve(Keep.BEST, "margin", min(MOST_CANDIDATES, 10 * depth + 1000)),)


def drawn(by: str) -> Sieves:
    """Keep a random draw in proportion to that strategy's score."""
    return lambda depth: (Sieve(Keep.DRAWN, by, max(MOST_CANDIDATES, 4 * depth)),)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to choose what to ask next.

    Attributes
    ----------
    name
        What a project calls it; a promise to the reference.
    needs
        What its functions take; see :class:`Needs`.
    function
        For items with one label each, or with one for each word.
    multilabel
        For items with several labels each, None where there is no such form.
    sieves
        What shards keep for it, given the queue's depth.
    reference
        Author and year; the function's docstring has the pages.
    summary
        One line for people who choose a strategy.
    use
        When it is the right one, and when not.
    cost
        Time beyond reading the pool once: n rows of the pool, c candidates, k chosen, d numbers a vector.
    tasks
        The tasks it serves, by the names projects use.
    wants_labeled
        Whether its candidates carry the labeled items' vectors.
    wants_distance
        Whether they carry their distances to the nearest labeled item.
    """

    name: str
    needs: Needs
    function: Function
    multilabel: Function | None
    sieves: Sieves
    reference: str
    summary: str
    use: str
    cost: str
    tasks: frozenset[str]
    wants_labeled: bool = False
    wants_distance: bool = False

    def function_for(self, task: str) -> Function:
        """The function that serves a task.

        Raises
        ------
        ValueError
            If the strategy does not serve it; says why, and names the tasks that it does.
        """
        chosen = self.multilabel if task in SEVERAL_LABELS else self.function
        if task not in self.tasks or chosen is None:
            raise ValueError(
                f"strategy {self.name!r} does not serve {task!r}: {self._misfit(task)}; "
                f"it serves {', '.join(sorted(self.tasks))}"
            )
        return chosen

    def _misfit(self, task: str) -> str:
        if self.needs.words:
            return "it reads tags of words, and no words are tagged there"
        if task in TOKEN_LABELS:
            return "it reads one answer an item, and a text has one for each of its words"
        return "it has no form for several labels an item"
