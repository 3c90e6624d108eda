"""What the runs come to: the report, ready for JSON."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tithe.contracts.projects import said
from tithe.rehearsal import figures
from tithe.rehearsal.figures import Ratio, Spread
from tithe.rehearsal.problem import parts_of
from tithe.rehearsal.records import Records, names_in
from tithe.rehearsal.settings import RANDOM, TARGETS, Mix, Settings
from tithe.rehearsal.stage import Stage

FORMAT = "tithe.rehearsal/1"
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Price:
    """What a label costs."""

    each: float | None
    currency: str


@dataclass(frozen=True)
class Played:
    """Every run of a rehearsal.

    Attributes
    ----------
    runs
        By strategy, then by seed.
    full, right
        The scores with every label of the pool, by seed: as annotators say them, and with none wrong (empty where
        nobody errs).
    """

    strategies: Mapping[str, Mix]
    runs: Mapping[str, Mapping[int, Run]]
    full: Mapping[int, Run]
    right: Mapping[int, Run]


def outcome(records: Records, stage: Stage, settings: Settings, played: Played, price: Price) -> dict[str, Any]:
    """The report without its recommendation.

    Its keys are described in docs/how-to/rehearse.md. What took time stands under ``seconds`` alone: all else is the
    same whenever the same is played.
    """
    metric = settings.metric
    pool, test = parts_of(stage, settings, 0)
    counts = Counter(name for row in records.rows for name in names_in(records.task, row.label))
    full = [run[metric] for run in played.full.values()]
    return {
        "format": FORMAT,
        "data": {
            "task": stage.task.value, "items": len(records.rows), "pool": len(pool), "test": len(test),
            "classes": {name: counts[name] for name in stage.classes}, "notes": records.notes,
        },
        "settings": {**asdict(settings), "task": settings.task.value, "budget": settings.budget,
                     "seeds": sorted(played.full), "price": price.each, "currency": price.currency},
        "full_pool": {
            "score": _spread(figures.spread(full), 4), "by_seed": full,
            "none_wrong": _of_right(played, metric),
        },
        "strategies": [_strategy(name, settings, played, stage.classes, price) for name in played.strategies],
        "seconds": {name: _seconds(list(played.runs[name].values())) for name in played.strategies},
    }  # fmt: skip


def _of_right(played: Played, metric: str) -> dict[str, Any] | None:
    """What wrong answers cost where everything is labeled, in points of the score."""
    if not played.right:
        return None
    right = [run[metric] for run in played.right.values()]
    lost = [right_one[metric] - played.full[seed][metric] for seed, right_one in played.right.items()]
    return {"score": _spread(figures.spread(right), 4), "points_lost": _spread(figures.spread(lost), 4)}


def _strategy(name: str, settings: Settings, played: Played, classes: Sequence[str], price: Price) -> dict[str, Any]:
    runs, metric = played.runs[name], settings.metric
    end = min(settings.budget, *(max(one for one in run["labels"] if one <= settings.budget) for run in runs.values()))
    curves = {seed: run["scores"][metric] for seed, run in runs.items()}
    areas = {seed: figures.area(run["labels"], curves[seed], end) for seed, run in runs.items()}
    randoms = played.runs[RANDOM]
    over = [areas[seed] - figures.area(randoms[seed]["labels"], randoms[seed]["scores"][metric], end) for seed in runs]
    final = [dict(zip(run["labels"], curves[seed], strict=True))[end] for seed, run in runs.items()]
    return {
        "name": name,
        "strategy": said(played.strategies[name]),
        "targets": [_target(share, name, settings, played, price) for share in TARGETS],
        "area": _spread(figures.spread(list(areas.values())), 4),
        "area_over_random": None if name == RANDOM else _spread(figures.spread(over), 4),
        "at_the_end": {"labels": end, "score": _spread(figures.spread(final), 4)},
        "f1": _per_class([run["f1"] for run in runs.values()], classes),
        "control": statistics.median(run["control"] for run in runs.values()),
        "unranked": statistics.median(run.get("unranked", 0) for run in runs.values()),
        "curve": _curve(runs, metric),
    }


def _target(share: float, name: str, settings: Settings, played: Played, price: Price) -> dict[str, Any]:
    """Labels and money for a share of the full-pool score, beside random's of the same seeds."""
    runs, randoms = played.runs[name], played.runs[RANDOM]
    mine, theirs = (
        [
            figures.labels_for(
                run["labels"], run["scores"][settings.metric], share * played.full[seed][settings.metric]
            )
            for seed, run in of.items()
        ]
        for of in (runs, {seed: randoms[seed] for seed in runs})
    )
    told: dict[str, Any] = {
        "share": share,
        "labels": _spread(figures.spread(mine), 1),
        "reached": sum(math.isfinite(one) for one in mine),
        "of": len(mine),
        "against_random": None,
        "money": None,
    }
    if name != RANDOM:
        ended, tried = ([run["labels"][-1] for run in of] for of in (runs.values(), [randoms[seed] for seed in runs]))
        told["against_random"] = _ratio(figures.ratio(mine, ended, theirs, tried))
        told["random_labels"] = _spread(figures.spread(theirs), 1)
    middle = figures.spread(mine).median
    if price.each is not None and math.isfinite(middle):
        told["money"] = round(middle * price.each, 2)
    return told


def _curve(runs: Mapping[int, Run], metric: str) -> dict[str, Any]:
    """The median over the seeds, and the lowest and highest, where every seed has a point."""
    by_count = [dict(zip(run["labels"], run["scores"][metric], strict=True)) for run in runs.values()]
    shared = sorted(set.intersection(*(set(one) for one in by_count)))
    heights = np.array([[one[count] for count in shared] for one in by_count])
    lines = {"median": np.median(heights, axis=0), "lowest": heights.min(axis=0), "highest": heights.max(axis=0)}
    return {"labels": shared, **{name: [round(float(one), 5) for one in line] for name, line in lines.items()}}


def _per_class(found: Sequence[Sequence[float | None]], classes: Sequence[str]) -> dict[str, float | None]:
    """The median F1 of each class over the seeds; None where it is neither there nor said."""
    told: dict[str, float | None] = {}
    for at, name in enumerate(classes):
        known = [one for run in found if (one := run[at]) is not None]
        told[name] = round(statistics.median(known), 4) if known else None
    return told


def _seconds(runs: Sequence[Run]) -> dict[str, float]:
    """The median round: choosing, fitting, both."""
    choose = statistics.median(one for run in runs for one in run["choose_seconds"])
    fit = statistics.median(one for run in runs for one in run["fit_seconds"])
    return {"choose": round(choose, 3), "fit": round(fit, 3), "round": round(choose + fit, 3)}


def _spread(found: Spread, digits: int) -> dict[str, float | None]:
    """Infinity is null: JSON knows none."""
    return {
        name: None if value is None or math.isinf(value) else round(value, digits)
        for name, value in asdict(found).items()
    }


def _ratio(found: Ratio) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(found).items()}
