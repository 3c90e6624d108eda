"""A picture for each group of the quality report: the default, random and the best of each library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learning_curves import picture
from learning_curves.groups import CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM
from learning_curves.quality_rows import Curve, by_strategy, cut


def draw(curves: Sequence[Curve], folder: Path) -> dict[str, str]:
    """Write ``quality-GROUP.png`` into the folder; where each lies as seen from the page, by group."""
    drawn: dict[str, str] = {}
    for group in GROUPS:
        chosen: list[dict[str, Any]] = []
        for entry in group.entries:
            chosen += _of_set(curves, entry.set.name)
        if not chosen:
            continue
        path = folder / f"quality-{group.name}.png"
        picture.draw(chosen, path, {entry.set.name: entry.set.metric for entry in group.entries})
        if path.is_file():  # without matplotlib there is none
            drawn[group.name] = f"../docs/images/{path.name}"
    return drawn


def _of_set(curves: Sequence[Curve], name: str) -> list[dict[str, Any]]:
    """The set's curves as far as the default's goes, seeds that everybody has."""
    found = by_strategy(curves, name)
    if not {EVERYTHING, RANDOM, DEFAULT} <= found.keys():
        return []
    end = min(curve["labels"][-1] for curve in found[DEFAULT].values())
    chosen = [{**curve, "head": "tithe"} for curve in found[EVERYTHING].values()]
    for strategy in found.keys() - {EVERYTHING, CONTROLLED}:
        if found[strategy].keys() >= found[DEFAULT].keys():
            chosen += [{**cut(curve, end), "head": "tithe"} for curve in found[strategy].values()]
    return chosen
