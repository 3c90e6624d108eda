"""What is near: the nearest labeled items over HTTP, by the client and on the command line."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tithe.cli.main import app
from tithe.client import Tithe, TitheProblem
from tithe.contracts.nearest import NearestLabeled, NearestRecall
from tithe.contracts.tasks import MESSAGES
from tithe.gateway.app import create_app
from tithe.loop.work import Delivery, deliver
from tithe.prover.handlers import HANDLERS as PROVER
from tithe.runtime import Runtime
from tithe.scorer.handlers import HANDLERS as SCORER
from tithe.storage import checks, jobs, labeled
from tithe.sync.handlers import HANDLERS as SYNC
from tithe.trainer.handlers import HANDLERS as TRAINER
from tithe.worker import _resolve


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def work_off(runtime: Runtime, *, but: str = "") -> None:
    """Do every job that waits, as the workers would; `but` jobs of that topic, which stay."""
    delivery = Delivery(runtime.database, "test", 1.0, 1)
    handlers = {**TRAINER, **SCORER, **SYNC, **PROVER}
    while True:
        bells = runtime.database.run(lambda unit: jobs.to_ring(unit, 0.0, 100))
        if not (bells := [bell for bell in bells if bell.topic != but]):
            return
        for bell in bells:
            message = MESSAGES[bell.topic].model_validate(bell.body)
            handle = _resolve(handlers[type(message)])
            deliver(delivery, message, lambda claim, m=message, h=handle: h(runtime, m, claim))


ROWS = np.random.default_rng(3).standard_normal((60, 4)).astype(np.float32)
ROWS[41] = ROWS[1] * np.float32(2.0)


def make(gateway: TestClient, labeled_items: int, classes: Sequence[str] = ("ham", "spam"), **changes: Any) -> str:
    """The first items come with labels, in turns."""
    spec = {"name": str(uuid.uuid4()), "task": "vector_classification", "labels": ["ham", "spam"], "strategy": "random",
            "batch_size": 10, "retrain_every": 10, **changes}  # fmt: skip
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    lines = [
        {"id": f"i{n}", "vector": row.tolist(), "meta": {"n": n}}
        | ({"label": classes[n % len(classes)]} if n < labeled_items else {})
        for n, row in enumerate(ROWS)
    ]
    add(gateway, at, lines)
    return at


def add(gateway: TestClient, at: str, lines: list[dict[str, Any]]) -> None:
    content = "\n".join(map(json.dumps, lines))
    answer = gateway.post(f"{at}/items", content=content, headers={"content-type": "application/x-ndjson"})
    assert answer.json()["accepted"] == len(lines)


def test_the_nearest_labeled_items_of_an_item(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 20)
    work_off(runtime)
    told = gateway.get(f"{at}/items/i41/nearest-labeled?k=3")
    assert told.status_code == 200
    found = NearestLabeled.model_validate(told.json())
    distance = np.linalg.norm(ROWS[:20].astype(np.float64) - ROWS[41], axis=1)
    order = np.argsort(distance)[:3]
    assert [one.item_id for one in found.neighbours] == [f"i{n}" for n in order]
    np.testing.assert_allclose([one.distance for one in found.neighbours], distance[order], rtol=1e-6)
    by_id = {one.item_id: one for one in found.neighbours}
    assert [one.label for one in found.neighbours] == ["spam" if n % 2 else "ham" for n in order]
    assert [one.meta for one in found.neighbours] == [{"n": int(n)} for n in order]
    if "i1" in by_id:
        assert by_id["i1"].cosine == pytest.approx(1, abs=1e-6)
    assert (found.mode, found.labeled, found.labels_seen, found.labels_since) == ("exact", 20, 20, 0)
    assert gateway.get(f"{at}/items/i41/nearest-labeled?k=100").json()["neighbours"][:3] == told.json()["neighbours"]
    assert len(gateway.get(f"{at}/items/i41/nearest-labeled?k=100").json()["neighbours"]) == 20
    itself = gateway.get(f"{at}/items/i7/nearest-labeled").json()["neighbours"]
    assert len(itself) == 5
    assert "i7" not in [one["item_id"] for one in itself]


def test_one_class_only_is_no_model_but_can_be_asked(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 12, classes=("ham",))
    work_off(runtime)
    assert gateway.get(f"{at}/status").json()["model"] is None
    assert gateway.get(f"{at}/items/i0/nearest-labeled").json()["labeled"] == 12


def test_labels_of_items_that_are_not_encoded_yet_are_told_apart(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 0)
    add(
        gateway, at, [{"id": f"x{n}", "vector": [n, 1, 1, 1], "label": "ham"} for n in range(12)]
    )  # a tail: no block yet
    work_off(runtime)
    gateway.post(f"{at}/rounds")
    work_off(runtime)
    told = gateway.get(f"{at}/items/i0/nearest-labeled").json()
    assert (told["code"], told["detail"]) == ("nothing_labeled_yet", "none of the 12 labeled items is encoded yet")
    assert gateway.get(f"{at}/items/x0/nearest-labeled").json()["code"] == "no_vector_yet"


def test_several_answers_are_told_as_one_and_later_labels_are_counted(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 0, overlap=3, batch_size=4, retrain_every=12)
    work_off(runtime)
    for who in ("ada", "bob", "eve"):
        batch = gateway.post(f"{at}/batches", json={"annotator": who, "size": 4}).json()
        answers = [{"item_id": one["item_id"], "label": "ham" if who == "bob" else "spam"} for one in batch["items"]]
        gateway.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": answers})
    gateway.post(f"{at}/rounds")
    work_off(runtime)
    batch = gateway.post(f"{at}/batches", json={"annotator": "ada", "size": 2}).json()
    said = [{"item_id": one["item_id"], "label": "ham"} for one in batch["items"]]
    gateway.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": said})
    told = gateway.get(f"{at}/items/i59/nearest-labeled?k=100").json()
    assert sum(one["answers"] for one in told["neighbours"]) >= 12
    assert told["labels_since"] == 2
    assert {one["label"] for one in told["neighbours"] if one["answers"] == 3} <= {"spam"}


def test_what_cannot_be_answered_says_why(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 0)
    early = gateway.get(f"{at}/items/i1/nearest-labeled")
    assert (early.status_code, early.json()["code"]) == (409, "no_vector_yet")
    work_off(runtime)
    nothing = gateway.get(f"{at}/items/i1/nearest-labeled")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_labeled_yet")
    assert gateway.get(f"{at}/nearest-labeled/recall").json()["code"] == "nothing_labeled_yet"
    for path, status, place in [
        ("items/nobody/nearest-labeled", 404, "path.item_id"),
        ("items/a%00b/nearest-labeled", 422, "path.item_id"),
        ("items/" + "x" * 501 + "/nearest-labeled", 422, "path.item_id"),
        ("items/i1/nearest-labeled?k=0", 422, "query.k"),
        ("items/i1/nearest-labeled?k=101", 422, "query.k"),
        ("items/i1/nearest-labeled?k=many", 422, "query.k"),
        ("items/i1/nearest-labeled?exact=perhaps", 422, "query.exact"),
        ("items/i1/nearest-labeled?l=3", 422, "query.l"),
        ("nearest-labeled/recall?k=1", 422, "query.k"),
    ]:
        answer = gateway.get(f"{at}/{path}")
        assert (answer.status_code, answer.json()["place"]) == (status, place), path
    for path in ("items/i1/nearest-labeled", "nearest-labeled/recall"):
        assert gateway.get(f"/v1/projects/{uuid.uuid4()}/{path}").status_code == 404
    assert gateway.post(f"{at}/items/i1/nearest-labeled").status_code == 405


def test_ids_with_slashes_and_spaces_are_found(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 12)
    name = "a/b c?é#/nearest-labeled"
    add(gateway, at, [{"id": name, "vector": [9, 9, 9, 9]}])
    work_off(runtime)
    runtime.database.run(lambda unit: unit.connection.execute("UPDATE pools SET grown_at = now() - interval '1 h'"))
    from tithe.loop import ingest

    ingest.plan_left_over(runtime.database, 0.0, runtime.block_sizes)
    work_off(runtime)
    told = gateway.get(f"{at}/items/{quote(name, safe='')}/nearest-labeled").json()
    assert (told["item_id"], len(told["neighbours"])) == (name, 5)


def test_an_index_answers_where_there_is_one_and_its_recall_is_told(
    gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    at = make(gateway, 20)
    work_off(runtime)
    before = NearestRecall.model_validate(gateway.get(f"{at}/nearest-labeled/recall").json())
    assert (before.mode, before.labeled, before.recall_at_1) == ("exact", 20, None)
    assert "tithe_nearest_labeled_recall{" not in gateway.get("/metrics").text
    monkeypatch.setattr(labeled, "INDEX_FROM", 10)
    gateway.post(f"{at}/rounds")
    work_off(runtime)
    after = gateway.get(f"{at}/nearest-labeled/recall").json()
    assert (after["mode"], after["measured_items"], after["measured_labeled"]) == ("index", 40, 20)
    assert (after["recall_at_1"], after["recall_at_10"], after["distance_ratio"]) == (1, 1, 1)
    metrics = gateway.get("/metrics").text
    project_id = at.rpartition("/")[2]
    assert f'tithe_nearest_labeled_recall{{k="10",project="{project_id}"}} 1.0' in metrics
    assert f'tithe_labeled_vectors{{project="{project_id}"}} 20.0' in metrics
    by_index = gateway.get(f"{at}/items/i41/nearest-labeled").json()
    exactly = gateway.get(f"{at}/items/i41/nearest-labeled?exact=true").json()
    assert (by_index["mode"], exactly["mode"]) == ("index", "exact")
    assert by_index["neighbours"] == exactly["neighbours"]


def test_a_project_deleted_meanwhile_is_not_found(gateway: TestClient, runtime: Runtime):
    at = make(gateway, 12)
    work_off(runtime)
    gateway.delete(at)
    assert gateway.get(f"{at}/items/i1/nearest-labeled").status_code == 404


def test_an_old_pgvector_is_not_ready(gateway: TestClient, runtime: Runtime):
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'")
    told = gateway.get("/readyz")
    assert told.status_code == 503
    (fault,) = [one["detail"] for one in told.json()["checks"] if one["needed"] and not one["ok"]]
    assert "pgvector 0.8.3 is too old" in fault
    assert "ALTER EXTENSION" in fault


def test_the_client_and_the_command_line_ask(gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    at = make(gateway, 20, name="near")
    work_off(runtime)
    server = uvicorn.Server(uvicorn.Config(create_app(runtime), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        monkeypatch.setenv("TITHE_URL", url)
        monkeypatch.setenv("COLUMNS", "200")
        with Tithe(url) as tithe:
            found = tithe.project("near").nearest_labeled("i41", 2, exact=True)
            assert found.model_dump(mode="json") == gateway.get(f"{at}/items/i41/nearest-labeled?k=2").json()
            assert tithe.project("near").nearest_labeled_recall().mode == "exact"
            with pytest.raises(TitheProblem, match="no item 'a/b'") as caught:
                tithe.project("near").nearest_labeled("a/b")
            assert caught.value.code == "not_found"
        run = CliRunner().invoke
        table = run(app, ["nearest-labeled", "near", "i41", "-k", "2"]).output
        assert "nearest of 20 labeled items, every one compared" in table
        assert all(one.item_id in table for one in found.neighbours)
        assert json.loads(run(app, ["nearest-labeled", "near", "i41", "-k", "2", "--json"]).output)["labeled"] == 20
        failed = run(app, ["nearest-labeled", "near", "i99"])
        assert failed.exit_code == 1
    finally:
        server.should_exit = True
        thread.join()
