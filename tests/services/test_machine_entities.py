"""Machine labels that are more than one class: right is only what is right as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

from tithe.contracts.projects import ProjectSpec, Task
from tithe.gateway.app import create_app
from tithe.loop.machine import agreed, compared
from tithe.runtime import Runtime
from tithe.storage import checks, projects
from tithe.storage.pool import NewItem

from .entities_at_hand import entity_items
from .turning import bring_in, label, work_off


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def machine_rows(gateway: TestClient, runtime: Runtime, project_id: object) -> tuple[dict, dict[str, object]]:
    """A run calibrated with the test split, and what it says, by item."""
    path = f"/v1/projects/{project_id}/machine-labels"
    asked = {"error": 0.3, "certainty": 0.8, "audit": 5, "test_labels": True}
    run = gateway.post(path, json=asked).json()
    work_off(runtime)
    run = gateway.get(f"{path}/{run['id']}").json()
    lines = gateway.get(f"{path}/{run['id']}/export?anyway=true").text.splitlines()
    return run, {one["id"]: one["label"] for one in map(json.loads, lines)}


def test_of_entities_a_text_is_right_where_every_span_is(gateway: TestClient, runtime: Runtime):
    spec = ProjectSpec(
        name="names", task=Task.TOKENS, labels=["PER", "LOC"], encoder="hashing", batch_size=10, retrain_every=60,
        seed=3, control=0.0, near_duplicate=None,
    )  # fmt: skip
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    items, truth = entity_items(140, tests=40)
    bring_in(runtime, project, items, block_rows=50)
    work_off(runtime)
    label(runtime, project, truth, 60)
    work_off(runtime)
    run, said = machine_rows(gateway, runtime, project.id)
    assert (run["state"], run["known"]) == ("auditing", 40)
    assert len(said) == run["labeled"] > 20
    wrong = [item for item, spans in said.items() if compared(spans) != compared(truth[item])]
    assert len(wrong) <= 0.3 * len(said)
    assert not any(item in said for item in (f"i{n}" for n in range(140, 180)))


def test_of_several_classes_the_set_must_be_the_same(gateway: TestClient, runtime: Runtime):
    spec = ProjectSpec(
        name="topics", task=Task.MULTILABEL, labels=["x", "y", "z"], encoder="hashing", batch_size=10,
        retrain_every=60, seed=3, control=0.0, near_duplicate=None,
    )  # fmt: skip
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    rng = np.random.default_rng(0)
    words = {"x": "apples", "y": "engines", "z": "oceans"}
    truth = {f"i{n}": [name for name in words if rng.random() < 0.5] for n in range(260)}
    items = [
        NewItem(
            n, item, f"{n:016d}".encode(), "pool" if n < 200 else "test",
            text=f"{n} " + " ".join(words[c] for c in said),
            value=None if n < 200 else said,
        )
        for n, (item, said) in enumerate(truth.items())
    ]  # fmt: skip
    bring_in(runtime, project, items, block_rows=100)
    work_off(runtime)
    label(runtime, project, truth, 60)
    work_off(runtime)
    run, said = machine_rows(gateway, runtime, project.id)
    assert run["state"] == "auditing"
    assert len(said) == run["labeled"] > 20
    assert np.mean([compared(one) != compared(truth[item]) for item, one in said.items()]) <= 0.3
    answers = [(1, ["x", "y"]), (1, ["y"]), (1, ["y", "z"]), (2, [])]
    assert agreed(project, answers) == {1: frozenset({"y"}), 2: frozenset()}
