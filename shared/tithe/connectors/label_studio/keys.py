"""The key by which a task is known to be ours: in its data, where Label Studio can look for it, and in its meta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Name of the field.
KEY = "tithe_key"


def key_of(task: Mapping[str, Any]) -> str | None:
    """The key of a task that we made; None of any other.

    Examples
    --------
    >>> key_of({"data": {"text": "a", "tithe_key": "k1"}}), key_of({"data": {"text": "a"}})
    ('k1', None)
    """
    data = task.get("data")
    key = data.get(KEY) if isinstance(data, dict) else None
    return key if isinstance(key, str) else None
