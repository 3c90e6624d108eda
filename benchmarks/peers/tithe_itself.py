"""Tithe, called as its scorers call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from peers.case import LABELED, Case
from tithe.learners.fused import best_rows
from tithe.learners.linear_model import FitFacts, LinearModel

_CHUNK = 131_072  # a block of the pool


def model_of(case: Case) -> LinearModel:
    """The case's model as Tithe keeps it."""
    facts = FitFacts(case.classes, (1,) * case.classes, 1.0, 0.0, 1.0, "accuracy", 0, 0, 5)
    learned, prior = np.arange(case.classes), np.full(case.classes, 0.5)
    return LinearModel(case.heads, learned, prior, "single", 1.0, None, None, facts)


def _best(measure: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        model, vectors = model_of(case), case.vectors

        def runs() -> Iterator[tuple[int, np.ndarray]]:
            for turn in range(case.over):
                for first in range(0, case.n, _CHUNK):
                    yield turn * case.n + first, vectors[first : first + _CHUNK]

        return lambda: best_rows(model, runs(), measure, case.k, seed=0).ordinals

    return prepare


def _function(module: str, name: str) -> Any:
    return getattr(import_module(f"tithe.strategies.{module}"), name)


def _distances(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The candidates and how far each is from what is labeled, as a shard's scorer keeps it between rounds."""
    from tithe.loop.folding import fold

    vectors, distance = case.vectors[: case.n - LABELED], np.full(case.n - LABELED, np.inf, np.float32)
    labeled = np.asarray(case.vectors[case.n - LABELED :])
    for first in range(0, len(vectors), _CHUNK):
        fold(distance[first : first + _CHUNK], vectors[first : first + _CHUNK], labeled)
    return vectors, distance.astype(np.float64)


def _k_center(case: Case) -> Callable[[], np.ndarray]:
    k_center = _function("coverage", "k_center_greedy")

    def pick() -> np.ndarray:
        vectors, labeled = case.vectors[: case.n - LABELED], np.asarray(case.vectors[case.n - LABELED :])
        return k_center(vectors, case.k, np.random.default_rng(0), given=labeled)

    return pick


def _k_center_kept(case: Case) -> Callable[[], np.ndarray]:
    k_center = _function("coverage", "k_center_greedy")
    vectors, distance = _distances(case)
    return lambda: k_center(vectors, case.k, np.random.default_rng(0), distance)


def _badge(case: Case) -> Callable[[], np.ndarray]:
    badge, model, vectors = _function("badge", "badge"), model_of(case), case.vectors
    return lambda: badge(vectors, model.predict_proba(vectors), case.k, np.random.default_rng(0))


def _typical(case: Case) -> Callable[[], np.ndarray]:
    typical, vectors = _function("coverage", "typical"), case.vectors
    return lambda: typical(vectors, case.k, np.random.default_rng(0))


def _herding(case: Case) -> Callable[[], np.ndarray]:
    herding, vectors = _function("herding", "max_herding"), case.vectors
    return lambda: herding(vectors, case.k, np.random.default_rng(0))


def _uncertainty_herding(case: Case) -> Callable[[], np.ndarray]:
    herding, margin = _function("herding", "uncertainty_herding"), _function("uncertainty", "margin")
    model, vectors = model_of(case), case.vectors
    return lambda: herding(vectors, margin(model.predict_proba(vectors)), case.k, np.random.default_rng(0))


WORKS: dict[str, Any] = {
    "entropy": _best("entropy"), "margin": _best("margin"), "vote_entropy": _best("vote_entropy"),
    "k_center": _k_center, "k_center_kept": _k_center_kept, "badge": _badge, "typical": _typical,
    "max_herding": _herding, "uncertainty_herding": _uncertainty_herding,
}  # fmt: skip
