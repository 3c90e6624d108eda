"""From curves to a table: labels for a share of the full-pool score, areas, and what of it is chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: Shares of the full-pool score.
TARGETS = (0.90, 0.95, 0.98, 0.99)
_RESAMPLES = 2000

Curve = Mapping[str, Any]


def labels_for(curve: Curve, metric: str, score: float) -> float:
    """The first label count at which the curve reaches the score; infinity if it never does.

    Examples
    --------
    >>> labels_for({"labels": [20, 40, 60], "accuracy": [0.5, 0.8, 0.7]}, "accuracy", 0.75)
    40.0
    """
    reached = np.flatnonzero(np.asarray(curve[metric]) >= score)
    return float(curve["labels"][reached[0]]) if len(reached) else float("inf")


def area(curve: Curve, metric: str) -> float:
    """Mean height of the curve from its first label to its last, in points (hundredths).

    Examples
    --------
    >>> area({"labels": [20, 40, 60], "accuracy": [0.5, 0.75, 1.0]}, "accuracy")
    75.0
    """
    labels, heights = np.asarray(curve["labels"], dtype=float), np.asarray(curve[metric], dtype=float)
    steps = np.diff(labels)
    return float(100 * (steps * (heights[1:] + heights[:-1]) / 2).sum() / steps.sum())


def interval(values: Sequence[float], q: float = 0.9) -> tuple[float, float]:
    """A bootstrap interval of the median over the seeds.

    Examples
    --------
    >>> interval([3.0, 3.0, 3.0])
    (3.0, 3.0)
    """
    drawn = np.random.default_rng(0).choice(np.asarray(values), (_RESAMPLES, len(values)))
    medians = np.sort(np.partition(drawn, (len(values) - 1) // 2, axis=1)[:, (len(values) - 1) // 2])
    edge = int(_RESAMPLES * (1 - q) / 2)
    return float(medians[edge]), float(medians[-1 - edge])


def rows(curves: Sequence[Curve], metrics: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each set, head and strategy: medians over the seeds, against random with the same head and seeds.

    Parameters
    ----------
    curves
        With set, head, strategy, seed, growth, labels, accuracy, macro_f1; the full-pool scores as strategy ``"all"``.
    metrics
        Of each set.
    """
    full = {(c["set"], c["head"], c["seed"]): c for c in curves if c["strategy"] == "all"}
    by_row: dict[tuple[str, str, str], dict[int, Curve]] = defaultdict(dict)
    for curve in curves:
        if curve["strategy"] != "all":
            by_row[curve["set"], curve["head"], curve["strategy"]][curve["seed"]] = curve
    made = []
    for (name, head, strategy), of_seeds in by_row.items():
        metric = metrics[name]
        base = by_row.get((name, head, "random"), {})
        row: dict[str, Any] = {"work": f"{name}, {metric}, head {head}", "strategy": strategy, "seeds": len(of_seeds)}
        growth = next(iter(of_seeds.values()))["growth"]
        row["batches"] = f"20, or {growth:.0%}" if growth else "20"
        row["full"] = round(float(np.median([full[name, head, seed][metric] for seed in of_seeds])), 3)
        for target in TARGETS:
            needed = {s: labels_for(c, metric, target * full[name, head, s][metric]) for s, c in of_seeds.items()}
            randoms = [labels_for(c, metric, target * full[name, head, s][metric]) for s, c in base.items()]
            row |= _needed(f"{target:.0%}", list(needed.values()), randoms)
        row |= _areas({seed: area(curve, metric) for seed, curve in of_seeds.items()}, base, metric)
        row["choosing ms"] = round(
            1000 * float(np.median([c["choosing_s"] / len(c["labels"]) for c in of_seeds.values()])), 1
        )
        made.append(row)
    return sorted(made, key=lambda row: (row["work"], -row["area"]))


def _needed(target: str, needed: Sequence[float], randoms: Sequence[float]) -> dict[str, Any]:
    """The median, its 90 % interval, and how many times as many random takes; nothing where either never arrives."""
    middle = _median(needed)
    low, high = interval(needed)
    row = {target: f"{_count(middle)} ({_count(low)} to {_count(high)})" if np.isfinite(low) else "never"}
    if randoms and np.isfinite(middle) and np.isfinite(_median(randoms)):
        row[f"{target} saves"] = f"{_median(randoms) / middle:.1f}x"
    return row


def _areas(areas: Mapping[int, float], base: Mapping[int, Curve], metric: str) -> dict[str, Any]:
    """The mean area, and what it is above random's, seed by seed, with twice its standard error."""
    row: dict[str, Any] = {"area": round(float(np.mean(list(areas.values()))), 2)}
    above = []
    for seed in areas.keys() & base.keys():
        other = base[seed]
        above.append(areas[seed] - area(other, metric))
    if above:
        error = 2 * float(np.std(above, ddof=1)) / np.sqrt(len(above)) if len(above) > 1 else float("nan")
        row["over random"] = f"{np.mean(above):+.2f} ± {error:.2f}"
    return row


def _median(values: Sequence[float]) -> float:
    """The lower of the middle ones, so that it is a label count somebody needed."""
    return float(np.sort(np.asarray(values))[(len(values) - 1) // 2])


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "never"
