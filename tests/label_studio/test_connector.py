"""Every verb of the connector on a real Label Studio, and what may go wrong under way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from label_studio.between import mailbox
from label_studio.server import LabelStudio
from tithe.connectors.errors import (
    AddressForbidden,
    CredentialRefused,
    RemoteGone,
    SchemaUnfit,
    ToolMisbehaves,
    ToolUnreachable,
)
from tithe.connectors.label_studio import KIND
from tithe.connectors.label_studio.connector import LabelStudio as Connection
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Fate, Kind, Outgoing, Ranked, Remote, Schema, Seen, Withdrawn
from tithe.contracts.projects import Task

Connect = Callable[..., Connection]
MAIL = Schema("mail at work", Task.TEXT, ("ham & eggs", 'the "rest"', "🚀"), overlap=1, suggestions=False)
NEWS = Schema("news of today", Task.TOKENS, ("PER", "ORG"), overlap=1, suggestions=True)
TOPICS = Schema("topics", Task.MULTILABEL, ("a", "b", "c"), overlap=2, suggestions=False)


def items(count: int, prefix: str = "k", **more: Any) -> list[Outgoing]:
    return [Outgoing(f"{prefix}-{at}", f"item-{at}", f"text number {at}", rank=at, **more) for at in range(count)]


def pushed(connection: Connection, remote: Remote, count: int, prefix: str = "k") -> list[str]:
    return [one.task or "" for one in connection.push(remote, items(count, prefix), "round-1")]


def caught_up(connection: Connection, remote: Remote, cursor: Any = None) -> tuple[dict[str, Seen], Any]:
    seen: dict[str, Seen] = {}
    while True:
        changes = connection.poll(remote, cursor)
        seen |= {one.task: one for one in changes.seen}
        cursor = json.loads(json.dumps(changes.cursor))
        if not changes.more:
            return seen, cursor


def everything(connection: Connection, remote: Remote) -> dict[str, Seen]:
    return {one.task: one for page in connection.everything(remote) for one in page}


def kinds_of(seen: Seen) -> list[Kind]:
    return [one.kind for one in seen.annotations]


# ---- the project ----


def test_a_project_is_made_once_and_then_nothing_changes(connect: Connect, studio: LabelStudio):
    connection = connect()
    first = connection.ensure_project(MAIL, None)
    made = studio.api.get(f"/api/projects/{first.id}/").json()
    assert (made["title"], made["maximum_annotations"], made["sampling"]) == ("mail at work", 1, "Uncertainty sampling")
    assert made["show_collab_predictions"] is False
    assert next(iter(made["parsed_label_config"].values()))["labels"] == list(MAIL.labels)
    assert connection.ensure_project(MAIL, first) == first
    assert connection.ensure_project(MAIL, None).id == first.id, "made just before a crash, it is found again"
    assert studio.api.get(f"/api/projects/{first.id}/").json() == made
    pushed(connection, first, 1)
    assert connection.ensure_project(MAIL, None).id != first.id, "what has tasks belongs to a connection already"


def test_facts_survive_json(connect: Connect):
    remote = connect().ensure_project(MAIL, None)
    assert json.loads(json.dumps(remote.facts)) == remote.facts


def test_a_made_project_that_was_changed_is_put_back(connect: Connect, studio: LabelStudio):
    connection = connect(title="changed by hand")
    remote = connection.ensure_project(NEWS, None)
    config = (
        '<View><Labels name="x" toName="y"><Label value="PER"/><Label value="LOC"/></Labels>'
        '<Text name="y" value="$z"/></View>'
    )
    changed = {"label_config": config, "sampling": "Uniform sampling", "maximum_annotations": 5}
    studio.api.patch(f"/api/projects/{remote.id}/", json=changed).raise_for_status()
    assert connection.ensure_project(NEWS, remote) == remote
    now = studio.api.get(f"/api/projects/{remote.id}/").json()
    assert (now["sampling"], now["maximum_annotations"]) == ("Uncertainty sampling", 1)
    assert now["parsed_label_config"]["label"]["labels"] == ["PER", "ORG"]


def own_project(studio: LabelStudio, config: str, title: str = "their own", **more: Any) -> str:
    made = studio.api.post("/api/projects/", json={"title": title, "label_config": config, **more})
    made.raise_for_status()
    return str(made.json()["id"])


THEIRS = (
    '<View><Header value="Read"/><Text name="doc" value="$body"/><Choices name="mood" toName="doc">'
    '<Choice value="Gut"/><Choice value="Schlecht" alias="bad"/><Choice value="egal"/></Choices></View>'
)
MOOD = Schema("mood", Task.TEXT, ("good", "bad"), overlap=1, suggestions=False)


def test_a_project_of_theirs_is_connected_by_aliases_and_adopted(connect: Connect, studio: LabelStudio):
    project = own_project(studio, THEIRS)
    tasks = [{"data": {"body": f"text {at}", "source": "mail"}} for at in range(3)]
    ids = studio.api.post(f"/api/projects/{project}/import?return_task_ids=true", json=tasks).json()["task_ids"]
    ada = studio.user("ada@tithe.example")
    ada.annotate(ids[0], "Gut")
    connection = connect(project=int(project), aliases={"Gut": "good"})
    told = connection.preview(MOOD)
    assert not told.faults
    assert told.adoptable == 3
    assert any("3 tasks, of which 1 have annotations" in line for line in told.says)
    assert any("'egal'" in line for line in told.says)
    remote = connection.ensure_project(MOOD, None)
    assert remote.id == project
    seen = everything(connection, remote)
    assert [one.text for one in seen.values()] == ["text 0", "text 1", "text 2"]
    assert len({one.item_id for one in seen.values()}) == 3
    first = seen[str(ids[0])]
    assert (first.key, first.meta) == (None, {"source": "mail"})
    assert [(one.value, one.annotator) for one in first.annotations] == [("good", "ada@tithe.example")]
    assert connection.withdraw(remote, [str(ids[1])]) == {str(ids[1]): Withdrawn.KEPT}
    assert pushed(connection, remote, 2) != []
    assert connection.preview(MOOD).adoptable == 3, "our own are not adopted"


def test_a_project_of_theirs_that_does_not_fit_is_named_in_words(connect: Connect, studio: LabelStudio):
    project = own_project(studio, THEIRS)
    connection = connect(project=int(project))
    with pytest.raises(SchemaUnfit, match="'good'") as unfit:
        connection.ensure_project(MOOD, None)
    assert "aliases" in (unfit.value.remedy or "")
    assert connection.preview(MOOD).faults
    with pytest.raises(SchemaUnfit, match="<Labels>"):
        connection.ensure_project(NEWS, None)


def test_a_project_that_is_not_there(connect: Connect, studio: LabelStudio):
    connection = connect(project=987654)
    assert "987654" in connection.preview(MAIL).faults[0]
    with pytest.raises(RemoteGone):
        connection.ensure_project(MAIL, None)
    remote = connect(title="soon gone").ensure_project(MAIL, None)
    pushed(connection, remote, 1)
    studio.api.delete(f"/api/projects/{remote.id}/").raise_for_status()
    verbs: Sequence[Callable[[], object]] = (
        lambda: connection.ensure_project(MAIL, remote),
        lambda: connection.push(remote, items(1), "g"),
        lambda: connection.rerank(remote, [Ranked("1", 0)], "v"),
        lambda: connection.withdraw(remote, ["1"]),
        lambda: connection.poll(remote, None),
        lambda: connection.read(remote, ["1"]),
        lambda: connection.task_of(remote, ["1"]),
        lambda: list(connection.everything(remote)),
    )
    for verb in verbs:
        with pytest.raises(RemoteGone):
            verb()


# ---- push ----


def test_push_twice_makes_tasks_once(connect: Connect):
    connection = connect(title="pushed twice")
    remote = connection.ensure_project(MAIL, None)
    odd = [Outgoing("k,'\"é🚀", "i", "one\r\ntwo 🚀 three", rank=0, meta={"source": "x", "deep": [1]})]
    first = connection.push(remote, [*items(3), *odd], "g")
    again = connection.push(remote, [*odd, *items(4)], "g")
    assert [one.fate for one in first] == [Fate.CREATED] * 4
    assert [one.fate for one in again] == [Fate.EXISTING] * 4 + [Fate.CREATED]
    assert {one.key: one.task for one in first}.items() <= {one.key: one.task for one in again}.items()
    there = everything(connection, remote)
    assert {one.key for one in there.values()} == {"k-0", "k-1", "k-2", "k-3", "k,'\"é🚀"}
    seen = next(one for one in there.values() if one.key == odd[0].key)
    assert (seen.text, seen.meta) == ("one \ntwo 🚀 three", {"source": "x", "deep": [1]})


def test_an_item_label_studio_never_takes_keeps_no_other_away(connect: Connect, studio: LabelStudio):
    config = THEIRS.replace("</View>", '<Text name="more" value="$headline"/></View>')
    project = own_project(studio, config, title="shows more")
    connection = connect(project=int(project), aliases={"Gut": "good"})
    remote = connection.ensure_project(MOOD, None)
    some = items(9, meta={"headline": "H"})
    some[4] = Outgoing("k-4", "item-4", "no headline", rank=4)
    answers = connection.push(remote, some, "g")
    assert [one.fate for one in answers] == [Fate.CREATED] * 4 + [Fate.REJECTED] + [Fate.CREATED] * 4
    assert "headline" in (answers[4].reason or "")
    assert len(everything(connection, remote)) == 8


def test_a_config_changed_under_way_refuses_no_item_for_good(connect: Connect, studio: LabelStudio):
    project = own_project(studio, THEIRS, title="turned")
    connection = connect(project=int(project), aliases={"Gut": "good"})
    remote = connection.ensure_project(MOOD, None)
    turned = {"label_config": THEIRS.replace("$body", "$other")}
    studio.api.patch(f"/api/projects/{project}/", json=turned).raise_for_status()
    with pytest.raises(SchemaUnfit, match="body"):
        connection.push(remote, items(3), "g")


def test_tasks_imported_twice_become_one_and_an_answered_one_is_kept(connect: Connect, studio: LabelStudio):
    connection = connect(title="imported twice")
    remote = connection.ensure_project(MAIL, None)
    first = pushed(connection, remote, 3)
    copies = [{"data": {"text": f"text number {at}", "tithe_key": f"k-{at}"}} for at in range(3)]
    url = f"/api/projects/{remote.id}/import?return_task_ids=true"
    second = [str(one) for one in studio.api.post(url, json=copies).json()["task_ids"]]
    studio.admin.annotate(second[1], "🚀")
    again = [one.task for one in connection.push(remote, items(3), "g")]
    assert again == [first[0], second[1], first[2]]
    assert set(everything(connection, remote)) == set(again)


def test_killed_while_pushing_and_started_again(connect: Connect, studio: LabelStudio):
    connection = connect(title="killed")
    remote = connection.ensure_project(MAIL, None)
    some = items(4000)
    killing = threading.Timer(0.4, studio.kill)
    killing.start()
    try:
        with pytest.raises(ToolUnreachable):
            connection.push(remote, some, "g")
    finally:
        killing.join()
        studio.start()
    answers = connection.push(remote, some, "g")
    assert [one.key for one in answers] == [one.key for one in some]
    there = everything(connection, remote)
    assert len(there) == 4000
    assert {one.key: one.task for one in there.values()} == {one.key: one.task for one in answers}


# ---- the order ----


def order_asked(studio: LabelStudio, email: str, project: str, most: int) -> list[int]:
    return [task["id"] for task in studio.user(email).label(project, lambda _: "🚀", most)]


def test_tasks_are_asked_in_the_order_given_and_given_again(connect: Connect, studio: LabelStudio):
    connection = connect(title="in order")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 12)
    order = [tasks[at] for at in (7, 2, 9, 0, 11, 4, 1, 3, 5, 6, 8, 10)]
    connection.rerank(remote, [Ranked(task, rank) for rank, task in enumerate(order)], "r1")
    assert order_asked(studio, "ada@tithe.example", remote.id, 3) == [int(task) for task in order[:3]]
    turned = order[:2:-1]
    connection.rerank(remote, [Ranked(task, rank) for rank, task in enumerate(turned)], "r2")
    connection.rerank(remote, [Ranked(task, rank) for rank, task in enumerate(turned)], "r2")
    assert studio.api.get(f"/api/projects/{remote.id}/model-versions/").json() == {"tithe:r2": 9}
    ada, bob = studio.user("ada@tithe.example"), studio.user("bob@tithe.example")
    asked = []
    for person in (ada, bob, ada, bob):
        task = person.next_task(remote.id)
        assert task is not None
        assert task["predictions"] == [], "blind: nothing is shown"
        person.annotate(task, "🚀")
        asked.append(task["id"])
    assert asked == [int(task) for task in turned[:4]]


def test_an_order_somebody_broke_on_the_page_is_mended(connect: Connect, studio: LabelStudio):
    connection = connect(title="mended")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 8)[::-1]
    ranked = [Ranked(task, rank) for rank, task in enumerate(tasks)]
    connection.rerank(remote, ranked, "r1")
    broken = {"sampling": "Sequential sampling", "show_collab_predictions": True}
    studio.api.patch(f"/api/projects/{remote.id}/", json=broken).raise_for_status()
    studio.api.patch(f"/api/projects/{remote.id}/", json={"model_version": ""}).raise_for_status()
    connection.rerank(remote, ranked, "r2")
    assert order_asked(studio, "ada@tithe.example", remote.id, 4) == [int(task) for task in tasks[:4]]


def test_ensuring_keeps_the_order(connect: Connect, studio: LabelStudio):
    connection = connect(title="kept in order")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 6)[::-1]
    connection.rerank(remote, [Ranked(task, rank) for rank, task in enumerate(tasks)], "r1")
    studio.api.patch(f"/api/projects/{remote.id}/", json={"show_collab_predictions": True}).raise_for_status()
    connection.ensure_project(MAIL, remote)
    assert order_asked(studio, "ada@tithe.example", remote.id, 3) == [int(task) for task in tasks[:3]]


def test_an_order_with_tasks_that_are_gone_or_half_written(connect: Connect, studio: LabelStudio):
    connection = connect(title="half an order")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 6)[::-1]
    left = [{"task": int(task), "result": [], "score": 0.5, "model_version": "tithe:r1"} for task in tasks[:2]]
    studio.api.post(f"/api/projects/{remote.id}/import/predictions", json=left).raise_for_status()
    studio.admin.delete_task(tasks[1])
    connection.rerank(remote, [Ranked(task, rank) for rank, task in enumerate(tasks)], "r1")
    assert studio.api.get(f"/api/projects/{remote.id}/model-versions/").json() == {"tithe:r1": 5}
    there = [int(task) for task in tasks if task != tasks[1]]
    assert order_asked(studio, "ada@tithe.example", remote.id, 5) == there


def test_nothing_to_rank_and_only_what_is_gone(connect: Connect, studio: LabelStudio):
    connection = connect(title="nothing to rank")
    remote = connection.ensure_project(MAIL, None)
    connection.rerank(remote, [], "r1")
    connection.rerank(remote, [Ranked("999999", 0)], "r2")
    assert studio.api.get(f"/api/projects/{remote.id}/model-versions/").json() == {}


def test_suggestions_are_shown_where_wanted(connect: Connect, studio: LabelStudio):
    connection = connect(title="suggesting", aliases={"Person": "PER"})
    remote = connection.ensure_project(NEWS, None)
    text = "Café 😀😀 Ada works at ACME."
    task = connection.push(remote, [Outgoing("k", "i", text, 0)], "g")[0].task or ""
    spans = [{"start": 8, "end": 11, "label": "PER"}, {"start": 21, "end": 25, "label": "ORG"}]
    connection.rerank(remote, [Ranked(task, 0, spans)], "r1")
    ada = studio.user("ada@tithe.example")
    shown = ada.next_task(remote.id)
    assert shown is not None
    values = [entry["value"] for entry in shown["predictions"][0]["result"]]
    assert [(value["text"], value["labels"]) for value in values] == [("Ada", ["Person"]), ("ACME", ["ORG"])]
    ada.submit(task, shown["predictions"][0]["result"])
    assert connection.read(remote, [task])[0].annotations[0].value == spans


# ---- what people say ----


def test_answers_edits_skips_and_deletions_are_polled(connect: Connect, studio: LabelStudio):
    connection = connect(title="polled")
    remote = connection.ensure_project(TOPICS, None)
    tasks = pushed(connection, remote, 5)
    before, cursor = caught_up(connection, remote)
    assert set(before) == set(tasks)
    assert not any(one.annotations for one in before.values())
    ada, bob = studio.user("ada@tithe.example"), studio.user("bob@tithe.example")
    answered = ada.annotate(tasks[0], ["a"], seconds=2.5)
    bob.annotate(tasks[0], ["b", "c"])
    ada.annotate(tasks[1], [])
    ada.skip(tasks[2])
    seen, cursor = caught_up(connection, remote, cursor)
    said = {one.annotator: one for one in seen[tasks[0]].annotations}
    assert {name: one.value for name, one in said.items()} == {
        "ada@tithe.example": ["a"],
        "bob@tithe.example": ["b", "c"],
    }
    assert said["ada@tithe.example"].seconds == 2.5
    assert seen[tasks[1]].annotations[0].value == []
    assert kinds_of(seen[tasks[2]]) == [Kind.SKIP]
    assert seen[tasks[0]].key == "k-0"
    ada.edit(answered, ["c"])
    assert connection.task_of(remote, [str(answered["id"]), "999999"]) == [tasks[0]]
    seen, cursor = caught_up(connection, remote, cursor)
    changed = {one.id: one for one in seen[tasks[0]].annotations}[str(answered["id"])]
    assert changed.value == ["c"]
    ada.delete(answered)
    seen, cursor = caught_up(connection, remote, cursor)
    assert [one.annotator for one in seen[tasks[0]].annotations] == ["bob@tithe.example"]
    assert connection.task_of(remote, [str(answered["id"])]) == []


def test_what_is_no_label_is_told_and_what_is_not_of_the_schema_too(connect: Connect, studio: LabelStudio):
    connection = connect(title="no labels")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 3)
    ada = studio.user("ada@tithe.example")
    ada.submit(tasks[0], [])
    ada.annotate(tasks[1], "not in the schema")
    ada.annotate(tasks[2], ["🚀", "ham & eggs"])
    empty, strange, two = connection.read(remote, tasks)
    assert (empty.annotations[0].kind, empty.annotations[0].fault) == (Kind.UNREADABLE, "nothing was chosen")
    assert (strange.annotations[0].kind, strange.annotations[0].value) == (Kind.LABEL, "not in the schema")
    assert "2 classes" in (two.annotations[0].fault or "")


def test_a_deleted_task_is_not_there(connect: Connect, studio: LabelStudio):
    connection = connect(title="deleted")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 3)
    studio.user("ada@tithe.example").annotate(tasks[1], "🚀")
    studio.admin.delete_task(tasks[1])
    seen = connection.read(remote, [tasks[1], tasks[0], "no id"])
    assert [(one.task, one.exists) for one in seen] == [(tasks[1], False), (tasks[0], True), ("no id", False)]
    assert set(everything(connection, remote)) == {tasks[0], tasks[2]}


def test_many_changes_in_one_moment_are_all_told(connect: Connect, studio: LabelStudio):
    connection = connect(title="in one moment")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 500)
    moment = "2026-01-02 03:04:05.678901"
    studio.sql("UPDATE task SET updated_at = ? WHERE project_id = ?", moment, int(remote.id))
    seen, cursor = caught_up(connection, remote)
    assert set(seen) == set(tasks)
    assert caught_up(connection, remote, cursor)[0] == {}


def test_withdrawing_takes_only_what_nobody_answered(connect: Connect, studio: LabelStudio):
    connection = connect(title="withdrawn")
    remote = connection.ensure_project(MAIL, None)
    tasks = pushed(connection, remote, 5)
    studio.user("ada@tithe.example").annotate(tasks[0], "🚀")
    studio.user("ada@tithe.example").skip(tasks[1])
    fates = connection.withdraw(remote, [*tasks[:4], "999999"])
    assert fates == {
        tasks[0]: Withdrawn.ANSWERED, tasks[1]: Withdrawn.ANSWERED, tasks[2]: Withdrawn.GONE,
        tasks[3]: Withdrawn.GONE, "999999": Withdrawn.GONE,
    }  # fmt: skip
    assert set(everything(connection, remote)) == {tasks[0], tasks[1], tasks[4]}
    assert connection.withdraw(remote, []) == {}
    assert len(everything(connection, remote)) == 3
    assert connection.withdraw(remote, [tasks[4]]) == {tasks[4]: Withdrawn.GONE}
    again = connection.push(remote, items(3), "g")
    assert [one.fate for one in again] == [Fate.EXISTING, Fate.EXISTING, Fate.CREATED]


# ---- credentials ----


def test_a_personal_token_lives_on_when_its_access_token_does_not(connect: Connect, studio: LabelStudio):
    connection = connect(studio.personal_token(), title="by personal token")
    remote = connection.ensure_project(MAIL, None)
    auth = connection._client._auth
    auth._access = auth._access[:-6] + "AAAAAA"  # no longer taken, long before it is old
    assert len(pushed(connection, remote, 2)) == 2
    auth.forget()
    assert len(everything(connection, remote)) == 2
    assert connection.health().user == "admin@tithe.example"


def test_legacy_tokens_switched_off_is_said(connect: Connect, studio: LabelStudio):
    connection = connect()
    assert connection.health().version
    studio.allow_legacy_tokens(False)
    try:
        with pytest.raises(CredentialRefused, match="legacy token authentication has been disabled"):
            connection.health()
    finally:
        studio.allow_legacy_tokens(True)
    assert connection.health().user == "admin@tithe.example"


@pytest.mark.parametrize("token", ["f" * 40, "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiAiMSJ9.c2lnbmF0dXJl"])
def test_a_wrong_token(connect: Connect, token: str):
    with pytest.raises(CredentialRefused):
        connect(token).health()


# ---- reaching it ----


def test_what_is_no_label_studio(connect: Connect, studio: LabelStudio, outside: Outside):
    with pytest.raises(ToolUnreachable):
        connect(url="http://127.0.0.1:9").health()
    with pytest.raises(ToolMisbehaves, match="not with JSON"):
        connect(url=f"{studio.url}/projects").health()
    guarded = KIND.open(KIND.settings.model_validate({"url": studio.url}), studio.legacy_token, Outside())
    with pytest.raises(AddressForbidden):
        guarded.health()


# ---- hooks ----


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Stands where Tithe's gateway would."""
    with mailbox() as box:
        yield box


def test_hooks_are_registered_once_and_name_what_changed(connect: Connect, studio: LabelStudio, gateway):
    base, came = gateway
    connection = connect(title="with hooks")
    remote = connection.ensure_project(MAIL, None)
    url = f"{base}/v1/hooks/7"
    headers = {"X-Tithe-Secret": "old"}
    old = {"project": int(remote.id), "url": url, "headers": headers}
    theirs = {"project": int(remote.id), "url": f"{base}/theirs"}
    for hook in (old, theirs):
        studio.api.post("/api/webhooks/", json=hook).raise_for_status()
    for _ in range(2):
        remote = connection.listen(remote, url, "s3cret")
    assert remote.facts["hooks"] == {"url": url, "registered": True, "reason": None}
    there = studio.api.get("/api/webhooks/", params={"project": remote.id}).json()
    assert sorted(hook["headers"].get("X-Tithe-Secret", "") for hook in there) == ["", "s3cret"]
    studio.api.delete(f"/api/webhooks/{next(hook['id'] for hook in there if not hook['headers'])}/").raise_for_status()
    tasks = pushed(connection, remote, 3)
    ada = studio.user("ada@tithe.example")
    answered = ada.annotate(tasks[0], "🚀")
    ada.edit(answered, "ham & eggs")
    ada.skip(tasks[1])
    ada.delete(answered)
    studio.admin.delete_task(tasks[2])
    settings = KIND.settings.model_validate({"url": studio.url, "project": int(remote.id)})
    until = time.monotonic() + 10
    while len(came) < 5 and time.monotonic() < until:
        time.sleep(0.05)
    hints = [hint for headers, body in came for hint in KIND.parse_hook(settings, "s3cret", headers, body)]
    assert [hint.tasks for hint in hints] == [(tasks[0],), (tasks[0],), (tasks[1],), (), (tasks[2],)]
    assert hints[3].annotations == (str(answered["id"]),)


def test_a_guard_that_allows_no_hooks_is_remembered_and_no_error(tmp_path: Path, outside: Outside):
    with LabelStudio.started(tmp_path / "data", guard_private=True) as guarded:
        settings = KIND.settings.model_validate({"url": guarded.url})
        connection = KIND.open(settings, guarded.legacy_token, outside)
        remote = connection.listen(connection.ensure_project(MAIL, None), "http://127.0.0.1:8080/v1/hooks/7", "s3cret")
        connection.close()
    assert remote.facts["hooks"]["registered"] is False
    assert "reserved network address" in remote.facts["hooks"]["reason"]


# ---- how long it takes ----


def test_a_window_of_a_thousand_is_ranked_anew_in_ten_seconds(connect: Connect, record_property):
    connection = connect(title="a thousand")
    remote = connection.ensure_project(MAIL, None)
    figures = {}

    def timed(what: str, verb: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = verb()
        figures[what] = round(time.perf_counter() - began, 2)
        return result

    tasks = [one.task or "" for one in timed("push 1,000", lambda: connection.push(remote, items(1000), "g"))]
    timed("push 1,000 again", lambda: connection.push(remote, items(1000), "g"))
    ranked = [Ranked(task, rank) for rank, task in enumerate(tasks)]
    timed("rank 1,000 first", lambda: connection.rerank(remote, ranked, "r1"))
    timed("rank 1,000 again, old order deleted", lambda: connection.rerank(remote, ranked[::-1], "r2"))
    timed("poll 1,000 new tasks", lambda: caught_up(connection, remote))
    future = {"after": "2999-01-01T00:00:00.000000Z"}
    timed("poll of nothing", lambda: connection.poll(remote, future))
    timed("read 1,000", lambda: connection.read(remote, tasks))
    timed("withdraw 500", lambda: connection.withdraw(remote, tasks[:500]))
    record_property("seconds", figures)
    assert figures["rank 1,000 again, old order deleted"] < 10
