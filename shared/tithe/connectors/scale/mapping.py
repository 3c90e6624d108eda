"""Tithe's items and labels in Scale's words, and back. Pure.

A task of Scale is answered once, by whoever Scale gives it to and does not name. So its annotation has the task's id,
and one annotator stands for them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tithe.connectors.protocol import Annotation, Json, Kind, Outgoing, Remote, Schema, Seen
from tithe.connectors.scale.settings import ScaleSettings
from tithe.connectors.scale.spans import Unproven, spans_from
from tithe.contracts.projects import Task

ANNOTATOR = "scale"
FIELD = "label"
#: What stands for "none of the classes" where several may apply: Scale's form has no way to submit no choice for sure.
NONE = "tithe:none"
TYPES = {
    Task.TEXT: "textcollection",
    Task.MULTILABEL: "textcollection",
    Task.TOKENS: "namedentityrecognition",
}
_TOLD = {
    Task.TEXT: "Read the text and choose the one label that fits it best.",
    Task.MULTILABEL: f"Read the text and choose every label that applies, or {'None of these'!r} alone.",
    Task.TOKENS: "Mark every entity in the text, exactly from its first to its last character.",
}
#: Of a task, what may be kept to look at. The rest is ours already, or an address that may hold a secret.
_KEPT = (
    "task_id",
    "status",
    "type",
    "batch",
    "response",
    "customer_review_status",
    "completed_at",
    "updated_at",
    "error",
)


@dataclass(frozen=True)
class Form:
    """What is asked, as the remote project's facts keep it."""

    task: Task
    labels: tuple[str, ...]
    title: str
    instruction: str

    @classmethod
    def of(cls, remote: Remote) -> Form:
        """What a remote project's facts say."""
        facts = remote.facts
        return cls(Task(facts["task"]), tuple(facts["labels"]), facts["title"], facts["instruction"])

    @classmethod
    def wanted(cls, schema: Schema, settings: ScaleSettings) -> Form:
        """What a schema asks for."""
        told = settings.instruction or schema.instruction or _TOLD[schema.task]
        return cls(schema.task, schema.labels, schema.title, told)

    def facts(self) -> Json:
        """For :class:`~tithe.connectors.protocol.Remote`."""
        return {
            "task": self.task.value,
            "labels": list(self.labels),
            "title": self.title,
            "instruction": self.instruction,
        }


def batch_name(project: str, group: str, number: int = 1) -> str:
    """What a round's batch is called: names are shared by all projects of an account.

    Examples
    --------
    >>> batch_name("mail", "round-7"), batch_name("mail", "round-7", 2)
    ('mail tithe round-7', 'mail tithe round-7 (2)')
    """
    return f"{project} tithe {group}" + (f" ({number})" if number > 1 else "")


def task_body(form: Form, item: Outgoing, settings: ScaleSettings, batch: str) -> Json:
    """What makes a task of an item."""
    body: Json = {
        "project": settings.project,
        "batch": batch,
        "unique_id": item.key,
        "clear_unique_id_on_error": True,
        "instruction": form.instruction,
        "metadata": {"tithe_key": item.key, "tithe_item": item.item_id},
    }
    if settings.priority is not None:
        body["priority"] = settings.priority
    if settings.callback_url is not None:
        body["callback_url"] = settings.callback_url
    if form.task is Task.TOKENS:
        return body | {"text": item.text, "labels": [{"name": name, "description": name} for name in form.labels]}
    return body | {"attachments": [{"type": "text", "content": item.text}], "fields": [field(form)]}


def field(form: Form) -> Json:
    """The question of a text classification: one choice, or any number of them.

    Examples
    --------
    >>> asked = field(Form(Task.TEXT, ("ham", "spam"), "Mail", "Choose."))
    >>> asked["min_choices"], asked["max_choices"], [choice["value"] for choice in asked["choices"]]
    (1, 1, ['ham', 'spam'])
    """
    several = form.task is Task.MULTILABEL
    choices = [{"label": name, "value": name} for name in form.labels]
    if several:
        choices.append({"label": "None of these", "value": NONE})
    return {
        "type": "category",
        "field_id": FIELD,
        "title": form.title,
        "required": True,
        "choices": choices,
        "min_choices": 1,
        "max_choices": len(form.labels) if several else 1,
    }


def seen(told: Mapping[str, Any], form: Form, aliases: Mapping[str, str]) -> Seen:
    """A task as Scale tells it, whole.

    Completed and not rejected in an audit: one annotation. Pending, rejected, or recalled: none (yet, or any more).
    Cancelled: the task is not there. Failed: an annotation that cannot be read, so that somebody hears of it.
    """
    metadata = told.get("metadata")
    key = told.get("unique_id") or (metadata.get("tithe_key") if isinstance(metadata, Mapping) else None)
    status = told.get("status")
    annotations: tuple[Annotation, ...] = ()
    if status == "error":
        annotations = (_annotation(told, Kind.UNREADABLE, fault=f"Scale could not make the task: {_reason(told)}"),)
    elif status == "completed" and told.get("customer_review_status") != "rejected":
        annotations = (_answer(told, form, aliases),)
    return Seen(
        task=str(told["task_id"]),
        key=key if isinstance(key, str) else None,
        exists=status != "canceled",
        annotations=annotations,
        updated_at=moment(told.get("updated_at")),
    )


def _answer(told: Mapping[str, Any], form: Form, aliases: Mapping[str, str]) -> Annotation:
    response = told.get("response")
    if not isinstance(response, Mapping):
        return _annotation(told, Kind.UNREADABLE, fault="the task is completed, but has no response")
    try:
        value = _value(told, response, form, aliases)
    except ValueError as error:
        return _annotation(told, Kind.UNREADABLE, fault=str(error))
    return _annotation(told, Kind.LABEL, value=value)


def _value(told: Mapping[str, Any], response: Mapping[str, Any], form: Form, aliases: Mapping[str, str]) -> Any:
    def named(theirs: str) -> str:
        return aliases.get(theirs, theirs)

    if form.task is Task.TOKENS:
        params = told.get("params")
        text = params.get("text") if isinstance(params, Mapping) else None
        if not isinstance(text, str):
            raise Unproven("Scale does not say which text the entities are of")
        return spans_from(response, text, named)
    chosen = _chosen(response)
    if form.task is Task.TEXT:
        if len(chosen) != 1:
            raise ValueError(f"one label is asked for, and {len(chosen)} were chosen")
        return named(chosen[0])
    if NONE in chosen and len(chosen) > 1:
        raise ValueError("'None of these' was chosen together with labels")
    return [named(one) for one in chosen if one != NONE]


def _chosen(response: Mapping[str, Any]) -> Sequence[str]:
    """The values chosen in a response, of `textcollection` or of the older `categorization`.

    Examples
    --------
    >>> _chosen({"annotations": {"label": {"type": "category", "field_id": "label", "response": [["ham"]]}}})
    ['ham']
    >>> _chosen({"category": "ham"})
    ['ham']
    """
    found = response.get("category")
    annotations = response.get("annotations")
    if isinstance(annotations, Mapping):
        answered = annotations.get(FIELD)
        found = answered.get("response") if isinstance(answered, Mapping) else None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    if isinstance(found, str):
        return [found]
    if isinstance(found, list) and all(isinstance(one, str) for one in found):
        return found
    raise ValueError("the response is none of the shapes that are known")


def _annotation(told: Mapping[str, Any], kind: Kind, *, value: Any = None, fault: str | None = None) -> Annotation:
    return Annotation(
        id=str(told["task_id"]),
        annotator=ANNOTATOR,
        kind=kind,
        value=value,
        fault=fault,
        created_at=moment(told.get("completed_at")),
        updated_at=moment(told.get("updated_at")) or moment(told.get("completed_at")),
        raw={name: told[name] for name in _KEPT if name in told},
    )


def _reason(told: Mapping[str, Any]) -> str:
    response = told.get("response")
    for said in (told.get("error"), response.get("error") if isinstance(response, Mapping) else None):
        if isinstance(said, str) and said:
            return said[:500]
    return "it does not say why"


def moment(told: Any) -> datetime | None:
    """A time as Scale writes it; None where it is none.

    Examples
    --------
    >>> moment("2024-06-23T21:54:44.904Z").isoformat(), moment("soon")
    ('2024-06-23T21:54:44.904000+00:00', None)
    """
    if not isinstance(told, str):
        return None
    try:
        read = datetime.fromisoformat(told)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
