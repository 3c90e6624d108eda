"""The report's first words: what a large pool takes beside the classic claim, and what rare classes gain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from learning_curves.groups import CONTROL, CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM, Entry
from learning_curves.quality_cells import times
from learning_curves.quality_rows import Curve, Curves, by_strategy, last, middle, needed, of_seeds, ratio

_CLASSIC = "90 % of the quality with 15 to 20 % of the labels; 5 to 10 times fewer labels at equal quality"


def lines(curves: Sequence[Curve]) -> Iterator[str]:
    """The headline, as far as there are curves for it."""
    entries = {group.name: [one for one in group.entries if _there(curves, one)] for group in GROUPS}
    yield (
        f"\n## In short\n\nThe classic claim for active learning: *{_CLASSIC}.* Here, counting every label (of one "
        "pool a ratio has no interval, and part of it is chance):\n"
    )
    for entry in entries["large"]:
        yield from _large(curves, entry)
    for name, words in (("skewed", "Rare classes"), ("balanced", "Balanced classes"), ("noisy", "Wrong answers")):
        if entries[name]:
            yield f"- **{words}**, times as many labels as the default that random needs for 90 / 95 / 98 % of full:"
            yield from (_ratios(curves, entry) for entry in entries[name])


def _there(curves: Sequence[Curve], entry: Entry) -> bool:
    return {EVERYTHING, RANDOM, DEFAULT} <= by_strategy(curves, entry.set.name).keys()


def _large(curves: Sequence[Curve], entry: Entry) -> Iterator[str]:
    """Labels for 90 % of full, as a share of the pool, with the control arm where it was followed so far."""
    found, metric = by_strategy(curves, entry.set.name), entry.set.metric
    full = of_seeds(found[EVERYTHING], found[RANDOM])
    pool = next(iter(full.values()))["pool"]

    def at(name: str) -> float:
        return middle(list(needed(found[name], of_seeds(full, found[name]), metric, 0.9).values()))

    ours, rival = at(CONTROLLED) if CONTROLLED in found else math.inf, at(RANDOM)
    words = "the default, its control labels counted,"
    if not math.isfinite(ours):  # that curve ends before: what is set aside is a known share
        ours, words = at(DEFAULT) / (1 - CONTROL), "the default, control labels reckoned in,"
    told = [
        f"{who} takes {labels:,.0f} labels, {labels / pool:.1%} of the pool"
        if math.isfinite(labels)
        else f"{who} has not arrived after {last(found[name]):,.0f}"
        for who, labels, name in ((words, ours, DEFAULT), ("random", rival, RANDOM))
    ]
    yield (
        f"- **{entry.set.name}** ({pool:,} texts; {_pools(found[DEFAULT])}): for 90 % of full quality "
        f"{'; '.join(told)}. 15 to 20 % would be {0.15 * pool:,.0f} to {0.2 * pool:,.0f}."
    )


def _ratios(curves: Sequence[Curve], entry: Entry) -> str:
    """One set's ratios, without and with the control arm."""
    found, metric = by_strategy(curves, entry.set.name), entry.set.metric
    full, base = of_seeds(found[EVERYTHING], found[RANDOM]), found[RANDOM]

    def told(name: str) -> str:
        mine, cells = found[name], []
        for target in (0.90, 0.95, 0.98):
            of = needed(mine, of_seeds(full, mine), metric, target)
            got = ratio(of, needed(base, full, metric, target), (last(mine), last(base)))
            never = f"not within {last(mine):,.0f}"
            cells.append(never if got is None or got.at_most else times(got))
        return " / ".join(cells)

    controlled = f"; with the control arm {told(CONTROLLED)}" if CONTROLLED in found else ""
    return f"  - {entry.set.name} ({_pools(found[DEFAULT])}): {told(DEFAULT)}{controlled}"


def _pools(curves: Curves) -> str:
    return "one pool" if len(curves) == 1 else f"{len(curves)} pools"
