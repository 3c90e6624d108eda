"""Arithmetic of the quality report: labels for a target, how many times as many random needs, areas, wins, losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from learning_curves.groups import EVERYTHING
from learning_curves.table import area, interval, labels_for

Curve = Mapping[str, Any]
#: Of one strategy on one set, by seed.
Curves = Mapping[int, Curve]


@dataclass(frozen=True)
class Ratio:
    """How many times as many labels the one needs as the other: median over the seeds and its 90 % interval.

    A seed in which only one of the two arrived gives a bound; `at_least` and `at_most` say that the median is one.
    """

    median: float
    low: float
    high: float
    at_least: bool = False
    at_most: bool = False


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences, in points of area, with the half width of its 95 % interval (Student's t)."""

    mean: float
    half: float  #: NaN with a single seed
    seeds: int

    @property
    def verdict(self) -> Literal["win", "loss", "even"]:
        """Even, unless zero lies outside the interval."""
        if not abs(self.mean) > self.half:
            return "even"
        return "win" if self.mean > 0 else "loss"


def cut(curve: Curve, limit: float) -> dict[str, Any]:
    """The curve up to a label count: areas are compared over the same labels.

    Examples
    --------
    >>> cut({"labels": [20, 40, 60], "accuracy": [0.5, 0.8, 0.9], "macro_f1": [0.4, 0.7, 0.8]}, 40)["accuracy"]
    [0.5, 0.8]
    """
    points = int(np.searchsorted(curve["labels"], limit, side="right"))
    series = {name: curve[name][:points] for name in ("labels", "accuracy", "macro_f1")}
    return {**curve, **series}


def needed(curves: Curves, full: Curves, metric: str, target: float) -> dict[int, float]:
    """By seed: labels for the share of that seed's full-pool score; infinity where the curve ends before."""
    return {seed: labels_for(curve, metric, target * full[seed][metric]) for seed, curve in curves.items()}


def of_seeds(full: Curves, wanted: Curves) -> dict[int, Curve]:
    """The full-pool score of every wanted seed: a seed without one of its own has the first one's."""
    first = full[min(full)]
    return {seed: full.get(seed, first) for seed in wanted}


def middle(values: Sequence[float]) -> float:
    """The lower of the middle ones, so that it is a label count somebody needed.

    Examples
    --------
    >>> middle([40.0, 20.0, float("inf")]), middle([20.0, 40.0])
    (40.0, 20.0)
    """
    return float(np.sort(np.asarray(values, dtype=float))[(len(values) - 1) // 2])


def ratio(of: Mapping[int, float], base: Mapping[int, float], ends: tuple[float, float]) -> Ratio | None:
    """How many times as many labels `base` needs as `of`, seed by seed.

    Parameters
    ----------
    of, base
        Labels needed, by seed; infinity: never, up to where the curves end.
    ends
        The label counts at which the curves of `of` and of `base` end: what "never" is at least.

    Returns
    -------
    None where the seeds in which neither arrived are half or more.

    Examples
    --------
    >>> ratio({0: 100.0, 1: 200.0, 2: 100.0}, {0: 400.0, 1: 400.0, 2: 300.0}, (1000, 8000))
    Ratio(median=3.0, low=2.0, high=4.0, at_least=False, at_most=False)
    >>> ratio({0: 100.0}, {0: float("inf")}, (1000, 8000))
    Ratio(median=80.0, low=80.0, high=80.0, at_least=True, at_most=False)
    """
    seeds = sorted(of.keys() & base.keys())
    known = [seed for seed in seeds if np.isfinite(of[seed]) or np.isfinite(base[seed])]
    if not known or 2 * len(known) <= len(seeds):
        return None
    times = [min(base[seed], ends[1]) / min(of[seed], ends[0]) for seed in known]
    low, high = interval(times)
    at = known[int(np.argsort(times, kind="stable")[(len(times) - 1) // 2])]
    return Ratio(middle(times), low, high, at_least=bool(np.isinf(base[at])), at_most=bool(np.isinf(of[at])))


def over(curves: Curves, base: Curves, metric: str, limit: float = math.inf) -> Difference | None:
    """The area of the one less the other's, seed by seed, over the labels both curves have, up to a limit."""
    differences = []
    for seed in sorted(curves.keys() & base.keys()):
        end = min(limit, curves[seed]["labels"][-1], base[seed]["labels"][-1])
        differences.append(area(cut(curves[seed], end), metric) - area(cut(base[seed], end), metric))
    return paired(differences) if differences else None


def paired(differences: Sequence[float]) -> Difference:
    """Their mean with a 95 % interval.

    Examples
    --------
    >>> paired([1.0, 2.0, 3.0])
    Difference(mean=2.0, half=2.48, seeds=3)
    >>> paired([1.0, 2.0, 3.0]).verdict, paired([2.0, 2.1, 2.2]).verdict, paired([5.0]).verdict
    ('even', 'win', 'even')
    """
    n = len(differences)
    half = float("nan")
    if n > 1:
        half = float(student.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n))
    return Difference(round(float(np.mean(differences)), 2), round(half, 2), n)


def mean_area(curves: Curves, metric: str, end: float) -> float:
    """The mean area over the seeds, in points, up to a label count."""
    return float(np.mean([area(cut(curve, end), metric) for curve in curves.values()]))


def last(curves: Curves) -> float:
    """The label count to which every one of them goes."""
    return float(min(curve["labels"][-1] for curve in curves.values()))


def by_strategy(curves: Sequence[Curve], name: str) -> dict[str, dict[int, Curve]]:
    """One set's curves: strategy to seed to curve; of several lengths of one curve the longest."""
    found: dict[str, dict[int, Curve]] = {}
    for curve in sorted((one for one in curves if one["set"] == name), key=lambda one: one["limit"]):
        found.setdefault(curve["strategy"], {})[curve["seed"]] = curve
    return found


def shared_end(found: Mapping[str, Curves]) -> float:
    """The label count to which all of a set's curves go, by strategy and seed; full-pool scores are no curves."""
    return min(last(curves) for name, curves in found.items() if name != EVERYTHING)
