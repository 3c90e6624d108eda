"""Savings against random, on projects whose learning curves are known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tithe.proof import curve_prior, random_arm
from tithe.proof.random_arm import RandomArm
from tithe.proof.savings import Savings, savings
from tithe.proof.tallies import Tally

POOL = 20_000
Curve = Callable[[float], float]


def falling(n: float) -> float:
    """The score of random labels: a power law towards 0.92."""
    return 0.92 - 0.9 * n**-0.5


def slow(n: float) -> float:
    """The same, but slower and towards 0.9."""
    return 0.9 - 0.6 * n**-0.4


def flat(n: float) -> float:
    """Nothing is learned from any number of labels."""
    del n
    return 0.25


def project(curve: Curve, active: float, control: int, seed: int) -> tuple[Tally, RandomArm | None]:
    """A model that is right so often, and random's models by their curve: harder items are hard for all of them."""
    rng = np.random.default_rng(seed)
    ease, own = rng.random(control), rng.random((64, control))
    rows = np.arange(control)

    def tally(share: float, luck: np.ndarray) -> Tally:
        right = np.where(luck < 0.7, ease, luck / 0.7 - 1 + (luck < 0.7)) if False else None
        del right
        mixed = np.where(luck < 0.8, ease, (luck - 0.8) / 0.2)
        return Tally("accuracy", rows, np.stack([mixed < share, np.ones(control)], axis=1).astype(float), None)

    def fit(training: random_arm.Int64, number: int) -> Tally | None:
        return tally(curve(len(training)), own[number % 60])

    arm = random_arm.measure(fit, rows, random_arm.plan(rows, seed), 0)
    return tally(active, own[63]), arm
