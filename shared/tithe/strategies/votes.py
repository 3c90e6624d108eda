"""Entropy of hard votes in exact integers: equal splits of the votes give equal bytes, in whatever order they fell.

A logarithm is kept as an integer, ``round(2**50 * log(prime))`` for a prime and the sum over the prime factors for any
other number. Sums of such integers do not round. And the entropy of a split depends only on the product of ``v**v``
over its vote counts v, so two splits of equal entropy, such as 4+1+1+1+1 and 2+2+2+2 (both 256), reach the same
integer.
"""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats

MOST_MEMBERS = 255  # votes are counted in bytes
MOST_MEMBERS_TIEBROKEN = 32  # beyond, the smallest gap costs seconds and leaves little room
_ONE = 2**50  # 1 nat

Votes = npt.NDArray[np.unsignedinteger[Any]]


def check_size(member_probabilities: Floats, most: int) -> None:
    """Refuse a committee of more members than the arithmetic of its votes allows."""
    shape = np.shape(member_probabilities)
    if len(shape) == 3 and shape[0] > most:
        raise ValueError(f"member_probabilities, shape {shape}, has more than {most} members")


def entropy_of_votes(stack: Float64) -> Float64:
    """Entropy in nats of the members' hard votes, from a block of shape (members, classes, rows)."""
    return entropy_of_split(hard_votes(stack))


def entropy_of_split(votes: Votes) -> Float64:
    """Entropy in nats of votes of shape (members, rows): which number stands for which class does not matter.

    A class with v of the M votes adds ``v / M * log(M / v)``: 1/M of ``log(M / v)`` for each member who voted for it.
    So nothing needs counting per class, only how many members agree with each member.
    """
    members, _ = votes.shape
    agreeing = np.ones(votes.shape, dtype=np.uint8)
    for one, other in itertools.combinations(range(members), 2):
        same = votes[one] == votes[other]
        agreeing[one] += same
        agreeing[other] += same
    logs = np.array(_integer_logs(members))
    agreed = np.add.reduce(logs[agreeing], axis=0)
    return np.asarray((members * logs[members] - agreed) / (members * _ONE), dtype=np.float64)


def hard_votes(stack: Floats) -> Votes:
    """Each member's likeliest class, of equal ones the first, counted down from the number of classes.

    Takes (members, classes, rows), gives (members, rows).
    """
    return first_of(stack == stack.max(axis=1, keepdims=True))


def first_of(true: npt.NDArray[np.bool_]) -> Votes:
    """The first class of each member that is true, counted down from the number of classes; 0 where none is.

    Takes (members, classes, rows), gives (members, rows).
    """
    classes = true.shape[1]
    countdown = np.arange(classes, 0, -1, dtype=np.min_scalar_type(classes))
    return np.asarray((true.view(np.uint8) * countdown[:, np.newaxis]).max(axis=1))


def entropy_of_yes_counts(yes: npt.NDArray[np.uint8], members: int) -> Float64:
    """Entropy in nats of a vote of yes or no, for an array of how many of the members said yes."""
    levels = np.zeros(members + 1)
    for minority in range(1, members // 2 + 1):
        share = minority / members
        levels[[minority, members - minority]] = -share * math.log(share) - (1.0 - share) * math.log1p(-share)
    return levels[yes]


@cache
def smallest_gap(members: int) -> float:
    """Smallest difference, in nats, between two different vote entropies that so many members can reach.

    From all splits of the votes, as sums over the parts of ``v * log(v)``; some milliseconds for 32 members, about
    doubling with every two more.
    """
    logs = _integer_logs(members)
    reachable = [{0}]
    for total in range(1, members + 1):
        reachable.append({v * logs[v] + rest for v in range(1, total + 1) for rest in reachable[total - v]})
    levels = sorted(reachable[members])
    gaps = (high - low for low, high in itertools.pairwise(levels))
    return min(gaps, default=_ONE) / (members * _ONE)


@cache
def _integer_logs(most: int) -> tuple[int, ...]:
    logs = [0, 0]
    for number in range(2, most + 1):
        factor = next(divisor for divisor in range(2, number + 1) if number % divisor == 0)
        is_prime = factor == number
        logs.append(round(math.log(number) * _ONE) if is_prime else logs[factor] + logs[number // factor])
    return tuple(logs)
