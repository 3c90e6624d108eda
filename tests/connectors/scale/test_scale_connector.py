"""Scale's connector against the double: batches, crashes, throttling, recalls, audits, and hooks in any order."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.scale.double import KEY, Says, Scale, running
from connectors.scale.tool import LOOPBACK, SCHEMAS, settings_for
from tithe.connectors.errors import (
    AddressForbidden,
    CredentialRefused,
    RemoteGone,
    SchemaUnfit,
    ToolError,
    ToolMisbehaves,
    ToolUnreachable,
)
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Fate, Outgoing, Remote, Withdrawn
from tithe.connectors.scale.client import ScaleClient
from tithe.connectors.scale.connector import OVERLAP, ScaleConnector
from tithe.connectors.scale.kind import KIND
from tithe.connectors.scale.pace import Pace
from tithe.connectors.scale.settings import ScaleSettings
from tithe.contracts.projects import Task

SCHEMA = SCHEMAS[Task.TEXT]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Scale, str]]:
    scale = Scale()
    with running(scale) as url:
        yield scale, url


@pytest.fixture
def scale(served: tuple[Scale, str]) -> Scale:
    served[0].__init__()
    return served[0]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def connector(scale: Scale, served: tuple[Scale, str], slept: list[float]) -> Iterator[ScaleConnector]:
    opened = connected(served[1], slept)
    yield opened
    opened.close()


def connected(url: str, slept: list[float], key: str = KEY, **more: Any) -> ScaleConnector:
    """A connector whose waits take no time."""
    settings = settings_for(url, **more)
    basic = base64.b64encode(f"{key}:".encode()).decode()
    http = LOOPBACK.client(url, headers={"Authorization": f"Basic {basic}"})
    pace = Pace(settings.requests_per_second, sleep=slept.append)
    return ScaleConnector(settings, ScaleClient(http, pace, sleep=slept.append), test_key=key.startswith("test_"))


@pytest.fixture
def remote(connector: ScaleConnector) -> Remote:
    return connector.ensure_project(SCHEMA, None)


def items(*numbers: int) -> list[Outgoing]:
    return [Outgoing(f"k{n}", f"i{n}", f"text {n}", n) for n in numbers]


def pushed(connector: ScaleConnector, remote: Remote, *numbers: int, group: str = "r1") -> list[str]:
    return [one.task or "" for one in connector.push(remote, items(*numbers), group)]


# ---- batches ----


def test_a_round_is_a_batch_that_is_finalised_once_however_often_it_is_pushed(
    connector: ScaleConnector, scale: Scale, remote: Remote
):
    for _ in range(3):
        pushed(connector, remote, 1, 2, 3)
    assert {task["batch"] for task in scale.tasks.values()} == {"mail / all tithe r1"}
    assert scale.finalized == ["mail / all tithe r1"]
    assert len(scale.tasks) == 3


def test_what_is_pushed_to_a_group_that_was_closed_goes_to_a_second_batch_of_it(
    connector: ScaleConnector, scale: Scale, remote: Remote
):
    pushed(connector, remote, 1, 2)
    pushed(connector, remote, 1, 2, 3)
    pushed(connector, remote, 3, 4)
    assert scale.finalized == ["mail / all tithe r1", "mail / all tithe r1 (2)", "mail / all tithe r1 (3)"]
    assert len(scale.tasks) == 4


def test_cut_anywhere_and_pushed_again_there_is_no_double_task_and_every_batch_is_finalised_once(
    connector: ScaleConnector, scale: Scale, remote: Remote
):
    cuts, waits = 0, set()
    for after in range(20):
        scale.lose = after
        numbers = range(10 * after, 10 * after + 3)
        try:
            pushed(connector, remote, *numbers, group=f"r{after}")
        except ToolUnreachable as error:
            cuts += 1
            waits.add(error.facts["retry_after_seconds"])
        scale.down, scale.lose = False, None
        told = connector.push(remote, items(*numbers), f"r{after}")
        assert [scale.tasks[one.task]["unique_id"] for one in told] == [f"k{n}" for n in numbers]
    assert (cuts, waits) == (7, {60.0})  # look-up, batch, three tasks, the batch's state, finalise
    assert len(scale.tasks) == 60
    assert sorted(scale.finalized) == sorted(scale.batches)
    assert len(scale.finalized) == 20


def test_a_time_out_after_the_task_was_made_makes_no_second_one(scale: Scale, served: tuple[Scale, str]):
    opened = KIND.open(settings_for(served[1]), KEY, replace(LOOPBACK, timeout_seconds=0.15))
    remote = opened.ensure_project(SCHEMA, None)
    scale.hangs = {"/v1/task/textcollection": 0.4}
    with pytest.raises(ToolUnreachable):
        opened.push(remote, items(1), "r1")
    assert (len(scale.tasks), scale.finalized) == (1, [])
    scale.hangs = {}
    (one,) = opened.push(remote, items(1), "r1")
    assert (one.fate, len(scale.tasks), scale.finalized) == (Fate.EXISTING, 1, ["mail / all tithe r1"])
    opened.close()


def test_the_answer_409_is_found_by_its_key(connector: ScaleConnector, scale: Scale, remote: Remote):
    (task,) = pushed(connector, remote, 1)
    body = {"project": "mail / all", "batch": "x", "unique_id": "k1"}
    scale.faults = [Says(409, "A task with this unique_id already exists")]
    found, new = connector._client.make_task("textcollection", body)
    assert (found["task_id"], new) == (task, False)


def test_where_all_items_are_refused_none_is_lost(connector: ScaleConnector, scale: Scale, remote: Remote):
    scale.projects["mail / all"]["type"] = "namedentityrecognition"
    with pytest.raises(SchemaUnfit, match="none of the items: the project is of type"):
        connector.push(remote, items(1, 2), "r1")


def test_an_item_without_text_is_rejected_before_it_costs_anything(
    connector: ScaleConnector, scale: Scale, remote: Remote
):
    (one,) = connector.push(remote, [Outgoing("k", "i", " \n", 0)], "r1")
    assert (one.fate, scale.batches) == (Fate.REJECTED, {})


def test_what_somebody_works_on_is_kept(connector: ScaleConnector, scale: Scale, remote: Remote):
    busy, idle = pushed(connector, remote, 1, 2)
    scale.started.add(busy)
    assert connector.withdraw(remote, [busy, idle]) == {busy: Withdrawn.KEPT, idle: Withdrawn.GONE}
    assert scale.tasks[idle]["unique_id"] is None


# ---- what changes ----


def test_a_poll_looks_back_a_while_and_no_further(connector: ScaleConnector, scale: Scale, remote: Remote):
    first, second = pushed(connector, remote, 1, 2)
    cursor = connector.poll(remote, None).cursor
    scale.pass_time(OVERLAP.total_seconds() + 60)
    cursor = connector.poll(remote, cursor).cursor  # by Scale's clock, not ours
    assert connector.poll(remote, cursor).seen == ()
    scale.choose(second, "ham")
    assert [seen.task for seen in connector.poll(remote, cursor).seen] == [second]
    assert first not in {seen.task for seen in connector.poll(remote, cursor).seen}


def test_what_scale_is_slow_to_list_is_told_by_a_later_poll(connector: ScaleConnector, scale: Scale, remote: Remote):
    (task,) = pushed(connector, remote, 1)
    scale.choose(task, "ham")
    hidden = scale.tasks.pop(task)
    scale.pass_time(OVERLAP.total_seconds() - 30)
    cursor = connector.poll(remote, None).cursor
    scale.tasks[task] = hidden
    assert connector.poll(remote, cursor).seen[0].annotations


def test_what_changes_while_the_pages_are_read_is_told_by_the_next_poll(
    connector: ScaleConnector, scale: Scale, remote: Remote
):
    scale.page_size = 2
    tasks = pushed(connector, remote, *range(6))
    page = connector.poll(remote, None)
    assert page.more
    scale.choose(tasks[-1], "ham")  # on the page that was read already
    scale.pass_time(2 * OVERLAP.total_seconds())  # a long sweep
    while page.more:
        page = connector.poll(remote, page.cursor)
    told = {}
    while True:
        page = connector.poll(remote, page.cursor)
        told |= {seen.task: seen for seen in page.seen}
        if not page.more:
            break
    assert told[tasks[-1]].annotations


def test_a_page_whose_token_is_forgotten_begins_the_sweep_anew(connector: ScaleConnector, scale: Scale, remote: Remote):
    scale.page_size = 2
    tasks = pushed(connector, remote, *range(4))
    cursor = connector.poll(remote, None).cursor | {"token": "forgotten"}
    assert [seen.task for seen in connector.poll(remote, cursor).seen] == tasks[:1:-1]


@pytest.mark.parametrize("cursor", [{"after": 3}, {"after": "soon"}, {"token": []}])
def test_a_cursor_that_is_none_is_refused(connector: ScaleConnector, remote: Remote, cursor: dict[str, Any]):
    with pytest.raises(ToolError, match="no cursor"):
        connector.poll(remote, cursor)


def test_an_answer_is_rejected_recalled_and_given_anew(connector: ScaleConnector, scale: Scale, remote: Remote):
    (task,) = pushed(connector, remote, 1)
    scale.choose(task, "ham")
    said = [connector.read(remote, [task])[0].annotations]
    scale.touch(task, customer_review_status="rejected")
    said.append(connector.read(remote, [task])[0].annotations)
    scale.touch(task, customer_review_status=None)
    scale.recall(task)
    said.append(connector.read(remote, [task])[0].annotations)
    scale.choose(task, "a/b & c")
    said.append(connector.read(remote, [task])[0].annotations)
    assert [[one.value for one in annotations] for annotations in said] == [["ham"], [], [], ["a/b & c"]]
    assert {one.id for annotations in said for one in annotations} == {task}


def test_callbacks_doubled_and_shuffled_lead_to_the_same_truth(connector: ScaleConnector, scale: Scale, remote: Remote):
    tasks = pushed(connector, remote, *range(5))
    callbacks = []
    for n, task in enumerate(tasks):
        scale.choose(task, "ham")
        callbacks += [scale.callback(task)] * 2
        if n % 2:
            scale.recall(task)
            callbacks.append(scale.callback(task))
    random.Random(7).shuffle(callbacks)
    settings = connector._settings
    named = [KIND.parse_hook(settings, "callback-key-of-the-account", *one)[0].tasks[0] for one in callbacks]
    assert set(named) == set(tasks)
    for order in (named, named[::-1]):
        truth = {task: connector.read(remote, [task])[0].annotations for task in order}
        assert [bool(truth[task]) for task in tasks] == [True, False, True, False, True]


def test_a_task_of_another_project_is_not_there(connector: ScaleConnector, scale: Scale, remote: Remote):
    (task,) = pushed(connector, remote, 1)
    scale.touch(task, project="other")
    assert not connector.read(remote, [task, "../../v1/projects", "x" * 200])[0].exists
    assert connector.withdraw(remote, ["../projects"]) == {"../projects": Withdrawn.GONE}


# ---- what may go wrong ----


def test_a_busy_scale_is_asked_again_as_late_as_it_says_and_more_slowly(
    connector: ScaleConnector, scale: Scale, slept: list[float]
):
    scale.faults = [Says(429, "slow down", **{"Retry-After": "3"}), Says(500, "oops"), Says(408, "late")]
    connector.health()
    assert max(slept) >= 3
    assert connector._client._pace.per_second < connector._settings.requests_per_second / 4
    scale.faults = [Says(500, "oops")] * 4
    with pytest.raises(ToolUnreachable, match="500"):
        connector.health()
    assert scale.faults == []


def test_a_scale_that_is_busy_for_long_is_left_alone(connector: ScaleConnector, scale: Scale, slept: list[float]):
    scale.faults = [Says(429, "slow down", **{"Retry-After": "600"})]
    with pytest.raises(ToolUnreachable) as caught:
        connector.health()
    assert (caught.value.facts["retry_after_seconds"], len(scale.requests)) == (600, 1)


def test_a_scale_that_is_not_there_is_unreachable(slept: list[float]):
    away = connected("http://127.0.0.1:1/v1", slept)
    with pytest.raises(ToolUnreachable, match="does not answer"):
        away.health()
    away.close()


def test_calls_are_no_faster_than_told(scale: Scale, served: tuple[Scale, str], slept: list[float]):
    slow = connected(served[1], slept, requests_per_second=5)
    for _ in range(3):
        slow.health()
    assert 0.05 < slept[0] <= 0.2 < slept[1] <= 0.4  # nobody really slept in between
    slow.close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_without_saying_it(connector: ScaleConnector, scale: Scale, status: int):
    scale.faults = [Says(status, "No valid API key provided.")]
    with pytest.raises(CredentialRefused) as caught:
        connector.health()
    assert KEY not in f"{caught.value!r} {caught.value.remedy} {caught.value.facts}"


def test_what_the_account_may_not_do_is_said(connector: ScaleConnector, scale: Scale):
    scale.faults = [Says(402, "Please contact sales")]
    with pytest.raises(SchemaUnfit, match="may not make tasks of this kind: Please contact sales"):
        connector.ensure_project(SCHEMA, None)


def test_a_project_that_vanished_is_gone_whoever_notices(connector: ScaleConnector, scale: Scale, remote: Remote):
    pushed(connector, remote, 1)
    scale.projects.clear()
    for call in (
        lambda: connector.poll(remote, None),
        lambda: list(connector.everything(remote)),
        lambda: connector.push(remote, items(2), "r2"),
        lambda: connector.ensure_project(SCHEMA, remote),
    ):
        with pytest.raises(RemoteGone):
            call()


def test_a_project_of_another_type_does_not_fit(connector: ScaleConnector, scale: Scale):
    scale._make_project({"name": "mail / all", "type": "imageannotation"})
    with pytest.raises(SchemaUnfit, match="is of type imageannotation"):
        connector.ensure_project(SCHEMA, None)
    assert "imageannotation" in connector.preview(SCHEMA).faults[0]


def test_answers_that_make_no_sense_are_said_to_be(connector: ScaleConnector, scale: Scale, remote: Remote):
    pushed(connector, remote, 1)
    for broken in ([], {"docs": 3}, {"docs": [{}], "has_more": False}, {"docs": [], "has_more": True}):
        original, scale._list = scale._list, lambda _, broken=broken: broken
        with pytest.raises(ToolMisbehaves):
            connector.poll(remote, None)
        scale._list = original


def test_the_private_network_is_not_called_unless_that_is_allowed(served: tuple[Scale, str]):
    opened = KIND.open(settings_for(served[1]), KEY, Outside())
    with pytest.raises(AddressForbidden):
        opened.health()
    opened.close()


# ---- what is said beforehand ----


def test_a_preview_says_what_it_costs_and_what_a_test_key_is(
    scale: Scale, served: tuple[Scale, str], slept: list[float]
):
    opened = connected(served[1], slept, "test_abc", price_per_label="0.08", spend_limit="10")
    scale.projects["mail / all"] = {"name": "mail / all", "type": "textcollection"}
    scale._routed = lambda *_: scale.projects["mail / all"]  # this key's world has it too
    says = " ".join(opened.preview(SCHEMA).says)
    assert "A label costs 0.08 USD; 10 USD may be spent: 125 labels." in says
    assert "a machine answers" in says
    assert "test key" in opened.health().detail
    opened.close()
    del scale._routed


def test_entities_are_off_until_somebody_read_what_is_unverified(scale: Scale, served: tuple[Scale, str]):
    off = KIND.open(ScaleSettings(project="mail", url=served[1]), KEY, LOOPBACK)
    assert Task.TOKENS not in off.capabilities.tasks
    assert "set ner to true" in off.preview(SCHEMAS[Task.TOKENS]).faults[0]
    off.close()
    on = KIND.open(settings_for(served[1]), KEY, LOOPBACK)
    assert any("nverified" in line for line in on.preview(SCHEMAS[Task.TOKENS]).says)
    on.close()


def test_settings_are_json_and_come_back():
    settings = settings_for("https://api.scale.com/v1", price_per_label="0.10", spend_limit="100")
    stored = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert KIND.settings.model_validate(stored) == settings
    assert KIND.cost(settings, 3) == {"amount": str(settings.price_per_label * 3), "currency": "USD"}
    assert KIND.most_to_push(settings, 990) == 10
