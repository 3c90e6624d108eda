"""An export on its way into a file: the server's JSON lines, as rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from tithe.connectors.files.row import Row


class Taking:
    """The rows of an export. Of an item that several people answered the first answer is taken.

    `left_out`: what other formats cannot say, by reason.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Row]:
        taken: set[int] = set()  # of hashes: some 70 bytes an item
        for place, line in enumerate(self._lines, 1):
            told = json.loads(line)
            if (known := hash(told["id"])) in taken:
                self.left_out["further answers to an item that is in it"] += 1
                continue
            taken.add(known)
            yield Row(
                place, told.get("id"), told.get("text"), told.get("tokens"), told.get("label"), told.get("split"),
                told.get("meta"), skipped=told.get("status") == "skipped", annotator=told.get("annotator"),
            )  # fmt: skip
