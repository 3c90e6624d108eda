"""Whether machine labels keep the bound that was asked for, and how much of the pool they cover: simulated projects.

A model fitted to what the product chose, a threshold from so many control labels, and then the truth: how many of the
labels are wrong that it gives to the rest of the pool, which nobody labeled. Beside it, what believing the model's own
probabilities would do. Needs the labeled sets in ``TITHE_BENCH_DATA`` (see ``learning_curves/sets.py``); without them
there is only ``digits``. Runs are kept as they are made, so that an interrupted one goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from harness import report
from learning_curves.replay import the_learner
from learning_curves.sets import SETS, NoData, Problem
from rich.console import Console
from rich.progress import track
from simulated import runs
from threadpoolctl import threadpool_limits

from tithe.learners.scores import as_bool, decide
from tithe.policy import round_seed
from tithe.proof.bound import find_threshold

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
SIZES, ERRORS, CERTAINTY = [60, 100, 200, 400], [0.05, 0.1], 0.95
#: Of a run, so many control arms of each size: another sample of the same reserve.
DRAWS = 5


@dataclass(frozen=True)
class Judged:
    """What a model says of items, and whether it is right: confidences and right, each shape (n,)."""

    confidences: Float64
    right: Bool


def main() -> None:
    """Make the runs that are missing, print the table, write the results."""
    args = _arguments()
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for name in args.sets:
            try:
                seeds = track(range(args.first, args.first + args.seeds), name, console=Console(stderr=True))
                made = [_judged(name, seed, args.limit) for seed in seeds]
            except NoData as absent:
                print(f"left out: {absent}")
                continue
            rows += [_row(name, made, args.limit, error, size) for error in ERRORS for size in SIZES]
    report("proof_autolabel", rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ["agnews", "agnews, one class 2 %", "hate_offensive", "snips", "pros_cons", "digits"]
    parser.add_argument("--sets", nargs="*", default=default, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=10, help="the first seed: the search was tuned on lower ones")
    parser.add_argument("--limit", type=int, default=400, help="labels at which a run ends")
    return parser.parse_args()


def _judged(name: str, seed: int, limit: int) -> tuple[Judged, Judged]:
    """The run's last model on the reserve, in the order of the draw, and on what of the rest has no label."""
    run, given = runs.load(name, seed, limit), runs.problem(name, seed)
    model = the_learner(given, run.labeled, round_seed(seed, len(run.labels)), None)
    rest = np.setdiff1d(run.order[int(runs.RESERVE * len(run.order)) :], run.labeled)
    return _judge(given, model, run.preview), _judge(given, model, rest)


def _judge(given: Problem, model: Any, items: npt.NDArray[np.int64]) -> Judged:
    sure = model.predict_proba(given.pool[items])
    said = decide(sure, single=not given.set.several, thresholds=model.thresholds)
    right = (said == as_bool(given.answers[items], given.classes)).all(axis=1)
    return Judged(sure.max(axis=1) if not given.set.several else np.where(said, sure, 1 - sure).prod(axis=1), right)


def _row(name: str, made: Sequence[tuple[Judged, Judged]], limit: int, error: float, size: int) -> dict[str, Any]:
    """Of every run and draw: the share of the rest that is labeled, and how often more than the bound is wrong."""
    shares, errors, naive = [], [], []
    for seed, (reserve, rest) in enumerate(made):
        naive.append(_wrong(rest, _believed(rest.confidences, error)))
        for turn in range(DRAWS):
            rng = np.random.default_rng([seed, turn, size])
            drawn = rng.choice(len(reserve.right), min(size, len(reserve.right)), replace=False)
            found = find_threshold(
                reserve.confidences[drawn], reserve.right[drawn], rest.confidences, error=error, certainty=CERTAINTY
            ).confidence
            share, wrong = (0.0, 0.0) if found is None else _wrong(rest, found)
            shares.append(share)
            errors.append(wrong)
    some = np.array(shares) > 0
    return {
        "work": f"at most {error:.0%} wrong, {CERTAINTY:.0%} certain, after {limit} labels",
        "system": name,
        "control labels": size,
        "runs": len(shares),
        "a threshold was found": f"{some.mean():.0%}",
        "labeled of the rest": f"{np.mean(shares):.0%}",
        "wrong where labeled": f"{np.array(errors)[some].mean():.1%}" if some.any() else "-",
        "bound broken in": f"{np.mean(np.array(errors) > error):.1%}",
        "confidence alone: labeled": f"{np.mean([share for share, _ in naive]):.0%}",
        "confidence alone: bound broken in": f"{np.mean([wrong > error for _, wrong in naive]):.0%}",
    }


def _believed(confidences: Float64, error: float) -> float:
    """The lowest threshold above which, were the confidences true, no more than `error` would be wrong."""
    ordered = np.sort(confidences)[::-1]
    expected = np.cumsum(1 - ordered) / np.arange(1, len(ordered) + 1)
    return float(ordered[np.flatnonzero(expected <= error)[-1]]) if expected[0] <= error else 1.1


def _wrong(of: Judged, threshold: float) -> tuple[float, float]:
    """The share at or above the threshold, and how much of that is wrong."""
    above = of.confidences >= threshold
    return float(above.mean()), float((~of.right[above]).mean()) if above.any() else 0.0


if __name__ == "__main__":
    main()
