"""Items as tasks of Label Studio, and its tasks as what was seen. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tithe.connectors.errors import ToolMisbehaves
from tithe.connectors.label_studio.keys import KEY, key_of
from tithe.connectors.label_studio.mapping import Reading, moment, shown
from tithe.connectors.protocol import Json, Outgoing, Seen

#: Gives the name of the person behind a user's id.
Named = Callable[[int], str]
_SIMPLE = (str, int, float)


def task_of_item(item: Outgoing, data_key: str) -> Json:
    """What is imported: the text, our key twice (what Label Studio finds it by, and beside it), and simple meta.

    Meta is put into the data so that a configuration which shows more than the text (``$title``) can; it never takes
    the place of the text or the key.
    """
    meta = item.meta or {}
    simple = {name: value for name, value in meta.items() if isinstance(value, _SIMPLE)}
    return {"data": simple | {data_key: shown(item.text), KEY: item.key}, "meta": meta | {KEY: item.key}}


def seen(task: Json, reading: Reading, named: Named) -> Seen:
    """A task as it stands, with everything said of it.

    Raises
    ------
    ToolMisbehaves
        It has no data or annotations where tasks have them.
    """
    data, annotations = task.get("data"), task.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise ToolMisbehaves(f"Label Studio told task {task.get('id')} without its data or its annotations")
    text = data.get(reading.control.data_key)
    text = text if isinstance(text, str) else None
    said = (reading.annotation(one, annotator(one, named), text) for one in annotations if "id" in one)
    key = key_of(task)
    return Seen(
        str(task["id"]), key, annotations=tuple(said), updated_at=moment(task.get("updated_at")), text=text,
        item_id=None if key is not None else f"label-studio-{task['id']}",
        meta=_meta(task, data, reading.control.data_key),
    )  # fmt: skip


def annotator(annotation: Json, named: Named) -> str:
    """Who said it. Of somebody who is not there any more nothing is left: each such annotation is a person of its own.

    Examples
    --------
    >>> annotator({"id": 7, "completed_by": {"id": 3, "email": "a@b.example"}}, "user-{}".format)
    'user-3'
    >>> annotator({"id": 7, "completed_by": None}, "user-{}".format)
    'unknown-7'
    """
    user: Any = annotation.get("completed_by")
    user = user.get("id") if isinstance(user, dict) else user
    return named(user) if isinstance(user, int) else f"unknown-{annotation['id']}"


def _meta(task: Json, data: Json, data_key: str) -> Json | None:
    told = task.get("meta")
    beside = {name: value for name, value in data.items() if name != data_key}
    both = beside | (told if isinstance(told, dict) else {})
    both.pop(KEY, None)
    return both or None
