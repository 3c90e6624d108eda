"""From vectors to picks beside other active-learning libraries: time, memory, and whether the picks are right.

Run by ``make bench-selection``. Every contestant is a process of its own with one thread, the same memory-mapped
arrays, a time limit and a memory limit; one that is too slow, too large or fails is a row that says so. The pool is
synthetic: 77 topics of uneven spread, of length one; the models are Tithe's own learner's, handed to all as weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from harness import RESULTS, report
from peers.case import LABELED, Case

HERE = Path(__file__).parent
DIMENSION = 384
TOPICS = 77
ROWS_LABELED = {4: 500, 77: 2000}  # what the models are fitted to
POOLS = (10_000, 100_000, 1_000_000)
CONTESTANTS = {
    "tithe": "tithe_itself", "scikit-activeml": "skactiveml_", "modAL": "modal", "ALiPy": "alipy_",
    "small-text": "small_text_", "PyRelationAL": "pyrelational_", "Baal": "baal_", "plain NumPy": "plain",
    "bare limit": "limits",
}  # fmt: skip
OURS, PLAIN, LIMIT = "tithe", "plain NumPy", "bare limit"
PINS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")}
GB = 1e9


# ---- the pool and its models ----


def make_pool(folder: Path, n: int) -> None:
    """Topics around a common mean, their spectrum falling as that of sentence embeddings does."""
    rng = np.random.default_rng(0)
    spectrum = (1 / np.sqrt(1 + np.arange(DIMENSION) / 24)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
    mean = 0.3 * rng.standard_normal(DIMENSION).astype(np.float32)
    themes = 0.2 * rng.standard_normal((4, DIMENSION))[np.arange(TOPICS) % 4]  # what the topics of one class share
    centers = ((themes + 0.25 * rng.standard_normal((TOPICS, DIMENSION))) * spectrum).astype(np.float32)
    topics = rng.integers(0, TOPICS, n)
    pool = np.lib.format.open_memmap(folder / "pool.npy", "w+", np.float32, (n, DIMENSION))
    for first in range(0, n, 50_000):
        here = topics[first : first + 50_000]
        rows = (centers[here] + rng.standard_normal((len(here), DIMENSION), np.float32) * spectrum) @ turn + mean
        pool[first : first + 50_000] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pool.flush()
    np.save(folder / "topics.npy", topics)


def make_model(folder: Path, classes: int) -> None:
    """Fit Tithe's learner to some rows; what is kept is plain weights, the temperature divided out."""
    from tithe.learners.linear import LinearLearner

    labeled = ROWS_LABELED[classes]
    vectors = np.load(folder / "pool.npy", mmap_mode="r")[:labeled].copy()
    targets = np.load(folder / "topics.npy")[:labeled] % classes
    model = LinearLearner().fit(vectors, targets, classes, task="single", seed=0, members=5)
    if len(model.learned) != classes:
        raise RuntimeError(f"{labeled} labels hold {len(model.learned)} of {classes} classes")
    np.save(folder / f"heads{classes}.npy", (model.heads / model.temperature).astype(np.float32))


# ---- the definitions ----


def definition(case: Case) -> np.ndarray:
    """Every row's score in float64, shape (n,), higher = sooner."""
    scores = np.empty(case.n)
    heads = case.heads.astype(np.float64)
    for first in range(0, case.n, 8192):
        rows = case.vectors[first : first + 8192].astype(np.float64)
        chosen = heads[1:] if case.work == "vote_entropy" else heads[:1]
        logits = np.stack([rows @ head[:, :-1].T + head[:, -1] for head in chosen])
        if case.work == "vote_entropy":
            votes = logits.argmax(axis=2)
            counts = (votes[:, np.newaxis] == votes).sum(axis=1)
            scores[first : first + 8192] = -np.log(np.sort(counts, axis=0) / len(votes)).mean(axis=0)
            continue
        p = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        two = np.partition(p, -2, axis=1)[:, -2:]
        entropy = -(p * np.log(p + np.finfo(float).tiny)).sum(axis=1)
        scores[first : first + 8192] = entropy if case.work == "entropy" else 1 - (two[:, 1] - two[:, 0])
    return scores


def judged(case: Case, picks: np.ndarray, expected: Any) -> str:
    """How the picks compare with the definition's."""
    if case.work in ("entropy", "margin", "vote_entropy"):
        best = np.sort(expected)[-case.k :]
        if len(set(picks.tolist())) != case.k:
            return f"{len(set(picks.tolist()))} distinct"
        if np.allclose(np.sort(expected[picks]), best, rtol=0, atol=1e-9):
            return "same"
        common = np.intersect1d(picks, np.argsort(expected)[-case.k :]).size
        return f"{common} of {case.k}"
    if case.work.startswith("k_center"):
        order, radius = expected
        same = "same" if set(picks.tolist()) == set(order) else f"{len(set(picks.tolist()) & set(order))} of {case.k}"
        return f"{same}, radius {radius_of(case, picks) / radius:.4f}"
    distinct = len(set(picks.tolist()))
    return f"{distinct} distinct" if distinct == case.k else f"only {distinct} distinct"


def farthest_first(case: Case) -> tuple[list[int], float]:
    """Exact k-center greedy with every distance measured directly, and the radius it leaves."""
    vectors = case.vectors[: case.n - LABELED]
    labeled = case.vectors[case.n - LABELED :].astype(np.float64)
    nearest = np.empty(len(vectors))
    for first in range(0, len(vectors), 8192):
        rows = vectors[first : first + 8192].astype(np.float64)
        products = (labeled**2).sum(axis=1) - 2 * rows @ labeled.T
        nearest[first : first + 8192] = products.min(axis=1) + (rows**2).sum(axis=1)
    chosen: list[int] = []
    for _ in range(case.k):
        chosen.append(int(nearest.argmax()))
        lower(nearest, vectors, chosen[-1])
        nearest[chosen] = -1
    return chosen, float(np.sqrt(nearest.max()))


def lower(nearest: np.ndarray, vectors: np.ndarray, center: int) -> None:
    """Bring squared distances down to those to one more center."""
    for first in range(0, len(vectors), 65_536):
        away = vectors[first : first + 65_536] - vectors[center]
        squares = np.einsum("ij,ij->i", away, away, dtype=np.float64)
        np.minimum(nearest[first : first + 65_536], squares, out=nearest[first : first + 65_536])


def radius_of(case: Case, picks: np.ndarray) -> float:
    """How far the farthest candidate is from the labeled rows and the picks."""
    vectors = case.vectors[: case.n - LABELED]
    centers = np.concatenate([case.vectors[case.n - LABELED :], case.vectors[np.sort(picks)]]).astype(np.float64)
    squares, worst = (centers**2).sum(axis=1), 0.0
    for first in range(0, len(vectors), 8192):
        rows = vectors[first : first + 8192].astype(np.float64)
        worst = max(worst, float(((squares - 2 * rows @ centers.T).min(axis=1) + (rows**2).sum(axis=1)).max()))
    return float(np.sqrt(worst))


# ---- one contestant ----


def compete(module: str, case: Case, options: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray | None]:
    """Run it in a process of its own; what it measured, or why there is nothing."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")} | PINS
    environ |= {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "shared")]), "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory(prefix="tithe-bench-") as out:
        command = [options.python, "-m", "peers.run", module, case.write(), out]
        with Path(out, "log").open("w") as log:
            child = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT, cwd=out)
            ended, peak = watched(child, Path(out, "prepared"), options)
        if ended:
            return {"outcome": ended, "extra_mb": peak}, None
        if not Path(out, "measured.json").exists():
            lines = [line for line in Path(out, "log").read_text().splitlines() if line.strip()]
            return {"outcome": "failed: " + (lines[-1][:90] if lines else f"exit {child.returncode}")}, None
        measured = json.loads(Path(out, "measured.json").read_text())
        found = {name: round(value, 3) for name, value in measured.items()}
        return {**found, "extra_mb": peak}, np.load(Path(out, "picks.npy"))


def watched(child: subprocess.Popen[bytes], prepared: Path, options: argparse.Namespace) -> tuple[str, int]:
    """Wait for the end; why it was stopped, and the most memory beyond the pool and what it had prepared, in MB."""
    began = since = time.perf_counter()
    before = peak = 0.0
    process = psutil.Process(child.pid)
    while child.poll() is None:
        time.sleep(0.01)
        try:
            used = process.memory_info()
        except psutil.Error:
            break
        own = used.rss - getattr(used, "shared", 0)  # the pool's pages are the file's, not its own
        if not before and prepared.exists():
            before, since = own, time.perf_counter()
        peak = max(peak, own)
        reason = ""
        if peak > options.memory_gb * GB:
            reason = f"out of memory ({options.memory_gb:g} GB)"
        elif time.perf_counter() - since > options.seconds or time.perf_counter() - began > 3 * options.seconds:
            reason = f"did not finish in {options.seconds:g} s"
        if reason:
            child.kill()
            child.wait()
            return reason, round((peak - before) / 1e6)
    child.wait()
    return "", round((peak - before) / 1e6) if before else 0


# ---- the table ----


def cases(folder: Path, pools: list[int]) -> Iterator[Case]:
    """Every row of the table, small pools first."""
    for n in pools:
        for classes in (4, 77):
            for work in ("entropy", "margin", "vote_entropy"):
                yield Case(folder, work, n, classes, 100)
        for work in ("k_center", "k_center_kept"):
            yield Case(folder, work, n, 4, 100)
        if n <= 100_000:
            for work in ("badge", "typical", "max_herding", "uncertainty_herding"):
                yield Case(folder, work, n, 4, 100)


def contest(case: Case, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All contestants' rows for one case, and their ratios to Tithe's CPU time."""
    expected: Any = None
    if case.work in ("entropy", "margin", "vote_entropy"):
        expected = definition(case)
    elif case.work.startswith("k_center"):
        expected = farthest_first(case)
    rows = []
    for name, module in CONTESTANTS.items():
        if not has(module, case.work) or (options.only and name not in options.only):
            continue
        measured, picks = compete(module, case, options)
        if picks is not None:
            measured["picks"] = "" if name == LIMIT else judged(case, picks, expected)
        rows.append({"work": title(case), "system": name, "n": case.n, **measured})
        print(rows[-1], file=sys.stderr, flush=True)
    ours = next((row.get("cpu_s") for row in rows if row["system"] == OURS), None)
    for row in rows:
        row["x_tithe"] = round(row["cpu_s"] / ours, 2) if ours and row.get("cpu_s") else None
    return rows


def title(case: Case) -> str:
    """What the table's heading says."""
    names = {
        "vote_entropy": "committee of 5, vote entropy", "k_center": "k-center, 1,000 labeled",
        "k_center_kept": "k-center, a later round: distances to the labeled kept", "badge": "BADGE",
        "typical": "TypiClust", "max_herding": "MaxHerding", "uncertainty_herding": "uncertainty herding",
    }  # fmt: skip
    model = f", {case.classes} classes" if case.work in ("entropy", "margin", "vote_entropy", "badge") else ""
    return f"{names.get(case.work, case.work)}, {case.k} of {case.n:,} x {DIMENSION}{model}"


def has(module: str, work: str) -> bool:
    """Whether the contestant has such a strategy. Its module imports its library only when it is run."""
    import importlib

    return work in importlib.import_module(f"peers.{module}").WORKS


def scaling(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Margin top-100 against the size of the pool; beyond a million the same rows come again and again."""
    rows = []
    for n in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
        case = Case(folder, "margin", min(n, max(POOLS)), 4, 100, over=max(1, n // max(POOLS)))
        measured, _ = compete(CONTESTANTS[OURS], case, options)
        rows.append({"work": "margin, 100 of n x 384, 4 classes", "system": OURS, "n": n, **measured})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """CPU seconds and memory against rows, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    done = [row for row in rows if row.get("cpu_s")]
    sizes = [row["n"] for row in done]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.loglog(sizes, [row["cpu_s"] for row in done], "o-", color="#2a6f97")
    left.set(title="CPU seconds, one thread", xlabel="rows of the pool")
    right.semilogx(sizes, [row["extra_mb"] for row in done], "o-", color="#2a6f97")
    right.set(title="memory beside the pool, MB", xlabel="rows of the pool", ylim=(0, 200))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as tables for the documentation."""
    head = "| system | rows | CPU s | wall s | memory beside the pool, MB | picks | x Tithe |"
    lines = [
        "# Selection beside other libraries",
        "",
        "Written by `make bench-selection`: see `benchmarks/selection.py`.",
    ]
    for work in dict.fromkeys(row["work"] for row in rows):
        lines += ["", f"**{work}**", "", head, "|---|--:|--:|--:|--:|---|--:|"]
        for row in (row for row in rows if row["work"] == work):
            cells = [row["system"], f"{row['n']:,}"]
            cells += [str(row.get(name, "")) for name in ("cpu_s", "wall_s", "extra_mb")]
            cells += [row.get("outcome") or row.get("picks") or "", str(row.get("x_tithe") or "")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Everything, or with --quick the smallest pool only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="10,000 rows only, nothing about larger pools")
    parser.add_argument("--pools", type=int, nargs="*", default=list(POOLS))
    parser.add_argument("--works", nargs="*", help="only these")
    parser.add_argument("--only", nargs="*", help="only these contestants")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of a contestant")
    parser.add_argument("--memory-gb", type=float, default=6.0, help="memory limit of a contestant")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the bench extra")
    parser.add_argument("--data", type=Path, help="where the pool is kept for another run (default: nowhere)")
    options = parser.parse_args()
    pools = [POOLS[0]] if options.quick else options.pools
    with tempfile.TemporaryDirectory(prefix="tithe-bench-") as nowhere:
        folder = options.data or Path(nowhere)
        folder.mkdir(exist_ok=True, parents=True)
        if not (folder / "pool.npy").exists():
            make_pool(folder, max(pools))
        for classes in ROWS_LABELED:
            if not (folder / f"heads{classes}.npy").exists():
                make_model(folder, classes)
        rows = []
        for case in cases(folder, pools):
            if not options.works or case.work in options.works:
                rows += contest(case, options)
        if max(pools) == max(POOLS) and not options.works:
            grown = scaling(folder, options)
            rows += grown
            draw(grown, HERE.parent / "docs" / "images" / "selection-scaling.png")
    report("selection", rows)
    (RESULTS / "selection.md").write_text(markdown(rows))


if __name__ == "__main__":
    main()
