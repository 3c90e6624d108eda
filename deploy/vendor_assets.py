"""Fetch the scripts and styles that the pages are made of, by name and version, into the repository.

A developer runs this when a version changes (it needs npm); users and CI never do: the files are in the repository,
and a test holds them to the checksums in ``manifest.json``.

    python deploy/vendor_assets.py
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "services/tithe/gateway/pages/static/vendor"
#: Package, version, licence, and which of its files become which of ours.
WANTED = (
    ("@picocss/pico", "2.1.1", "MIT", {"css/pico.min.css": "pico.min.css", "LICENSE.md": "pico.LICENSE"}),
    ("htmx.org", "4.0.1", "0BSD",
     {"dist/htmx.min.js": "htmx.min.js", "dist/ext/hx-sse.min.js": "hx-sse.min.js", "LICENSE": "htmx.LICENSE"}),
    ("echarts", "6.1.0", "Apache-2.0", {"dist/echarts.min.js": "echarts.min.js", "LICENSE": "echarts.LICENSE"}),
    ("@recogito/text-annotator", "4.1.1", "BSD-3-Clause",
     {"dist/text-annotator.umd.js": "text-annotator.js", "dist/text-annotator.css": "text-annotator.css"}),
    ("papaparse", "5.7.1", "MIT", {"papaparse.min.js": "papaparse.min.js", "LICENSE": "papaparse.LICENSE"}),
    ("idb-keyval", "6.3.0", "Apache-2.0", {"dist/index.js": "idb-keyval.js", "LICENCE": "idb-keyval.LICENSE"}),
)  # fmt: skip


def main() -> None:
    """Fetch every package and write its files beside a manifest."""
    HERE.mkdir(parents=True, exist_ok=True)
    files = []
    for package, version, licence, wanted in WANTED:
        with tempfile.TemporaryDirectory() as folder:
            name = subprocess.run(
                ["npm", "pack", "--silent", f"{package}@{version}"],  # noqa: S607
                cwd=folder, check=True, capture_output=True, text=True,
            ).stdout.split()[-1]  # fmt: skip
            with tarfile.open(Path(folder) / name) as archive:
                for source, target in wanted.items():
                    found = archive.extractfile(f"package/{source}")
                    if found is None:
                        raise FileNotFoundError(f"{package} {version} has no {source}")
                    content = found.read()
                    (HERE / target).write_bytes(content)
                    digest = hashlib.sha256(content).hexdigest()
                    files.append({"file": target, "package": package, "version": version, "licence": licence,
                                  "source": source, "sha256": digest})  # fmt: skip
    (HERE / "manifest.json").write_text(json.dumps(files, indent=1) + "\n", "utf-8")
    print(f"{len(files)} files")  # noqa: T201


if __name__ == "__main__":
    main()
