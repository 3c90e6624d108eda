"""Label Studio's webhooks: what they say, and which of them a project should have. Pure.

They carry no signature: a header of our own is all that tells them from a stranger's. They come twice, out of order or
never, so they only name what is to be read again.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tithe.connectors.errors import HookRefused
from tithe.connectors.label_studio.keys import key_of
from tithe.connectors.protocol import Hint, Json

#: As HTTP writes it, and as Label Studio is told.
HEADER = "X-Tithe-Secret"
#: What a registered hook is about. Not TASKS_CREATED nor PROJECT_UPDATED: those are mostly Tithe's own doing.
ACTIONS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED")


def parse(project: str | None, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
    """What a hook says; `project` is the id it must be of, None: any.

    Raises
    ------
    HookRefused
        It does not carry the secret, is of another project, or makes no sense.
    """
    told = headers.get(HEADER.lower(), "")
    if not hook_secret or not hmac.compare_digest(told.encode(), hook_secret.encode()):
        raise HookRefused(f"the hook does not carry this connection's secret in {HEADER}")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefused("the hook's body is no JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("action"), str):
        raise HookRefused("the hook names no action")
    if project is not None and _projects(said) - {project}:
        raise HookRefused("the hook is of another project")
    return _hints(said)


def stale(there: Sequence[Json], url: str, secret: str) -> tuple[list[int], bool]:
    """Ids of hooks that are ours and outdated, and whether the right one is there.

    Ours are those that carry our header and end in the same path: another connection's path names another id, and a
    user's own hooks have no such header.

    Examples
    --------
    >>> there = [{"id": 1, "url": "http://old/hooks/7", "headers": {"X-Tithe-Secret": "s"}}]
    >>> stale(there, "http://new/hooks/7", "s")
    ([1], False)
    """
    outdated, right = [], False
    for hook in there:
        theirs = {str(name).lower(): value for name, value in (hook.get("headers") or {}).items()}
        told = theirs.get(HEADER.lower())
        if told is None or urlsplit(str(hook.get("url"))).path != urlsplit(url).path:
            continue
        same = hook.get("url") == url and told == secret and set(hook.get("actions") or ()) == set(ACTIONS)
        if same and hook.get("is_active", True) and hook.get("send_payload", True) and not right:
            right = True
        else:
            outdated.append(int(hook["id"]))
    return outdated, right


def wanted(project: str, url: str, secret: str) -> Json:
    """The hook a project should have."""
    return {
        "project": int(project), "url": url, "send_payload": True, "send_for_all_actions": False,
        "actions": list(ACTIONS), "headers": {HEADER: secret},
    }  # fmt: skip


def _hints(said: Json) -> list[Hint]:
    action = said["action"]
    if action == "PROJECT_DELETED":
        return [Hint(everything=True)]
    if action == "TASKS_CREATED":
        # Ours come back to us: they carry our key, and there is nothing to read yet.
        tasks = _ids(one for one in _objects(said, "tasks") if key_of(one) is None)
    elif action == "TASKS_DELETED":
        tasks = _ids(_objects(said, "tasks"))
    elif action in ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"):
        # ANNOTATIONS_CREATED has a list under `annotation`, the others an object.
        tasks = _ids({"id": one.get("task")} for one in _objects(said, "annotation"))
        if not tasks:
            raise HookRefused(f"the hook {action} names no task")
    elif action == "ANNOTATIONS_DELETED":
        gone = _ids(_objects(said, "annotations"))
        return [Hint(annotations=gone)] if gone else []
    else:
        return []
    return [Hint(tasks=tasks)] if tasks else []


def _objects(said: Json, name: str) -> list[Json]:
    told = said.get(name)
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]


def _ids(objects: Any) -> tuple[str, ...]:
    ids = (one.get("id") for one in objects)
    # Beyond 64 bits there is no row, and some databases break over the question.
    right = (one for one in ids if isinstance(one, int) and not isinstance(one, bool) and 0 < one < 1 << 63)
    return tuple(dict.fromkeys(str(one) for one in right))


def _projects(said: Json) -> set[str]:
    """Every project a hook names."""
    named = [one.get("id") for one in _objects(said, "project")]
    named += [one.get("project") for name in ("annotation", "task", "tasks") for one in _objects(said, name)]
    named += [said["project"]] if isinstance(said.get("project"), int) else []
    return {str(one) for one in named if isinstance(one, int)}
