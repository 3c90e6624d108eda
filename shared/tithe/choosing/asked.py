"""What a shard keeps by the answers of a model that is asked item by item: one pass for all sieves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tithe.choosing.answers import Answers
from tithe.choosing.kept import NONE, Kept, merge
from tithe.learners.words import Tagged
from tithe.strategies import draws
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.catalog import CATALOG, Needs
from tithe.strategies.sieves import Keep, Sieve


def by_answers(sieves: Sequence[Sieve], answers: Answers, ordinals: Int64, task: str, seed: int) -> list[Kept]:
    """The lists the sieves keep of the items, in the order of the sieves.

    Unlike the linear model's, an answer may differ in its last bits with the items beside it, so two cuts of a pool
    into shards may order what is as good as equal differently.

    Raises
    ------
    ValueError
        If the answers are no probabilities, or a strategy does not serve the task.
    """
    kept = [NONE for _ in sieves]
    committee = any(_committees(sieve) for sieve in sieves)
    for some in answers.portions(ordinals):
        said = answers.of(some, committee=committee)
        for at, sieve in enumerate(sieves):
            mine = (_members if _committees(sieve) else _own)(said) if committee else said
            kept[at] = merge(sieve, [kept[at], _keyed(sieve, some, mine, task, seed)], seed)
    return kept


def _committees(sieve: Sieve) -> bool:
    return CATALOG[sieve.by].needs in (Needs.COMMITTEE, Needs.TAG_COMMITTEE)


def _own(said: Float64 | Tagged) -> Float64 | Tagged:
    return said._replace(probabilities=said.probabilities[0]) if isinstance(said, Tagged) else said[0]


def _members(said: Float64 | Tagged) -> Float64 | Tagged:
    return said._replace(probabilities=said.probabilities[1:]) if isinstance(said, Tagged) else said[1:]


def _keyed(sieve: Sieve, ordinals: Int64, said: Float64 | Tagged, task: str, seed: int) -> Kept:
    try:
        scores = scored(sieve.by, said, task)
    except ValueError as error:
        raise ValueError(f"{sieve.name}: {error}") from error
    if sieve.keep is Keep.DRAWN:
        return Kept(ordinals, draws.draw_keys(scores, ordinals, seed))
    groups = None if isinstance(said, Tagged) or said.ndim != 2 else said.argmax(axis=1)
    return Kept(ordinals, scores, groups)


def scored(strategy: str, said: Float64 | Tagged, task: str) -> Float64:
    """The strategy's score of each item, float64, shape (n,), higher = more worth asking."""
    function = CATALOG[strategy].function_for(task)
    given = (said.probabilities, said.starts) if isinstance(said, Tagged) else (said,)
    scores: Float64 = np.asarray(function(*given), np.float64)
    return scores
