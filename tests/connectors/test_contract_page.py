"""The page on writing a connector says what works: its connector passes the suite as its test is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-connector.md"


def test_the_connector_of_the_page_passes_the_suite(tmp_path: Path):
    connector, test = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "tithe_folder.py").write_text(connector, "utf-8")
    (tmp_path / "test_folder.py").write_text(test, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-W", "error", "-p", "no:cacheprovider", "test_folder.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:]
    assert re.search(r"\b2\d passed, 7 skipped", run.stdout), run.stdout[-2000:]
