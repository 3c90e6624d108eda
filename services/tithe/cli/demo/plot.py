"""The learning curve beside random's band, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tithe.cli.demo.random_baseline import RandomCurve


def draw(
    path: Path, curve: Sequence[tuple[int, float]], random: RandomCurve, *, strategy: str, metric: str, title: str
) -> bool:
    """Write a PNG; False: matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), dpi=120)
    points = [point for point in random.points if point.scores]
    sizes = [point.labels for point in points]
    axes.fill_between(
        sizes, [min(p.scores) for p in points], [max(p.scores) for p in points], color="0.85", label="random, all seeds"
    )
    axes.plot(sizes, [point.median for point in points], color="0.45", label="random, median")
    axes.plot(*zip(*curve, strict=True), color="tab:blue", marker="o", markersize=3.5, label=f"tithe, {strategy}")
    if random.full_pool_score is not None:
        axes.axhline(
            random.full_pool_score, color="0.3", linestyle=":", label=f"every label of the pool ({random.pool_rows:,})"
        )
    axes.set_xlabel("labels")
    axes.set_ylabel(f"{metric} on held-out reviews")
    if sizes and sizes[-1] > 3 * curve[-1][0]:
        axes.set_xscale("log")
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return True
