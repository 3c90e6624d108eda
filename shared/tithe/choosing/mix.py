"""Several strategies, one queue: each has its share of every stretch of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tithe.strategies.catalog import CATALOG, Strategy, lookup

#: What chooses in the place of a strategy that needs a model, while there is none.
WITHOUT_MODEL = "typical_in_stages"
_LONGEST_START = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A strategy and its share of the queue, in (0, 1]."""

    strategy: Strategy
    share: float


def parts_of(strategy: str | Mapping[str, float], *, model: bool) -> list[Part]:
    """The strategies of a project's choice with their shares, which sum to 1; largest first.

    Parameters
    ----------
    strategy
        A name from the catalog, or names with weights above 0.
    model
        Whether there is a model. Without one, what needs it is replaced by `WITHOUT_MODEL`.

    Raises
    ------
    ValueError
        If a name is not in the catalog.

    Examples
    --------
    >>> [(part.strategy.name, part.share) for part in parts_of({"random": 0.1, "margin": 0.9}, model=False)]
    [('typical_in_stages', 0.9), ('random', 0.1)]
    """
    weights = {strategy: 1.0} if isinstance(strategy, str) else strategy
    shares: dict[str, float] = {}
    for name, weight in weights.items():
        chosen = lookup(name)
        if chosen.needs.a_model and not model:
            chosen = CATALOG[WITHOUT_MODEL]
        shares[chosen.name] = shares.get(chosen.name, 0.0) + weight / sum(weights.values())
    ordered = sorted(shares.items(), key=lambda named: (-named[1], named[0]))
    return [Part(CATALOG[name], share) for name, share in ordered]


def turns(shares: Sequence[float], rng: np.random.Generator) -> Iterator[int]:
    """Whose turn it is, place after place, without end: any n places hold n * shares[i] of i, give or take one or two.

    Where the order is begun is drawn, so that the places of a small share are not the same in every round.

    Parameters
    ----------
    shares
        Above 0, summing to 1.
    rng
        Draws where to begin.

    References
    ----------
    Tijdeman 1980, The chairman assignment problem, Discrete Mathematics 32, pp. 323-330 (that so even an order exists).

    Examples
    --------
    >>> order = turns([0.75, 0.25], np.random.default_rng(0))
    >>> sorted(next(order) for _ in range(8))
    [0, 0, 0, 0, 0, 0, 1, 1]
    """
    each = np.asarray(shares, dtype=np.float64)
    credit = np.zeros(len(each))
    passed = int(rng.integers(_LONGEST_START))
    for place in itertools.count():
        credit += each
        turn = int(credit.argmax())
        credit[turn] -= 1.0
        if place >= passed:
            yield turn
