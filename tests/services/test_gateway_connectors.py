"""Connections over HTTP: previewed, made, changed, left; hooks that are never believed; suggestions for pages."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from connectors.stranger import LetterBox, install
from services.turning import bring_in, label, work_off
from tithe.connectors import registry
from tithe.contracts.projects import Project
from tithe.gateway.app import create_app
from tithe.runtime import Runtime
from tithe.storage import connectors
from tithe.storage.pool import NewItem
from tithe.vault import new_key

HOOK_SECRET = "hook-s3cret-of-the-box"
LS_CONFIG = """<View><Text name="text" value="$text"/><Choices name="label" toName="text">
<Choice value="ham"/><Choice value="spam"/></Choices></View>"""


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind `letter-box` is installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, monkeypatch)
    yield
    registry.kinds.cache_clear()


@pytest.fixture
def box() -> Iterator[LetterBox]:
    made = LetterBox()
    yield made
    made.close()


@pytest.fixture
def here(runtime: Runtime) -> Runtime:
    settings = runtime.settings.model_copy(update={"connect_allow": "127.0.0.1"})
    object.__setattr__(settings, "secret_key", type(settings)(secret_key=new_key(), _env_file=None).secret_key)
    return Runtime(settings, runtime.database)


@pytest.fixture
def gateway(here: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(here), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client


@pytest.fixture
def at(project: Project) -> str:
    return f"/v1/projects/{project.id}/connectors"


def wish(box: LetterBox, **more: Any) -> dict[str, Any]:
    return {"kind": "letter-box", "settings": {"url": box.url}, "secret": box.key, **more}


def connect(gateway: TestClient, at: str, box: LetterBox, **more: Any) -> dict[str, Any]:
    made = gateway.post(at, json=wish(box, **more))
    assert made.status_code == 201, made.text
    return made.json()


# ---- before ----


def test_the_kinds_there_are_say_what_they_ask_for(gateway: TestClient):
    told = gateway.get("/v1/connectors").json()
    kinds = {one["name"]: one for one in told["kinds"]}
    assert {"label-studio", "letter-box", "scale"} <= kinds.keys()
    assert kinds["letter-box"]["settings"]["properties"]["url"]["description"] == "where the box is"
    assert kinds["letter-box"]["secret_help"] == "the box's key"
    assert told["broken"] == []


def test_a_preview_says_what_will_happen_and_changes_nothing(gateway: TestClient, at: str, box: LetterBox):
    told = gateway.post(f"{at}/preview", json=wish(box)).json()
    assert told == {"says": ["mail (Tithe) with 2 labels."], "faults": [], "adoptable": 3}
    assert gateway.get(at).json() == {"connectors": []}
    assert box.asked == ["/preview"]


def test_what_stands_in_the_way_is_told_with_what_to_do(gateway: TestClient, at: str, box: LetterBox):
    box.preview = {"faults": ["it has no label 'spam'"]}
    told = gateway.post(f"{at}/preview", json=wish(box)).json()
    assert told["faults"] == [
        {"place": None, "code": "schema_unfit", "detail": "it has no label 'spam'", "remedy": None}
    ]
    wrong = gateway.post(f"{at}/preview", json=wish(box, secret="no-such-key")).json()
    assert wrong["faults"][0] == {
        "place": "body.secret", "code": "credential_refused", "detail": "the box does not know ***",
        "remedy": "make another",
    }  # fmt: skip
    box.close()
    gone = gateway.post(f"{at}/preview", json=wish(box)).json()
    assert (gone["faults"][0]["code"], gone["faults"][0]["place"]) == ("tool_unreachable", "body.settings.url")


def test_an_address_of_the_private_network_is_refused_naming_the_setting(
    runtime: Runtime, here: Runtime, project: Project, at: str, box: LetterBox
):
    closed = here.settings.model_copy(update={"connect_allow": ""})
    with TestClient(
        create_app(Runtime(closed, runtime.database)), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)
    ) as gateway:
        answer = gateway.post(at, json=wish(box))
        assert (answer.status_code, answer.json()["code"]) == (422, "address_forbidden")
        assert answer.json()["place"] == "body.settings.url"
        assert "TITHE_CONNECT_ALLOW=127.0.0.1" in answer.json()["remedy"]
    assert box.asked == []


def test_a_connector_that_breaks_tells_nothing_of_its_insides(gateway: TestClient, at: str, box: LetterBox):
    box.preview = {"broken": True}
    with capture_logs() as logs:
        answer = gateway.post(at, json=wish(box))
    assert (answer.status_code, answer.json()["code"]) == (409, "tool_misbehaves")
    assert "RuntimeError" in answer.json()["detail"]
    assert box.key not in answer.text + json.dumps(logs, default=str)


def test_a_tool_that_does_not_answer_is_not_waited_for_long(
    gateway: TestClient, at: str, box: LetterBox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tithe.gateway.asking.LONGEST_SECONDS", 0.3)
    box.pause.clear()
    began = time.monotonic()
    answer = gateway.post(at, json=wish(box))
    assert time.monotonic() - began < 3
    assert (answer.status_code, answer.json()["code"]) == (503, "tool_unreachable")
    assert "within 0.3 s" in answer.json()["detail"]


BAD = [
    ({"kind": "letterbox"}, "body.kind", "did you mean letter-box?"),
    ({"settings": {}}, "body.settings.url", "Letter Box is told: url, project"),
    ({"settings": {"url": "x", "colour": "red"}}, "body.settings.colour", ""),
    ({"settings": {"url": "x", "project": 0}}, "body.settings.project", ""),
    ({"settings": {"url": "a\x00"}}, "body.settings", ""),
    ({"settings": {"url": "\ud800"}}, "body.settings", ""),
    ({"settings": "url"}, "body.settings", ""),
    ({"secret": ""}, "body.secret", ""),
    ({"secret": "  "}, "body.secret", ""),
    ({"secret": "two\nlines"}, "body.secret", ""),
    ({"secret": "clé"}, "body.secret", ""),
    ({"secret": 7}, "body.secret", ""),
    ({"name": "A b"}, "body.name", ""),
    ({"name": "@box"}, "body.name", ""),
    ({"name": "x" * 61}, "body.name", ""),
    ({"hook_secret": "\x7f"}, "body.hook_secret", ""),
    ({"token": "x"}, "body.token", ""),
]


def test_what_cannot_be_a_connection_is_refused_where_it_is(gateway: TestClient, at: str, box: LetterBox):
    for change, place, remedy in BAD:
        body = json.dumps(wish(box) | change)
        answer = gateway.post(at, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["place"] == place
        assert remedy in answer.json().get("remedy", "")
    assert box.asked == []


# ---- made ----


def test_a_connection_is_made_and_its_secrets_never_come_out(
    gateway: TestClient, here: Runtime, project: Project, at: str, box: LetterBox, caplog: pytest.LogCaptureFixture
):
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        made = gateway.post(at, json=wish(box, hook_secret=HOOK_SECRET))
        assert made.headers["location"] == f"{at}/letter-box"
        told = [made.text, gateway.get(at).text, gateway.get(f"{at}/letter-box").text, gateway.get("/metrics").text]
        refused = gateway.patch(f"{at}/letter-box", json={"secret": "another-key"})
        assert (refused.status_code, refused.json()["code"]) == (409, "credential_refused")
        with here.database.unit() as unit:
            kept = connectors.get(unit, project.id, "letter-box")
            assert kept is not None
            assert here.vault.open(kept.secret) == box.key, "the one that works stays"
        first, box.key = box.key, "another-key"
        changed = gateway.patch(f"{at}/letter-box", json={"secret": "another-key"})
        assert changed.status_code == 200
        told += [refused.text, changed.text]
    said = "".join(told) + json.dumps(logs, default=str) + caplog.text
    assert not [one for one in (first, HOOK_SECRET, "another-key") if one in said]
    now = made.json()
    assert (now["state"], now["problem"], now["held"], now["settings"]["url"]) == ("starting", None, 0, box.url)
    assert now["hook"] == f"/v1/hooks/{now['id']}"
    assert now["model_backend"] is None
    with here.database.unit() as unit:
        kept = connectors.get(unit, project.id, "letter-box")
        assert kept is not None
        assert here.vault.open(kept.secret) == "another-key"
        assert here.vault.open(kept.hook_secret) == HOOK_SECRET
        whole = str(unit.connection.execute("SELECT c::text FROM connectors c").fetchall())
    assert HOOK_SECRET not in whole
    assert "another-key" not in whole


def test_without_a_key_connecting_is_refused_and_everything_else_works(
    runtime: Runtime, project: Project, at: str, box
):
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as gateway:
        answer = gateway.post(at, json=wish(box, check=False))
        assert (answer.status_code, answer.json()["code"]) == (409, "vault_closed")
        assert "TITHE_SECRET_KEY" in answer.json()["detail"]
        assert gateway.get(at).json() == {"connectors": []}
        assert gateway.get(f"/v1/projects/{project.id}/status").status_code == 200


def test_checks_come_before_and_can_be_left_out(gateway: TestClient, at: str, box: LetterBox):
    box.preview = {"faults": ["it has no label 'spam'", "it is full"]}
    refused = gateway.post(at, json=wish(box))
    assert (refused.status_code, refused.json()["code"]) == (409, "schema_unfit")
    assert [one["detail"] for one in refused.json()["errors"]] == ["it has no label 'spam'", "it is full"]
    assert gateway.get(at).json() == {"connectors": []}
    asked = len(box.asked)
    connect(gateway, at, box, check=False)
    assert len(box.asked) == asked


def test_names_and_targets_are_taken_once(gateway: TestClient, at: str, box: LetterBox):
    here = {"url": box.url, "project": 3}
    connect(gateway, at, box, settings=here)
    asked = len(box.asked)
    again = gateway.post(at, json=wish(box))
    assert (again.status_code, again.json()["code"], again.json()["place"]) == (409, "name_taken", "body.name")
    same = gateway.post(at, json=wish(box, name="second", settings=here))
    assert (same.status_code, same.json()["place"]) == (409, "body.settings.project")
    assert len(box.asked) == asked
    connect(gateway, at, box, name="second", settings=here | {"project": 4})
    assert [one["name"] for one in gateway.get(at).json()["connectors"]] == ["letter-box", "second"]


def test_what_is_not_there_is_said_with_what_is(gateway: TestClient, at: str, box: LetterBox):
    connect(gateway, at, box)
    answer = gateway.get(f"{at}/pillar-box")
    assert (answer.status_code, answer.json()["remedy"]) == (404, "there are: letter-box")
    nowhere = f"/v1/projects/{uuid.uuid4()}/connectors"
    assert {gateway.get(nowhere).status_code, gateway.post(nowhere, json=wish(box)).status_code} == {404}
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/sync"), ("GET", "/quarantine")):
        body = {"json": {"paused": True}} if method == "PATCH" else {}
        assert gateway.request(method, f"{at}/pillar-box{path}", **body).status_code == 404


def test_settings_change_field_by_field_and_are_checked_as_a_whole(
    gateway: TestClient, here: Runtime, project: Project, at: str, box: LetterBox
):
    connect(gateway, at, box, settings={"url": box.url, "window": 50, "project": 3})
    name = f"{at}/letter-box"
    changed = gateway.patch(name, json={"settings": {"poll_seconds": 5, "window": None}}).json()["settings"]
    assert changed == {"url": box.url, "window": 200, "project": 3, "poll_seconds": 5.0, "aliases": {}}
    bad = gateway.patch(name, json={"settings": {"poll_seconds": "often"}})
    assert (bad.status_code, bad.json()["place"]) == (422, "body.settings.poll_seconds")
    assert gateway.patch(name, json={}).status_code == 422
    work_off(here)
    assert gateway.get(name).json()["state"] == "healthy"
    moved = gateway.patch(name, json={"settings": {"project": 4}})
    assert (moved.status_code, moved.json()["place"]) == (409, "body.settings.project")
    assert gateway.patch(name, json={"settings": {"project": 3}}).status_code == 200


def test_a_connection_works_is_paused_goes_on_and_is_left(gateway: TestClient, here: Runtime, at: str, box: LetterBox):
    connect(gateway, at, box)
    name = f"{at}/letter-box"
    work_off(here)
    now = gateway.get(name).json()
    assert (now["state"], now["url"], now["facts"]["tool"]["user"]) == ("healthy", "http://box.example/7", "ada")
    assert "schema" not in now["facts"]
    asked = len(box.asked)
    assert gateway.patch(name, json={"paused": True}).json()["state"] == "paused"
    refused = gateway.post(f"{name}/sync")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    work_off(here)
    assert len(box.asked) == asked
    assert gateway.patch(name, json={"paused": False}).json()["state"] == "starting"
    assert gateway.post(f"{name}/sync").status_code == 202
    assert gateway.delete(name).status_code == 202
    assert gateway.get(name).json()["state"] == "leaving"
    assert gateway.patch(name, json={"paused": True}).status_code == 409
    work_off(here)
    assert gateway.get(at).json() == {"connectors": []}


def test_a_tool_that_is_gone_can_be_left_at_once(gateway: TestClient, at: str, box: LetterBox):
    connect(gateway, at, box)
    assert gateway.delete(f"{at}/letter-box?at_once=true").status_code == 204
    assert gateway.get(at).json() == {"connectors": []}
    assert gateway.delete(f"{at}/letter-box").status_code == 404


def test_a_wrong_token_is_a_state_that_says_what_to_do_and_a_new_one_heals_it(
    gateway: TestClient, here: Runtime, at: str, box: LetterBox
):
    connect(gateway, at, box, secret="not-the-key", check=False)
    name = f"{at}/letter-box"
    work_off(here)
    now = gateway.get(name).json()
    assert (now["state"], now["problem"]["code"], now["problem"]["remedy"]) == (
        "attention", "credential_refused", "make another"
    )  # fmt: skip
    told = gateway.get("/metrics").text
    assert (
        f'tithe_connector_healthy{{connector="letter-box",kind="letter-box",project="{now["project_id"]}"}} 0.0' in told
    )
    gateway.patch(name, json={"secret": box.key})
    work_off(here)
    now = gateway.get(name).json()
    assert (now["state"], now["problem"], now["failures"]) == ("healthy", None, 0)
    told = gateway.get("/metrics").text
    named = f'{{connector="letter-box",kind="letter-box",project="{now["project_id"]}"}}'
    for line in ("healthy", "held", "counted", "quarantined", "failures"):
        assert f"tithe_connector_{line}{named} {1.0 if line == 'healthy' else 0.0}" in told
    assert f"tithe_connector_success_age_seconds{named}" in told
    assert f"tithe_connector_lag_seconds{named}" not in told


def test_what_does_not_count_is_told(gateway: TestClient, here: Runtime, project: Project, at: str, box: LetterBox):
    made = connect(gateway, at, box)
    lines = '{"id": "i1", "text": "hello"}\n'
    gateway.post(f"/v1/projects/{project.id}/items", content=lines, headers={"content-type": "application/jsonl"})
    with here.database.unit() as unit:
        unit.connection.execute(
            "WITH t AS (INSERT INTO remote_tasks (connector_id, project_id, ordinal, key, task, own, state)"
            " VALUES (%(c)s, %(p)s, 0, 'k', '9', true, 'there') RETURNING id)"
            " INSERT INTO remote_annotations"
            " (connector_id, annotation, task_id, annotator, digest, kind, raw, state, because)"
            " SELECT %(c)s, '77', id, 'ada@example.org', 'x', 'label', '{\"result\": [1]}', 'quarantined',"
            " 'no label egg' FROM t",
            {"c": made["id"], "p": project.id},
        )
    (kept,) = gateway.get(f"{at}/letter-box/quarantine").json()["annotations"]
    assert kept == {
        "annotation": "77", "task": "9", "item_id": "i1", "annotator": "ada@example.org", "state": "quarantined",
        "because": "no label egg", "raw": {"result": [1]}, "given_at": None,
    }  # fmt: skip
    assert gateway.get(f"{at}/letter-box").json()["quarantined"] == 1
    assert gateway.get(f"{at}/letter-box/quarantine?limit=0").status_code == 422


# ---- hooks ----


def hinted(here: Runtime, made: dict[str, Any]) -> list[list[str]]:
    with here.database.unit() as unit:
        return [one.tasks for one in connectors.hints(unit, uuid.UUID(made["id"]))]


def test_a_hook_leaves_a_hint_and_nothing_else(gateway: TestClient, here: Runtime, at: str, box: LetterBox):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    asked = len(box.asked)
    for body, media in ((b'{"tasks": ["5"]}', "application/json"), (b'{"tasks": ["6"]}', "text/plain; charset=x")):
        answer = gateway.post(
            made["hook"] + "?from=box", content=body, headers={"X-Box": HOOK_SECRET, "content-type": media}
        )
        assert (answer.status_code, answer.content) == (204, b"")
    assert gateway.post(made["hook"], content=b'{"tasks": []}', headers={"X-Box": HOOK_SECRET}).status_code == 204
    assert hinted(here, made) == [["5"], ["6"]]
    assert len(box.asked) == asked


def test_a_hook_without_the_secret_is_refused(gateway: TestClient, here: Runtime, at: str, box: LetterBox):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    for headers in ({}, {"X-Box": ""}, {"X-Box": "wrong"}, {"X-Box": HOOK_SECRET + "x"}):
        answer = gateway.post(made["hook"], content=b'{"tasks": ["5"]}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "hook_refused")
    assert hinted(here, made) == []


def test_a_hook_of_another_connection_or_of_none_is_refused(gateway: TestClient, at: str, box: LetterBox):
    connect(gateway, at, box, hook_secret=HOOK_SECRET)
    other = connect(gateway, at, box, name="other", hook_secret="another-secret")
    answer = gateway.post(other["hook"], content=b'{"tasks": ["5"]}', headers={"X-Box": HOOK_SECRET})
    assert answer.status_code == 403
    for address in (f"/v1/hooks/{uuid.uuid4()}", "/v1/hooks/7"):
        assert gateway.post(address, content=b"{}").status_code in (404, 422)


def test_a_hook_that_makes_no_sense_is_refused_and_never_logged(
    gateway: TestClient, here: Runtime, at: str, box: LetterBox, caplog: pytest.LogCaptureFixture
):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        for body in (b"", b"{", b"\xff\x00", b"[" * 5000, b"{}", b'{"tasks": 7}'):
            answer = gateway.post(made["hook"], content=body + b"MARK", headers={"X-Box": HOOK_SECRET})
            assert answer.status_code == 403
            assert "MARK" not in answer.text
    assert "MARK" not in json.dumps(logs, default=str) + caplog.text
    assert hinted(here, made) == []


def test_a_hook_is_bounded_in_size_with_a_limit_of_its_own(gateway: TestClient, here: Runtime, at: str, box: LetterBox):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    tasks = json.dumps({"tasks": [str(n) for n in range(200_000)]}).encode()
    assert here.settings.body_limit_bytes < len(tasks) < here.settings.hook_limit_bytes
    assert gateway.post(made["hook"], content=tasks, headers={"X-Box": HOOK_SECRET}).status_code == 204
    huge = b" " * (here.settings.hook_limit_bytes + 1)
    assert gateway.post(made["hook"], content=huge).status_code == 413
    assert gateway.post(made["hook"], content=iter([b" " * (1 << 20)] * 9)).status_code == 413


def test_while_paused_hooks_are_taken_and_forgotten(gateway: TestClient, here: Runtime, at: str, box: LetterBox):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    gateway.patch(f"{at}/letter-box", json={"paused": True})
    answer = gateway.post(made["hook"], content=b'{"tasks": ["5"]}', headers={"X-Box": HOOK_SECRET})
    assert answer.status_code == 204
    assert hinted(here, made) == []


def test_hooks_are_taken_in_milliseconds(gateway: TestClient, at: str, box: LetterBox):
    made = connect(gateway, at, box, hook_secret=HOOK_SECRET)
    took = []
    for number in range(30):
        began = time.perf_counter()
        gateway.post(made["hook"], json={"tasks": [str(number)]}, headers={"X-Box": HOOK_SECRET})
        took.append(time.perf_counter() - began)
    assert sorted(took)[15] < 0.1


# ---- the ML backend of Label Studio ----


@pytest.fixture
def backend(gateway: TestClient, at: str) -> str:
    """Where Label Studio would find the backend of a connection that nobody asked Label Studio about."""
    body = {"kind": "label-studio", "settings": {"url": "https://labels.example"}, "secret": "t0ken", "check": False}
    return gateway.post(at, json=body).json()["model_backend"]


def ask(gateway: TestClient, backend: str, *texts: str) -> Any:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, 1)]
    return gateway.post(f"{backend}/predict", json={"tasks": tasks, "label_config": LS_CONFIG, "project": "1.2"})


def test_the_backend_introduces_itself_to_whoever_knows_its_address(gateway: TestClient, backend: str, here: Runtime):
    assert gateway.get(f"{backend}/health").json()["status"] == "UP"
    assert gateway.post(f"{backend}/setup", json={"access_token": "x"}).json() == {"model_version": "tithe"}
    assert gateway.get(f"{backend}/versions").json() == {"versions": ["tithe"]}
    stem, _, key = backend.rpartition("/")
    for wrong in (key[:-1], key + "0", "x", "%00"):
        for method, path in (("GET", "health"), ("POST", "setup"), ("POST", "predict"), ("POST", "webhook")):
            assert gateway.request(method, f"{stem}/{wrong}/{path}").status_code == 403, (wrong, path)
    assert gateway.get(f"/v1/label-studio/{uuid.uuid4()}/{key}/health").status_code == 404


def test_another_kind_has_no_backend(gateway: TestClient, at: str, box: LetterBox):
    made = connect(gateway, at, box)
    assert gateway.get(f"/v1/label-studio/{made['id']}/x/health").status_code == 404


def test_without_a_model_nothing_is_suggested(gateway: TestClient, backend: str):
    assert ask(gateway, backend, "hello").json() == {
        "results": [{"result": [], "score": 0.0, "model_version": "tithe"}]
    }
    for bad in (b"", b"{", b"[]", b'{"tasks": [7]}'):
        assert gateway.post(f"{backend}/predict", content=bad).status_code == 422


def with_a_model(here: Runtime, project: Project) -> None:
    """Twelve labels and the round they ask for."""
    texts = {f"i{n}": ("you win money now" if n % 2 else "lunch at noon") + f" {n}" for n in range(24)}
    items = [NewItem(n, key, f"{n:016d}".encode(), "pool", text) for n, (key, text) in enumerate(texts.items())]
    bring_in(here, project, items, 24)
    work_off(here)
    label(here, project, {key: "spam" if "win" in text else "ham" for key, text in texts.items()}, 20)
    work_off(here)


class Scorer:
    """The workers, at work beside the gateway."""

    def __init__(self, here: Runtime) -> None:
        self.here, self.ending = here, threading.Event()
        self.done: list[str] = []
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join()

    def run(self) -> None:
        while not self.ending.wait(0.02):
            self.done += work_off(self.here)


def test_what_the_model_thinks_is_told_as_label_studio_writes_it(
    gateway: TestClient, here: Runtime, project: Project, backend: str
):
    with_a_model(here, project)
    with Scorer(here) as scorer:
        (one,) = ask(gateway, backend, "you win money").json()["results"]
        many = ask(gateway, backend, *["", *(f"lunch at noon {n}" for n in range(300))]).json()["results"]
    assert 0.5 < one["score"] < 1
    assert one["model_version"] == "tithe"
    assert one["result"][0]["value"] == {"choices": ["spam"]}
    assert [said["result"] for said in many[:1]] == [[]]  # no text, no opinion
    assert [said["result"][0]["value"] for said in many[1:]] == [{"choices": ["ham"]}] * 300
    assert scorer.done == ["texts.predict"] * 3  # 256 at a time


def test_the_page_is_not_kept_waiting_for_a_scorer(gateway: TestClient, here: Runtime, project: Project, backend: str):
    with_a_model(here, project)
    began = time.monotonic()
    assert ask(gateway, backend, "hello").json()["results"][0]["result"] == []
    assert time.monotonic() - began < 1.5


def test_a_project_that_labels_blindly_shows_nothing(
    gateway: TestClient, here: Runtime, project: Project, backend: str
):
    with_a_model(here, project)
    gateway.patch(f"/v1/projects/{project.id}", json={"pre_annotate": False})
    with Scorer(here) as scorer:
        assert ask(gateway, backend, "you win").json()["results"][0]["result"] == []
    assert "texts.predict" not in scorer.done


def test_the_backends_webhook_is_a_hint_and_nothing_more(gateway: TestClient, here: Runtime, backend: str):
    made = {"id": backend.split("/")[3]}
    said = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "task": 5, "project": 2}, "project": {"id": 2}}
    assert gateway.post(f"{backend}/webhook", json=said).status_code == 200
    assert (
        gateway.post(f"{backend}/webhook", json={"action": "START_TRAINING", "project": {"id": 2}}).status_code == 200
    )
    assert hinted(here, made) == [["5"]]
