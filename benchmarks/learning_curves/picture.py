"""The curves as a picture: a panel for each set, the median over the seeds with its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SHOWN = {"default": ("Tithe's default", "#d1495b", 2.4), "random": ("random", "#8d99ae", 1.6)}
_TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_OTHERS = ["#2e86ab", "#3b7a57", "#edae49", "#6c4f9e", "#996633", "#d66ba0", "#4a4e69"]


def draw(curves: Sequence[Mapping[str, Any]], path: Path, metrics: Mapping[str, str], head: str = "tithe") -> None:
    """Write the picture; without matplotlib say what to install."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        print("no picture: pip install matplotlib")
        return
    curves = [curve for curve in curves if curve["head"] == head]
    names = list(dict.fromkeys(curve["set"] for curve in curves if curve["strategy"] != "all"))
    if not names:
        return
    strategies = dict.fromkeys(curve["strategy"] for curve in curves if curve["strategy"] not in {"all", *_SHOWN})
    colours = dict(zip(strategies, _OTHERS * len(strategies), strict=False))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 3.4 * rows), squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for name, axis in zip(names, axes.flat, strict=False):
        _panel(axis, name, metrics[name], [curve for curve in curves if curve["set"] == name], colours)
    named = {label: line for axis in figure.axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    labels, handles = list(named), list(named.values())
    figure.legend(handles, labels, loc="lower center", ncol=min(2 * columns, len(labels)), frameon=False)
    figure.tight_layout(rect=(0, 0.05 * -(-len(labels) // (2 * columns)) * 2 / (rows + 1), 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"wrote {path}")


def _panel(axis: Any, name: str, metric: str, curves: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
    strategies = list(dict.fromkeys(curve["strategy"] for curve in curves if curve["strategy"] != "all"))
    for strategy in sorted(strategies, key=lambda one: one in _SHOWN):
        title, colour, width = _SHOWN.get(strategy) or (strategy, colours[strategy], 1.0)
        mine = [curve for curve in curves if curve["strategy"] == strategy]
        heights = np.array([curve[metric] for curve in mine])
        labels = mine[0]["labels"]
        axis.plot(labels, np.median(heights, axis=0), color=colour, linewidth=width, label=title)
        if strategy in _SHOWN:
            axis.fill_between(labels, heights.min(axis=0), heights.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    full = [curve[metric] for curve in curves if curve["strategy"] == "all"]
    if full:
        axis.axhline(float(np.median(full)), color="black", linewidth=0.8, linestyle=":")
    axis.set(xscale="log", xlabel="labels", ylabel=metric.replace("_", "-"), title=name)
    ticks = [tick for tick in _TICKS if min(labels) <= tick <= max(labels)]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.grid(visible=True, which="both", alpha=0.2)
