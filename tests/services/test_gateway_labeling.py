"""Batches and labels over HTTP: the labeler's walk, and everything that can be wrong with it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from tithe.contracts.api import HandOut
from tithe.contracts.labels import check_label
from tithe.contracts.projects import Task
from tithe.errors import InvalidLabel
from tithe.gateway.app import create_app
from tithe.runtime import Runtime
from tithe.storage import checks

JSON = {"content-type": "application/json"}


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def project(gateway: TestClient, items: int = 12, **changes: Any) -> str:
    spec = {"name": str(uuid.uuid4()), "task": "text_classification", "labels": ["ham", "spam"], "encoder": "hashing",
            "batch_size": 3, **changes}  # fmt: skip
    at = "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]
    lines = "\n".join(json.dumps({"id": f"i{n}", "text": f"text {n}", "meta": {"n": n}}) for n in range(items))
    if items:
        gateway.post(f"{at}/items", content=lines, headers={"content-type": "application/x-ndjson"})
    return at


def ask(gateway: TestClient, at: str, annotator: str = "ada", **more: Any) -> dict[str, Any]:
    return gateway.post(f"{at}/batches", json={"annotator": annotator, **more}).json()


def send(gateway: TestClient, batch_id: str, labels: list[dict[str, Any]], key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return gateway.post(f"/v1/batches/{batch_id}/labels", json={"labels": labels}, headers=headers)


def lapse(runtime: Runtime) -> None:
    with runtime.database.unit() as unit:
        unit.connection.execute(
            "UPDATE batches SET expires_at = clock_timestamp() - interval '1 s' WHERE state = 'open'"
        )


def test_a_batch_is_asked_for_kept_answered_and_closed(gateway: TestClient):
    at = project(gateway)
    batch = ask(gateway, at)
    HandOut.model_validate(batch)
    assert [len(batch["items"]), batch["empty_because"], batch["round"]] == [3, None, None]
    item = batch["items"][0]
    assert item["text"] == f"text {item['meta']['n']}"
    assert (item["chosen_by"], item["score"], item["prediction"]) == ("random", None, None)
    again = ask(gateway, at, size=9)
    assert (again["batch_id"], again["items"]) == (batch["batch_id"], batch["items"])
    kept = gateway.post(f"/v1/batches/{batch['batch_id']}/heartbeat").json()
    assert kept["expires_at"] >= again["expires_at"]
    ids = [one["item_id"] for one in batch["items"]]
    part = send(
        gateway,
        batch["batch_id"],
        [{"item_id": ids[0], "label": "ham"}, {"item_id": ids[1], "skip": True, "note": "?"}],
    )
    assert part.status_code == 201
    assert [one["outcome"] for one in part.json()["outcomes"]] == ["counted", "skipped"]
    assert (part.json()["batch_state"], part.json()["waiting"], part.json()["label_count"]) == ("open", 1, 1)
    state = gateway.get(f"/v1/batches/{batch['batch_id']}").json()
    assert (state["state"], state["waiting"], state["annotator"]) == ("open", 1, "ada")
    assert [one["state"] for one in state["items"]] == ["done", "skipped", "active"]
    rest = send(gateway, batch["batch_id"], [{"item_id": ids[2], "label": "spam"}]).json()
    assert (rest["batch_state"], rest["waiting"]) == ("closed", 0)
    assert gateway.post(f"/v1/batches/{batch['batch_id']}/heartbeat").json()["code"] == "batch_closed"
    assert ask(gateway, at)["batch_id"] != batch["batch_id"]


def test_a_batch_is_given_back_to_whoever_asks_next(gateway: TestClient):
    at = project(gateway, items=3)
    batch = ask(gateway, at)
    nothing = gateway.post(f"{at}/batches", json={"annotator": "bob"})
    assert (nothing.status_code, nothing.json()["empty_because"]) == (200, "all_leased")
    assert nothing.headers["retry-after"] == str(nothing.json()["retry_after_seconds"])
    for _ in range(2):
        released = gateway.post(f"/v1/batches/{batch['batch_id']}/release")
        assert (released.status_code, released.content) == (204, b"")
    assert len(ask(gateway, at, "bob")["items"]) == 3


def test_nothing_to_hand_out_says_why(gateway: TestClient):
    assert ask(gateway, project(gateway, items=0))["empty_because"] == "pool_empty"
    at = project(gateway, budget=1)
    batch = ask(gateway, at)
    assert len(batch["items"]) == 1
    assert ask(gateway, at, "bob")["empty_because"] == "budget_reserved"
    send(gateway, batch["batch_id"], [{"item_id": batch["items"][0]["item_id"], "label": "ham"}])
    spent = gateway.post(f"{at}/batches", json={"annotator": "ada"})
    assert (spent.json()["empty_because"], "retry-after" in spent.headers) == ("budget_spent", False)
    gateway.patch(at, json={"budget": 2})
    assert len(ask(gateway, at)["items"]) == 1


def test_the_same_call_again_is_answered_as_the_first_time(gateway: TestClient):
    at = project(gateway)
    batch = ask(gateway, at)
    labels = [{"item_id": one["item_id"], "label": "ham"} for one in batch["items"]]
    first = send(gateway, batch["batch_id"], labels, key="a key")
    again = send(gateway, batch["batch_id"], labels, key="a key")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotent-replay"] == "true"
    assert "idempotent-replay" not in first.headers
    assert again.json() == first.json()
    other = send(gateway, batch["batch_id"], labels[:1], key="a key")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.json()["place"] == "header.Idempotency-Key"
    keyless = send(gateway, batch["batch_id"], labels)
    assert keyless.status_code == 200
    assert {one["outcome"] for one in keyless.json()["outcomes"]} == {"duplicate"}
    for bad in ("", "k" * 201, "caf\u00e9", "tab\tbed"):
        headers = {"Idempotency-Key": bad.encode("latin-1")}
        refused = gateway.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": labels}, headers=headers)
        assert (refused.status_code, refused.json()["place"]) == (422, "header.Idempotency-Key"), bad


def test_two_calls_at_once_with_one_key_store_once(gateway: TestClient):
    at = project(gateway, items=40)
    for number in range(5):
        batch = ask(gateway, at, f"person {number}")
        labels = [{"item_id": one["item_id"], "label": "ham"} for one in batch["items"]]
        with ThreadPoolExecutor(4) as threads:
            jobs = [threads.submit(send, gateway, batch["batch_id"], labels, f"k{number}") for _ in range(4)]
            answers = [job.result() for job in jobs]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        assert len({json.dumps(answer.json()) for answer in answers}) == 1


def test_an_answer_that_comes_late_counts_unless_the_item_was_taken_over(gateway: TestClient, runtime: Runtime):
    at = project(gateway, items=2, batch_size=2)
    batch = ask(gateway, at)
    lapse(runtime)
    assert gateway.get(f"/v1/batches/{batch['batch_id']}").json()["state"] == "expired"
    theirs = ask(gateway, at, "bob", size=1)
    taken = theirs["items"][0]["item_id"]
    labels = [{"item_id": one["item_id"], "label": "ham"} for one in batch["items"]]
    answer = send(gateway, batch["batch_id"], labels)
    assert answer.status_code == 201
    outcomes = {one["item_id"]: (one["outcome"], one["because"]) for one in answer.json()["outcomes"]}
    assert outcomes[taken] == ("superseded", "lease_lapsed")
    assert sorted(outcome for outcome, _ in outcomes.values()) == ["counted", "superseded"]


def test_batches_of_nobody_are_not_found(gateway: TestClient):
    at = project(gateway)
    batch = ask(gateway, at)
    answers = {"labels": [{"item_id": "i1", "label": "ham"}]}
    for bad in (str(uuid.uuid4()), str(uuid.UUID(int=0)), str(uuid.UUID(int=(1 << 128) - 1))):
        for method, path in [("GET", ""), ("POST", "/heartbeat"), ("POST", "/release"), ("POST", "/labels")]:
            answer = gateway.request(method, f"/v1/batches/{bad}{path}", json=answers if path == "/labels" else None)
            assert (answer.status_code, answer.json()["code"], answer.json()["place"]) == (
                404, "not_found", "path.batch_id",
            )  # fmt: skip
    gateway.delete(at)
    assert send(gateway, batch["batch_id"], answers["labels"]).status_code == 404
    assert gateway.get(f"/v1/batches/{batch['batch_id']}").status_code == 404
    assert gateway.post(f"{at}/batches", json={"annotator": "ada"}).status_code == 404


BAD_ASKS: list[tuple[Any, str]] = [
    ({"annotator": ""}, "body.annotator"),
    ({"annotator": "  "}, "body.annotator"),
    ({"annotator": "@import"}, "body.annotator"),
    ({"annotator": "a" * 101}, "body.annotator"),
    ({"annotator": "a\x00b"}, "body.annotator"),
    ({"annotator": "a\nb"}, "body.annotator"),
    ({"annotator": "\u202eada"}, "body.annotator"),
    ({"annotator": 7}, "body.annotator"),
    ({"annotator": "ada", "size": 0}, "body.size"),
    ({"annotator": "ada", "size": -1}, "body.size"),
    ({"annotator": "ada", "size": 1001}, "body.size"),
    ({"annotator": "ada", "size": 2**63}, "body.size"),
    ({"annotator": "ada", "size": "3"}, "body.size"),
    ({"annotator": "ada", "size": 2.5}, "body.size"),
    ({"annotator": "ada", "size": True}, "body.size"),
    ({"annotator": "ada", "sise": 3}, "body.sise"),
    ([], "body"),
]


def test_asks_that_cannot_be_are_refused_where_they_stand(gateway: TestClient):
    at = project(gateway)
    for body, place in BAD_ASKS:
        answer = gateway.post(f"{at}/batches", json=body)
        assert (answer.status_code, answer.json()["place"]) == (422, place), body
    assert gateway.post(f"{at}/batches", json={}).json()["items"], "nobody is named: it is the caller"
    assert ask(gateway, at, "Ada Łovelace 数学")["items"]
    assert ask(gateway, at, " padded ")["batch_id"] == ask(gateway, at, "padded")["batch_id"]


def test_answers_that_cannot_be_are_refused_together_and_store_nothing(gateway: TestClient):
    at = project(gateway)
    batch = ask(gateway, at)
    one, two, _ = (item["item_id"] for item in batch["items"])
    stranger = ask(gateway, at, "bob")["items"][0]["item_id"]
    deep: Any = "ham"
    for _ in range(600):
        deep = [deep]
    bad: list[tuple[Any, int, str]] = [
        ({"labels": []}, 422, "body.labels"),
        ({"labels": [{"item_id": one, "label": "ham"}] * 1001}, 422, "body.labels"),
        ({"labels": {"item_id": one}}, 422, "body.labels"),
        ({"labels": ["ham"]}, 422, "body.labels[0]"),
        ({"labels": [{"label": "ham"}]}, 422, "body.labels[0].item_id"),
        ({"labels": [{"item_id": "", "label": "ham"}]}, 422, "body.labels[0].item_id"),
        ({"labels": [{"item_id": 1, "label": "ham"}]}, 422, "body.labels[0].item_id"),
        ({"labels": [{"item_id": one + "\x00", "label": "ham"}]}, 422, "body.labels[0].item_id"),
        ({"labels": [{"item_id": one}]}, 422, "body.labels[0]"),
        ({"labels": [{"item_id": one, "label": None}]}, 422, "body.labels[0]"),
        ({"labels": [{"item_id": one, "label": "ham", "skip": True}]}, 422, "body.labels[0]"),
        ({"labels": [{"item_id": one, "skip": "yes"}]}, 422, "body.labels[0].skip"),
        ({"labels": [{"item_id": one, "label": "ham", "note": "a\x00"}]}, 422, "body.labels[0].note"),
        ({"labels": [{"item_id": one, "label": "ham", "note": "n" * 2001}]}, 422, "body.labels[0].note"),
        ({"labels": [{"item_id": one, "label": "ham", "weight": 2}]}, 422, "body.labels[0].weight"),
        ({"labels": [{"item_id": one, "label": "ham"}], "annotator": "ada"}, 422, "body.annotator"),
        ({"labels": [{"item_id": one, "label": "egg"}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": "Ham"}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": "h\u0430m"}]}, 422, "body.labels[0].label"),  # a Cyrillic a
        ({"labels": [{"item_id": one, "label": "ham\x00"}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": 1}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": 2**70}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": True}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": ["ham"]}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": {"label": "ham"}}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": [{"label": {"a": 1}}]}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": deep}]}, 422, "body.labels[0].label"),
        ({"labels": [{"item_id": one, "label": "ham"}, {"item_id": one, "label": "spam"}]}, 422, "body.labels[1]"),
        ({"labels": [{"item_id": stranger, "label": "ham"}]}, 404, "body.labels[0].item_id"),
        ({"labels": [{"item_id": "nobody's", "label": "ham"}]}, 404, "body.labels[0].item_id"),
    ]
    for body, status, place in bad:
        for headers in (JSON, {**JSON, "Idempotency-Key": "k"}):
            answer = gateway.post(f"/v1/batches/{batch['batch_id']}/labels", content=json.dumps(body), headers=headers)
            assert (answer.status_code, answer.json()["place"]) == (status, place), str(body)[:200]
            assert answer.json()["errors"] or answer.json()["detail"]
    for raw in ('{"labels": [{"item_id": "x", "label": NaN}]}', '{"labels": [{"item_id": "x", "label": "\\ud800"}]}'):
        assert gateway.post(f"/v1/batches/{batch['batch_id']}/labels", content=raw, headers=JSON).status_code in (
            404,
            422,
        )
    several = send(gateway, batch["batch_id"], [
        {"item_id": one, "label": "spma"}, {"item_id": two, "label": "ham"}, {"item_id": "x", "label": "ham"},
    ])  # fmt: skip
    problem = several.json()
    assert [fault["place"] for fault in problem["errors"]] == ["body.labels[0].label", "body.labels[2].item_id"]
    assert "did you mean 'spam'" in problem["remedy"]
    assert gateway.get(f"{at}/status").json()["counts"]["labeled"] == 0
    assert gateway.get(f"/v1/batches/{batch['batch_id']}").json()["waiting"] == 3


def test_half_a_character_is_refused_where_it_stands(gateway: TestClient):
    batch = ask(gateway, project(gateway))
    item = batch["items"][0]["item_id"]
    for name, value in {"note": "\ud800", "label": "\ud800", "item_id": "\udc00"}.items():
        body = json.dumps({"labels": [{"item_id": item, "label": "ham", name: value}]})
        answer = gateway.post(
            f"/v1/batches/{batch['batch_id']}/labels", content=body, headers={**JSON, "Idempotency-Key": name}
        )
        assert (answer.status_code, answer.json()["place"]) == (422, f"body.labels[0].{name}")


def test_a_class_is_guessed_only_where_that_is_cheap():
    few, many = ["ham", "spam"], [f"class {n}" for n in range(10_000)]
    for classes, sent, hinted in ((few, "spma", True), (many, "clas 7", False), (few, "spam" * 30, False)):
        with pytest.raises(InvalidLabel) as refused:
            check_label(Task.TEXT, classes, sent, place="label")
        assert ("did you mean" in (refused.value.remedy or "")) is hinted
    assert check_label(Task.MULTILABEL, many, many[::-1], place="label") == many  # one look-up each


def test_labels_of_every_task_are_taken(gateway: TestClient):
    several = project(gateway, task="multilabel_classification", labels=["a", "b", "c"])
    batch = ask(gateway, several)
    ids = [one["item_id"] for one in batch["items"]]
    taken = send(
        gateway, batch["batch_id"], [{"item_id": ids[0], "label": ["c", "a"]}, {"item_id": ids[1], "label": []}]
    )
    assert taken.status_code == 201
    assert send(gateway, batch["batch_id"], [{"item_id": ids[2], "label": "a"}]).status_code == 422
    spans = project(gateway, task="token_classification", labels=["PER"], strategy="random")
    batch = ask(gateway, spans)
    item = batch["items"][0]
    span = {"start": 0, "end": 4, "label": "PER"}
    assert (
        send(gateway, batch["batch_id"], [{"item_id": item["item_id"], "label": [{**span, "end": 99}]}]).status_code
        == 422
    )
    assert send(gateway, batch["batch_id"], [{"item_id": item["item_id"], "label": [span]}]).status_code == 201
    exported = [json.loads(line) for line in gateway.get(f"{spans}/export").text.splitlines()]
    assert [one["label"] for one in exported] == [[span]]


def test_what_the_scorer_thought_is_told_beside_the_item(gateway: TestClient, runtime: Runtime):
    at = project(gateway, items=3)
    why = {
        "i0": {
            "prediction": {"label": "ham", "confidence": 0.9, "probabilities": {"ham": 0.9, "spam": 0.1}},
            "rank": 0,
        },
        "i1": {"prediction": "nonsense", "rank": 1},
        "i2": {"rank": 2},
    }
    batch = ask(gateway, at)
    with runtime.database.unit() as unit:
        for item_id, said in why.items():
            unit.connection.execute(
                "UPDATE leases l SET why = %s FROM items i WHERE i.ordinal = l.ordinal AND i.external_id = %s",
                (json.dumps(said), item_id),
            )
    items = {one["item_id"]: one for one in ask(gateway, at)["items"]}
    assert batch["batch_id"]
    assert items["i0"]["prediction"]["label"] == "ham"
    assert items["i0"]["why"] == {"rank": 0}
    assert (items["i1"]["prediction"], items["i2"]["prediction"]) == (None, None)


def test_a_round_is_asked_for_by_the_labels_that_cross_the_threshold(gateway: TestClient, runtime: Runtime):
    at = project(gateway, retrain_every=50, batch_size=5)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE blocks SET state = 'ready', path = 'x', sha256 = '0', dimension = 2")
    batch = ask(gateway, at)
    labels = [{"item_id": one["item_id"], "label": "ham"} for one in batch["items"]]
    assert send(gateway, batch["batch_id"], labels).json()["round_requested"] is None
    gateway.patch(at, json={"retrain_every": 5})  # enough labels are there already
    opened = gateway.get(f"{at}/status").json()["round"]
    assert (opened["number"], opened["state"]) == (0, "requested")


def first_of(gateway: TestClient, at: str, annotator: str = "ada", **more: Any) -> tuple[str, str]:
    batch = ask(gateway, at, annotator, **more)
    return batch["batch_id"], batch["items"][0]["item_id"]


def exported(gateway: TestClient, at: str, query: str = "") -> dict[str, Any]:
    rows = [json.loads(line) for line in gateway.get(f"{at}/export{query}").text.splitlines()]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row.get("label") for row in rows}


def test_whoever_changes_their_mind_is_believed(gateway: TestClient):
    at = project(gateway)
    batch_id, item = first_of(gateway, at)
    send(gateway, batch_id, [{"item_id": item, "label": "ham"}])
    ignored = send(gateway, batch_id, [{"item_id": item, "label": "spam"}])
    assert ignored.json()["outcomes"][0]["outcome"] == "superseded"
    corrected = send(gateway, batch_id, [{"item_id": item, "label": "spam", "correct": True}], key="k")
    assert (corrected.status_code, corrected.json()["outcomes"]) == (
        201, [{"item_id": item, "outcome": "corrected", "because": None}],
    )  # fmt: skip
    assert corrected.json()["label_count"] == 1
    again = send(gateway, batch_id, [{"item_id": item, "label": "spam", "correct": True}])
    assert (again.status_code, again.json()["outcomes"][0]["outcome"]) == (200, "duplicate")
    replay = send(gateway, batch_id, [{"item_id": item, "label": "spam", "correct": True}], key="k")
    assert (replay.headers["idempotent-replay"], replay.json()) == ("true", corrected.json())
    assert exported(gateway, at) == {item: "spam"}
    assert exported(gateway, at, "?include=all")[item] == "spam"
    status = gateway.get(f"{at}/status").json()
    assert status["class_counts"] == {"ham": 0, "spam": 1}
    assert (status["counts"]["labeled"], status["budget"]["received"]) == (1, 1)
    assert [(one["annotator"], one["labels"]) for one in status["annotators"]] == [("ada", 1)]
    send(gateway, batch_id, [{"item_id": item, "skip": True, "note": "unclear", "correct": True}])
    assert (exported(gateway, at), exported(gateway, at, "?skips=true")) == ({}, {item: None})
    status = gateway.get(f"{at}/status").json()
    assert (status["counts"]["labeled"], status["counts"]["skipped"], status["budget"]["received"]) == (0, 1, 0)


def test_a_tool_says_who_answered(gateway: TestClient):
    at = project(gateway, items=2, overlap=2, batch_size=2)
    batch = ask(gateway, at, "our tool")
    one, two = (item["item_id"] for item in batch["items"])
    told = send(gateway, batch["batch_id"], [
        {"item_id": one, "label": "ham", "annotator": " Ada "}, {"item_id": two, "label": "ham", "annotator": "bob"},
    ])  # fmt: skip
    assert (told.status_code, told.json()["batch_state"]) == (201, "closed")
    named = {one["annotator"]: one["labels"] for one in gateway.get(f"{at}/status").json()["annotators"]}
    assert named == {"Ada": 1, "bob": 1}
    assert [item["item_id"] for item in ask(gateway, at, "Ada")["items"]] == [two]
    twice = send(gateway, batch["batch_id"], [{"item_id": one, "label": "spam", "annotator": "Ada"}]).json()
    assert twice["outcomes"] == [{"item_id": one, "outcome": "superseded", "because": "answered_before"}]
    gone = send(gateway, batch["batch_id"], [
        {"item_id": one, "label": "spam", "annotator": "Ada", "correct": True},
        {"item_id": two, "label": "spam", "annotator": "cleo", "correct": True},
    ]).json()  # fmt: skip
    # Ada changes her mind; what cleo says is a first answer, but Ada holds the second opinion of that item.
    assert [(o["outcome"], o["because"]) for o in gone["outcomes"]] == [
        ("corrected", None), ("superseded", "item_taken"),
    ]  # fmt: skip


def test_names_and_corrections_that_cannot_be_are_refused_where_they_stand(gateway: TestClient):
    at = project(gateway)
    batch_id, item = first_of(gateway, at)
    for name, value in [
        ("annotator", "@import"), ("annotator", ""), ("annotator", "a\nb"), ("annotator", 7), ("annotator", "a" * 101),
        ("correct", "yes"), ("correct", 1), ("correct", None),
    ]:  # fmt: skip
        answer = send(gateway, batch_id, [{"item_id": item, "label": "ham", name: value}])
        assert (answer.status_code, answer.json()["place"]) == (422, f"body.labels[0].{name}"), value
    assert gateway.get(f"{at}/status").json()["counts"]["labeled"] == 0


def test_a_batch_is_topped_up_while_it_is_answered(gateway: TestClient):
    at = project(gateway)
    batch = ask(gateway, at, size=3)
    held = f"/v1/batches/{batch['batch_id']}"
    seen = [item["item_id"] for item in batch["items"]]
    assert gateway.post(f"{held}/more", json={"size": 3}).json()["items"] == batch["items"], "it is full"
    for _ in range(3):
        assert (
            gateway.post(f"{held}/labels", json={"labels": [{"item_id": seen[-1], "label": "ham"}]}).status_code == 201
        )
        more = gateway.post(f"{held}/more", json={"size": 3}).json()
        new = [item["item_id"] for item in more["items"] if item["item_id"] not in seen]
        assert (len(more["items"]), len(new)) == (3, 1)
        assert more["expires_at"] >= batch["expires_at"]
        seen += new
    stranger = ask(gateway, at, "bob", size=50)
    assert not {item["item_id"] for item in stranger["items"]} & set(seen), "nobody gets what is held"
    waiting = [item["item_id"] for item in gateway.get(held).json()["items"] if item["state"] == "active"]
    gateway.post(f"{held}/labels", json={"labels": [{"item_id": waiting[0], "label": "ham"}]})
    dry = gateway.post(f"{held}/more", json={"size": 3}).json()
    assert (len(dry["items"]), dry["empty_because"], dry["retry_after_seconds"]) == (2, "all_leased", 5)
    gateway.post(f"{held}/release")
    closed = gateway.post(f"{held}/more", json={})
    assert (closed.status_code, closed.json()["code"]) == (409, "batch_closed")
