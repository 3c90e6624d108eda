"""What the pages take from others is what the manifest says, and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "services/tithe/gateway/pages/static/vendor"


def test_vendored_files_are_those_of_the_manifest():
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    for one in manifest:
        assert hashlib.sha256((VENDOR / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
        assert one["version"]
        assert one["licence"]
    known = {one["file"] for one in manifest} | {"manifest.json", "text-annotator.LICENSE"}
    assert {file.name for file in VENDOR.iterdir()} == known
