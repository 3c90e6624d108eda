"""Hooks as Label Studio sent them, and those it never sent."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.connectors.errors import HookRefused
from tithe.connectors.label_studio import KIND
from tithe.connectors.label_studio.hooks import ACTIONS, stale, wanted
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.protocol import Hint

PAYLOADS = Path(__file__).parents[1] / "payloads" / "label_studio"
SECRET = {"x-tithe-secret": "s3cret", "content-type": "application/json"}
TWO = Settings(url="http://x", project=2)


def captured(name: str) -> bytes:
    return (PAYLOADS / f"hook_{name}.json").read_bytes()


def parsed(body: bytes, settings: Settings = TWO, headers: dict[str, str] = SECRET) -> list[Hint]:
    return KIND.parse_hook(settings, "s3cret", headers, body)


@pytest.mark.parametrize(
    ("name", "hints"),
    [
        ("ANNOTATION_CREATED", [Hint(tasks=("10",))]),
        ("ANNOTATION_UPDATED", [Hint(tasks=("10",))]),
        ("ANNOTATION_CREATED_skip", [Hint(tasks=("11",))]),
        ("ANNOTATIONS_CREATED", [Hint(tasks=("15",))]),
        ("ANNOTATIONS_DELETED", [Hint(annotations=("9",))]),
        ("TASKS_DELETED", [Hint(tasks=("13",))]),
    ],
)
def test_captured_hooks_name_what_to_read(name: str, hints: list[Hint]):
    assert parsed(captured(name)) == hints


def test_new_tasks_are_named_unless_they_are_ours():
    told = json.loads(captured("TASKS_CREATED"))
    ids = tuple(str(task["id"]) for task in told["tasks"])
    assert parsed(json.dumps(told).encode()) == [Hint(tasks=ids)]
    for task in told["tasks"][1:]:
        task["data"]["tithe_key"] = "k"
    assert parsed(json.dumps(told).encode()) == [Hint(tasks=ids[:1])]


@pytest.mark.parametrize("action", ["PROJECT_UPDATED", "PROJECT_CREATED", "LABEL_LINK_CREATED", "SOMETHING_NEW"])
def test_what_changes_no_answer_names_nothing(action: str):
    assert parsed(json.dumps({"action": action, "project": {"id": 2}}).encode()) == []


def test_a_project_that_goes_is_looked_at_whole():
    assert parsed(b'{"action": "PROJECT_DELETED", "project": {"id": 2}}') == [Hint(everything=True)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-tithe-secret": ""},
        {"x-tithe-secret": "s3cre"},
        {"x-tithe-secret": "s3crét"},
        {"X-Tithe-Secret": "s3cret"},
    ],
)
def test_without_the_secret_nothing_is_read(headers: dict[str, str]):
    with pytest.raises(HookRefused):
        parsed(captured("ANNOTATION_CREATED"), headers=headers)


def test_no_secret_is_never_the_right_one():
    with pytest.raises(HookRefused):
        KIND.parse_hook(TWO, "", {"x-tithe-secret": ""}, captured("ANNOTATION_CREATED"))


def test_a_hook_of_another_project_is_refused():
    for name in ("ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "TASKS_DELETED", "TASKS_CREATED"):
        with pytest.raises(HookRefused, match="another project"):
            parsed(captured(name), Settings(url="http://x", project=3))
    mixed = json.loads(captured("ANNOTATION_CREATED"))
    mixed["annotation"]["project"] = 3
    with pytest.raises(HookRefused, match="another project"):
        parsed(json.dumps(mixed).encode())
    assert parsed(captured("TASKS_DELETED"), Settings(url="http://x")), "a made project's id is not in the settings"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"action": 7}',
        b"[" * 100_000,
        b'{"action": "ANNOTATION_CREATED", "project": {"id": 2}}',
    ],
)
def test_nonsense_is_refused(body: bytes):
    with pytest.raises(HookRefused):
        parsed(body)


junk = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "task", "project", "data"]), inner)
    ),
    max_leaves=8,
)


@given(junk, st.sampled_from(ACTIONS))
def test_whatever_comes_is_read_or_refused(junk: Any, action: str):
    for name in ("annotation", "annotations", "tasks", "project"):
        with suppress(HookRefused):
            parsed(json.dumps({"action": action, name: junk}).encode(), Settings(url="http://x"))


def test_which_hooks_are_ours_and_outdated():
    url = "https://t.example/v1/hooks/7"
    right = wanted("2", url, "new") | {"id": 1, "is_active": True}
    there = [
        right | {"id": 2, "headers": {"X-Tithe-Secret": "old"}},
        right | {"id": 3, "url": "https://old.example/v1/hooks/7"},
        right,
        right | {"id": 4},
        right | {"id": 5, "url": "https://t.example/v1/hooks/8"},
        right | {"id": 6, "headers": {}},
        right | {"id": 7, "is_active": False},
    ]
    assert stale(there, url, "new") == ([2, 3, 4, 7], True)
    assert stale(there[:2], url, "new") == ([2, 3], False)
