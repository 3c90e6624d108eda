"""Projects over HTTP, how every error looks, and the description of it all."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from tithe.errors import Hopeless
from tithe.gateway.app import create_app
from tithe.runtime import Runtime
from tithe.storage import queue

NEWS = {"name": "news", "task": "text_classification", "labels": ["sport", "money"], "encoder": "hashing"}
JSON = {"content-type": "application/json"}
PROBLEM = "application/problem+json"


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client


def test_a_project_is_made_found_changed_and_taken_away(gateway: TestClient):
    made = gateway.post("/v1/projects", json={**NEWS, "name": "  news  ", "budget": 100})
    assert made.status_code == 201
    assert made.headers["location"] == f"/v1/projects/{made.json()['id']}"
    at = made.headers["location"]
    assert made.json()["name"] == "news"
    assert gateway.get(at).json() == made.json()
    assert gateway.patch(at, json={}).json() == made.json()
    changed = gateway.patch(at, json={"strategy": "entropy", "budget": None, "overlap": 3}).json()
    assert (changed["strategy"], changed["budget"], changed["overlap"], changed["name"]) == ("entropy", None, 3, "news")
    gone = gateway.delete(at)
    assert (gone.status_code, gone.content) == (204, b"")
    assert gateway.get(at).status_code == gateway.delete(at).status_code == 404
    assert gateway.patch(at, json={"name": "x"}).status_code == 404
    assert gateway.post("/v1/projects", json=NEWS).status_code == 201  # the name is free again


def test_text_projects_get_the_default_encoder_and_vectors_none(gateway: TestClient):
    texts = gateway.post("/v1/projects", json={k: v for k, v in NEWS.items() if k != "encoder"}).json()
    vectors = {"name": "v", "task": "vector_classification", "labels": ["a", "b"]}
    assert texts["encoder"] == "minilm"
    assert gateway.post("/v1/projects", json=vectors).json()["encoder"] is None


def test_projects_are_listed_page_by_page(gateway: TestClient):
    made = {gateway.post("/v1/projects", json={**NEWS, "name": f"n{at}"}).json()["id"] for at in range(5)}
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = gateway.get("/v1/projects", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [one["id"] for one in page["projects"]]
        after = page["next"]
    assert (set(seen), len(seen), after) == (made, 5, None)


BAD_PROJECTS = [
    ({**NEWS, "name": "n"} | {"labels": []}, "body.labels"),
    (NEWS | {"labels": ["one"]}, "body"),
    (NEWS | {"labels": ["a", "b", "a"]}, "body"),
    (NEWS | {"labels": "ab"}, "body.labels"),
    (NEWS | {"labels": ["a", "b\x00"]}, "body.labels[1]"),
    (NEWS | {"name": " "}, "body.name"),
    (NEWS | {"name": "a\x00b"}, "body.name"),
    (NEWS | {"name": "x" * 201}, "body.name"),
    (NEWS | {"name": 7}, "body.name"),
    (NEWS | {"task": "poetry"}, "body.task"),
    (NEWS | {"overlap": 0}, "body.overlap"),
    (NEWS | {"overlap": -1}, "body.overlap"),
    (NEWS | {"overlap": 10**9}, "body.overlap"),
    (NEWS | {"overlap": "1"}, "body.overlap"),
    (NEWS | {"overlap": True}, "body.overlap"),
    (NEWS | {"seed": 1.0}, "body.seed"),
    (NEWS | {"budget": "9"}, "body.budget"),
    (NEWS | {"strategy": "\ud800"}, "body.strategy"),
    (NEWS | {"batch_size": 0}, "body.batch_size"),
    (NEWS | {"retrain_every": 0}, "body.retrain_every"),
    (NEWS | {"retrain_every": 2**63}, "body.retrain_every"),
    (NEWS | {"lease_seconds": 0}, "body.lease_seconds"),
    (NEWS | {"budget": 0}, "body.budget"),
    (NEWS | {"budget": 1.5}, "body.budget"),
    (NEWS | {"seed": -1}, "body.seed"),
    (NEWS | {"colour": "red"}, "body.colour"),
    (NEWS | {"encoder": "gpt"}, "body.encoder"),
    (NEWS | {"task": "vector_classification"}, "body"),
    (NEWS | {"strategy": "margim"}, "body.strategy"),
    (NEWS | {"strategy": "mar\x00gin"}, "body.strategy"),
    (NEWS | {"task": "token_classification", "strategy": "margin"}, "body.strategy"),
    (NEWS | {"task": "multilabel_classification", "strategy": "vote_entropy_tiebroken"}, "body.strategy"),
    ({}, "body.name"),
    ([], "body"),
    ("text", "body"),
    (None, "body"),
]


def test_settings_that_cannot_be_are_refused_where_they_stand(gateway: TestClient):
    for body, place in BAD_PROJECTS:
        answer = gateway.post("/v1/projects", content=json.dumps(body), headers=JSON)
        problem = answer.json()
        assert (answer.status_code, problem["place"]) == (422, place), body
        assert answer.headers["content-type"] == PROBLEM
        assert problem["type"] == f"urn:tithe:problem:{problem['code']}"
        assert "Value error" not in answer.text
        assert problem["title"]
        assert problem["detail"]
    assert gateway.get("/v1/projects").json() == {"projects": [], "next": None}


def test_a_strategy_that_does_not_exist_is_answered_with_those_that_do(gateway: TestClient):
    problem = gateway.post("/v1/projects", json=NEWS | {"strategy": "margim"}).json()
    assert problem["code"] == "unknown_strategy"
    assert "did you mean 'margin'?" in problem["detail"]
    assert "margin" in problem["remedy"]
    assert "vote_entropy_tiebroken" not in gateway.post(
        "/v1/projects", json=NEWS | {"strategy": "x", "task": "multilabel_classification"}
    ).json()["remedy"]  # fmt: skip


def test_a_mix_of_strategies_is_kept_as_it_was_sent(gateway: TestClient):
    mix = {"uncertainty_herding": 0.9, "random": 0.1}
    made = gateway.post("/v1/projects", json=NEWS | {"strategy": mix})
    assert (made.status_code, made.json()["strategy"]) == (201, mix)
    at = made.headers["location"]
    assert gateway.patch(at, json={"strategy": {"margin": 0.5, "badge": 0.5}}).json()["strategy"] == {
        "margin": 0.5,
        "badge": 0.5,
    }
    assert gateway.patch(at, json={"batch_size": 7}).json()["strategy"] == {"margin": 0.5, "badge": 0.5}
    assert gateway.patch(at, json={"strategy": "margin"}).json()["strategy"] == "margin"


BAD_MIXES = [
    ({}, "body.strategy", "names with their shares"),
    ([], "body.strategy", "names with their shares"),
    (7, "body.strategy", "names with their shares"),
    ({"margin": 0.5}, "body.strategy", "sum to 0.5"),
    ({"margin": 0.9, "random": 0.2}, "body.strategy", "sum to 1.1"),
    ({"margin": 1.5, "random": -0.5}, "body.strategy", "share of 'margin'"),
    ({"margin": True}, "body.strategy", "share of 'margin'"),
    ({"margin": "all"}, "body.strategy", "share of 'margin'"),
    ({"margin": 0.5, "x" * 200: 0.5}, "body.strategy", "names of strategies"),
    ({"margin": 0.5, "margim": 0.5}, "body.strategy.margim", "did you mean 'margin'"),
    ("", "body.strategy", "no strategy is called ''"),
]


@pytest.mark.parametrize(("mix", "place", "says"), BAD_MIXES)
def test_a_mix_that_is_none_is_refused_with_what_is_wrong(gateway: TestClient, mix: object, place: str, says: str):
    made = gateway.post("/v1/projects", json=NEWS | {"strategy": mix})
    assert (made.status_code, made.json()["place"]) == (422, place)
    assert says in made.text
    at = gateway.post("/v1/projects", json=NEWS).headers["location"]
    assert gateway.patch(at, json={"strategy": mix}).status_code == 422


def test_half_a_character_in_a_mix_is_refused(gateway: TestClient):
    sent = json.dumps(NEWS | {"strategy": {"\ud800": 1}})
    answer = gateway.post("/v1/projects", content=sent, headers=JSON)
    assert (answer.status_code, answer.json()["place"]) == (422, "body.strategy")


def test_a_strategy_that_cannot_serve_the_task_is_refused_with_the_reason_and_the_nearest_that_can(gateway: TestClient):
    several = NEWS | {"task": "multilabel_classification"}
    problem = gateway.post("/v1/projects", json=several | {"strategy": {"falcun": 0.5, "random": 0.5}}).json()
    assert (problem["code"], problem["place"]) == ("unknown_strategy", "body.strategy.falcun")
    assert "no form for several labels" in problem["detail"]
    assert "the nearest that does is 'badge'" in problem["remedy"]
    spans = NEWS | {"task": "token_classification"}
    problem = gateway.post("/v1/projects", json=spans | {"strategy": "uncertainty_herding"}).json()
    assert "does not serve 'token_classification'" in problem["detail"]
    assert "the nearest that does is 'max_herding'" in problem["remedy"]


def test_the_near_duplicate_threshold_is_seen_changed_and_lifted(gateway: TestClient):
    made = gateway.post("/v1/projects", json=NEWS)
    at = made.headers["location"]
    assert made.json()["near_duplicate"] == 0.95
    assert gateway.patch(at, json={"near_duplicate": 0.8}).json()["near_duplicate"] == 0.8
    assert gateway.patch(at, json={"batch_size": 3}).json()["near_duplicate"] == 0.8
    assert gateway.patch(at, json={"near_duplicate": None}).json()["near_duplicate"] is None
    assert gateway.patch(at, json={"batch_size": 4}).json()["near_duplicate"] is None
    for bad in (0, -1, 1.01, "all", True):
        answer = gateway.patch(at, json={"near_duplicate": bad})
        assert (answer.status_code, answer.json()["place"]) == (422, "body.near_duplicate"), bad
    assert (
        gateway.post("/v1/projects", json=NEWS | {"name": "x", "near_duplicate": None}).json()["near_duplicate"] is None
    )


def test_the_strategies_there_are_say_when_to_use_them(gateway: TestClient):
    every = gateway.get("/v1/strategies").json()["strategies"]
    assert {"margin", "badge", "uncertainty_herding", "k_center"} <= {one["name"] for one in every}
    assert all(one["use"] and one["reference"] and one["cost"] and one["tasks"] for one in every)
    spans = gateway.get("/v1/strategies", params={"task": "token_classification"}).json()["strategies"]
    assert {"nothing", "vectors"} <= {one["needs"] for one in spans}
    assert "probabilities" not in {one["needs"] for one in spans}  # one answer an item: those are for classes
    assert gateway.get("/v1/strategies", params={"task": "poetry"}).status_code == 422
    assert gateway.get("/v1/strategies", params={"tusk": "x"}).status_code == 422


def test_messages_speak_of_tasks_by_their_names(gateway: TestClient):
    told = gateway.post("/v1/projects", json=NEWS | {"task": "token_classification", "strategy": "margin"}).text
    assert "token_classification" in told
    assert "Task." not in told


def test_what_has_no_end_to_lift_may_not_be_changed_to_null(gateway: TestClient):
    at = gateway.post("/v1/projects", json=NEWS).headers["location"]
    for field in ("name", "strategy", "batch_size", "retrain_every", "lease_seconds", "overlap"):
        answer = gateway.patch(at, json={field: None})
        assert (answer.status_code, answer.json()["place"]) == (422, f"body.{field}")
    assert gateway.patch(at, json={"budget": None}).status_code == 200


def test_a_name_is_taken_once(gateway: TestClient):
    assert gateway.post("/v1/projects", json=NEWS).status_code == 201
    again = gateway.post("/v1/projects", json=NEWS)
    assert (again.status_code, again.json()["code"], again.json()["place"]) == (409, "name_taken", "body.name")
    other = gateway.post("/v1/projects", json=NEWS | {"name": "other"}).json()["id"]
    assert gateway.patch(f"/v1/projects/{other}", json={"name": "news"}).json()["code"] == "name_taken"


def test_overlap_is_fixed_once_items_are_answered_or_being_answered(gateway: TestClient, runtime: Runtime):
    at = "/v1/projects/" + gateway.post("/v1/projects", json=NEWS).json()["id"]
    lines = '{"text": "a"}\n{"text": "b"}\n'
    gateway.post(f"{at}/items", content=lines, headers={"content-type": "application/jsonl"})
    assert gateway.patch(at, json={"overlap": 2}).status_code == 200
    batch = gateway.post(f"{at}/batches", json={"annotator": "ada"}).json()
    refused = gateway.patch(at, json={"overlap": 1})
    assert (refused.status_code, refused.json()["place"]) == (409, "body.overlap")
    gateway.post(f"/v1/batches/{batch['batch_id']}/release")
    assert gateway.patch(at, json={"overlap": 1}).status_code == 200
    batch = gateway.post(f"{at}/batches", json={"annotator": "ada"}).json()
    answer = {"labels": [{"item_id": one["item_id"], "label": "sport"} for one in batch["items"]]}
    gateway.post(f"/v1/batches/{batch['batch_id']}/labels", json=answer)
    assert gateway.patch(at, json={"overlap": 2}).status_code == 409
    assert gateway.patch(at, json={"overlap": 1, "batch_size": 3}).status_code == 200  # no change is no change
    with runtime.database.unit() as unit:
        assert queue.active_leases(unit, uuid.UUID(at.rpartition("/")[2])) == 0


# ---- how errors look ----


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", JSON, 422, "bad_input"),
        (b"", {}, 422, "bad_input"),
        (b"{", JSON, 400, "not_json"),
        (b'{"name": "x"', JSON, 400, "not_json"),
        (b"name=x", JSON, 400, "not_json"),
        (b'{"name": "\xff\xfe"}', JSON, 400, "bad_request"),
        (b"[" * 100_000, JSON, 400, "bad_request"),
        (b'{"seed": ' + b"9" * 5000 + b"}", JSON, 400, "bad_request"),
        (b'{"seed": 1e400}', JSON, 422, "bad_input"),
        (b'{"seed": NaN}', JSON, 422, "bad_input"),
        (b'{"name": "\\ud800"}', JSON, 422, "bad_input"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media"),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media"),
        (b"{}", {"content-type": "nonsense"}, 415, "unsupported_media"),
        (b"{}", {**JSON, "content-encoding": "gzip"}, 415, "unsupported_media"),
        (b" " * (1 << 20) + b"{}", JSON, 413, "too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_of_its_own_kind(
    gateway: TestClient, content: bytes, headers: dict[str, str], status: int, code: str
):
    answer = gateway.post("/v1/projects", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == PROBLEM


def test_chunked_bodies_are_counted_too(gateway: TestClient):
    answer = gateway.post("/v1/projects", content=iter([b" " * 100_000] * 20), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_every_address_answers_every_method_and_never_breaks(gateway: TestClient):
    addresses = [path.replace("{", "").replace("}", "") for path in gateway.get("/openapi.json").json()["paths"]]
    addresses += [
        "/",
        "/v1",
        "/nope",
        "/v1/projects/",
        "/v1/projects/..%2f..%2fetc",
        "/v1/projects/%00",
        "/v1/batches/'--",
    ]
    for address in addresses:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST", "TRACE", "BREW"):
            answer = gateway.request(method, address, follow_redirects=False)
            assert answer.status_code < 500, (method, address)
            if answer.status_code >= 400 and method != "HEAD":
                assert answer.headers["content-type"] == PROBLEM, (method, address)
                assert answer.json()["status"] == answer.status_code
            if answer.status_code == 405:
                assert answer.headers["allow"]


def test_a_method_that_is_not_taken_is_answered_with_all_that_are(gateway: TestClient):
    at = f"/v1/projects/{uuid.uuid4()}"
    assert gateway.put(at).headers["allow"] == "DELETE, GET, PATCH"
    assert gateway.put("/v1/projects").headers["allow"] == "GET, POST"
    assert (
        gateway.post("/static/docs/favicon.png").headers["allow"] == gateway.post("/").headers["allow"] == "GET, HEAD"
    )


def test_a_parameter_that_the_call_does_not_know_is_refused_by_name(gateway: TestClient):
    answer = gateway.get("/v1/projects?limt=3&limit=2")
    assert (answer.status_code, answer.json()["place"]) == (422, "query.limt")
    assert answer.json()["remedy"] == "it knows after, limit"
    at = gateway.post("/v1/projects", json=NEWS).headers["location"]
    assert gateway.get(f"{at}?x=1").json()["remedy"] == "it takes none"
    text = {"content-type": "application/jsonl"}
    upload = gateway.post(f"{at}/items?text=body", content='{"body": "x"}', headers=text)
    assert (upload.status_code, upload.json()["place"]) == (422, "query.text")
    known = gateway.post(f"{at}/items?text_column=body", content='{"body": "x"}', headers=text)
    assert (known.status_code, gateway.get("/healthz?x=1").status_code) == (200, 200)


def test_ids_that_are_none_are_refused_where_they_stand(gateway: TestClient):
    unknown = str(uuid.uuid4())
    for bad in ("-1", "9" * 40, "null", "'; DROP TABLE projects --", "\uff11\uff12\uff13", unknown + "x"):
        answer = gateway.get(f"/v1/projects/{bad}")
        assert (answer.status_code, answer.json()["place"]) == (422, "path.project_id"), bad
    assert gateway.get(f"/v1/projects/{unknown}").json()["code"] == "not_found"
    for query in ("limit=0", "limit=-1", "limit=99999999999999999999", "limit=x", "after=x"):
        assert gateway.get(f"/v1/projects?{query}").status_code == 422, query


def test_an_error_nobody_expected_tells_nothing_of_its_insides(gateway: TestClient, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    def hopeless(*_: object) -> None:
        raise Hopeless("/srv/secret/block.npy is damaged")

    for failure in (fail, hopeless):
        monkeypatch.setattr("tithe.storage.projects.page", failure)
        with capture_logs() as logs:
            answer = gateway.get("/v1/projects")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert [(one["event"], one["path"]) for one in logs] == [("request_failed", "/v1/projects")]
        assert answer.headers["content-type"] == PROBLEM
        assert "hunter2" not in answer.text
        assert "secret" not in answer.text


def test_a_database_that_is_away_is_said_with_when_to_come_back(gateway: TestClient, runtime: Runtime):
    runtime.database.close()
    answer = gateway.get("/v1/projects")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    ready = gateway.get("/readyz")
    assert ready.status_code == 503
    assert {check["name"]: check["ok"] for check in ready.json()["checks"]}["database"] is False
    assert gateway.get("/healthz").status_code == 200
    assert "tithe_database_up 0.0" in gateway.get("/metrics").text


# ---- the description ----


def test_every_operation_is_described_with_a_stable_name_and_its_errors(gateway: TestClient):
    schema = gateway.get("/openapi.json").json()
    operations = [(path, method, one) for path, many in schema["paths"].items() for method, one in many.items()]
    names = sorted(one["operationId"] for _, _, one in operations)
    assert names == [
        "add_key", "add_user", "ask_batch", "ask_machine_labels", "ask_more", "ask_round",
        "change_connector", "change_project",
        "change_user", "create_connector", "create_project", "delete_connector", "delete_project", "drop_member",
        "export_machine_labels", "export_project", "get_audit", "get_batch", "get_connector",
        "get_guidelines", "get_history",
        "get_import",
        "get_machine_labels", "get_me", "get_prediction", "get_project", "get_proof", "get_quarantine", "get_status",
        "healthz", "import_items", "invite_user", "keep_batch", "list_connector_kinds", "list_connectors", "list_keys",
        "list_machine_labels", "list_members", "list_projects", "list_rounds", "list_strategies", "list_users",
        "metrics", "ml_health", "ml_predict", "ml_setup", "ml_versions", "ml_webhook",
        "nearest_labeled", "nearest_labeled_recall", "predict", "preview_connector", "project_events",
        "put_guidelines", "readyz",
        "release_batch",
        "resume", "revoke_key", "send_labels", "set_member", "stop", "sync_connector", "take_hook",
        "withdraw_machine_labels",
    ]  # fmt: skip
    for path, method, one in operations:
        assert one["summary"], path
        assert one["description"], path
        assert one["tags"], path
        for status, answer in one["responses"].items():
            if status >= "400" and "readyz" not in path:
                assert list(answer["content"]) == [PROBLEM], (path, method, status)
        if path.startswith("/v1"):
            assert "503" in one["responses"], path
    upload = schema["paths"]["/v1/projects/{project_id}/items"]["post"]["requestBody"]["content"]
    assert set(upload) == {"application/x-ndjson", "text/csv", "application/vnd.apache.parquet"}
    assert "HTTPValidationError" not in json.dumps(schema)


def test_the_page_that_describes_it_loads_nothing_from_elsewhere(gateway: TestClient):
    page = gateway.get("/docs")
    assert page.status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->|^\s*//.*$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    assert {gateway.get(one).status_code for one in loaded} == {200}
    assert gateway.get("/redoc").status_code == gateway.get("/static/docs/../secret").status_code == 404
