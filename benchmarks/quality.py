"""The quality report: labels that the product's default needs, beside random, scikit-activeml and small-text.

Run by ``make bench-quality``, in an environment that has both libraries. Looks for labeled sets in the folder
``TITHE_BENCH_DATA`` or ``--data`` names (``learning_curves/sets.py`` says what it holds); a set that is not there is
left out. Curves are kept as they are made, seed by seed, so that an interrupted run goes on where it was and a report
of what there is can be written at any time (``--page``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from harness import RESULTS
from learning_curves import (
    contestants,
    peers,
    peers_small_text,
    quality_page,
    quality_pictures,
    quality_wins,
    same_choice,
)
from learning_curves.groups import CONTROL, CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM, Entry
from learning_curves.replay import HEADS, Contestant, full_pool, open_to, replay
from learning_curves.sets import NoData, Problem, draw
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from tithe.cli.demo.data import cache_folder
from tithe.contracts.projects import Task, default_strategy

HERE = Path(__file__).parent
#: Beginnings of strategies' names, and the package they come from.
_LIBRARIES = {"peer: ": "skactiveml", "small-text: ": "small_text"}
ENTRIES = {entry.set.name: entry for group in GROUPS for entry in group.entries}


class Job(NamedTuple):
    """One curve to make."""

    set: str
    strategy: str
    seed: int
    limit: int
    growth: float


def main() -> None:
    """Make what is missing, write the results, the page and the pictures."""
    args = _arguments()
    kept = cache_folder() / "curves" / "quality.jsonl"
    if args.fresh:
        kept.unlink(missing_ok=True)
    made = _made(kept)
    if args.page and not made:
        made = _published()
    if not args.page:
        try:
            _make_missing(args, made, kept)
        except KeyboardInterrupt:
            print("interrupted: the report is of what there is", file=sys.stderr)
    _write(made, quick=args.quick)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TITHE_BENCH_DATA"), help="the folder with the sets")
    parser.add_argument("--sets", nargs="*", choices=list(ENTRIES), metavar="SET", help=", ".join(ENTRIES))
    parser.add_argument("--groups", nargs="*", choices=[group.name for group in GROUPS])
    parser.add_argument("--strategies", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seeds-large", type=int, default=3, help="of pools of more than 10,000")
    parser.add_argument("--growth", type=float, default=0.15, help="a batch is this share of the labels, 20 at least")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="digits and two seeds, printed only: a minute or two")
    parser.add_argument("--page", action="store_true", help="only write the report of the curves there are")
    parser.add_argument("--fresh", action="store_true", help="forget the curves made before")
    return parser.parse_args()


def _make_missing(args: argparse.Namespace, made: dict[Job, dict[str, Any]], kept: Path) -> None:
    folder = Path(args.data).expanduser() if args.data else None
    entries = _present(args, folder, kept.parent)
    for beginning in _LIBRARIES.keys() - set(_libraries()):
        print(f"left out: {beginning}strategies, for {_LIBRARIES[beginning]} is not installed", file=sys.stderr)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes) as pool, kept.open("a") as out:
        for seed in range(args.seeds):  # one after the other, so that an early end leaves every set with something
            missing = [job for job in _jobs(args, entries, seed, made) if job not in made]
            running = {pool.submit(_make, job, folder, kept.parent): job for job in missing}
            try:
                for ended in track(as_completed(running), f"seed {seed}", len(running), console=Console(stderr=True)):
                    job = running[ended]
                    made[job] = job._asdict() | ended.result()
                    out.write(json.dumps(made[job]) + "\n")
                    out.flush()
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise


def _present(args: argparse.Namespace, folder: Path | None, cache: Path) -> list[Entry]:
    """The sets that are asked for and there."""
    wanted = {entry.set.name for group in GROUPS for entry in group.entries if group.name in (args.groups or ())}
    wanted |= set(args.sets or ())
    if args.quick:
        wanted, args.seeds = {"digits"}, min(args.seeds, 2)
    elif not wanted:
        wanted = set(ENTRIES) - {"digits"}
    found = []
    for name in (name for name in ENTRIES if name in wanted):
        try:
            draw(ENTRIES[name].set, folder, cache, 0)
        except NoData as absent:
            print(f"left out: {absent}", file=sys.stderr)
            continue
        found.append(ENTRIES[name])
    if not found:
        sys.exit("none of the sets is there: name their folder in TITHE_BENCH_DATA or --data, or try --quick")
    return found


def _jobs(
    args: argparse.Namespace, entries: Sequence[Entry], seed: int, made: Mapping[Job, Mapping[str, Any]]
) -> Iterator[Job]:
    missing = tuple(_LIBRARIES.keys() - set(_libraries()))
    for entry in entries:
        if seed >= args.seeds_large and entry.large:
            continue
        behind = quality_wins.far_behind(list(made.values()), entry) if seed else set()
        for strategy in entry.strategies(seed):
            if (
                strategy not in behind
                and not strategy.startswith(missing)
                and (not args.strategies or strategy in args.strategies)
            ):
                yield Job(entry.set.name, strategy, seed, entry.limit(strategy), args.growth)


def _made(kept: Path) -> dict[Job, dict[str, Any]]:
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    return {Job(*(row[field] for field in Job._fields)): row for row in rows}


def _make(job: Job, folder: Path | None, cache: Path) -> dict[str, Any]:
    problem, head = draw(ENTRIES[job.set].set, folder, cache, job.seed), HEADS["tithe"]
    facts = {"pool": len(problem.pool), "test": len(problem.test), "classes": problem.classes}
    with threadpool_limits(1):
        if job.strategy == EVERYTHING:
            return facts | full_pool(problem, head, job.seed)
        contestant, control = _contestant(job.strategy, problem), 0.0
        if job.strategy == CONTROLLED:
            control, problem = CONTROL, open_to(problem, job.seed, CONTROL)
        return facts | replay(problem, contestant, head, job.seed, limit=job.limit, growth=job.growth, control=control)


def _contestant(strategy: str, problem: Problem) -> Contestant:
    if strategy == RANDOM:
        return contestants.at_random
    task = Task.MULTILABEL if problem.set.several else Task.VECTORS
    default = contestants.of_the_product(default_strategy(task, problem.classes))
    if strategy in (DEFAULT, CONTROLLED):
        return default
    if strategy in peers.STRATEGIES:
        return peers.of_scikit_activeml(strategy, default)
    return peers_small_text.of_small_text(strategy, default)


def _write(made: Mapping[Job, Mapping[str, Any]], *, quick: bool) -> None:
    """The page, its pictures and the curves it is made of; the short form is only printed."""
    curves = [dict(row) for job, row in made.items() if (job.set == "digits") == quick]
    if quick:
        print(quality_page.written(curves))
        return
    libraries = _libraries()
    facts = {
        "machine": {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()},
        "same_choice": same_choice.measured() if len(libraries) == len(_LIBRARIES) else {},
        "versions": same_choice.versions(),
    }
    beside = {name: _rows(RESULTS / f"{name}.json") for name in ("curves", "ner")}
    pictures = quality_pictures.draw(curves, HERE.parent / "docs" / "images")
    (HERE / "quality.md").write_text(quality_page.written(curves, facts, beside, pictures))
    lines = ",\n".join(json.dumps(curve) for curve in curves)
    (RESULTS / "quality.json").write_text(f'{{"facts": {json.dumps(facts)},\n"curves": [\n{lines}\n]}}\n')
    print(f"wrote {HERE / 'quality.md'}")


def _rows(results: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(results.read_text())["rows"] if results.is_file() else []
    return rows


def _published() -> dict[Job, dict[str, Any]]:
    """The curves the last report was made of."""
    path = RESULTS / "quality.json"
    rows = json.loads(path.read_text())["curves"] if path.is_file() else []
    return {Job(*(row[field] for field in Job._fields)): row for row in rows}


def _libraries() -> list[str]:
    """The beginnings of the names of strategies whose library is installed."""
    return [beginning for beginning, module in _LIBRARIES.items() if importlib.util.find_spec(module)]


def _processor() -> str:
    found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return found[0].partition(":")[2].strip() if found else platform.machine()


if __name__ == "__main__":
    main()
