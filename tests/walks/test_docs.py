"""The pages say what works: their bash blocks are run in order against a real stack, and so is the README's Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tithe.cli.let_in import first_admin
from tithe.client import Tithe
from tithe.embedded.stack import Stack, StackOptions
from tithe.loop import people
from tithe.storage.database import Database, Unit
from tithe.storage.migrate import migrate

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running stack's gateway, which asks for a key; the key is in the environment, as the pages say."""
    closed = {"TITHE_OPEN_LOOPBACK": "false"}
    options = StackOptions(data=tmp_path_factory.mktemp("stack"), scorers=1, flower=False, durable=False, env=closed)
    with Stack(options, migrate=lambda url: migrate(url) and None) as stack, pytest.MonkeyPatch.context() as patch:
        stack.start()
        first_admin(stack.endpoints.database_url)
        with Database(stack.endpoints.database_url, connections=1) as database:
            patch.setenv("TITHE_API_KEY", database.run(key_of_the_admin))
        yield stack.endpoints.gateway_url


def key_of_the_admin(unit: Unit) -> str:
    return people.add_key(unit, people.known(unit, "admin").id, "test", "test", 1)[0]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def script(page: Path) -> str:
    """The page's blocks in order, those in Python run from the shell."""
    found = re.findall(r"^```(bash|python)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    steps = [text if language == "bash" else f"python - <<'END_BLOCK'\n{text}END_BLOCK" for language, text in found]
    return "set -euo pipefail\n" + "\n".join(steps)


@pytest.mark.parametrize(
    "page",
    [
        "docs/how-to/label-over-http.md",
        "docs/how-to/label-entities.md",
        "docs/how-to/auto-label.md",
        "docs/how-to/choose-an-encoder.md",
        "docs/how-to/files.md",
        "docs/how-to/rehearse.md",
        "docs/strategies.md",
    ],
)
def test_a_page_works_as_it_is_written(url: str, tmp_path: Path, page: str):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "TITHE_URL": url, "PATH": path}
    run = subprocess.run(
        ["bash", "-c", script(ROOT / page)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]


def test_the_readmes_python_works_as_it_is_written(url: str, tmp_path: Path):
    with Tithe(url) as tithe:
        for old in tithe.projects():  # the other page's
            old.delete()
        project = tithe.create_project("support mail", labels=["question", "complaint"], encoder="hashing", budget=20)
        project.import_items([{"text": f"the {thing} arrived broken"} for thing in map(str, range(40))])
    (code,) = blocks(ROOT / "README.md", "python")
    code = code.replace("http://127.0.0.1:8000", url)
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with Tithe(url) as tithe:
        assert tithe.project("support mail").status().counts.labeled == 20


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_every_link_to_a_file_leads_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8")):
        if "://" not in target:
            assert (ROOT / page.parent / target).exists(), target
