"""Read the demo's report.json, print its figures, and fail if the run broke a promise. Standard library only."""
# ruff: noqa: T201 - the figures are printed for whoever reads the log

import json
import sys
from pathlib import Path

FIGURES = (
    "labels_used", "final_score", "random_score_at_same_labels", "random_labels_for_same_score", "seconds",
    "batch_p50_ms", "batch_p99_ms", "peak_memory_mb", "double_handouts", "check",
)  # fmt: skip
PEAK_MEMORY_LIMIT_MB = 3072


def broken_promises(report: dict) -> list[str]:
    """Say what is wrong with a report; speed and scores are shown, not judged: they differ from machine to machine."""
    missing = [name for name in FIGURES if name not in report]
    if missing:
        return [f"missing: {', '.join(missing)}"]
    wrong = []
    if report["check"] != "clean":
        wrong.append(f"the database's invariants do not hold: {report['check']}")
    if report["double_handouts"] != 0:
        wrong.append(f"{report['double_handouts']} items were in two people's hands at once")
    if not report["peak_memory_mb"] < PEAK_MEMORY_LIMIT_MB:
        wrong.append(f"{report['peak_memory_mb']} MB of memory at the peak; the limit is {PEAK_MEMORY_LIMIT_MB}")
    return wrong


def main(path: str = "demo/report.json") -> int:
    """Check one report."""
    try:
        report = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        print(f"{path} cannot be read: {error}", file=sys.stderr)
        return 1
    for name in FIGURES:
        print(f"  {name:<30} {report.get(name, 'missing')}")
    wrong = broken_promises(report)
    for line in wrong:
        print(f"{path}: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
