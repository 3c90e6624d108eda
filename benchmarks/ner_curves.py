"""Learning curves of entities: labels, and words, that each strategy needs for a share of the full-pool entity F1.

Run by ``make bench-ner``. Needs the sets in the folder that ``TITHE_BENCH_DATA`` or ``--data`` names (``ner/wikigold``,
``ner/btc``, ``ner/bc5cdr``; Parquet files with columns tokens and tags). Curves are kept as they are made, so that an
interrupted run goes on where it was; ``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import report
from learning_curves import picture, table
from learning_curves.sets import NoData
from rich.console import Console
from rich.progress import track
from tagging_curves.replay import fitted, replay, score
from tagging_curves.sets import SETS, draw
from threadpoolctl import threadpool_limits

from tithe.cli.demo.data import cache_folder
from tithe.contracts.projects import ProjectSpec, Task, strategy_from
from tithe.strategies.catalog import CATALOG, Needs

STRATEGIES = [
    "random",
    "default",
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_sum",
    "token_entropy_top",
    "mnlp",
]
METRICS = dict.fromkeys(SETS, "entity_f1")


class Job(NamedTuple):
    """One curve to make."""

    set: str
    strategy: str  #: of the catalog, ``default``, a mix as JSON; ``of 500`` behind it: 500 sentences are asked about
    seed: int
    limit: int


def main() -> None:
    """Make what is missing, print the table, write the results and the picture."""
    args = _arguments()
    if not args.data or not Path(args.data).is_dir():
        sys.exit("this needs sets with entities: name their folder in TITHE_BENCH_DATA or --data")
    folder, cache = Path(args.data), cache_folder() / "ner"
    default = ProjectSpec(name="ner", task=Task.TOKENS, labels=["a"]).resolved().strategy
    kept = cache / "curves.jsonl"
    if args.fresh:
        kept.unlink(missing_ok=True)
    made = _made(kept, default)
    wanted = [
        Job(name, strategy, seed, args.limit)
        for seed in range(args.seeds) for name in args.sets for strategy in ["all", *args.strategies]
    ]  # fmt: skip
    missing = [job for job in wanted if job not in made]
    cache.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes) as pool, kept.open("a") as out:
        running = {pool.submit(_make, job, default, folder, cache): job for job in missing}
        for ended in track(as_completed(running), "curves", len(running), console=Console(stderr=True)):
            job = running[ended]
            made[job] = job._asdict() | ended.result() | {"default": default, "head": "tithe", "growth": 1 / 3}
            out.write(json.dumps(made[job]) + "\n")
            out.flush()
    curves = [made[job] for job in wanted]
    report("ner", _with_words(table.rows(curves, METRICS), curves))
    picture.draw(curves, Path(__file__).parents[1] / "docs" / "images" / "ner-curves.png", METRICS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TITHE_BENCH_DATA"), help="the folder with the sets")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument(
        "--strategies", nargs="*", default=STRATEGIES, metavar="NAME", help="of the catalog, or default"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=800, help="sentences at which every curve ends")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget the curves made before")
    return parser.parse_args()


def _made(kept: Path, default: Any) -> dict[Job, dict[str, Any]]:
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    still = [row for row in rows if row["strategy"] != "default" or row["default"] == default]
    return {Job(*(row[field] for field in Job._fields)): row for row in still}


def _make(job: Job, default: Any, folder: Path, cache: Path) -> dict[str, Any]:
    try:
        problem = draw(job.set, folder, cache, job.seed)
    except NoData as absent:
        sys.exit(str(absent))
    with threadpool_limits(1):  # as many processes as cores, one thread each
        if job.strategy == "all":
            model = fitted(problem, np.arange(len(problem.pool.documents)), job.seed)
            words = int(problem.pool.starts[-1])
            return {"entity_f1": score(problem, model), "sentences": len(problem.pool.documents), "words": words}
        named, _, most = job.strategy.partition(" of ")
        strategy = default if named == "default" else strategy_from(named)
        names = [strategy] if isinstance(strategy, str) else list(strategy)
        committee = any(CATALOG[name].needs is Needs.TAG_COMMITTEE for name in names)
        return replay(problem, strategy, job.seed, job.limit, members=5 if committee else 0, most=int(most or 0))


def _with_words(rows: list[dict[str, Any]], curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the words, not only the sentences, that were labeled for 95 % of the full-pool score."""
    full = {(curve["set"], curve["seed"]): curve for curve in curves if curve["strategy"] == "all"}
    for row in rows:
        mine = [c for c in curves if c["strategy"] == row["strategy"] and row["work"].startswith(c["set"] + ",")]
        goals = [0.95 * full[curve["set"], curve["seed"]]["entity_f1"] for curve in mine]
        needed = []
        for curve, goal in zip(mine, goals, strict=True):
            reached = np.flatnonzero(np.asarray(curve["entity_f1"]) >= goal)
            needed.append(curve["words"][reached[0]] if len(reached) else np.inf)
        middle = float(np.sort(needed)[(len(needed) - 1) // 2])
        row["words for 95%"] = f"{middle:,.0f}" if np.isfinite(middle) else "never"
        pool = full[mine[0]["set"], mine[0]["seed"]]
        row["of the pool's"] = f"{middle / pool['words']:.0%}" if np.isfinite(middle) else ""
    return rows


if __name__ == "__main__":
    main()
