"""JSON lines, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tithe.connectors.files.format import Written
from tithe.connectors.files.whole import whole_file


def write_lines(path: Path, objects: Iterable[Mapping[str, Any]]) -> Written:
    """One object a line; what is None is left out."""
    written = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for one in objects:
            kept = {name: value for name, value in one.items() if value is not None}
            file.write(json.dumps(kept, ensure_ascii=False) + "\n")
            written += 1
    return Written(written)
