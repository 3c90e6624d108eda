"""Write proof.md: how far the control arm's figures can be trusted, by what the benchmarks of it found.

Run by ``make bench-proof`` after both. No figure in its tables is typed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Rows = list[dict[str, Any]]

_HEAD = """# How far the control arm's figures can be trusted

Written by `make bench-proof` from [results/proof_quality.json](results/proof_quality.json) and
[results/proof_autolabel.json](results/proof_autolabel.json). Simulated projects with known
truth: the product's learner and default
strategy on labeled sets, a reserve nobody chooses from, truth on the sets' own large test splits. What the meter of
savings and the advice to stop can tell, and what they cannot, is in
[decision 18](../docs/decisions/0018-what-can-be-told.md).
"""


def main() -> None:
    """Write the page."""
    parts = [_HEAD, *_quality(_rows("proof_quality")), *_machine(_rows("proof_autolabel"))]
    (HERE / "proof.md").write_text("\n".join(parts) + "\n", "utf-8")


def _rows(name: str) -> Rows:
    found: Rows = json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))["rows"]
    return found


def _quality(rows: Rows) -> Iterable[str]:
    for metric, words in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        own = [row for row in rows if row["work"].startswith(f"control arm, {metric}")]
        yield f"\n## Quality: {words}, intervals of nominal 95 %\n"
        yield _table(
            ("set", "runs", "control labels", "holds truth", "bias", "width", "width from labels alone", "no interval"),
            [
                (row["system"], row["runs"], row["control labels"], _percent(row["holds %"]), _signed(row["bias"]),
                 _short(row["width"]), _short(row["its width"]), _percent(row["none %"]))
                for row in own
            ],
        )  # fmt: skip
        yield "\n" + _together(own)
        alone = [row for row in rows if row["work"].startswith("actively chosen") and f", {metric}:" in row["work"]]
        yield "\nThe same from actively chosen labels alone, cross-validated, as most tools would tell it:\n"
        yield _table(
            ("set", "labels", "holds truth", "bias"),
            [(row["system"], row["labels"], _percent(row["holds %"]), _signed(row["bias"])) for row in alone],
        )
    yield "\n## Why not levelled weights on chosen labels\n"
    yield "Root mean square error of a fixed model's accuracy. A queue that ranks has no such weights:\n"
    yield _table(*_ways([row for row in rows if row["work"].startswith("accuracy of a fixed model")]))


def _together(rows: Rows) -> str:
    """Coverage over all sets, by control labels."""
    held: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        if row["holds %"] is not None:
            held[row["control labels"]] += [row["holds %"]] * row["runs"]
    told = [f"{sum(some) / len(some):.1f} % with {count} ({len(some)} runs)" for count, some in sorted(held.items())]
    return "All sets together: " + ", ".join(told) + "."


def _ways(rows: Rows) -> tuple[Sequence[str], list[Sequence[Any]]]:
    ways = list(dict.fromkeys(row["way"] for row in rows))
    by: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for row in rows:
        by[row["system"], row["labels"]][row["way"]] = row["root mean square"]
    return ("set", "labels", *ways), [(*key, *(_short(found.get(way)) for way in ways)) for key, found in by.items()]


def _machine(rows: Rows) -> Iterable[str]:
    yield "\n## Machine labels: is the bound kept\n"
    yield "Bounds are to be broken in at most 5 % of runs. Beside it: trusting the model's confidence as it is.\n"
    names = [name for name in rows[0] if name not in ("wall_s", "cpu_s")]
    yield _table(
        ["work", "set", *names[2:]],
        [[row["work"], row["system"], *(row.get(name) for name in names[2:])] for row in rows],
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join("-" if cell is None else str(cell) for cell in line) + " |" for line in lines)


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} %"


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.3f}"


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
