"""Stands in for the package of that name, which cannot be installed without a licence: what a recipe may import of it.

Only what the documentation says. What Prodigy does with a recipe is in ``simulator.py``, beside the tests.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from typing import Any

#: Name → function and its arguments (help, kind, shortcut, type), as `prodigy NAME …` finds them.
RECIPES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {}
LOGGED: list[str] = []


class Arg:
    """The newer way to describe an argument."""

    def __init__(self, *flags: str, help: str = "") -> None:  # noqa: A002
        self.flags, self.help = flags, help


def recipe(name: str, **arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a recipe. Every argument of the function is described, and nothing else is."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        taken = set(inspect.signature(function).parameters)
        assert set(arguments) == taken, f"{name}: described {sorted(arguments)}, taken {sorted(taken)}"
        for described in arguments.values():
            if not isinstance(described, Arg):
                _help, kind, shortcut, convert = described
                assert isinstance(_help, str)
                assert kind in ("positional", "option", "flag")
                assert callable(convert)
                assert shortcut is None or len(shortcut) == 1
        RECIPES[name] = function, arguments
        return function

    return register


def set_hashes(task: dict[str, Any], overwrite: bool = False) -> dict[str, Any]:
    """What Prodigy does to a task that brings no hashes."""
    for name, keys in (("_input_hash", ("text",)), ("_task_hash", ("text", "label", "options", "spans"))):
        if overwrite or name not in task:
            told = json.dumps([task.get(key) for key in keys], sort_keys=True)
            task[name] = int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big", signed=True)
    return task


def log(message: str, *_: Any) -> None:
    """Prodigy's log."""
    LOGGED.append(message)
