"""The strategies by name, as data: what each needs, what it computes, whose idea it is."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from tithe.strategies import binary_committee, committee, coverage, ranking, uncertainty


class Needs(Enum):
    """What a strategy is given, and so how its function is called."""

    NOTHING = "nothing"  # function(ordinals, seed) -> scores
    PROBABILITIES = "probabilities"  # function(probabilities of shape (n, classes)) -> scores
    COMMITTEE = "committee"  # function(member_probabilities of shape (members, n, classes)) -> scores
    VECTORS = "vectors"  # function(vectors of shape (n, d), k, rng) -> positions, not scores


Function = Callable[..., npt.NDArray[Any]]

ONE_LABEL = frozenset({"text_classification", "vector_classification"})
SEVERAL_LABELS = frozenset({"multilabel_classification"})
TOKEN_LABELS = frozenset({"token_classification"})


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
        For items with one label each.
    multilabel
        For items with several labels each, None where there is no such form.
    reference
        Author and year; the function's docstring has the pages.
    summary
        One line for people who choose a strategy.
    tasks
        The tasks it serves, by the names projects use.
    """

    name: str
    needs: Needs
    function: Function
    multilabel: Function | None
    reference: str
    summary: str
    tasks: frozenset[str]

    def function_for(self, task: str) -> Function:
        """The function that serves a task.

        Raises
        ------
        ValueError
            If the strategy does not serve it; names the tasks that it does.
        """
        chosen = self.multilabel if task in SEVERAL_LABELS else self.function
        if task not in self.tasks or chosen is None:
            raise ValueError(f"strategy {self.name!r} does not serve {task!r}, only {', '.join(sorted(self.tasks))}")
        return chosen


_STRATEGIES = (
    Strategy(
        name="random",
        needs=Needs.NOTHING,
        function=ranking.random_scores,
        multilabel=ranking.random_scores,
        reference="Steele, Lea & Flood 2014",
        summary="Every item equally likely: the control arm the others are measured against.",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
    Strategy(
        name="entropy",
        needs=Needs.PROBABILITIES,
        function=uncertainty.entropy,
        multilabel=uncertainty.binary_entropy,
        reference="Shannon 1948; Settles 2009; for several labels Esuli & Sebastiani 2009",
        summary="Where the model's doubt is spread widest; strong when a class is rare.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="margin",
        needs=Needs.PROBABILITIES,
        function=uncertainty.margin,
        multilabel=uncertainty.binary_margin,
        reference="Scheffer, Decomain & Wrobel 2001; for several labels Brinker 2006",
        summary="Where the two likeliest answers are closest; a sound default for balanced classes.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="least_confident",
        needs=Needs.PROBABILITIES,
        function=uncertainty.least_confident,
        multilabel=uncertainty.binary_least_confident,
        reference="Lewis & Gale 1994; for several labels Culotta & McCallum 2005",
        summary="Where the likeliest answer is least likely.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="vote_entropy",
        needs=Needs.COMMITTEE,
        function=committee.vote_entropy,
        multilabel=binary_committee.binary_vote_entropy,
        reference="Dagan & Engelson 1995; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's votes are split most; small committees tie often.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="vote_entropy_tiebroken",
        needs=Needs.COMMITTEE,
        function=committee.vote_entropy_tiebroken,
        multilabel=None,
        reference="Dagan & Engelson 1995; Settles 2009",
        summary="Vote entropy, its many ties ordered by consensus entropy.",
        tasks=ONE_LABEL,
    ),
    Strategy(
        name="consensus_entropy",
        needs=Needs.COMMITTEE,
        function=committee.consensus_entropy,
        multilabel=binary_committee.binary_consensus_entropy,
        reference="Settles 2009; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's mean prediction is most in doubt.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="kl_to_consensus",
        needs=Needs.COMMITTEE,
        function=committee.mean_kl_to_consensus,
        multilabel=binary_committee.binary_mean_kl_to_consensus,
        reference="McCallum & Nigam 1998; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's members disagree, rather than doubt together.",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="k_center",
        needs=Needs.VECTORS,
        function=coverage.k_center_greedy,
        multilabel=coverage.k_center_greedy,
        reference="Gonzalez 1985; Sener & Savarese 2018",
        summary="The items farthest from everything labeled; finds outliers first, so weak for small budgets.",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
    Strategy(
        name="coverage",
        needs=Needs.VECTORS,
        function=coverage.k_means_plus_plus,
        multilabel=coverage.k_means_plus_plus,
        reference="Arthur & Vassilvitskii 2007",
        summary="Spread over the pool in proportion to distance: the start before any label exists.",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
    Strategy(
        name="typical",
        needs=Needs.VECTORS,
        function=coverage.typical,
        multilabel=coverage.typical,
        reference="Hacohen, Dekel & Weinshall 2022",
        summary="The densest spot of each cluster: a start for budgets of a few labels a class.",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
)

CATALOG: Mapping[str, Strategy] = MappingProxyType({strategy.name: strategy for strategy in _STRATEGIES})


def lookup(name: str) -> Strategy:
    """The strategy of that name.

    Raises
    ------
    ValueError
        If there is none; names the nearest and all there are.

    Examples
    --------
    >>> lookup("margin").reference
    'Scheffer, Decomain & Wrobel 2001; for several labels Brinker 2006'
    >>> lookup("margins")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: no strategy is called 'margins'; did you mean 'margin'? there are consensus_entropy, coverage, ...
    """
    if name in CATALOG:
        return CATALOG[name]
    near = difflib.get_close_matches(name, CATALOG, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"no strategy is called {name!r}; {hint}there are {', '.join(sorted(CATALOG))}")
