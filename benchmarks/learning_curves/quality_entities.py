"""What ``make bench-ner`` measured, as the quality report shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tithe.contracts.projects import Task, default_strategy


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table of the kept rows."""
    yield "\n## Entities\n"
    yield (
        "Not measured again here: these are the rows of `make bench-ner` ([results/ner.json](results/ner.json)), with "
        "the product's tagger. Labels are sentences. Neither scikit-activeml nor small-text chooses sentences by their "
        "tokens, so there is no peer; the default is one of the strategies.\n\n"
        "![entities](../docs/images/ner-curves.png)\n"
    )
    yield "| set | strategy | seeds | full F1 | 90 % | 95 % | 98 % | over random | words for 95 % (of the pool's) |"
    yield "|---" * 9 + "|"
    default = default_strategy(Task.TOKENS, 1)
    for row in rows:
        name = f"**{row['strategy']}**, the default" if row["strategy"] == default else row["strategy"]
        cells = [_needed(row, target, bare=row["strategy"] == "random") for target in ("90%", "95%", "98%")]
        above = "" if row["strategy"] == "random" else row.get("over random", "")
        told = [row["work"].split(",")[0], name, row["seeds"], row["full"], *cells, above, _words(row)]
        yield f"| {' | '.join(map(str, told))} |"


def _needed(row: Mapping[str, Any], target: str, *, bare: bool) -> str:
    saves = row.get(f"{target} saves")
    return f"{row.get(target, '')}" + (f": {saves}" if saves and not bare else "")


def _words(row: Mapping[str, Any]) -> str:
    words, share = row.get("words for 95%"), row.get("of the pool's")
    return f"{words} ({share})" if words and share else ""
