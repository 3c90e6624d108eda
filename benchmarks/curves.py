"""Learning curves: how many labels each strategy needs for a share of the full-pool score, beside random and a peer.

Run by ``make bench-curves``. Looks for labeled sets in the folder ``TITHE_BENCH_DATA`` or ``--data`` names (see
``learning_curves/sets.py`` for what it must hold); without one there is only ``digits``, which comes with scikit-learn.
Curves are kept as they are made, so that an interrupted run goes on where it was; ``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from harness import report
from learning_curves import contestants, peers, picture, table
from learning_curves.replay import HEADS, Contestant, full_pool, replay
from learning_curves.sets import SETS, NoData, draw
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from tithe.cli.demo.data import cache_folder
from tithe.contracts.projects import ProjectSpec, Task, said

STRATEGIES = ["random", "default", "margin", "entropy", "class_balanced_margin", "falcun", "badge"]


class Job(NamedTuple):
    """One curve to make."""

    set: str
    head: str
    strategy: str
    seed: int
    limit: int
    growth: float


def main() -> None:
    """Make what is missing, print the table, write the results and the picture."""
    args = _arguments()
    folder = Path(args.data).expanduser() if args.data else None
    if folder is not None and not folder.is_dir():
        sys.exit(f"the data folder {folder} is not there: name another in TITHE_BENCH_DATA or --data")
    cache = cache_folder() / "curves"
    defaults = _defaults(args.sets or list(SETS), folder, cache)
    if not defaults:
        sys.exit("none of the sets is there")
    kept = cache / "curves.jsonl"
    if args.fresh:
        kept.unlink(missing_ok=True)
    made = _made(kept, defaults)
    wanted = [job for name in defaults for job in _jobs(args, name)]
    missing = [job for job in wanted if job not in made]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes) as pool, kept.open("a") as out:
        running = {pool.submit(_make, job, defaults[job.set], folder, cache): job for job in missing}
        for ended in track(as_completed(running), "curves", len(running), console=Console(stderr=True)):
            job = running[ended]
            made[job] = job._asdict() | ended.result() | {"default": defaults[job.set]}
            out.write(json.dumps(made[job]) + "\n")
            out.flush()
    curves = [made[job] for job in wanted]
    metrics = {name: SETS[name].metric for name in defaults}
    report("curves", table.rows(curves, metrics))
    picture.draw(curves, Path(__file__).parents[1] / "docs" / "images" / "curves.png", metrics)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TITHE_BENCH_DATA"), help="the folder with the sets")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), metavar="SET", help=", ".join(SETS))
    parser.add_argument(
        "--strategies", nargs="*", default=STRATEGIES, metavar="NAME", help="of the catalog, or default"
    )
    parser.add_argument("--peers", action="store_true", help="scikit-activeml's strategies too (pip install it first)")
    parser.add_argument("--heads", nargs="*", default=["tithe"], choices=list(HEADS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="labels at which every curve ends, instead of each set's own")
    parser.add_argument("--growth", type=float, default=0.0, help="0.1: batches of a tenth of the labels, to be quick")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget the curves made before")
    return parser.parse_args()


def _defaults(names: Sequence[str], folder: Path | None, cache: Path) -> dict[str, Any]:
    """Of each set that is there, what a project with its classes uses that names no strategy."""
    found: dict[str, Any] = {}
    for name in names:
        try:
            classes = draw(SETS[name], folder, cache, 0).classes
        except NoData as absent:
            print(f"left out: {absent}")
            continue
        task = Task.MULTILABEL if SETS[name].several else Task.VECTORS
        found[name] = (
            ProjectSpec(name=name, task=task, labels=[f"class {at}" for at in range(classes)]).resolved().strategy
        )
        print(f"{name}: the default is {said(found[name])}")
    return found


def _jobs(args: argparse.Namespace, name: str) -> Iterator[Job]:
    several = SETS[name].several
    strategies = [name for name in args.strategies if not several or name not in {"class_balanced_margin", "falcun"}]
    strategies += peers.STRATEGIES if args.peers and not several else ()
    for head in args.heads if not several else ["tithe"]:
        for strategy in ["all", *strategies]:
            for seed in range(args.seeds):
                yield Job(name, head, strategy, seed, args.limit or SETS[name].limit, args.growth)


def _made(kept: Path, defaults: Mapping[str, Any]) -> dict[Job, dict[str, Any]]:
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    still = [row for row in rows if row["strategy"] != "default" or row["default"] == defaults.get(row["set"])]
    return {Job(*(row[field] for field in Job._fields)): row for row in still}


def _make(job: Job, default: Any, folder: Path | None, cache: Path) -> dict[str, Any]:
    problem, head = draw(SETS[job.set], folder, cache, job.seed), HEADS[job.head]
    with threadpool_limits(1):  # as many processes as cores, one thread each
        if job.strategy == "all":
            return full_pool(problem, head, job.seed)
        contestant = _contestant(job, default)
        return replay(problem, contestant, head, job.seed, limit=job.limit, growth=job.growth)


def _contestant(job: Job, default: Any) -> Contestant:
    if job.strategy == "random":
        return contestants.at_random
    if job.strategy in peers.STRATEGIES:
        return peers.of_scikit_activeml(job.strategy, contestants.of_the_product(default))
    return contestants.of_the_product(default if job.strategy == "default" else job.strategy)


if __name__ == "__main__":
    main()
