"""What the benchmarks share: a temporary stack, percentiles, a table, a results file."""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0..100)."""
    return float(np.percentile(np.asarray(values), q))


@contextmanager
def clock() -> Iterator[dict[str, float]]:
    """Wall and CPU seconds of this process and its ended children, filled in when the block ends."""
    measured: dict[str, float] = {}
    wall, cpu = time.perf_counter(), _cpu()
    yield measured
    measured["wall_s"] = round(time.perf_counter() - wall, 3)
    measured["cpu_s"] = round(_cpu() - cpu, 3)


def _cpu() -> float:
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def report(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table and write them with the machine they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "load_average": os.getloadavg()[0], "python": platform.python_version()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    for work in dict.fromkeys(row["work"] for row in rows):
        chosen = [row for row in rows if row["work"] == work]
        columns = [column for column in dict.fromkeys(key for row in chosen for key in row) if column != "work"]
        table = Table(title=work)
        for column in columns:
            table.add_column(column, justify="left" if column == "system" else "right")
        for row in chosen:
            table.add_row(*["" if row.get(c) is None else str(row[c]) for c in columns])
        Console(width=220).print(table)
