"""Hooks, good and hostile, and a tool that is away."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tithe.connectors.contract.steps import (
    all_of,
    begun,
    hooked,
    id_of,
    item,
    promise,
    raises,
)
from tithe.connectors.contract.tool import ToolUnderTest
from tithe.connectors.errors import CredentialRefused, HookRefused, ToolUnreachable
from tithe.connectors.protocol import (
    Ranked,
)

_GARBAGE = (b"", b"{", b"null", b"[]", b'"x"', b"{}", b'{"task": 1}', b"\xff\xfe", b"[" * 100_000, b"9" * 5000)


class TroubleContract:
    """The tests of hooks, and of what may go wrong."""

    def test_a_hook_names_what_to_read(self, tool: ToolUnderTest) -> None:
        with hooked(tool) as (connector, remote, task):
            headers, body = tool.hook(task)
            hints = tool.kind.parse_hook(tool.settings, tool.hook_secret, headers, body)
            named = {one for hint in hints for one in (*hint.tasks, *connector.task_of(remote, hint.annotations))}
            promise(task in named or any(hint.everything for hint in hints), f"the hook names the task: {hints}")

    def test_a_hook_of_somebody_else_is_refused(self, tool: ToolUnderTest) -> None:
        with hooked(tool) as (_, __, task):
            headers, body = tool.hook(task)
            blank = dict.fromkeys(headers, "")
            tries: list[tuple[str, Mapping[str, str], bytes]] = [
                (tool.hook_secret + "x", headers, body),
                (tool.hook_secret, {}, body),
                (tool.hook_secret, {name: value + "é" for name, value in headers.items()}, body),
                ("", blank, body),
                ("", {}, body),
                *((tool.hook_secret, headers, garbage) for garbage in _GARBAGE),
            ]
            if foreign := tool.foreign_hook(task):
                tries.append((tool.hook_secret, *foreign))
            for secret, sent, content in tries:
                with raises(HookRefused, f"a hook with {sent!r:.80} and {content!r:.80}"):
                    tool.kind.parse_hook(tool.settings, secret, sent, content)

    def test_a_tool_that_is_away_is_said_to_be(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            task = id_of(pushed[0])
            tool.go_down()
            verbs: dict[str, Callable[[], Any]] = {
                "health": connector.health,
                "preview": lambda: connector.preview(tool.schema),
                "ensure_project": lambda: connector.ensure_project(tool.schema, remote),
                "push": lambda: connector.push(remote, [item(9)], "late"),
                "withdraw": lambda: connector.withdraw(remote, [task]),
                "poll": lambda: connector.poll(remote, None),
                "read": lambda: connector.read(remote, [task]),
                "everything": lambda: list(connector.everything(remote)),
            }
            if connector.capabilities.rerank:
                verbs["rerank"] = lambda: connector.rerank(remote, [Ranked(task, 0)], "v9")
            for verb, call in verbs.items():
                with raises(ToolUnreachable, f"{verb} of a tool that is away"):
                    call()
            tool.come_back()
            promise(connector.read(remote, [task])[0].exists, "when the tool is back, so is the connector")

    def test_a_wrong_credential_is_refused(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (_, remote, __):
            wrong = tool.open(wrong_secret=True)
            verbs: dict[str, Callable[[], Any]] = {
                "health": wrong.health,
                "poll": lambda: wrong.poll(remote, None),
                "push": lambda: wrong.push(remote, [item(9)], "late"),
            }
            for verb, call in verbs.items():
                with raises(CredentialRefused, f"{verb} with a wrong credential"):
                    call()
            wrong.close()

    def test_nothing_asked_is_nothing_done(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=0) as (connector, remote, _):
            told = (connector.push(remote, [], "none"), connector.read(remote, []), connector.task_of(remote, []))
            promise(told == ([], [], []), f"nothing in, nothing out: {told}")
            promise(connector.withdraw(remote, []) == {}, "nothing taken back")
            promise(not tool.tasks() and not all_of(connector, remote), "a new project holds nothing")
            connector.close()  # the context closes it once more: that is no error
