"""The savings meter on simulated projects with known truth: how often its interval holds it, and how wide it is.

The truth is the number of random labels at which random's mean curve (over `--curves` seeds, the product's learner, the
whole pool at most) reaches the active model's score on the test set. Two questions are asked of each project: what all
labels so far saved, and what the first chosen ones did, as many as random's largest fit has, where no curve is carried
on far. An interval that is nearly the whole pool holds every truth: read the share that holds beside the width.
Projects, fits and curves are kept in the cache folder as they are made. Sets are found as in `curves.py`, through
``TITHE_BENCH_DATA``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from learning_curves.replay import steps, the_learner
from learning_curves.sets import NoData
from simulated.runs import SHUFFLED, Run, folder, load, load_random, problem
from threadpoolctl import threadpool_limits

from tithe.learners.protocol import NotEnoughClasses
from tithe.policy import round_seed
from tithe.proof import random_arm
from tithe.proof.random_arm import RandomArm
from tithe.proof.savings import Savings, savings
from tithe.proof.tallies import Float64, Int64, Metric, Tally, of_classes, score_of
from tithe.proof.toward_random import ENOUGH, IN_A_ROW, next_share

SETS = (
    "agnews",
    "agnews, one class 2 %",
    "hate_offensive",
    "snips",
    "banking77",
    "pros_cons",
    "healthtweets",
    "agnews" + SHUFFLED,
)
TOTALS, SHARES = (500, 1000, 2000), (0.05, 0.1, 0.2)
#: The set whose pool has another class mix than its test.
RARE = "agnews, one class 2 %"


@dataclass(frozen=True)
class Case:
    """One measurement and what is true: random labels needed (inf: more than the pool), and the score's gap."""

    set: str
    seed: int
    total: int
    share: float
    pool: int
    told: Savings
    needed: float
    gap: float

    @property
    def holds(self) -> bool:
        """Whether the interval of `needed` holds the truth; none is told of more than the pool."""
        low, high = self.told.needed_low or 0, self.told.needed_high
        if self.needed == np.inf:
            return high is None
        return low <= self.needed and (high is None or self.needed <= high)

    @property
    def width(self) -> int:
        """Labels between the interval's ends, the upper one the pool where it has none."""
        return min(self.told.needed_high or self.pool, self.pool) - (self.told.needed_low or 0)


def main() -> None:
    """Measure, print the tables, keep the figures."""
    args = _arguments()
    cases: list[Case] = []
    first: list[Case] = []
    shifts: list[tuple[str, int, bool]] = []
    with threadpool_limits(1):
        for name in args.sets:
            for seed in range(args.seeds):
                try:
                    project = Project(name, seed, args.curves)
                except NoData as absent:
                    print(absent)
                    break
                cases += [project.after(total, share) for total in TOTALS for share in SHARES]
                first += [project.of_the_first(control) for control in (50, 100, 200, 400)]
                shifts.append((name, seed, project.shifts()))
                print(f"{name}, seed {seed}: done", flush=True)
    table = "\n\n".join(
        [
            _table("All labels so far, by set", cases, lambda one: one.set),
            _table("All labels so far", cases, lambda one: f"{one.total:,} labels, {one.share:.0%} control"),
            _table("The first chosen labels, by set (400 control labels)", first[3::4], lambda one: one.set),
            _table("The first chosen labels", first, lambda one: f"{one.total} control labels"),
            _shift_table(shifts),
        ]
    )
    print(table)
    if args.out:
        Path(args.out).write_text(json.dumps([_plain(case) for case in (*cases, *first)], indent=1))


class Project:
    """One simulated project, random's fits to its control labels, and random's true curve."""

    def __init__(self, name: str, seed: int, curves: int) -> None:
        self.run: Run = load(name, seed, max(TOTALS))
        self.problem = problem(name, seed)
        self.curves = curves
        self.truth = _one_hot(self.run.answers[self.run.preview], self.run.classes)

    def after(self, total: int, share: float) -> Case:
        """What is told when `total` labels are there, `share` of them control."""
        control = round(share * total)
        at = int(np.abs(self.run.labels - (total - control)).argmin())
        return self._case(at, control, int(self.run.labels[at]) + control, total, share)

    def of_the_first(self, control: int) -> Case:
        """What the first chosen labels saved, as many as random's largest fit has."""
        at = int(np.flatnonzero(self.run.labels <= control * 4 // 5)[-1])
        return self._case(at, control, int(self.run.labels[at]), control, 0.0)

    def shifts(self) -> bool:
        """Whether the mix ever moves toward random, a fifth of the labels control, measured every fifty of them."""
        recent = [self.after(5 * control, 0.2).told for control in range(ENOUGH, 401, 50)]
        windows = [recent[at : at + IN_A_ROW] for at in range(len(recent) - IN_A_ROW + 1)]
        return any(next_share(window, 0.0).share > 0 for window in windows)

    def _case(self, at: int, control: int, spent: int, total: int, share: float) -> Case:
        run, metric = self.run, _metric(self.run)
        sure = self._sure(at)
        active = of_classes(metric, sure, _said(sure), np.arange(control), self.truth[:control], single=True)
        fits = self._fits(control)

        def fit(training: Int64, number: int) -> Tally | None:
            del training
            said = fits[number]
            if said is None:
                return None
            decided = _one_hot(said, run.classes)
            return of_classes(metric, sure, decided, np.arange(control), self.truth[:control], single=True)

        rows = np.arange(control)
        arm: RandomArm | None = random_arm.measure(fit, rows, random_arm.plan(rows, run.seed), 0)
        told = savings(active, spent, arm, pool_items=len(run.answers), seed=run.seed)
        labels, scores = _random(run.set, told.metric, self.curves)
        true = _score(told.metric, run.test_pred[at].astype(np.int64), run.test_answers, _weights(run))
        needed = np.inf if true > scores[-1] else float(labels[np.argmax(scores >= true)])
        gap = true - float(np.interp(spent, labels, scores))
        return Case(run.set, run.seed, total, share, len(run.answers), told, needed, gap)

    def _sure(self, at: int) -> Float64:
        sure = self.run.reserve_proba[at].astype(np.float64)
        return sure / sure.sum(axis=1, keepdims=True)

    @cache  # noqa: B019 -- a project lives as long as its loop turn
    def _fits(self, control: int) -> list[npt.NDArray[np.uint8] | None]:
        """What each planned fit to the first `control` items says of all drawn ones; kept in the cache folder."""
        run = self.run
        path = _kept(f"fits-{run.set}-{run.seed}-{control}")
        planned = random_arm.plan(np.arange(control), run.seed)
        if not path.is_file():
            said = np.full((len(planned), len(run.preview)), 255, dtype=np.uint8)
            for number, rows in enumerate(planned):
                try:
                    model = the_learner(self.problem, run.preview[rows], round_seed(run.seed, number), None)
                except NotEnoughClasses:
                    continue
                said[number] = model.predict_proba(self.problem.pool[run.preview]).argmax(axis=1)
            np.savez(path, said=said)
        with np.load(path) as kept:
            return [None if (row == 255).all() else row for row in kept["said"]]


@cache
def _random(name: str, metric: Metric, seeds: int) -> tuple[Float64, Float64]:
    """Random's mean curve, never falling: labels and scores."""
    curves = [_rare_curve(seed) if name == RARE else vars(load_random(name, seed)) for seed in range(seeds)]
    labels = np.geomspace(20, min(curve["labels"][-1] for curve in curves), 500)
    scores = [np.interp(np.log(labels), np.log(curve["labels"]), curve[metric]) for curve in curves]
    return labels, np.maximum.accumulate(np.mean(scores, axis=0))


def _rare_curve(seed: int) -> dict[str, Any]:
    """Random's curve where the test has another class mix than the pool: scored in the pool's."""
    path = _kept(f"random-{RARE}-{seed}")
    if not path.is_file():
        given = problem(RARE, seed)
        order, model = np.random.default_rng([seed, 4321]).permutation(len(given.pool)), None
        weights = _class_weights(given.answers, given.test_answers, given.classes)
        points = []
        for number, count in enumerate([*steps(len(order), 0.25), len(order)]):
            try:
                model = the_learner(given, order[:count], round_seed(seed, number), model)
            except NotEnoughClasses:
                continue
            said = model.predict_proba(given.test).argmax(axis=1)
            both = [_score(metric, said, given.test_answers, weights) for metric in ("accuracy", "macro_f1")]
            points.append((count, *both))
        np.savez(path, **dict(zip(("labels", "accuracy", "macro_f1"), np.array(points).T, strict=True)))
    with np.load(path) as kept:
        return dict(kept)


def _weights(run: Run) -> Float64:
    if run.set == RARE:
        return _class_weights(run.answers, run.test_answers, run.classes)
    return np.full(len(run.test_answers), 1 / len(run.test_answers))


def _class_weights(pool: npt.NDArray[Any], test: npt.NDArray[Any], classes: int) -> Float64:
    """So much each test item counts that their classes are mixed as the pool's; sums to one."""
    there, wanted = np.bincount(test, minlength=classes), np.bincount(pool, minlength=classes)
    weights: Float64 = (wanted / np.maximum(there, 1))[test]
    return weights / weights.sum()


def _score(metric: Metric, said: npt.NDArray[Any], truth: npt.NDArray[Any], weights: Float64) -> float:
    right = said == truth
    if metric == "accuracy":
        return float(weights[right].sum())
    classes = int(max(said.max(), truth.max())) + 1
    sums = [
        np.bincount(which, weights=heavy, minlength=classes)
        for which, heavy in ((truth[right], weights[right]), (said, weights), (truth, weights))
    ]
    return float(score_of("macro_f1", np.concatenate(sums)))


def _metric(run: Run) -> Metric:
    return "macro_f1" if run.metric == "macro_f1" else "accuracy"


def _one_hot(classes: npt.NDArray[Any], count: int) -> npt.NDArray[np.bool_]:
    return np.arange(count) == classes[:, None]


def _said(sure: Float64) -> npt.NDArray[np.bool_]:
    return _one_hot(sure.argmax(axis=1), sure.shape[1])


def _kept(name: str) -> Path:
    path = folder() / "savings" / f"{name.replace(' ', '_').replace(',', '').replace('%', 'pc')}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _table(title: str, cases: Sequence[Case], by: Callable[[Case], str]) -> str:
    """A Markdown table, one row a group in order of appearance."""
    head = (
        "| | n | missing | interval holds truth | width, labels | no upper end | lower end | truth | lower ratio "
        "| surely saved | holds 0 | gap's width | gap's interval holds truth |"
    )
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(by(case), []).append(case)
    lines = [_line(name, group) for name, group in groups.items()]
    return "\n".join([f"**{title}**", "", head, "|---" * 13 + "|", *lines, _line("all", cases)])


def _line(name: str, group: Sequence[Case]) -> str:
    told = [case for case in group if not case.told.missing]
    if not told:
        return f"| {name} | {len(group)} | {len(group)} |" + " - |" * 10
    holds = np.mean([case.holds for case in told])
    open_ = np.mean([case.told.needed_high is None for case in told])
    low = np.median([case.told.needed_low or 0 for case in told])
    needed = np.median([min(case.needed, case.pool) for case in told])
    ratio = np.median([case.told.ratio_low or 0 for case in told])
    sure = np.mean([(case.told.saved_low or 0) > 0 for case in told])
    zero = np.mean([_holds_zero(case.told) for case in told])
    wide = np.median([(case.told.gap_high or 0) - (case.told.gap_low or 0) for case in told])
    within = np.mean([(case.told.gap_low or 0) <= case.gap <= (case.told.gap_high or 0) for case in told])
    width = np.median([case.width for case in told])
    return (
        f"| {name} | {len(group)} | {len(group) - len(told)} | {holds:.0%} | {width:,.0f} | {open_:.0%} | {low:,.0f} "
        f"| {needed:,.0f} | {ratio:.2f} | {sure:.0%} | {zero:.0%} | {wide:.3f} | {within:.0%} |"
    )


def _holds_zero(told: Savings) -> bool:
    return (told.saved_low or 0) <= 0 and (told.saved_high is None or told.saved_high >= 0)


def _shift_table(shifts: Sequence[tuple[str, int, bool]]) -> str:
    def lines() -> Iterator[str]:
        for name in dict.fromkeys(name for name, _, _ in shifts):
            moved = [one for of, _, one in shifts if of == name]
            yield f"| {name} | {sum(moved)} of {len(moved)} |"

    return "\n".join(["**Projects whose mix moved toward random**", "", "| | |", "|---|---|", *lines()])


def _plain(case: Case) -> dict[str, Any]:
    needed = None if case.needed == np.inf else round(case.needed)
    return {
        "set": case.set,
        "seed": case.seed,
        "total": case.total,
        "share": case.share,
        "needed": needed,
        "gap": round(case.gap, 4),
        "told": json.loads(case.told.to_json()),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", type=int, default=4, help="projects a set")
    parser.add_argument("--curves", type=int, default=4, help="random curves the truth is the mean of")
    parser.add_argument("--out", help="a JSON file for every case")
    return parser.parse_args()


if __name__ == "__main__":
    main()
