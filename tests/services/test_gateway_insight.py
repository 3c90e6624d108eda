"""Looking on: status, rounds, the curve; predictions and exports; what operators ask."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from tithe.contracts.api import Predictions
from tithe.contracts.insight import History, Readiness, RoundPage, Status
from tithe.contracts.tasks import MESSAGES
from tithe.errors import Unavailable
from tithe.gateway.app import create_app
from tithe.loop.work import Delivery, deliver
from tithe.prover.handlers import HANDLERS as PROVER
from tithe.runtime import Runtime
from tithe.scorer.handlers import HANDLERS as SCORER
from tithe.storage import checks, jobs, predictions
from tithe.sync.handlers import HANDLERS as SYNC
from tithe.trainer.handlers import HANDLERS as TRAINER
from tithe.worker import _resolve


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def work_off(runtime: Runtime) -> None:
    """Do every job that waits, as the workers would."""
    delivery = Delivery(runtime.database, "test", 1.0, 1)
    handlers = {**TRAINER, **SCORER, **SYNC, **PROVER}
    while bells := runtime.database.run(lambda unit: jobs.to_ring(unit, 0.0, 100)):
        for bell in bells:
            message = MESSAGES[bell.topic].model_validate(bell.body)
            handle = _resolve(handlers[type(message)])
            deliver(delivery, message, lambda claim, m=message, h=handle: h(runtime, m, claim))


def vectors(rows: int, seed: int = 0) -> np.ndarray:
    """Odd ones are spam, and lie to the right."""
    found = np.random.default_rng(seed).standard_normal((rows, 4)).astype(np.float32)
    found[:, 0] += np.where(np.arange(rows) % 2, 4, -4)
    return found


def vector_project(gateway: TestClient, items: int = 40, **changes: Any) -> str:
    spec = {"name": str(uuid.uuid4()), "task": "vector_classification", "labels": ["ham", "spam"], "batch_size": 10,
            "retrain_every": 10, **changes}  # fmt: skip
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    lines = [json.dumps({"id": f"i{n}", "vector": row.tolist()}) for n, row in enumerate(vectors(items))]
    test = [
        json.dumps({"id": f"t{n}", "vector": row.tolist(), "split": "test", "label": "spam" if n % 2 else "ham"})
        for n, row in enumerate(vectors(8, seed=1))
    ]
    gateway.post(f"{at}/items", content="\n".join(lines + test), headers={"content-type": "application/x-ndjson"})
    return at


def label(gateway: TestClient, at: str, annotator: str = "ada", skip: int = 0, size: int = 10) -> None:
    batch = gateway.post(f"{at}/batches", json={"annotator": annotator, "size": size}).json()
    answers = [
        {"item_id": one["item_id"], "skip": True, "note": "blurred"} if at < skip
        else {"item_id": one["item_id"], "label": "spam" if int(one["item_id"][1:]) % 2 else "ham"}
        for at, one in enumerate(batch["items"])
    ]  # fmt: skip
    assert gateway.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": answers}).status_code == 201


def test_status_tells_how_far_the_project_is(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway, budget=30)
    before = gateway.get(f"{at}/status").json()
    Status.model_validate(before)
    assert before["counts"] == {"items": 48, "test": 8, "labeled": 0, "skipped": 0, "leased": 0, "unlabeled": 40}
    assert before["embedding"] == {"blocks_ready": 0, "blocks": 1, "rows_ready": 0, "rows": 48, "imports_running": 0,
                                   "rows_per_second": None, "seconds_left": None}  # fmt: skip
    assert (before["round"], before["model"], before["ranking"]["round"], before["finished"]) == (
        None,
        None,
        None,
        False,
    )
    work_off(runtime)
    gateway.post(f"{at}/batches", json={"annotator": "bob", "size": 4})
    label(gateway, at, skip=2, size=12)
    running = gateway.get(f"{at}/status").json()
    assert running["round"]["state"] == "requested"
    assert running["counts"] == {"items": 48, "test": 8, "labeled": 10, "skipped": 2, "leased": 4, "unlabeled": 28}
    assert (running["ranking"]["round"], running["ranking"]["labels_since"]) == (0, 10)
    assert running["ranking"]["age_seconds"] >= 0
    work_off(runtime)
    after = gateway.get(f"{at}/status").json()
    assert (after["model"]["version"], after["model"]["score_from"], after["round"]) == (1, "test_set", None)
    assert (after["ranking"]["round"], after["ranking"]["model_version"], after["ranking"]["labels_since"]) == (1, 1, 0)
    assert after["queue_depth"] > 0
    assert after["embedding"]["rows_per_second"] > 0
    assert after["embedding"]["seconds_left"] == 0
    assert after["budget"] == {"unit": "labels", "total": 30, "received": 10, "left": 20}
    assert sum(after["class_counts"].values()) == 18  # the eight of the test split too
    (ada,) = after["annotators"]
    assert (ada["annotator"], ada["labels"], ada["skips"]) == ("ada", 10, 2)
    gateway.patch(at, json={"budget": 10})
    assert gateway.get(f"{at}/status").json()["finished_because"] == "budget_spent"


def test_status_counts_items_where_each_takes_several_answers(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway, items=4, overlap=2, batch_size=4)
    label(gateway, at, "ada", skip=2, size=4)
    label(gateway, at, "bob", size=3)
    counts = gateway.get(f"{at}/status").json()["counts"]
    assert (counts["labeled"] + counts["skipped"] + counts["unlabeled"], counts["unlabeled"]) == (4, 0)
    label(gateway, at, "bob", size=3)
    done = gateway.get(f"{at}/status").json()
    assert (done["counts"]["labeled"], done["finished_because"]) == (4, "pool_exhausted")


def test_a_failure_is_told_with_its_reason(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    work_off(runtime)
    for file in runtime.settings.artifact_root().rglob("*.npy"):
        file.write_bytes(b"damaged")
    object.__setattr__(runtime, "__dict__", {k: v for k, v in runtime.__dict__.items() if k != "artifacts"})
    label(gateway, at)
    work_off(runtime)
    status = gateway.get(f"{at}/status").json()
    assert status["last_failure"]["what"] == "round 1"
    assert status["last_failure"]["reason"]
    (first, second) = gateway.get(f"{at}/rounds").json()["rounds"]
    assert (first["state"], second["state"]) == ("ready", "failed")


def test_rounds_are_listed_with_how_long_each_stage_took_and_may_be_asked_for(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    early = gateway.post(f"{at}/rounds")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    work_off(runtime)
    label(gateway, at, size=5)
    asked = gateway.post(f"{at}/rounds")
    assert (asked.status_code, asked.json()["number"], asked.json()["reason"]) == (202, 1, "asked")
    again = gateway.post(f"{at}/rounds")
    assert (again.status_code, again.json()["code"]) == (409, "round_already_open")
    work_off(runtime)
    page = gateway.get(f"{at}/rounds", params={"limit": 1}).json()
    RoundPage.model_validate(page)
    assert (page["rounds"][0]["number"], page["next"]) == (0, 0)
    rest = gateway.get(f"{at}/rounds", params={"after": page["next"]}).json()
    (one,) = rest["rounds"]
    assert (one["number"], one["state"], one["label_count"], rest["next"]) == (1, "ready", 5, None)
    seconds = one["seconds"]
    stages = [seconds[stage] for stage in ("waiting", "training", "scoring", "selecting")]
    assert all(stage >= 0 for stage in stages)
    assert sum(stages) == pytest.approx(seconds["total"], abs=1e-3)
    for query in ("after=-2", "after=99999999999", "after=x", "limit=0", "limit=501"):
        assert gateway.get(f"{at}/rounds?{query}").status_code == 422, query
    assert gateway.get(f"/v1/projects/{uuid.uuid4()}/rounds").status_code == 404


def test_the_learning_curve_is_told_as_json_and_as_csv(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    work_off(runtime)
    for _ in range(2):
        label(gateway, at)
        work_off(runtime)
    history = gateway.get(f"{at}/history").json()
    History.model_validate(history)
    assert [(one["labels"], one["version"], one["round"]) for one in history["points"]] == [(10, 1, 1), (20, 2, 2)]
    assert all(one["score"] > 0.8 for one in history["points"])
    table = gateway.get(f"{at}/history", params={"format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["labels"], row["score_from"], row["strategy"]) for row in rows] == [
        (count, "test_set", "0.5 entropy + 0.5 variance_reduction") for count in ("10", "20")
    ]  # fmt: skip
    assert gateway.get(f"{at}/history?format=xml").status_code == 422


# ---- predictions ----


def test_vectors_and_items_are_predicted_at_once(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    early = gateway.post(f"{at}/predict", json={"vectors": [[4, 0, 0, 0]]})
    assert (early.status_code, early.json()["code"]) == (409, "no_model_yet")
    work_off(runtime)
    for _ in range(2):
        label(gateway, at)
        work_off(runtime)
    said = gateway.post(f"{at}/predict", json={"vectors": [[4, 0, 0, 0], [-4.5, 0, 1, 0]]}).json()
    Predictions.model_validate(said)
    assert (said["state"], said["model_version"], said["request_id"]) == ("done", 2, None)
    assert [one["label"] for one in said["predictions"]] == ["spam", "ham"]
    one = said["predictions"][0]
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert one["confidence"] == max(one["probabilities"].values())
    ids = ["i39", "i2", "t1", "i2"]
    items = gateway.post(f"{at}/predict", json={"item_ids": ids}).json()["predictions"]
    assert [one["label"] for one in items] == ["spam", "ham", "spam", "ham"]
    gateway.post(
        f"{at}/items", content='{"id": "new", "vector": [1, 2, 3, 4]}', headers={"content-type": "application/jsonl"}
    )
    assert gateway.post(f"{at}/predict", json={"item_ids": ["new", "i1"]}).json()["predictions"][0] is None


def test_what_cannot_be_predicted_is_refused_where_it_stands(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    work_off(runtime)
    label(gateway, at)
    work_off(runtime)
    bad: list[tuple[Any, int, str]] = [
        ({}, 422, "body"),
        ({"texts": ["a"], "vectors": [[1]]}, 422, "body"),
        ({"texts": ["a"]}, 422, "body.texts"),
        ({"texts": []}, 422, "body.texts"),
        ({"texts": ["a\x00"]}, 422, "body.texts[0]"),
        ({"texts": ["a"] * 257}, 422, "body.texts"),
        ({"vectors": []}, 422, "body.vectors"),
        ({"vectors": [[1, 2]]}, 422, "body.vectors[0]"),
        ({"vectors": [[1, 2, 3, 4], []]}, 422, "body.vectors[1]"),
        ({"vectors": [[1, 2, 3, 1e39]]}, 422, "body.vectors"),
        ({"vectors": [[1, 2, 3, 4], [3e38, 3e38, 3e38, 3e38]]}, 422, "body.vectors[1]"),
        ({"texts": ["a", "\ud800"]}, 422, "body.texts[1]"),
        ({"texts": ["a"], "\ud800": 3}, 422, "body"),
        ({"vectors": [[1, 2, 3, float("nan")]]}, 422, "body.vectors[0][3]"),
        ({"vectors": [[1, 2, 3, 10**400]]}, 422, "body.vectors[0][3]"),
        ({"vectors": [[1, 2, 3, "4"]]}, 422, "body.vectors[0][3]"),
        ({"vectors": [[1, 2, 3, True]]}, 422, "body.vectors[0][3]"),
        ({"item_ids": ["i1", "nobody's"]}, 404, "body.item_ids[1]"),
        ({"item_ids": [""]}, 422, "body.item_ids[0]"),
        ({"item_ids": ["a\x00"]}, 422, "body.item_ids[0]"),
        ({"texts": ["a"], "top": 3}, 422, "body.top"),
    ]
    for body, status, place in bad:
        answer = gateway.post(f"{at}/predict", content=json.dumps(body), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["place"]) == (status, place), str(body)[:100]


def test_a_block_that_is_lost_is_made_again_and_meanwhile_nothing_is_cut(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    work_off(runtime)
    label(gateway, at)
    work_off(runtime)
    calls = [
        lambda: gateway.get(f"{at}/export?predictions=true"),
        lambda: gateway.post(f"{at}/predict", json={"item_ids": ["i1"]}),
    ]
    for call in calls:
        for file in runtime.settings.artifact_root().rglob("*.npy"):
            file.unlink()
        lost = call()
        assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
        assert "again" in lost.json()["remedy"]
        work_off(runtime)
        assert call().status_code == 200


def text_project(gateway: TestClient, runtime: Runtime) -> str:
    spec = {"name": "texts", "task": "text_classification", "labels": ["ham", "spam"], "encoder": "hashing"}
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    kinds = [("ham", "the meeting is at noon"), ("spam", "win money now")]
    lines = [json.dumps({"text": f"{kinds[n % 2][1]} {n}", "label": kinds[n % 2][0]}) for n in range(20)]
    gateway.post(f"{at}/items", content="\n".join(lines), headers={"content-type": "application/x-ndjson"})
    work_off(runtime)
    return at


def test_texts_are_predicted_by_a_scorer_while_the_caller_waits(gateway: TestClient, runtime: Runtime):
    at = text_project(gateway, runtime)
    stop = threading.Event()

    def scorer() -> None:
        while not stop.wait(0.05):
            work_off(runtime)

    thread = threading.Thread(target=scorer)
    thread.start()
    try:
        said = gateway.post(f"{at}/predict", json={"texts": ["the meeting", "win money"]})
    finally:
        stop.set()
        thread.join()
    assert said.status_code == 200
    assert [one["label"] for one in said.json()["predictions"]] == ["ham", "spam"]
    kept = gateway.get(f"{at}/predict/{said.json()['request_id']}").json()
    assert kept == said.json()
    assert gateway.get(f"{at}/predict/{uuid.uuid4()}").status_code == 404


def test_texts_that_wait_too_long_are_answered_with_where_to_ask_again(
    gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    at = text_project(gateway, runtime)
    monkeypatch.setattr("tithe.gateway.predict._WAIT_SECONDS", 0.2)
    late = gateway.post(f"{at}/predict", json={"texts": ["the meeting"]})
    assert (late.status_code, late.json()["state"], late.json()["predictions"]) == (202, "waiting", None)
    assert late.headers["location"] == f"{at}/predict/{late.json()['request_id']}"
    work_off(runtime)
    assert gateway.get(late.headers["location"]).json()["predictions"][0]["label"] == "ham"
    failing = gateway.post(f"{at}/predict", json={"texts": ["x"]}).json()["request_id"]
    runtime.database.run(lambda unit: predictions.fail(unit, uuid.UUID(failing), "the scorer fell over"))
    told = gateway.get(f"{at}/predict/{failing}").json()
    assert (told["state"], told["failure"]) == ("failed", "the scorer fell over")
    work_off(runtime)
    runtime.database.run(lambda unit: predictions.purge(unit, 0.0))
    assert gateway.get(late.headers["location"]).status_code == 404


# ---- exports ----


def test_everything_comes_out_again_in_three_formats(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway, name="my news/2024")
    work_off(runtime)
    label(gateway, at, skip=2, size=12)
    work_off(runtime)

    def export(**query: Any) -> Any:
        return gateway.get(f"{at}/export", params=query)

    plain = export()
    assert plain.headers["content-type"] == "application/x-ndjson"
    assert plain.headers["content-disposition"] == 'attachment; filename="my-news-2024.jsonl"'
    rows = [json.loads(line) for line in plain.text.splitlines()]
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    assert [row["source"] for row in rows] == ["import"] * 8 + ["annotator"] * 10
    assert {row["status"] for row in rows} == {"labeled"}
    skipped = [json.loads(line) for line in export(skips=True).text.splitlines()]
    assert [(row["label"], row["note"]) for row in skipped if row["status"] == "skipped"] == [(None, "blurred")] * 2
    everything = [json.loads(line) for line in export(include="all").text.splitlines()]
    assert len(everything) == len({row["id"] for row in everything}) == 48
    assert [row["status"] for row in everything].count("unlabeled") == 30
    with_skips = [json.loads(line) for line in export(include="all", skips=True).text.splitlines()]
    assert [row["status"] for row in with_skips].count("unlabeled") == 28
    table = list(csv.DictReader(io.StringIO(export(format="csv", include="all", predictions=True).text)))
    right = [row["predicted"] == ("spam" if int(row["id"][1:]) % 2 else "ham") for row in table]
    assert len(table) == 48
    assert sum(right) >= 40
    assert all(0 < float(row["confidence"]) <= 1 for row in table)
    file = pq.read_table(io.BytesIO(export(format="parquet", include="all", predictions=True).content))
    assert file.num_rows == 48
    assert set(file.column_names) == set(table[0])
    assert file.to_pylist()[0]["predicted"] in ("ham", "spam")
    for query in ({"format": "xml"}, {"include": "some"}, {"predictions": "perhaps"}, {"skips": "2x"}):
        assert export(**query).status_code == 422, query


def test_an_export_of_nothing_is_an_empty_file_of_its_kind(gateway: TestClient):
    spec = {"name": "nothing", "task": "token_classification", "labels": ["PER"], "strategy": "random"}
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    assert gateway.get(f"{at}/export").content == b""
    assert gateway.get(f"{at}/export?format=csv").text.startswith("id,text,tokens,")
    assert pq.read_table(io.BytesIO(gateway.get(f"{at}/export?format=parquet").content)).num_rows == 0
    assert gateway.get(f"{at}/export?predictions=true").status_code == 422
    texts = {"name": "other", "task": "text_classification", "labels": ["a", "b"]}
    other = "/v1/projects/" + gateway.post("/v1/projects", json=texts).json()["id"]
    assert gateway.get(f"{other}/export?predictions=true").json()["code"] == "no_model_yet"
    assert gateway.get(f"/v1/projects/{uuid.uuid4()}/export").status_code == 404


def test_an_export_covers_what_was_there_when_it_began(
    gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    from tithe.storage import export

    monkeypatch.setattr(export, "_PAGE_ROWS", 3)
    at = vector_project(gateway)
    label(gateway, at)
    project_id = uuid.UUID(at.rpartition("/")[2])
    covered = runtime.database.run(lambda unit: export.snapshot(unit, project_id))
    answered = export.answered(runtime.database, project_id, covered, skips=False)
    seen = [one.external_id for one in next(answered)]
    label(gateway, at)
    seen += [one.external_id for page in answered for one in page]
    assert len(seen) == 18
    rest = [one for page in export.unanswered(runtime.database, project_id, covered, skips=False) for one in page]
    assert len(rest) == 30
    assert not {one.external_id for one in rest} & set(seen)


def test_an_export_that_cannot_begin_is_an_error_and_no_file(gateway: TestClient, monkeypatch: pytest.MonkeyPatch):
    at = vector_project(gateway)

    def away(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr("tithe.storage.export.answered", away)
    for kind in ("jsonl", "parquet"):
        assert gateway.get(f"{at}/export?format={kind}").status_code == 503


def test_texts_are_exported_as_they_came(gateway: TestClient):
    spec = {"name": "t", "task": "text_classification", "labels": ["a", "b"]}
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    texts = ["=1+1", "+x", "-x", "@x", 'a "quoted", one', "two\nlines\r\n", "😀 é", " padded "]
    lines = "\n".join(json.dumps({"text": text, "label": "a", "meta": {"k": [1]}}) for text in texts)
    gateway.post(f"{at}/items", content=lines, headers={"content-type": "application/x-ndjson"})
    assert [json.loads(line)["text"] for line in gateway.get(f"{at}/export").text.split("\n") if line] == texts
    rows = list(csv.DictReader(io.StringIO(gateway.get(f"{at}/export?format=csv").text, newline="")))
    assert [row["text"] for row in rows] == texts
    assert {row["meta"] for row in rows} == {'{"k": [1]}'}
    table = pq.read_table(io.BytesIO(gateway.get(f"{at}/export?format=parquet").content))
    assert table.column("text").to_pylist() == texts


# ---- what operators ask ----


def test_readiness_names_each_thing_the_gateway_leans_on(gateway: TestClient, runtime: Runtime):
    alive = gateway.get("/healthz").json()
    assert alive["alive"] is True
    ready = gateway.get("/readyz")
    Readiness.model_validate(ready.json())
    found = {one["name"]: (one["ok"], one["needed"]) for one in ready.json()["checks"]}
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert found == {
        "artifacts": (True, True), "broker": (False, False), "database": (True, True), "schema": (True, True),
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://user:secret@127.0.0.1:{listener.getsockname()[1]}/0"
        object.__setattr__(runtime.settings, "broker_url", SecretStr(url))
        assert all(one["ok"] for one in gateway.get("/readyz").json()["checks"])
    gone = gateway.get("/readyz")
    assert (gone.status_code, "secret" in gone.text) == (200, False)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE alembic_version SET version_num = '0000'")
    old = gateway.get("/readyz")
    assert old.status_code == 503
    assert [one["name"] for one in old.json()["checks"] if one["needed"] and not one["ok"]] == ["schema"]
    with runtime.database.unit() as unit:
        unit.connection.execute("DROP TABLE alembic_version")
    assert gateway.get("/readyz").status_code == 503
    runtime.settings.artifact_root().parent.mkdir(parents=True, exist_ok=True)
    file = runtime.settings.artifact_root()
    for path in file.glob("*"):
        path.unlink()
    file.rmdir()
    file.write_text("in the way")
    assert "artifacts" in [one["name"] for one in gateway.get("/readyz").json()["checks"] if not one["ok"]]


def test_the_monitoring_is_told_of_requests_labels_and_projects(gateway: TestClient, runtime: Runtime):
    at = vector_project(gateway)
    label(gateway, at)
    gateway.get(f"/v1/projects/{uuid.uuid4()}")
    gateway.get("/nope")
    gateway.request("BREW", "/nope")
    told = gateway.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    project_id = at.rpartition("/")[2]
    text = told.text
    for wanted in (
        'tithe_http_request_seconds_count{method="GET",route="/v1/projects/{project_id}",status="404"} 1.0',
        'tithe_http_request_seconds_count{method="GET",route="none",status="404"} 1.0',
        'tithe_http_request_seconds_count{method="other",route="none",status="404"} 1.0',
        "tithe_labels_recorded_total 10.0",
        "tithe_batches_handed_out_total 1.0",
        f'tithe_ready_items{{project="{project_id}"}} 0.0',
        f'tithe_open_rounds{{project="{project_id}"}} 0.0',
        "tithe_database_up 1.0",
    ):
        assert wanted in text, wanted
    (unsent,) = [line for line in text.splitlines() if line.startswith("tithe_unsent_job_seconds{")]
    assert float(unsent.rpartition(" ")[2]) > 0
    work_off(runtime)
    assert f'tithe_ready_items{{project="{project_id}"}} 30.0' in gateway.get("/metrics").text
