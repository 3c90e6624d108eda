"""The double speaks as Scale does: the vendor's own client makes, reads, pages, cancels and audits with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import scaleapi
from scaleapi.exceptions import (
    ScaleDuplicateResource,
    ScaleInvalidRequest,
    ScaleNotEnabled,
    ScaleResourceNotFound,
    ScaleTooManyRequests,
    ScaleUnauthorized,
)
from scaleapi.tasks import TaskReviewStatus, TaskStatus, TaskType

from connectors.scale.double import KEY, Says, Scale, running

FORM = {
    "attachments": [{"type": "text", "content": "hello 😀"}],
    "fields": [
        {
            "type": "category",
            "field_id": "label",
            "title": "Label",
            "choices": [{"label": "pos", "value": "pos"}, {"label": "neg", "value": "neg"}],
        }
    ],
}


@pytest.fixture
def scale() -> Scale:
    return Scale()


@pytest.fixture
def url(scale: Scale) -> Iterator[str]:
    with running(scale) as url:
        yield url


@pytest.fixture
def client(url: str, monkeypatch: pytest.MonkeyPatch) -> scaleapi.ScaleClient:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return scaleapi.ScaleClient(KEY, api_instance_url=url)


def made(client: scaleapi.ScaleClient, many: int = 1) -> list[str]:
    client.create_project("mail / all", TaskType.TextCollection, {"instruction": "Choose."})
    client.create_batch("mail / all", "round / 1")
    return [
        client.create_task(
            TaskType.TextCollection,
            project="mail / all",
            batch="round / 1",
            unique_id=f"k{n}",
            metadata={"n": n},
            **FORM,
        ).id
        for n in range(many)
    ]


def test_projects_and_batches(client: scaleapi.ScaleClient, scale: Scale):
    made(client)
    assert client.get_project("mail / all").instruction == "Choose."
    assert [project.type for project in client.projects()] == ["textcollection"]
    with pytest.raises(ScaleDuplicateResource):
        client.create_project("mail / all", TaskType.TextCollection)
    with pytest.raises(ScaleDuplicateResource):
        client.create_batch("mail / all", "round / 1")
    assert client.get_batch("round / 1").status == "staging"
    client.finalize_batch("round / 1")
    assert [(batch.name, batch.status) for batch in client.get_batches("mail / all")] == [("round / 1", "in_progress")]
    assert client.batch_status("round / 1") == {"status": "in_progress", "pending": 1}
    with pytest.raises(ScaleInvalidRequest):
        client.finalize_batch("round / 1")
    with pytest.raises(ScaleInvalidRequest):  # a batch that is finalised takes no more
        client.create_task(TaskType.TextCollection, project="mail / all", batch="round / 1", **FORM)
    assert scale.finalized == ["round / 1"]


def test_a_task_is_made_answered_audited_and_recalled(client: scaleapi.ScaleClient, scale: Scale):
    (task_id,) = made(client)
    task = client.get_task(task_id)
    assert (task.status, task.unique_id, task.metadata, task.params["fields"]) == (
        "pending",
        "k0",
        {"n": 0},
        FORM["fields"],
    )
    scale.choose(task_id, "pos")
    task.refresh()
    assert (task.status, task.response["annotations"]["label"]["response"]) == ("completed", [["pos"]])
    task.audit(accepted=False)
    (rejected,) = client.get_tasks(project_name="mail / all")
    assert rejected.customer_review_status == TaskReviewStatus.Rejected.value
    scale.recall(task_id)
    task.refresh()
    assert task.status == TaskStatus.Pending.value
    task.set_metadata({"n": 1})
    task.refresh()
    assert task.metadata == {"n": 1}


def test_a_unique_id_is_taken_once_found_by_its_name_and_freed_by_cancelling(client: scaleapi.ScaleClient):
    (task_id,) = made(client)
    again = {"project": "mail / all", "batch": "round / 1", "unique_id": "k0", **FORM}
    with pytest.raises(ScaleDuplicateResource):
        client.create_task(TaskType.TextCollection, **again)
    (found,) = client.get_tasks(project_name="mail / all", unique_id=["k0", "k1"])
    assert found.id == task_id
    client.cancel_task(task_id, clear_unique_id=True)
    with pytest.raises(ScaleInvalidRequest):
        client.cancel_task(task_id)
    assert client.create_task(TaskType.TextCollection, **again).id != task_id


def test_lists_page_newest_first_and_know_what_changed(client: scaleapi.ScaleClient, scale: Scale):
    ids = made(client, 5)
    listed = list(client.get_tasks(project_name="mail / all", limit=2))
    assert [task.id for task in listed] == ids[::-1]
    assert client.get_tasks_count(project_name="mail / all") == 5
    later = scale.stamp()
    scale.choose(ids[1], "neg")
    changed = client.get_tasks(project_name="mail / all", updated_after=later, status=TaskStatus.Completed)
    assert [task.id for task in changed] == [ids[1]]


def test_entities(client: scaleapi.ScaleClient):
    client.create_project("ner", TaskType.NamedEntityRecognition)
    client.create_batch("ner", "b")
    labels = [{"name": "PER", "description": "person"}]
    body = {"project": "ner", "batch": "b", "unique_id": "1", "labels": labels}
    task = client.create_task(TaskType.NamedEntityRecognition, text="Ada in Paris", instruction="x", **body)
    assert task.params["text"] == "Ada in Paris"
    with pytest.raises(ScaleInvalidRequest):
        client.create_task(TaskType.NamedEntityRecognition, **body)


def test_errors_have_the_classes_the_vendor_gives_them(client: scaleapi.ScaleClient, scale: Scale, url: str):
    with pytest.raises(ScaleUnauthorized):
        scaleapi.ScaleClient("live_other", api_instance_url=url).projects()
    with pytest.raises(ScaleResourceNotFound):
        client.get_task("none")
    scale.faults = [Says(429, "slow down"), Says(402, "not enabled")]
    with pytest.raises(ScaleTooManyRequests):
        client.projects()
    with pytest.raises(ScaleNotEnabled, match="not enabled"):
        client.projects()
