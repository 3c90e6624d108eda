"""Rules of the house that a machine can keep."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tithe.contracts.tasks import MESSAGES, TaskMessage
from tithe.storage.queries import queries

ROOT = Path(__file__).parents[2]
GOLDENS = Path(__file__).parent / "goldens"
WORKERS = ("trainer", "scorer", "prover", "sync")


def handlers(worker: str) -> dict[type[TaskMessage], str]:
    code = (
        f"import json; from tithe.{worker}.handlers import HANDLERS;"
        "print(json.dumps({m.topic: [m.queue.value, t] for m, t in HANDLERS.items()}))"
    )
    environment = {**os.environ, "TITHE_BROKER_URL": "redis://127.0.0.1:1/0"}
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return json.loads(out)


def test_neither_wing_closes_the_namespace_package():
    assert not (ROOT / "shared/tithe/__init__.py").exists()
    assert not (ROOT / "services/tithe/__init__.py").exists()


def test_every_message_has_exactly_one_handler_on_the_queue_its_worker_serves():
    queues_of = {"trainer": ["train"], "scorer": ["score", "embed"], "prover": ["prove"], "sync": ["sync"]}
    found: list[str] = []
    for worker in WORKERS:
        for topic, (queue, target) in handlers(worker).items():
            assert queue in queues_of[worker], topic
            module, _, function = target.partition(":")
            assert callable(getattr(importlib.import_module(module), function))
            found.append(topic)
    assert sorted(found) == sorted(MESSAGES)


@pytest.mark.parametrize("topic", sorted(MESSAGES))
def test_the_wire_format_of_a_message_is_pinned(topic: str):
    message_type = MESSAGES[topic]
    values = {
        name: str(uuid.UUID(int=7)) if field.annotation is uuid.UUID else 3
        for name, field in message_type.model_fields.items()
    }
    wire = message_type.model_validate(values).wire()
    golden = GOLDENS / f"{topic}.json"
    assert json.loads(golden.read_text()) == {"topic": topic, "queue": message_type.queue.value, "body": wire}


def test_every_named_query_is_used_and_every_used_query_is_named():
    code = "\n".join(path.read_text() for path in (ROOT / "shared/tithe/storage").rglob("*.py"))
    by_pattern = ("checks.", "projects.purge_")
    assert [name for name in queries() if f'"{name}"' not in code and not name.startswith(by_pattern)] == []


def test_nothing_committed_names_a_machine_of_ours():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    ours = ["/wo" + "rk/", "/root/" + ".", ".lib" + "rary"]
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 500_000:
            text = path.read_text("utf-8", errors="ignore")
            assert not [word for word in ours if word in text], name


def test_the_example_environment_names_every_setting_with_its_default():
    from tithe.settings import Settings

    text = (ROOT / ".env.example").read_text()
    missing = [name for name in Settings.model_fields if f"# TITHE_{name.upper()}=" not in text]
    assert missing == []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert f"# TITHE_{name.upper()}={field.default:g}" in text or f"={field.default}" in text, name


def test_the_page_about_strategies_holds_the_catalog_as_the_command_prints_it():
    from tithe.cli.strategies import as_markdown
    from tithe.strategies.catalog import CATALOG

    assert as_markdown(CATALOG.values()) in (ROOT / "docs/strategies.md").read_text("utf-8")


def test_what_intake_takes_no_strategy_refuses():
    import numpy as np

    from tithe.loop.checking import LONGEST_SQUARED
    from tithe.strategies.distances import checked_vectors

    longest = np.full((2, 4), np.sqrt(LONGEST_SQUARED / 4), dtype=np.float32)
    assert checked_vectors("vectors", longest).shape == (2, 4)
