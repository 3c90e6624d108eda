"""The curves as a picture: a panel for each set, the median over the seeds with its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learning_curves.sets import SETS

_SHOWN = {"default": ("Tithe's default", "#d1495b", 2.4), "random": ("random", "#8d99ae", 1.6)}
_OTHERS = ["#2e86ab", "#3b7a57", "#edae49", "#6c4f9e", "#996633"]


def draw(curves: Sequence[Mapping[str, Any]], path: Path, head: str = "tithe") -> None:
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
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 3.4 * rows), squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for name, axis in zip(names, axes.flat, strict=False):
        _panel(axis, name, [curve for curve in curves if curve["set"] == name])
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=min(6, len(labels)), frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"wrote {path}")


def _panel(axis: Any, name: str, curves: Sequence[Mapping[str, Any]]) -> None:
    metric = SETS[name].metric
    strategies = list(dict.fromkeys(curve["strategy"] for curve in curves if curve["strategy"] != "all"))
    others = iter(_OTHERS * len(strategies))
    for strategy in sorted(strategies, key=lambda one: one in _SHOWN):
        title, colour, width = _SHOWN.get(strategy) or (strategy, next(others), 1.0)
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
    axis.grid(visible=True, which="both", alpha=0.2)
