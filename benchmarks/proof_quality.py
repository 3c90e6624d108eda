"""Whether the control arm's interval holds the truth: simulated projects, beside what actively chosen labels alone say.

Run by ``make bench-proof``. Needs the labeled sets in ``TITHE_BENCH_DATA`` (see ``learning_curves/sets.py``);
without them there is only ``digits``. Runs are kept as they are made, so that an interrupted one goes on where it was.

The constants of :mod:`tithe.proof.quality` were chosen on seeds 0 to 49 of these sets, out of some forty variants. What
those seeds show is therefore a little flattering; ``--first 50`` draws pools and control arms they have not seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from harness import report
from learning_curves.sets import SETS, NoData
from rich.console import Console
from rich.progress import track
from simulated import active_labels, runs
from simulated.runs import Run
from simulated.truth import control, opinions, truth
from threadpoolctl import threadpool_limits

from tithe.learners import scores
from tithe.proof.quality import Estimate, estimate
from tithe.proof.tallies import Metric, Tally, of_classes

SIZES = [25, 50, 100, 200]
METRICS: list[Metric] = ["accuracy", "macro_f1"]
#: Draws of control labels, or of levelled ones, for each run where spreads are compared.
DRAWS = 20


def main() -> None:
    """Make the runs that are missing, print the tables, write the results."""
    args = _arguments()
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for name in args.sets:
            try:
                rows += _of_set(name, args)
            except NoData as absent:
                print(f"left out: {absent}")
    report("proof_quality", [*rows, *_pooled(rows)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ["agnews", "agnews, one class 2 %", "hate_offensive", "snips", "pros_cons", "digits"]
    parser.add_argument("--sets", nargs="*", default=default, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=10, help="the first seed; 0 to 49 chose the interval's constants")
    parser.add_argument("--limit", type=int, default=400, help="labels at which a run ends")
    parser.add_argument("--crossed", type=int, default=8, help="runs of each set whose labels are cross-validated")
    return parser.parse_args()


def _of_set(name: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    seeds = track(range(args.first, args.first + args.seeds), name, console=Console(stderr=True))
    made = [runs.load(name, seed, args.limit) for seed in seeds]
    rows: list[dict[str, Any]] = []
    for metric in METRICS:
        rows += [*_coverage(name, made, metric), *_active(name, made[: args.crossed], metric)]
    return [*rows, *_spreads(name, made)]


def _coverage(name: str, made: Sequence[Run], metric: Metric) -> Iterator[dict[str, Any]]:
    """Of every size of control arm: how often the interval holds the truth and how wide it is, the plain one beside."""
    for size in SIZES:
        able = [run for run in made if len(run.preview) >= size]
        if not able:
            continue
        true = np.array([truth(run, -1, metric) for run in able])
        tallies = [control(run, -1, metric, size) for run in able]
        ours = [estimate(one) for one in tallies]
        plain = [estimate(Tally(one.metric, one.rows, one.seen, None)) for one in tallies]
        found = _against(ours, true)
        beside = _against(plain, true)
        yield {
            "work": f"control arm, {metric}: nominal 95 %",
            "system": name,
            "runs": len(able),
            "test rows": len(able[0].test_answers),
            "control labels": size,
            "holds %": found["holds"],
            "bias": found["bias"],
            "width": found["width"],
            "none %": found["none"],
            "labels alone: holds %": beside["holds"],
            "its width": beside["width"],
            "its none %": beside["none"],
        }


def _pooled(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How often the control arm's interval holds over the runs of all sets, with the standard error of that share."""
    for metric in METRICS:
        for size in SIZES:
            work = f"control arm, {metric}: nominal 95 %"
            mine = [row for row in rows if row["work"] == work and row["control labels"] == size]
            runs_, holds = [row["runs"] for row in mine], [row["holds %"] for row in mine]
            if mine and None not in holds:
                share = float(np.average(holds, weights=runs_)) / 100
                yield {
                    "work": "control arm, all sets: nominal 95 %",
                    "system": metric,
                    "runs": sum(runs_),
                    "control labels": size,
                    "holds %": round(100 * share, 1),
                    "standard error": round(100 * float(np.sqrt(share * (1 - share) / sum(runs_))), 1),
                }


def _active(name: str, made: Sequence[Run], metric: Metric) -> Iterator[dict[str, Any]]:
    """The same of an estimate by cross-validation on the actively chosen labels, as many would do."""
    if not made:
        return
    true = np.array([truth(run, -1, metric) for run in made])
    found = []
    for run in made:
        at, said = active_labels.cross_validated(run, -1)
        known, rows = scores.as_bool(run.answers[at], run.classes), np.arange(len(at))
        tally = of_classes(metric, said.astype(float), said, rows, known, single=run.answers.ndim == 1)
        found.append(estimate(Tally(metric, rows, tally.seen, None)))
    told = _against(found, true)
    yield {
        "work": f"actively chosen labels alone, cross-validated, {metric}: nominal 95 %",
        "system": name,
        "runs": len(made),
        "labels": int(np.median([run.labels[-1] for run in made])),
        "holds %": told["holds"],
        "bias": told["bias"],
        "width": told["width"],
        "none %": told["none"],
    }


def _against(found: Sequence[Estimate], true: np.ndarray) -> dict[str, float | None]:
    given = [(one, at) for one, at in zip(found, true, strict=True) if one.missing is None]
    if not given:
        return {"holds": None, "bias": None, "width": None, "none": 100.0}
    score, low, high = np.array([(one.score, one.low, one.high) for one, _ in given], dtype=float).T
    at = np.array([one for _, one in given])
    return {
        "holds": round(100 * float(((low <= at) & (at <= high)).mean()), 1),
        "bias": round(float((score - at).mean()), 4),
        "width": round(float((high - low).mean()), 3),
        "none": round(100 * (1 - len(given) / len(found)), 1),
    }


def _spreads(name: str, made: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """How far estimates of one model's accuracy on the drawn items are off, by the way their labels were chosen.

    The model is held fixed and none of the labels trained it, which favours levelling: labels that were chosen to train
    it would have to be levelled over a model that fits them already.
    """
    for size in SIZES[1:]:
        off: dict[str, list[float]] = {}
        for run in made:
            if len(run.preview) < 2 * size or run.answers.ndim > 1:
                continue
            for way, error in _errors(run, size):
                off.setdefault(way, []).append(error)
        for way, errors in off.items():
            yield {
                "work": "accuracy of a fixed model: error by how labels are chosen",
                "system": name,
                "labels": size,
                "way": way,
                "mean error": round(float(np.mean(errors)), 4),
                "root mean square": round(float(np.sqrt(np.mean(np.square(errors)))), 4),
            }


def _errors(run: Run, size: int) -> Iterator[tuple[str, float]]:
    rng = np.random.default_rng([run.seed, 57])
    sure, said = opinions(run, -1)
    known = scores.as_bool(run.answers[run.preview], run.classes)
    right = (said & known).any(axis=1).astype(float)
    adds = np.stack([right, np.ones(len(right))], axis=1)
    expected = np.stack([sure.max(axis=1), np.ones(len(sure))], axis=1)
    for _ in range(DRAWS):
        rows = np.sort(rng.permutation(len(right))[:size])
        yield "at random", float(right[rows].mean() - right.mean())
        assisted = estimate(Tally("accuracy", rows, adds[rows], expected)).score
        if assisted is not None:
            yield "at random, with the model's expectations", assisted - float(right.mean())
        for way, proposal in active_labels.PROPOSALS.items():
            order, weights = active_labels.levelled(proposal(sure), size, rng)
            yield way, float((1 - right).mean() - (weights * (1 - right[order])).mean())


if __name__ == "__main__":
    main()
