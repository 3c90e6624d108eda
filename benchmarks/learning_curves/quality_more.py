"""More pools of the same sets, without rivals: what ``make bench-curves`` measured, as the quality report shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows of the product's learner, the default and random of every set."""
    yield "\n## More pools of the same sets\n"
    yield (
        "Not measured again here: rows of `make bench-curves` ([results/curves.json](results/curves.json)), with the "
        "same learner and choosing, in batches of 20 or of a tenth of the labels, as far as 400 to 1,000 labels. "
        "Medians over the pools with a 90 % interval; areas with twice their standard error.\n"
    )
    yield "| set | pools | full | strategy | 90 % | 95 % | 98 % | over random |"
    yield "|---" * 8 + "|"
    for row in rows:
        name, _, head = row["work"].partition(", head ")
        if head == "tithe" and row["strategy"] in ("default", "random"):
            yield f"| {' | '.join(map(str, _cells(name, row)))} |"


def _cells(name: str, row: Mapping[str, Any]) -> list[Any]:
    random = row["strategy"] == "random"
    needed = []
    for target in ("90%", "95%", "98%"):
        saves = row.get(f"{target} saves")
        needed.append(f"{row.get(target, '')}" + (f": {saves}" if saves and not random else ""))
    above = "" if random or row["seeds"] < 2 else row.get("over random", "")
    shown = "random" if random else "**Tithe's default**"
    return [name, row["seeds"], row["full"], shown, *needed, above]
