"""The whole loop through a real Label Studio: people label there, Tithe learns, and asks there what is best next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.prodigy.simulator import Browser, Dataset, Prodigy
from label_studio.server import LabelStudio
from label_studio.walking import TOPICS, Clumsy, Walk, texts, until, whole_tithe
from tithe.client import Tithe
from tithe.connectors.prodigy import recipe_path
from tithe.embedded.stack import Stack

ADA, BOB = "ada@tithe.example", "bob@tithe.example"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with whole_tithe(tmp_path_factory.mktemp("tithe") / "data") as running:
        yield running


def _asks_for_the_best(walk: Walk, email: str) -> None:
    """Somebody new is asked for the best of the pool. They skip it, so that nothing stays locked."""
    walk.told_order()
    person = walk.studio.user(email)
    best = walk.best()
    task = person.next_task(walk.remote)
    assert task is not None
    assert task["data"]["text"] == best
    walk.labels(person, 1)


def test_every_annotation_arrives_once_tithe_retrains_and_asks_for_the_best_next(stack: Stack, studio: LabelStudio):
    hooks = stack.endpoints.gateway_url
    with Walk.begun(stack, studio, seed=1, hooks_url=hooks) as walk:
        _asks_for_the_best(walk, "first@tithe.example")
        for turn in range(3):
            for email in (ADA, BOB):
                walk.labels(studio.user(email), 8)
            walk.settled()
            until(lambda: walk.status()["model"], what="a model")
            _asks_for_the_best(walk, f"turn{turn}@tithe.example")
        walk.settled()
        assert walk.status()["model"]["version"] >= 3
        assert walk.look()["facts"]["hooks"]["registered"]


def test_hooks_doubled_shuffled_and_lost_change_nothing(stack: Stack, studio: LabelStudio):
    way = Clumsy(stack.endpoints.gateway_url)
    try:
        with Walk.begun(stack, studio, seed=2, hooks_url=way.url) as walk:
            for _ in range(3):
                walk.labels(studio.user(ADA), 6)
                walk.labels(studio.user(BOB), 6)
            walk.settled()
            assert way.seen >= 36
            assert way.lost
    finally:
        way.close()


def test_label_studio_is_killed_in_the_middle_of_a_round(stack: Stack, studio: LabelStudio):
    with Walk.begun(stack, studio, seed=3) as walk:
        walk.labels(studio.user(ADA), 20)  # a round is asked for
        studio.kill()
        until(lambda: walk.look()["state"] == "failing", what="word of it")
        assert walk.look()["problem"]["code"] == "tool_unreachable"
        handed = walk.http.post(walk.at("batches"), json={"annotator": "cyd", "size": 5}).json()
        assert len(handed["items"]) == 5, "everybody else goes on"
        held = {item["text"] for item in handed["items"]}
        studio.start()
        walk.http.post(walk.at("connectors/studio/sync")).raise_for_status()
        until(lambda: walk.look()["state"] == "healthy", what="its return")
        walk.labels(studio.user(BOB), 10)
        assert not held & {text for text, _ in walk.said}
        walk.settled()


def test_edits_deletions_strange_labels_extra_opinions_and_skips(stack: Stack, studio: LabelStudio):
    ada, bob = studio.user(ADA), studio.user(BOB)
    with Walk.begun(stack, studio, seed=4) as walk:
        tasks = [ada.next_task(walk.remote)]
        given = []
        for _ in range(8):
            task = ada.next_task(walk.remote)
            assert task is not None
            tasks.append(task)
            given.append((task, ada.annotate(task, walk.answer(task))))
            walk.said[task["data"]["text"], ADA] = walk.answer(task)
        walk.settled()

        edited, deleted, torn, doubled = given[:4]
        ada.edit(edited[1], "health" if walk.answer(edited[0]) != "health" else "money")
        walk.said[edited[0]["data"]["text"], ADA] = "health" if walk.answer(edited[0]) != "health" else "money"
        ada.delete(deleted[1])
        del walk.said[deleted[0]["data"]["text"], ADA]
        ada.delete_task(torn[0])  # its label stays
        bob.annotate(doubled[0], "sport")  # more than was asked for: kept, not counted
        strange = ada.next_task(walk.remote)
        assert strange is not None
        wrong = ada.submit(strange["id"], [_choice(walk, strange, "weather")])
        skipped = bob.next_task(walk.remote)
        assert skipped is not None
        bob.skip(skipped)
        open_task = bob.next_task(walk.remote)
        assert open_task is not None
        ada.delete_task(open_task)  # nobody answered it: it goes back to the pool
        walk.settled()
        until(lambda: [walk.look()[name] for name in ("quarantined", "extra", "skipped")] == [1, 1, 1], what="the rest")
        (told,) = [
            one for one in walk.http.get(walk.at("connectors/studio/quarantine")).json()["annotations"]
            if one["state"] == "quarantined"
        ]  # fmt: skip
        assert "weather" in told["because"]

        ada.edit(wrong, walk.answer(strange))
        walk.said[strange["data"]["text"], ADA] = walk.answer(strange)
        walk.settled()
        assert walk.look()["quarantined"] == 0
        until(lambda: walk.look()["held"] >= 15, what="a full window")


def test_the_newest_task_is_deleted_and_its_id_given_again(stack: Stack, studio: LabelStudio):
    """Label Studio gives the id of the newest task, once it is deleted, to the next import."""
    with Walk.begun(stack, studio, seed=10, settings={"adopt": False}) as walk:
        ids = [task["id"] for task in studio.api.get(f"/api/tasks/?project={walk.remote}&page_size=-1").json()["tasks"]]
        newest = studio.api.get(f"/api/tasks/{max(ids)}/").json()
        studio.admin.delete_task(newest)
        path = f"/api/projects/{walk.remote}/import?return_task_ids=true"
        (again,) = studio.api.post(path, json=[{"data": {"text": "another text"}}]).json()["task_ids"]
        studio.user(ADA).annotate(again, "money")
        walk.labels(studio.user(BOB), 8)  # and the window is filled up
        walk.settled()
        assert walk.look()["state"] == "healthy"
        assert ("another text", ADA) not in walk.export()
        assert (newest["data"]["text"], ADA) not in walk.export()


def _choice(walk: Walk, task: dict, label: str) -> dict:
    (entry,) = walk.studio.user(ADA).result(task, "sport")
    return {**entry, "value": {"choices": [label]}}


def test_a_credential_that_is_refused_is_told_and_a_new_one_heals(stack: Stack, studio: LabelStudio):
    with Walk.begun(stack, studio, seed=5, secret=studio.personal_token()) as walk:
        walk.labels(studio.user(ADA), 5)
        walk.settled()
        replaced = studio.admin.personal_token()  # the one before is void from here on
        walk.labels(studio.user(ADA), 5)
        until(lambda: walk.look()["state"] == "attention", what="word of it")
        assert walk.look()["problem"]["code"] == "credential_refused"
        walk.http.patch(walk.at("connectors/studio"), json={"secret": replaced}).raise_for_status()
        walk.settled()
        until(lambda: walk.look()["state"] == "healthy", what="a healthy connection")


def test_a_project_that_is_there_becomes_the_pool_with_its_annotations(stack: Stack, studio: LabelStudio):
    """What a team has: a project with tasks, some of them labeled, in Label Studio only."""
    truth = texts(120, 6)
    choices = "".join(f'<Choice value="{topic}"/>' for topic in TOPICS)
    config = f'<View><Text name="t" value="$body"/><Choices name="topic" toName="t">{choices}</Choices></View>'
    made = studio.api.post("/api/projects/", json={"title": "what we have", "label_config": config}).json()
    tasks = [{"data": {"body": text}} for text in truth]
    studio.api.post(f"/api/projects/{made['id']}/import", json=tasks).raise_for_status()
    ada = studio.user(ADA)
    before = ada.label(made["id"], lambda task: truth[task["data"]["body"]], 24)
    settings = {"project": made["id"]}
    with Walk.begun(stack, studio, items=1, seed=7, settings=settings) as walk:
        walk.truth |= truth
        walk.said = {(task["data"]["body"], ADA): truth[task["data"]["body"]] for task in before}
        until(lambda: walk.status()["counts"]["items"] == 121, what="the pool")
        until(lambda: walk.export() == walk.said, what="the seeds")
        assert walk.status()["budget"]["received"] == 0, "nobody pays for what was there"
        until(lambda: walk.status()["model"], what="a model")
        walk.told_order()
        bob = studio.user(BOB)
        for task in bob.label(walk.remote, lambda task: truth[task["data"]["body"]], 6):
            walk.said[task["data"]["body"], BOB] = truth[task["data"]["body"]]
        walk.settled()
        count = studio.api.get(f"/api/projects/{made['id']}/").json()["task_number"]
        assert count in (120, 121), "the team's own tasks are never taken away"


def test_one_pool_is_served_to_three_tools_at_once(stack: Stack, studio: LabelStudio, tmp_path: Path):
    """Label Studio, Prodigy's recipe and the HTTP interface: no item twice, and one history."""
    with Walk.begun(stack, studio, seed=8, items=240, hooks_url=stack.endpoints.gateway_url) as walk:
        run = f"tithe.textcat three --project {walk.project} --url {stack.endpoints.gateway_url} --outbox {tmp_path}"
        prodigy = Prodigy(Dataset("three"), run, recipe_path())
        page = Browser(prodigy, "eve")

        def in_prodigy() -> dict[tuple[str, str], str]:
            said = {}
            for _ in range(25):
                task = page.task
                assert task is not None
                said[task["text"], "eve"] = walk.truth[task["text"]]
                assert page.submit("accept", accept=[walk.truth[task["text"]]]) is None
            page.save()
            return said

        def over_http() -> dict[tuple[str, str], str]:
            said = {}
            with Tithe(stack.endpoints.gateway_url) as client:
                for _ in range(5):
                    batch = client.project(walk.project).next_batch("dan", wait=True)
                    assert batch
                    labels = {item.item_id: walk.truth[str(item.text)] for item in batch.items}
                    batch.submit(labels)
                    said |= {(str(item.text), "dan"): labels[item.item_id] for item in batch.items}
            return said

        with ThreadPoolExecutor(3) as threads:
            elsewhere = [threads.submit(in_prodigy), threads.submit(over_http)]
            threads.submit(walk.labels, studio.user(ADA), 30).result()
            for one in elsewhere:
                walk.said |= one.result()
        prodigy.stop()
        assert Counter(who for _, who in walk.said) == {ADA: 30, "eve": 25, "dan": 25}
        assert len({text for text, _ in walk.said}) == 80, "an item was given to two tools"
        walk.settled()
        points = walk.http.get(walk.at("history")).json()["points"]
        assert [point["labels"] for point in points] == sorted(point["labels"] for point in points)
        assert points[-1]["labels"] > 60


def test_what_the_model_thinks_is_on_the_page_or_hidden(stack: Stack, studio: LabelStudio):
    with Walk.begun(stack, studio, seed=9, hooks_url=stack.endpoints.gateway_url) as walk:
        walk.labels(studio.user(ADA), 16)
        walk.settled()
        until(lambda: walk.status()["model"], what="a model")
        walk.told_order()
        task = studio.user(BOB).next_task(walk.remote)
        assert task is not None
        (shown,) = [one for one in task["predictions"] if one["model_version"].startswith("tithe:")]
        assert shown["result"][0]["value"]["choices"][0] in TOPICS

        # As an ML backend: also for a task that somebody adds by hand, which becomes an item as well.
        backend = stack.endpoints.gateway_url + walk.look()["model_backend"]
        added = {"project": walk.remote, "url": backend, "title": "tithe"}
        studio.api.post("/api/ml/", json=added).raise_for_status()
        path = f"/api/projects/{walk.remote}/import?return_task_ids=true"
        (by_hand,) = studio.api.post(path, json=[{"data": {"text": "match goal team"}}]).json()["task_ids"]

        def suggested() -> list[dict]:
            return [one for one in studio.api.get(f"/api/tasks/{by_hand}").json()["predictions"] if one["result"]]

        assert until(suggested, what="a suggestion")[0]["result"][0]["value"]["choices"] == ["sport"]
        until(lambda: walk.status()["counts"]["items"] == 151, what="the item")
        walk.http.patch(f"/v1/projects/{walk.project}", json={"pre_annotate": False}).raise_for_status()
        walk.http.post(walk.at("rounds")).raise_for_status()
        until(lambda: not (studio.user(ADA).next_task(walk.remote) or {}).get("predictions"), what="blindness")
