"""The quality report's arithmetic: who arrived, how many times as many, and what is chance."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

from learning_curves import quality_cells, quality_rows, quality_wins  # scripts, found by their folder

_NEVER = math.inf


def _curve(*heights: float, seed: int = 0, strategy: str = "default", limit: int = 60) -> dict[str, Any]:
    labels = [20 * at for at in range(1, len(heights) + 1)]
    curve = {"labels": labels, "accuracy": list(heights), "macro_f1": list(heights)}
    return {**curve, "set": "a set", "strategy": strategy, "seed": seed, "limit": limit}


def test_a_target_is_a_share_of_that_seeds_own_full_score():
    curves = {0: _curve(0.5, 0.73, 0.8), 1: _curve(0.5, 0.73, 0.8)}
    full = {0: {"accuracy": 0.8}, 1: {"accuracy": 1.0}}

    assert quality_rows.needed(curves, full, "accuracy", 0.9) == {0: 40.0, 1: _NEVER}


def test_a_seed_without_a_full_score_has_the_first_ones():
    assert quality_rows.of_seeds({1: {"accuracy": 0.7}}, {1: {}, 2: {}}) == {1: {"accuracy": 0.7}, 2: {"accuracy": 0.7}}


def test_a_strategy_that_never_arrives_gives_a_bound_from_above():
    found = quality_rows.ratio({0: _NEVER, 1: _NEVER, 2: 500.0}, {0: 400.0, 1: 600.0, 2: 500.0}, (1000, 8000))

    assert found == quality_rows.Ratio(0.6, 0.4, 1.0, at_least=False, at_most=True)


def test_no_ratio_where_neither_arrives():
    assert quality_rows.ratio({0: _NEVER}, {0: _NEVER}, (1000, 8000)) is None
    assert quality_rows.ratio({0: _NEVER, 1: 20.0}, {0: _NEVER, 1: 60.0}, (1000, 8000)) is None


def test_areas_are_compared_over_the_labels_both_curves_have():
    short, long = _curve(0.5, 0.7), _curve(0.4, 0.6, 0.0, 0.0)

    assert quality_rows.over({0: short}, {0: long}, "accuracy").mean == pytest.approx(10.0)


def test_only_seeds_of_both_are_compared():
    ours = {0: _curve(0.5, 0.5), 1: _curve(0.9, 0.9)}

    assert quality_rows.over(ours, {0: _curve(0.4, 0.4)}, "accuracy").seeds == 1
    assert quality_rows.over(ours, {7: _curve(0.4, 0.4)}, "accuracy") is None


def test_the_longer_of_two_runs_of_a_curve_counts():
    found = quality_rows.by_strategy([_curve(0.5, 0.6, 0.7, limit=60), _curve(0.5, 0.6, limit=40)], "a set")

    assert found["default"][0]["limit"] == 60


def test_a_best_rival_is_not_the_one_with_a_single_lucky_seed():
    found = quality_rows.by_strategy(
        [
            *(_curve(0.5, 0.6, seed=seed) for seed in range(3)),
            *(_curve(0.4, 0.5 + seed / 100, seed=seed, strategy="peer: margin") for seed in range(3)),
            _curve(0.9, 0.9, strategy="peer: Badge"),
        ],
        "a set",
    )

    best = quality_wins.best_rival(found, "accuracy", ("peer: ",))

    assert best is not None
    assert best[0] == "peer: margin"
    assert best[1].verdict == "win"


def test_one_seed_has_no_interval():
    assert quality_cells.signed(quality_rows.paired([2.0])) == "+2.0 (one seed)"
