"""From a key to the next item on screen, in a real Chromium, while twenty other annotators label and rounds run.

    python benchmarks/page.py --chromium /usr/bin/chromium

Beside it, in the same page: what an empty frame takes, the least any page could do. And how long the project's page
takes to its first paint. Printed as a table.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tithe.embedded.options import StackOptions
from tithe.embedded.stack import Stack
from tithe.storage.migrate import migrate

WORDS = [
    "the",
    "model",
    "of",
    "a",
    "pool",
    "asks",
    "people",
    "for",
    "labels",
    "in",
    "batches",
    "and",
    "learns",
    "from",
    "every",
    "round",
    "of",
    "them",
    "again",
]
#: What the page measures, of nothing: from a task to after the next frame.
_EMPTY_FRAMES = """async (n) => { const found = []; for (let i = 0; i < n; i++) found.push(await new Promise((done) => {
    const began = performance.now(); requestAnimationFrame(() => { const c = new MessageChannel();
    c.port1.onmessage = () => done(performance.now() - began); c.port2.postMessage(null); }); })); return found; }"""


def main() -> None:
    """Measure and print."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(Path(folder), scorers=1, flower=False, durable=True, env={"TITHE_OPEN_LOOPBACK": "true"})
        with Stack(options, migrate=lambda url: migrate(url) and None) as stack:
            stack.start()
            url = stack.endpoints.gateway_url
            project = _project(url, args.items)
            over = threading.Event()
            others = [
                threading.Thread(target=_annotator, args=(url, project, f"other-{n}", over)) for n in range(args.others)
            ]
            for one in others:
                one.start()
            try:
                found = _measure(url, project, args)
            finally:
                over.set()
                for one in others:
                    one.join()
            status = httpx.get(f"{url}/v1/projects/{project}/status").json()
    _print(found, status, args)


def _project(url: str, items: int) -> str:
    spec = {"name": "page", "task": "text_classification", "labels": ["a", "b", "c", "d"], "encoder": "hashing",
            "retrain_every": 50}  # fmt: skip
    project: str = httpx.post(f"{url}/v1/projects", json=spec).json()["id"]
    chance = random.Random(0)
    lines = (json.dumps({"id": f"i{n}", "text": f"{' '.join(chance.choices(WORDS, k=20))} {n}"}) for n in range(items))
    httpx.post(
        f"{url}/v1/projects/{project}/items", content="\n".join(lines), timeout=900,
        headers={"Content-Type": "application/x-ndjson"},
    ).raise_for_status()  # fmt: skip
    return project


def _annotator(url: str, project: str, name: str, over: threading.Event) -> None:
    """Two answers in three seconds or so, each sent by itself."""
    chance = random.Random(name)
    with httpx.Client(base_url=url, timeout=60) as http:
        while not over.is_set():
            batch = http.post(f"/v1/projects/{project}/batches", json={"annotator": name}).json()
            for item in batch["items"]:
                over.wait(chance.uniform(1.0, 2.0))
                if over.is_set():
                    return
                label = {"item_id": item["item_id"], "label": chance.choice("abcd")}
                http.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": [label]})


def _measure(url: str, project: str, args: argparse.Namespace) -> dict[str, list[float]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{url}/label/{project}")
        page.wait_for_selector("[data-testid=item]:not([hidden])")
        time.sleep(10)  # others are under way
        for n in range(args.keys):
            page.keyboard.press("1234"[n % 4])
            page.wait_for_timeout(args.pause)
        address = f"{url}/projects/{project}"
        paints = [_first_paint(browser.new_page(), address) for _ in range(5)]
        found = {
            "key to next item": page.evaluate("window.titheTimings"),
            "an empty frame": page.evaluate(_EMPTY_FRAMES, 100),
            "first paint of the project's page": paints,
        }
        browser.close()
    return found


def _first_paint(page: Page, address: str) -> float:
    page.goto(address)
    page.wait_for_timeout(1500)
    paint: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.close()
    return paint


def _print(found: dict[str, list[float]], status: dict[str, Any], args: argparse.Namespace) -> None:
    table = Table("milliseconds", "n", "median", "p95", "most", title=f"{args.others} others, {args.items:,} items")
    for name, times in found.items():
        of = np.array(times)
        table.add_row(name, str(len(of)), *(f"{one:.0f}" for one in (np.median(of), np.percentile(of, 95), of.max())))
    Console().print(table)
    print("labels by all:", status["counts"]["labeled"], "rounds:", status["ranking"]["round"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--others", type=int, default=20)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--pause", type=int, default=250, help="milliseconds between keys")
    return parser.parse_args()


if __name__ == "__main__":
    main()
