"""Stop advice back-tested: what the next labels were predicted to buy, and what they bought.

Needs the sets in the folder that ``TITHE_BENCH_DATA`` names (``learning_curves/sets.py`` says what it holds); simulated
projects are made where they are not kept. ``--quick`` takes one seed of two sets. A project with a control share c and
N labels in all is emulated by the model of (1 - c) * N active labels and the first c * N items of the reserve. What
happened is told by the test set and by those reserve items that have no label; a test set with other class shares than
its pool is weighted to the pool's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from simulated.runs import Run, load

from tithe.proof import criteria
from tithe.proof.advice import advise
from tithe.proof.curve_fit import Mixture, gains
from tithe.proof.curve_fit_readings import read
from tithe.proof.stopping import Measurement, StopWhen, stop_due
from tithe.proof.tallies import Metric, Tally, of_classes, score_of

NAMES = (
    "agnews",
    "agnews, one class 2 %",
    "hate_offensive",
    "snips",
    "banking77",
    "pros_cons",
    "agnews+shuffled",
    "healthtweets",
)
SHARES, AHEAD, LEVELS = (0.05, 0.1, 0.2), (50, 100, 500), (0.8, 0.9, 0.95)
IMAGE = Path(__file__).parent.parent / "docs" / "images" / "stop-advice.png"


@dataclass(frozen=True)
class Project:
    """One run scored in one metric: tallies of every round on all of the reserve, and the sums over the test set."""

    run: Run
    metric: Metric
    decided: list[Any]
    tallies: list[Tally]
    test: list[Any]

    def points(self, number: int, share: float) -> list[tuple[int, Tally]]:
        """What advice would be given at a round."""
        rows = np.arange(self.items(number, share))
        return [
            (round(count / (1 - share)), Tally(self.metric, rows, one.seen[rows], one.expected))
            for count, one in zip(self.run.labels[: number + 1], self.tallies, strict=False)
        ]

    def items(self, number: int, share: float) -> int:
        """Control labels there are at a round; a tenth of the reserve always stays to tell the truth by."""
        return min(int(self.run.labels[number] / (1 - share) * share), len(self.run.preview) * 9 // 10)

    def truth(self, number: int, share: float) -> Any:
        """Scores of all rounds, on what has no label at this one."""
        rest, rounds = self.items(number, share), zip(self.test, self.tallies, strict=True)
        return np.array([score_of(self.metric, sums + one.seen[rest:].sum(axis=0)) for sums, one in rounds])


def project(run: Run, metric: Metric) -> Project:
    """A run in a metric. The test set weighs at most as twice the reserve."""
    single, every = run.answers.ndim == 1, np.eye(run.classes, dtype=bool)
    hot = (lambda answers: every[answers.astype(int)]) if single else (lambda answers: answers.astype(bool))
    known, tested, pool = hot(run.answers[run.preview]), hot(run.test_answers), hot(run.answers)
    weights = np.ones(len(tested))
    if single and np.abs(tested.mean(axis=0) - pool.mean(axis=0)).max() > 0.1:
        weights = (tested * (pool.mean(axis=0) / tested.mean(axis=0))).sum(axis=1)
    weights *= min(1.0, 2 * len(known) / weights.sum())
    decided, tallies, test = [], [], []
    for sure, thresholds, said in zip(run.reserve_proba.astype(np.float64), run.thresholds, run.test_pred, strict=True):
        decided.append(every[sure.argmax(axis=1)] if single else sure >= thresholds)
        tallies.append(of_classes(metric, sure, decided[-1], np.arange(len(known)), known, single=single))
        of_test = hot(said)
        whole = of_classes(metric, of_test * 1.0, of_test, np.arange(len(tested)), tested, single=single)
        test.append(weights @ whole.seen)
    return Project(run, metric, decided, tallies, test)


def back_test(one: Project, share: float) -> Iterator[dict[str, Any]]:
    """Predictions at every third round that has an answer, beside what happened."""
    totals = one.run.labels / (1 - share)
    for number in range(4, len(totals) - 1, 3):
        points = one.points(number, share)
        if advise(points, ahead=(100,)).missing:
            continue
        truth = one.truth(number, share)
        raw = [score_of(one.metric, tally.seen.mean(axis=0)) for _, tally in points[-2:]]
        slope = float(raw[1] - raw[0]) / (points[-1][0] - points[-2][0])
        for ahead, told in zip(AHEAD, gains([read(points)], AHEAD), strict=True):
            if totals[number] + ahead > totals[-1]:
                continue
            then = np.interp(np.log(totals[number] + ahead), np.log(totals), truth)
            yield {
                "set": one.run.set,
                "metric": one.metric,
                "share": share,
                "labels": totals[number],
                "ahead": ahead,
                "happened": float(then - truth[number]),
                "last": slope * ahead,
            } | _told(told, float(then - truth[number]))


def _told(told: Mixture, happened: float) -> dict[str, float]:
    return {
        "predicted": told.mean(),
        "rank": told.below(happened),
        "width": told.quantile(0.95) - told.quantile(0.05),
    }


def stopped(one: Project, share: float) -> dict[str, Any]:
    """Where advice at its defaults, and stable predictions alone, would have stopped the project."""
    measurements: list[Measurement] = []
    agreements: list[float] = []
    ends: dict[str, int] = {}
    wanted = StopWhen(min_gain=0.005)
    for number in range(len(one.run.labels)):
        points = one.points(number, share)
        if number:
            agreements.append(criteria.kappa(one.decided[number - 1], one.decided[number]))
        sure = one.run.reserve_proba[number].astype(np.float64)
        said = [criteria.stable(agreements), criteria.plateau(points)]
        said.append(criteria.certain(sure, single=one.run.answers.ndim == 1))
        told = advise(points, ahead=(100,), criteria=said).gains
        numbers = (told[0].gain, told[0].low, told[0].high) if told else (None, None, None)
        met = tuple(each.name for each in said if each.met)
        measurements.append(Measurement(points[-1][0], None, None, None, *numbers, met=met))
        as_if_met = [replace(each, met=("any",)) for each in measurements]
        for rule, stops in (
            ("advice", stop_due(wanted, measurements)),
            ("gain alone", stop_due(wanted, as_if_met)),
            ("stable", said[0].met),
        ):
            if stops:
                ends.setdefault(rule, number)
    truth = one.truth(len(one.run.labels) - 1, share)
    row: dict[str, Any] = {"set": one.run.set, "share": share, "end": float(truth[-1])}
    for by in ("advice", "gain alone", "stable"):
        row[by] = round(one.run.labels[ends[by]] / (1 - share)) if by in ends else None
        row[f"{by} left"] = float(truth[-1] - truth[ends[by]]) if by in ends else 0.0
    return row


def coverage(rows: Sequence[dict[str, Any]], level: float) -> float:
    """The share of the rows whose interval holds what happened."""
    return float(np.mean([abs(row["rank"] - 0.5) <= level / 2 for row in rows]))


def table(title: str, rows: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> None:
    """Errors in points of the score, beside those of predicting nothing and of carrying the last difference on."""
    shown = Table(title=title)
    heads = ["", "n", "bias", "error", "of zero", "of last", *(f"in {level:.0%}" for level in LEVELS), "width 90%"]
    for head in heads:
        shown.add_column(head, justify="right" if head else "left")
    for group in dict.fromkeys(map(key, rows)):
        mine = [row for row in rows if key(row) == group]
        told, happened, last = (np.array([row[name] for row in mine]) for name in ("predicted", "happened", "last"))
        errors = [(told - happened).mean(), np.abs(told - happened).mean(), np.abs(happened).mean()]
        errors.append(np.abs(last - happened).mean())
        cells = [f"{100 * one:.2f}" for one in errors] + [f"{coverage(mine, level):.0%}" for level in LEVELS]
        shown.add_row(group, str(len(mine)), *cells, f"{100 * np.mean([row['width'] for row in mine]):.2f}")
    Console(width=160).print(shown)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Predicted against happened in bins, and how often intervals of each level hold."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    levels = np.linspace(0.05, 0.99, 40)
    for ahead, colour in zip(AHEAD, ("#8ab6d6", "#2a6f97", "#c8553d"), strict=True):
        mine = sorted((row for row in rows if row["ahead"] == ahead), key=lambda row: row["predicted"])
        bins = [bin_ for bin_ in np.array_split(np.array(mine, dtype=object), 12) if len(bin_)]
        means = [[100 * np.mean([row[name] for row in bin_]) for bin_ in bins] for name in ("predicted", "happened")]
        left.plot(*means, "o-", color=colour, ms=4, label=f"next {ahead}")
        right.plot(levels, [coverage(mine, level) for level in levels], color=colour, label=f"next {ahead}")
    ends = [0, max(left.get_xlim()[1], left.get_ylim()[1])]
    left.plot(ends, ends, color="#999", lw=1)
    right.plot([0, 1], [0, 1], color="#999", lw=1)
    left.set(title="gain, points of the score", xlabel="predicted", ylabel="happened")
    right.set(title="intervals that hold", xlabel="level", ylabel="share")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)


def show_stops(rows: Sequence[dict[str, Any]]) -> None:
    """Labels in all at the stop (median over seeds, of the projects that stopped), and points left on the table."""
    shown = Table(title="stopped at (labels in all; how many stopped), points left on the table by the end")
    rules = ("advice", "gain alone", "stable")
    for head in ("set", "share", *(cell for rule in rules for cell in (rule, "left"))):
        shown.add_column(head)
    for name, share in dict.fromkeys((row["set"], row["share"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["share"]) == (name, share)]
        cells = []
        for rule in rules:
            done = [row for row in mine if row[rule] is not None]
            at = f"{np.median([row[rule] for row in done]):,.0f}" if done else "-"
            at += f" ({len(done)}/{len(mine)})"
            cells += [at, f"{100 * np.mean([row[f'{rule} left'] for row in done]):.2f}" if done else ""]
        shown.add_row(name, f"{share:.0%}", *cells)
    Console(width=160).print(shown)


def main() -> None:
    """Back-test every set, print the tables and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="2,3", help="comma-separated; the prior's figures were chosen on 0 and 1")
    parser.add_argument("--sets", default="|".join(NAMES), help="separated by |")
    parser.add_argument("--limit", type=int, default=2000, help="active labels a project goes to")
    parser.add_argument("--quick", action="store_true", help="one seed of two sets, and no plot")
    parser.add_argument("--plot", type=Path, default=IMAGE, help="where the plot goes")
    options = parser.parse_args()
    names, seeds = options.sets.split("|"), [int(seed) for seed in options.seeds.split(",")]
    if options.quick:
        names, seeds = names[:2], seeds[:1]
    rows: list[dict[str, Any]] = []
    stops: list[dict[str, Any]] = []
    for name in names:
        for seed in seeds:
            run = load(name, seed, options.limit)
            metrics: tuple[Metric, ...] = ("accuracy", "macro_f1")
            for metric in metrics:
                one = project(run, metric)
                rows += [row for share in SHARES for row in back_test(one, share)]
                stops += [stopped(one, share) for share in SHARES] if metric == run.metric else []
    table("by labels ahead", rows, lambda row: f"{row['ahead']}")
    table("by metric", rows, lambda row: f"{row['metric']}, next {row['ahead']}")
    table("by control share", rows, lambda row: f"{row['share']:.0%}, next {row['ahead']}")
    table("next 100, by set", [r for r in rows if r["ahead"] == 100], lambda row: f"{row['set']}, {row['metric']}")
    table("next 500, by set", [r for r in rows if r["ahead"] == 500], lambda row: f"{row['set']}, {row['metric']}")
    show_stops(stops)
    if not options.quick:
        draw(rows, options.plot)


if __name__ == "__main__":
    main()
