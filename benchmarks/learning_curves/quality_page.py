"""The quality report in Markdown, out of the kept curves: every figure and every count is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learning_curves import quality_entities, quality_headline, quality_more, quality_wins
from learning_curves.groups import CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM, Entry, Group
from learning_curves.quality_cells import signed, times
from learning_curves.quality_rows import (
    Curve,
    by_strategy,
    last,
    mean_area,
    middle,
    needed,
    of_seeds,
    over,
    ratio,
    shared_end,
)
from learning_curves.table import TARGETS

SHOWN = {RANDOM: "random", DEFAULT: "**Tithe's default**", CONTROLLED: "Tithe's default with its control arm"}
_HEAD = """# Quality: labels needed

Written by `make bench-quality` from the curves in [results/quality.json](results/quality.json). No figure in a
table or in "In short" is typed.
"""
#: What needs no figures but the machine: kept as text.
_HOW = Path(__file__).with_name("quality_how.md")


def written(
    curves: Sequence[Curve],
    facts: Mapping[str, Any] | None = None,
    beside: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The page.

    Parameters
    ----------
    curves
        As they are kept: set, strategy, seed, limit, growth, labels, accuracy, macro_f1; with pool, test and classes.
    facts
        The machine, the versions, which peers choose the same; None: no such part.
    beside
        Rows of other benchmarks that are shown: of ``curves`` and of ``ner``.
    pictures
        Group name to the picture's path as seen from the page.
    """
    groups = [(group, [entry for entry in group.entries if _there(curves, entry)]) for group in GROUPS]
    groups = [(group, entries) for group, entries in groups if entries]
    parts = [
        _HEAD,
        *quality_headline.lines(curves),
        *quality_wins.lines(curves, [entry for _, found in groups for entry in found]),
    ]
    for group, entries in groups:
        parts += _group(curves, group, entries, (pictures or {}).get(group.name))
    for name, part in (("curves", quality_more), ("ner", quality_entities)):
        if rows := (beside or {}).get(name):
            parts += part.lines(rows)
    if facts:
        parts.append(_how(curves, facts))
    return "\n".join(parts).rstrip() + "\n"


def _there(curves: Sequence[Curve], entry: Entry) -> bool:
    found = by_strategy(curves, entry.set.name)
    return {EVERYTHING, RANDOM, DEFAULT} <= found.keys()


def _how(curves: Sequence[Curve], facts: Mapping[str, Any]) -> str:
    same = " and ".join(
        f"{name.removeprefix('small-text: ')} {count} picks" for name, count in facts["same_choice"].items()
    )
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return _HOW.read_text().format(
        same=same or "not checked here",
        versions=versions,
        growth=curves[0]["growth"],
        behind=quality_wins.BEHIND,
        **facts["machine"],
    )


def _group(curves: Sequence[Curve], group: Group, entries: Sequence[Entry], picture: str | None) -> Iterator[str]:
    yield f"\n## {group.title}\n\n{group.words}\n"
    if picture:
        yield f"![{group.title}]({picture})\n"
    for entry in entries:
        yield from _table(curves, entry)


def _table(curves: Sequence[Curve], entry: Entry) -> Iterator[str]:
    metric, found = entry.set.metric, by_strategy(curves, entry.set.name)
    full, base = of_seeds(found[EVERYTHING], found[RANDOM]), found[RANDOM]
    one, height = next(iter(full.values())), float(np.median([curve[metric] for curve in full.values()]))
    end = shared_end(found)
    yield (
        f"\n**{entry.set.name}**: {one['classes']} classes, a pool of {one['pool']:,}, {one['test']:,} to test on; "
        f"full: {metric.replace('_', '-').replace('f1', 'F1')} {height:.3f}; areas to {end:,.0f} labels"
        f"{_above(found[DEFAULT], metric, height)}\n"
    )
    yield "| strategy | seeds | " + " | ".join(f"{target:.0%}" for target in TARGETS) + " | area | over random |"
    yield "|---|---|" + "---|" * len(TARGETS) + "---|---|"
    ranked = sorted(found.keys() - {EVERYTHING}, key=lambda name: -mean_area(found[name], metric, end))
    for name in ranked:
        mine = found[name]
        cells = [_needed(mine, base, of_seeds(full, mine), metric, target, name == RANDOM) for target in TARGETS]
        above = "" if name == RANDOM else signed(over(mine, base, metric, end))
        area = f"{mean_area(mine, metric, end):.1f}"
        yield f"| {SHOWN.get(name, name)} | {len(mine)} | {' | '.join(cells)} | {area} | {above} |"


def _above(ours: Mapping[int, Curve], metric: str, full: float) -> str:
    """Says so where chosen labels score higher than all: targets are no ceiling then."""
    reached = float(np.median([curve[metric][-1] for curve in ours.values()]))
    return f"; the default ends above that, at {reached:.3f}" if reached > full + 0.01 else ""


def _needed(
    mine: Mapping[int, Curve],
    base: Mapping[int, Curve],
    full: Mapping[int, Curve],
    metric: str,
    target: float,
    bare: bool,
) -> str:
    of = needed(mine, full, metric, target)
    at, ends = middle(list(of.values())), (last(mine), last(base))
    shown = f"{at:,.0f}" if np.isfinite(at) else f"> {ends[0]:,.0f}"
    if bare:
        return shown
    found = ratio(of, needed(base, of_seeds(full, base), metric, target), ends)
    if found is None or (found.at_most and found.median >= 1):  # no more than that it did not arrive
        return shown
    return f"{shown} ({times(found)})"
