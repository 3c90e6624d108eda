"""What Scale's callbacks say: only ever which task to read again."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping

from tithe.connectors.errors import HookRefused
from tithe.connectors.protocol import Hint
from tithe.connectors.scale.settings import ScaleSettings

HEADER = "scale-callback-auth"


def parse(settings: ScaleSettings, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
    """The task a callback is about. It is sent on completion, audits, recalls and failures alike, several times.

    Raises
    ------
    HookRefused
        The header does not hold the account's callback key (compared in constant time), the task is of another
        project, or the body makes no sense.
    """
    sent = headers.get(HEADER, "").encode("utf-8", "backslashreplace")
    if not hook_secret or not hmac.compare_digest(sent, hook_secret.encode()):
        raise HookRefused(f"the header {HEADER} does not hold the callback key of this connection's account")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HookRefused("the body is no JSON") from error
    task = told.get("task") if isinstance(told, dict) else None
    if not isinstance(task, dict):
        raise HookRefused("the body holds no task")
    if task.get("project", settings.project) != settings.project:
        raise HookRefused("the task is of another project than this connection's")
    task_id = told.get("task_id", task.get("task_id"))
    if not isinstance(task_id, str) or not task_id or task.get("task_id", task_id) != task_id:
        raise HookRefused("the body does not say which task it is about")
    return [Hint(tasks=(task_id,))]
