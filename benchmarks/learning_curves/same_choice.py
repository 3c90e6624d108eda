"""Whether two libraries' strategies of one idea choose the same, given the same model: then one curve is both's."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from learning_curves import contestants, peers, peers_small_text
from learning_curves.replay import Now, the_learner
from learning_curves.sets import SETS, draw
from tithe.cli.demo.data import cache_folder

#: scikit-activeml's name here, small-text's.
TWINS = {"peer: margin": "small-text: BreakingTies", "peer: entropy": "small-text: PredictionEntropy"}
_LABELED, _PICKS = (40, 100, 200, 400), 20


def measured() -> dict[str, str]:
    """Of each pair: how many of the picks are the same, over models of the digits with more and more random labels."""
    problem = draw(SETS["digits"], None, cache_folder() / "curves", 0)
    order = np.random.default_rng(0).permutation(len(problem.pool))
    same = dict.fromkeys(TWINS, 0)
    for count in _LABELED:
        labeled = order[:count]
        model = the_learner(problem, labeled, 1, None)
        now = Now(problem.pool, labeled, problem.answers[labeled], 10, "vector_classification", model, 1)
        for one, other in TWINS.items():
            a = peers.of_scikit_activeml(one, contestants.at_random)(now, _PICKS)
            b = peers_small_text.of_small_text(other, contestants.at_random)(now, _PICKS)
            same[one] += len(np.intersect1d(a, b))
    return {TWINS[one]: f"{count} of {_PICKS * len(_LABELED)}" for one, count in same.items()}


def versions() -> dict[str, Any]:
    """What was measured against."""
    found = {}
    for name in ("scikit-activeml", "small-text", "scikit-learn", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
