"""What a real Label Studio costs the loop: a window re-ranked, and the lag from an annotation to its counted label.

The bare-metal limit beside each: the same calls by hand, one after another, with nothing of Tithe in between.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from label_studio.server import LabelStudio  # noqa: E402
from label_studio.walking import Walk, until, whole_tithe  # noqa: E402
from tithe.connectors.label_studio import KIND  # noqa: E402
from tithe.connectors.outside import Outside  # noqa: E402
from tithe.connectors.protocol import Outgoing, Ranked, Schema  # noqa: E402
from tithe.contracts.projects import Task  # noqa: E402


def window(studio: LabelStudio, size: int) -> dict[str, float]:
    """Push a window, give it an order, and another; the same calls by hand."""
    connector = KIND.open(
        KIND.settings.model_validate({"url": studio.url}), studio.legacy_token, Outside(("127.0.0.1",))
    )
    schema = Schema("bench", Task.TEXT, ("ham", "spam"), 1, suggestions=False)
    remote = connector.ensure_project(schema, None)
    items = [Outgoing(f"k{n}", f"i{n}", f"text number {n}", n) for n in range(size)]
    found: dict[str, float] = {}
    began = time.perf_counter()
    tasks = [one.task for one in connector.push(remote, items, "bench")]
    found["push"] = time.perf_counter() - began
    for turn in ("first order", "next order"):
        began = time.perf_counter()
        connector.rerank(remote, [Ranked(str(task), rank) for rank, task in enumerate(tasks)], turn)
        found[turn] = time.perf_counter() - began
        tasks.reverse()
    began = time.perf_counter()
    connector.poll(remote, connector.poll(remote, None).cursor)
    found["poll of nothing, twice"] = time.perf_counter() - began
    with httpx.Client(
        base_url=studio.url, headers={"Authorization": f"Token {studio.legacy_token}"}, timeout=120
    ) as bare:
        rows = [
            {"task": int(str(t)), "result": [], "score": n / size, "model_version": "bare"} for n, t in enumerate(tasks)
        ]
        began = time.perf_counter()
        bare.post(f"/api/projects/{remote.id}/import/predictions", json=rows).raise_for_status()
        bare.patch(f"/api/projects/{remote.id}/", json={"model_version": "bare"}).raise_for_status()
        found["bare: one bulk call and a switch"] = time.perf_counter() - began
    connector.close()
    return found


def lag(walk: Walk, count: int) -> dict[str, float]:
    """Seconds from the answer of the annotator's call to the counted label, as a client of Tithe sees it."""
    person = walk.studio.user("ada@tithe.example")
    seconds, calls = [], []
    for _ in range(count):
        before = walk.status()["counts"]["labeled"]
        task = person.next_task(walk.remote)
        assert task is not None
        began = time.perf_counter()
        person.annotate(task, walk.answer(task))
        calls.append(time.perf_counter() - began)
        began = time.perf_counter()
        until(lambda before=before: walk.status()["counts"]["labeled"] > before)
        seconds.append(time.perf_counter() - began)
    return {
        "median": statistics.median(seconds),
        "worst": max(seconds),
        "Label Studio's own call": statistics.median(calls),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LabelStudio.started(Path(folder) / "studio") as studio:
        found = {f"window of {options.window}": window(studio, options.window)}
        with whole_tithe(Path(folder) / "tithe") as stack:
            ways = {"hooks": stack.endpoints.gateway_url, "polling every 2 s": None}
            for seed, (way, hooks_url) in enumerate(ways.items(), start=1):
                with Walk.begun(stack, studio, seed=seed, hooks_url=hooks_url, retrain_every=1000) as walk:
                    found[f"lag by {way}"] = lag(walk, options.labels)
    for what, figures in found.items():
        print(f"\n{what}")
        for name, seconds in figures.items():
            print(f"  {name:36s} {seconds:8.2f} s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
