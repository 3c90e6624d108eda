"""Texts and their entities over HTTP: spans, blind labeling, budgets in words, learners, what is encoded how fast."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tithe.contracts.projects import Project
from tithe.contracts.tasks import EmbedBlock
from tithe.gateway.app import create_app
from tithe.loop import ingest
from tithe.runtime import Runtime
from tithe.storage import checks, jobs, pool, predictions, projects

FAMILY = "👨‍👩‍👧"


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def make(gateway: TestClient, **changes: Any) -> dict[str, Any]:
    spec = {"name": str(uuid.uuid4()), "task": "token_classification", "labels": ["PER", "LOC"], "encoder": "hashing",
            "strategy": "random", "batch_size": 3, **changes}  # fmt: skip
    answer = gateway.post("/v1/projects", json=spec)
    assert answer.status_code == 201, answer.text
    return answer.json()


def fill(gateway: TestClient, made: dict[str, Any], *lines: dict[str, Any]) -> dict[str, Any]:
    content = "\n".join(json.dumps(line) for line in lines)
    at = f"/v1/projects/{made['id']}/items"
    answer = gateway.post(at, content=content, headers={"content-type": "application/x-ndjson"}).json()
    return answer.get("facts", answer)


def ask(gateway: TestClient, made: dict[str, Any], annotator: str = "ada", **more: Any) -> dict[str, Any]:
    return gateway.post(f"/v1/projects/{made['id']}/batches", json={"annotator": annotator, **more}).json()


def send(gateway: TestClient, batch: dict[str, Any], item_id: str, label: Any) -> Any:
    at = f"/v1/batches/{batch['batch_id']}/labels"
    return gateway.post(at, json={"labels": [{"item_id": item_id, "label": label}]})


def status(gateway: TestClient, made: dict[str, Any]) -> dict[str, Any]:
    return gateway.get(f"/v1/projects/{made['id']}/status").json()


def span(start: int, end: int, label: str = "PER") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


# ---- settings ----


def test_a_project_of_texts_says_how_it_learns_labels_and_pays(gateway: TestClient):
    made = make(gateway, task="text_classification", encoder="minilm", learner="transformer", pre_annotate=False,
                budget=500, budget_unit="words")  # fmt: skip
    assert [made[name] for name in ("learner", "pre_annotate", "budget_unit", "metric")] == [
        "transformer", False, "words", "macro_f1"
    ]  # fmt: skip
    at = f"/v1/projects/{made['id']}"
    changed = gateway.patch(at, json={"learner": "linear", "pre_annotate": True}).json()
    assert (changed["learner"], changed["pre_annotate"]) == ("linear", True)
    assert gateway.get(at).json() == changed
    assert gateway.get("/v1/projects").json()["projects"] == [changed]
    plain = make(gateway)
    assert [plain[name] for name in ("learner", "pre_annotate", "budget_unit", "metric")] == [
        "linear", True, "labels", "entity_f1"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metric": "macro_f1"}, "entity_f1"),
        ({"task": "text_classification", "metric": "entity_f1"}, "macro_f1 or accuracy"),
        ({"encoder": "hashing", "learner": "transformer"}, "torch:NAME_OR_FOLDER"),
        ({"encoder": "static:x/y", "learner": "transformer"}, "torch:NAME_OR_FOLDER"),
        ({"task": "vector_classification", "encoder": None, "learner": "transformer"}, "leave learner out"),
        ({"task": "vector_classification", "encoder": None, "budget_unit": "words"}, "no words to count"),
        ({"budget_unit": "pages"}, "labels"),
        ({"learner": "forest"}, "linear"),
        ({"pre_annotate": "no"}, "boolean"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_what_does(
    gateway: TestClient, changes: dict[str, Any], says: str
):
    spec = {"name": "x", "task": "token_classification", "labels": ["PER", "LOC"], "encoder": "hashing", **changes}
    answer = gateway.post("/v1/projects", json=spec)
    assert answer.status_code == 422
    assert says in answer.text


def test_a_learner_is_changed_only_to_one_that_can_learn_from_the_encoder(gateway: TestClient):
    made = make(gateway)
    for change, place in (
        ({"learner": "transformer"}, "body.learner"), ({"learner": None}, "body.learner"),
        ({"pre_annotate": None}, "body.pre_annotate"), ({"budget_unit": "words"}, "body.budget_unit"),
    ):  # fmt: skip
        refused = gateway.patch(f"/v1/projects/{made['id']}", json=change)
        assert (refused.status_code, refused.json()["place"]) == (422, place), change


def test_an_encoder_is_any_name_that_can_be_one(gateway: TestClient):
    for name in ("torch:sentence-transformers/all-MiniLM-L6-v2", "onnx:some/model", "static:minishlab/potion-base-8M"):
        assert make(gateway, encoder=name)["encoder"] == name
    spec = {"name": "x", "task": "text_classification", "labels": ["a", "b"]}
    for name in ("torch:", "gpt", "pickle:model"):
        refused = gateway.post("/v1/projects", json={**spec, "encoder": name}).json()
        assert (refused["place"], refused["code"]) == ("body.encoder", "unknown_encoder"), name


# ---- spans ----


def test_spans_are_checked_against_the_item_they_are_of(gateway: TestClient):
    made = make(gateway)
    fill(gateway, made, {"id": "text", "text": f"Ada met {FAMILY} in Rome"}, {"id": "tokens", "tokens": ["Ada", "Lee"]},
         {"id": "other", "text": "nobody"})  # fmt: skip
    batch = ask(gateway, made)
    for item, label, says, remedy in (
        ("text", [span(0, 3), span(2, 7)], "overlaps body.labels[0].label[0]", "shorten"),
        ("text", [span(0, 3), span(0, 3, "LOC")], "is there already", "once"),
        ("text", [span(8, 10)], "in the middle of", "end at 13"),
        ("text", [span(3, 4)], "white space only", "leave the span out"),
        ("text", [span(0, 99)], "the text at 21", "code points"),
        ("text", [span(3, 3)], "start < end", "code points"),
        ("text", [span(0, 3, "PRE")], "no class", "PER"),
        ("text", [{**span(0, 3), "confidence": 1}], "start, end and label", "start"),
        ("tokens", [span(0, 2)], "token 'Ada' (0 to 3)", "end at 3"),
        ("tokens", [span(0, 9)], "the text at 7", "code points"),
    ):
        refused = send(gateway, batch, item, label)
        assert refused.status_code == 422, label
        told = refused.json()
        assert says.removeprefix("overlaps body.") in told["detail"], told
        assert remedy in told["remedy"], told
        assert told["place"].startswith("body.labels[0].label"), told
    assert send(gateway, batch, "text", [span(17, 21, "LOC"), span(8, 13), span(0, 3)]).status_code == 201
    assert send(gateway, batch, "tokens", [span(0, 7)]).status_code == 201
    assert send(gateway, batch, "other", []).json()["outcomes"][0]["outcome"] == "counted"
    exported = {row["id"]: row["label"] for row in map(json.loads, export(gateway, made))}
    assert exported["text"] == [span(0, 3), span(8, 13), span(17, 21, "LOC")]
    assert (exported["tokens"], exported["other"]) == ([span(0, 7)], [])
    assert status(gateway, made)["class_counts"] == {"PER": 3, "LOC": 1}


def export(gateway: TestClient, made: dict[str, Any]) -> list[str]:
    return gateway.get(f"/v1/projects/{made['id']}/export").text.splitlines()


def test_spans_that_came_with_their_items_are_checked_too_and_told_by_line(gateway: TestClient):
    made = make(gateway)
    told = fill(
        gateway, made,
        {"id": "a", "text": "Ada Lee", "label": [span(4, 7), span(0, 3)]},
        {"text": "Ada Lee!", "label": [span(0, 3), span(1, 5)]},
        {"text": f"{FAMILY}!", "label": [span(0, 2)]},
        {"tokens": ["New", "York"], "label": [span(0, 5, "LOC")]},
        {"tokens": ["New", "York"], "label": [span(0, 8, "LOC")]},
        {"text": "nobody at all", "label": []},
    )  # fmt: skip
    assert {line["line"]: line["code"] for line in told["rejected_lines"]} == dict.fromkeys((2, 3, 4), "invalid_label")
    assert "'York' (4 to 8)" in told["rejected_lines"][2]["reason"]
    assert (told["accepted"], told["labeled"]) == (3, 3)
    assert json.loads(export(gateway, made)[0])["label"] == [span(0, 3), span(4, 7)]


# ---- what annotators see ----


WHY = {
    "prediction": {"spans": [{**span(0, 3), "confidence": 0.8}], "confidence": 0.8},
    "votes": {"PER": 3}, "uncertainty": 0.7, "doubtful": [{"start": 4, "end": 7, "doubt": 0.9}],
    "rank": 4, "place": 2, "distance_to_labeled": 0.5,
}  # fmt: skip


def hand_out_ranked(gateway: TestClient, runtime: Runtime, made: dict[str, Any]) -> dict[str, Any]:
    fill(gateway, made, {"id": "a", "text": "Ada met Lee"})
    batch = ask(gateway, made)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE leases SET why = %s, score = 1.5", (json.dumps(WHY),))
    return batch


def test_items_come_with_what_the_model_sees_and_doubts(gateway: TestClient, runtime: Runtime):
    made = make(gateway)
    batch = hand_out_ranked(gateway, runtime, made)
    looks = ask(gateway, made), gateway.get(f"/v1/batches/{batch['batch_id']}").json()
    for look in looks:
        (item,) = look["items"]
        assert item["prediction"]["spans"] == [{**span(0, 3), "confidence": 0.8}]
        assert (item["prediction"]["confidence"], item["score"]) == (0.8, 1.5)
        assert item["why"]["doubtful"] == [{"start": 4, "end": 7, "doubt": 0.9}]


def test_in_blind_labeling_nothing_tells_what_the_model_thinks(gateway: TestClient, runtime: Runtime):
    made = make(gateway, pre_annotate=False)
    batch = hand_out_ranked(gateway, runtime, made)
    for look in (ask(gateway, made), gateway.get(f"/v1/batches/{batch['batch_id']}").json()):
        (item,) = look["items"]
        assert (item["prediction"], item["score"]) == (None, None)
        assert item["why"] == {"rank": 4, "place": 2, "distance_to_labeled": 0.5}
    gateway.patch(f"/v1/projects/{made['id']}", json={"pre_annotate": True})
    assert ask(gateway, made)["items"][0]["prediction"]["confidence"] == 0.8


# ---- budgets in words ----


def test_a_budget_in_words_counts_the_words_of_what_was_labeled(gateway: TestClient):
    made = make(gateway, budget=6, budget_unit="words", batch_size=5)
    fill(gateway, made, {"id": "a", "text": "Ada Lovelace met Charles."}, {"id": "b", "tokens": ["Rome", "is", "old"]},
         {"id": "c", "text": "!?"})  # fmt: skip
    batch = ask(gateway, made)
    ids = {one["item_id"] for one in batch["items"]}
    assert 1 <= len(ids) < 3
    item = batch["items"][0]["item_id"]
    assert send(gateway, batch, item, []).status_code == 201
    words = {"a": 5, "b": 3, "c": 2}[item]  # the full stop is one; an item is as long as it came
    assert status(gateway, made)["budget"] == {"unit": "words", "total": 6, "received": words, "left": 6 - words}
    assert status(gateway, make(gateway))["budget"]["unit"] == "labels"


# ---- predictions ----


def a_model(runtime: Runtime, made: dict[str, Any], learner: str) -> None:
    """A row that says which learner made it; its file is never read by the gateway, so there is none."""
    values = {"project": made["id"], "id": uuid.uuid4(), "facts": json.dumps({"learner": learner})}
    with runtime.database.unit() as unit:
        run = unit.connection.execute
        run(
            "INSERT INTO rounds (id, project_id, number, state, reason, strategy, seed, depth, watermark, label_count)"
            " VALUES (%(id)s, %(project)s, 0, 'ready', 'labels', 'random', 0, 1, 0, 0)",
            values,
        )
        run(
            "INSERT INTO models (id, project_id, version, round_id, path, sha256, size, watermark, label_count, facts)"
            " VALUES (%(id)s, %(project)s, 1, %(id)s, 'gone', '0', 1, 0, 0, %(facts)s)",
            values,
        )
        run("UPDATE progress SET current_model = %(id)s, round_number = 0 WHERE project_id = %(project)s", values)


@pytest.mark.parametrize(
    ("task", "learner"), [("token_classification", "linear"), ("text_classification", "transformer")]
)
def test_what_must_be_read_is_predicted_by_a_scorer(
    gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, task: str, learner: str
):
    monkeypatch.setattr("tithe.gateway.predict._WAIT_SECONDS", 0.1)
    tokens = task == "token_classification"
    made = make(gateway, task=task, encoder="minilm", learner=learner)
    lines = [{"id": "a", "text": "Ada Lee"}, {"id": "b", **({"tokens": ["b", "c"]} if tokens else {"text": "b c"})}]
    fill(gateway, made, *lines)
    a_model(runtime, made, learner)
    at = f"/v1/projects/{made['id']}"
    late = gateway.post(f"{at}/predict", json={"item_ids": ["b", "a", "b"]})
    assert (late.status_code, late.json()["state"]) == (202, "waiting")
    request_id = uuid.UUID(late.json()["request_id"])
    request = runtime.database.run(lambda unit: predictions.read(unit, uuid.UUID(made["id"]), request_id))
    assert request is not None
    assert (request.texts, request.ordinals) == (["b c", "Ada Lee", "b c"], [1, 0, 1])
    said = {"spans": [{**span(0, 3), "confidence": 0.9}], "confidence": 0.9} if tokens else {"label": "PER"}
    runtime.database.run(lambda unit: predictions.finish(unit, request_id, [said] * 3))
    assert gateway.get(late.headers["location"]).json()["predictions"][0].items() >= said.items()
    vectors = gateway.post(f"{at}/predict", json={"vectors": [[1.0, 2.0]]}).json()
    assert (vectors["place"], "reads texts" in vectors["detail"]) == ("body.vectors", True)
    exported = gateway.get(f"{at}/export?predictions=true").json()
    assert (exported["status"], exported["place"]) == (422, "query.predictions")
    assert gateway.post(f"{at}/predict", json={"texts": ["x"]}).status_code == 202


def test_a_model_of_a_kind_the_gateway_does_not_know_is_named(gateway: TestClient, runtime: Runtime):
    import numpy as np

    made = make(gateway, task="vector_classification", encoder=None)
    fill(gateway, made, {"vector": [1.0, 2.0]})
    a_model(runtime, made, "linear")
    stored = runtime.artifacts.write_model("models/x.safetensors", {"a": np.zeros(2)}, {"format": "tithe-linear/9"})
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE models SET path = %s, sha256 = %s", (stored.key, stored.sha256))
    answer = gateway.post(f"/v1/projects/{made['id']}/predict", json={"vectors": [[1.0, 2.0]]})
    assert answer.status_code == 503
    assert "'tithe-linear/9'" in answer.json()["detail"]


# ---- encoding ----


def test_status_tells_how_fast_the_pool_is_encoded_and_how_long_that_takes(gateway: TestClient, runtime: Runtime):
    made = make(gateway)
    with runtime.database.unit() as unit:
        project = projects.get(unit, uuid.UUID(made["id"]))
    fill(gateway, made, {"text": "one"}, {"text": "two"})
    assert (
        status(gateway, made)["embedding"] | {"rows_per_second": None, "seconds_left": None}
        == (status(gateway, made)["embedding"])
    )
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE pools SET item_count = 50 WHERE project_id = %s", (project.id,))
        unit.connection.execute("UPDATE blocks SET rows = 20")
        unit.connection.execute("UPDATE jobs SET created_at = created_at - interval '10 s'")
    encode(runtime, project)
    embedding = status(gateway, made)["embedding"]
    assert embedding["rows_per_second"] == pytest.approx(2.0, rel=0.3)
    assert embedding["seconds_left"] == pytest.approx(30 / embedding["rows_per_second"], rel=0.1)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE jobs SET ended_at = ended_at - interval '6 min' WHERE state = 'done'")
    stale = status(gateway, made)["embedding"]
    assert (stale["rows_per_second"], stale["seconds_left"]) == (None, None)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE pools SET item_count = 2 WHERE project_id = %s", (project.id,))
        unit.connection.execute("UPDATE blocks SET rows = 2")
    assert status(gateway, made)["embedding"]["seconds_left"] == 0


def encode(runtime: Runtime, project: Project) -> None:
    with runtime.database.unit() as unit:
        claim = jobs.claim(unit, EmbedBlock(project_id=project.id, start=0), "test")
        assert claim is not None
        words = pool.StoredWords("w", "1", 640, 5)
        ingest.finish_block(unit, claim, 0, path="x", sha256="0", size=1, dimension=2, words=words)


def test_an_encoder_that_cannot_be_had_is_told_at_its_first_attempt_and_until_it_is_there(
    gateway: TestClient, runtime: Runtime
):
    made = make(gateway, encoder="torch:nobody/has-this")
    message = EmbedBlock(project_id=uuid.UUID(made["id"]), start=0)
    fill(gateway, made, {"text": "one"})
    for state in ("ready", "failed", "ready"):
        with runtime.database.unit() as unit:
            if state == "failed":
                unit.connection.execute("UPDATE jobs SET attempt = 3")
            claim = jobs.claim(unit, message, "test")
            assert claim is not None
            assert jobs.give_back(unit, claim, "no such model", attempts=4, delay_seconds=0, hopeless=False) == state
        failure = status(gateway, made)["last_failure"]
        assert (failure["what"], failure["reason"]) == ("block.embed", "no such model")
        runtime.database.run(lambda unit: jobs.revive(unit, 0.0))
        assert status(gateway, made)["last_failure"]["reason"] == "no such model"  # waiting to be tried again
    with runtime.database.unit() as unit:
        claim = jobs.claim(unit, message, "test")
        assert claim is not None
        ingest.finish_block(unit, claim, 0, path="x", sha256="0", size=1, dimension=2)
    assert status(gateway, made)["last_failure"] is None
