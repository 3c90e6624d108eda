"""The labeling page as annotators use it: by keys, for long, on bad connections, beside others."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tithe.embedded.stack import Stack

from .conftest import World

READY = "[data-testid=item]:not([hidden])"


def open_desk(page: Any, world: World, project: str) -> None:
    page.goto(f"{world.url}/label/{project}")
    page.wait_for_selector(READY)


def shown(page: Any) -> str:
    return page.evaluate("document.getElementById('item').innerText")


def answer(page: Any, *keys: str) -> None:
    """Press them, and wait for another item: the one before is never seen again."""
    before = shown(page)
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function(
        "before => document.getElementById('item').innerText !== before && !document.getElementById('item').hidden"
        " || !document.getElementById('empty').hidden",
        arg=before,
    )
    if not page.is_hidden("[data-testid=empty]"):
        page.wait_for_selector(READY)


@pytest.mark.parametrize(
    ("task", "turns", "right"),
    [
        ("text_classification", [["1"], ["2"], ["3"]], ["ham", "spam", "eggs"]),
        ("multilabel_classification", [["1", "Enter"], ["1", "3", "Enter"]], [["ham"], ["ham", "eggs"]]),
        ("vector_classification", [["2"], ["1"]], ["spam", "ham"]),
    ],
)
def test_two_hundred_items_by_keys(
    world: World, until: Callable[..., Any], task: str, turns: list[list[str]], right: list[Any]
):
    project = world.project(task=task, pre_annotate=False)
    name = f"ada-{task[:4]}"
    world.person(name, "annotator", project)
    page = world.page(name)
    open_desk(page, world, project)
    seen = []
    for number in range(200):
        seen.append(shown(page))
        answer(page, *turns[number % len(turns)])
    assert len(set(seen)) == 200, "nothing is asked twice"
    answers = until(lambda: found if len(found := world.answers(project, name)) == 200 else None)
    assert len({item for item, _, _ in answers}) == 200
    counted = Counter(str(value) for _, _, value in answers)
    expected = Counter(str(right[number % len(right)]) for number in range(200))
    assert counted == expected
    assert "200 today" in page.inner_text("[data-testid=progress]")
    timings = sorted(page.evaluate("window.titheTimings"))
    print(f"{task}: key to next item, ms: median {timings[100]:.0f}, p95 {timings[190]:.0f}")  # noqa: T201


@pytest.mark.parametrize("tokens", [False, True])
def test_two_hundred_texts_with_spans_by_keys(world: World, until: Callable[..., Any], tokens: bool):
    project = world.project(task="token_classification", labels=["PER", "LOC"], pre_annotate=False)
    name = f"eve-{tokens}"
    world.person(name, "annotator", project)
    page = world.page(name)
    open_desk(page, world, project)
    said = {}
    for _ in range(200):
        text = page.inner_text("[data-testid=item-text]")
        said[text] = text.split()[1]
        # The second word is marked as a place. An emoji is a word here.
        answer(page, "ArrowRight", "ArrowRight", "2", "Enter")
    assert len(said) == 200
    answers = until(lambda: found if len(found := world.answers(project, name)) == 200 else None)
    texts = {one["id"]: one["text"] for one in exported(world, project)}
    for item, _, value in answers:
        (span,) = value
        assert span["label"] == "LOC"
        assert texts[item][span["start"] : span["end"]] == said[texts[item]], "code points, not UTF-16 units"


def exported(world: World, project: str) -> list[dict[str, Any]]:
    import json

    lines = world.admin.get(f"/v1/projects/{project}/export").text.splitlines()
    return [json.loads(line) for line in lines]


def test_spans_by_mouse_are_whole_words_and_go_away_again(world: World, until: Callable[..., Any]):
    project = world.project(task="token_classification", labels=["PER", "LOC"], pre_annotate=False)
    world.person("mia", "annotator", project)
    page = world.page("mia")
    open_desk(page, world, project)
    text = page.inner_text("[data-testid=item-text]")
    box = page.locator("[data-testid=item-text]").bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 16)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 16, steps=5)
    page.mouse.up()
    page.wait_for_selector("#spans li")
    assert page.locator("#spans .span").inner_text() == f"{text.split()[0]} · PER"
    assert page.locator(".r6o-annotation").count() >= 1, "it is drawn"
    page.keyboard.press("2")
    assert page.locator("#spans .span").inner_text().endswith("LOC")
    page.keyboard.press("Delete")
    assert page.locator("#spans li").count() == 0
    answer(page, "Enter")
    assert until(lambda: world.answers(project, "mia"))[0][2] == []


def test_two_people_never_see_one_item(world: World, until: Callable[..., Any]):
    project = world.project(pre_annotate=False)
    pages = []
    for name in ("one", "two"):
        world.person(name, "annotator", project)
        pages.append(world.page(name))
        open_desk(pages[-1], world, project)
    seen: list[list[str]] = [[], []]
    for _ in range(60):
        for mine, page in zip(seen, pages, strict=True):
            mine.append(shown(page))
            answer(page, "1")
    assert not set(seen[0]) & set(seen[1])
    answers = until(lambda: found if len(found := world.answers(project)) == 120 else None)
    assert len({item for item, _, _ in answers}) == 120


def test_a_killed_gateway_loses_nothing(world: World, stack: Stack, until: Callable[..., Any]):
    project = world.project(pre_annotate=False)
    world.person("kim", "annotator", project)
    page = world.page("kim")
    open_desk(page, world, project)
    gone = []
    for number in range(40):
        gone.append(shown(page))
        if number in (5, 20):
            victim = next(one for one in stack.processes if one.name == "gateway")
            os.kill(victim.pid, signal.SIGKILL)
        answer(page, "123"[number % 3])
    assert len(set(gone)) == 40
    answers = until(lambda: found if len(found := world.answers(project, "kim")) == 40 else None)
    assert Counter(value for _, _, value in answers) == Counter({"ham": 14, "spam": 13, "eggs": 13})
    until(lambda: page.is_hidden("[data-testid=banner]"))


def test_offline_a_reload_and_back(world: World, until: Callable[..., Any]):
    project = world.project(pre_annotate=False)
    world.person("joe", "annotator", project)
    page = world.page("joe")
    open_desk(page, world, project)
    answer(page, "1")
    until(lambda: len(world.answers(project, "joe")) == 1)
    page.context.set_offline(True)
    for _ in range(3):
        answer(page, "2")
    page.wait_for_selector("[data-testid=banner]:not([hidden])")
    assert "3 answers kept here" in page.inner_text("[data-testid=banner]")
    assert len(world.answers(project, "joe")) == 1
    page.context.set_offline(False)
    page.goto(f"{world.url}/me")  # the page is left before they are sent
    open_desk(page, world, project)
    answers = until(lambda: found if len(found := world.answers(project, "joe")) == 4 else None)
    assert [value for _, _, value in answers] == ["ham", "spam", "spam", "spam"]
    done = {item for item, _, _ in answers}
    answer(page, "3")
    until(lambda: len(world.answers(project, "joe")) == 5)
    assert len({item for item, _, _ in world.answers(project, "joe")} - done) == 1, "none was asked again"


def test_undo_skip_and_history(world: World, until: Callable[..., Any]):
    project = world.project(pre_annotate=False)
    world.person("pat", "annotator", project)
    page = world.page("pat")
    open_desk(page, world, project)
    first = shown(page)
    answer(page, "1")
    second = shown(page)
    page.keyboard.press("Control+z")
    assert shown(page) == first
    answer(page, "3")
    assert shown(page) == second, "it goes on where it was"
    page.keyboard.press("s")
    page.wait_for_selector("#skip-dialog[open]")
    page.keyboard.press("2")
    page.wait_for_function("text => document.getElementById('item').innerText !== text", arg=second)

    def both() -> Any:
        found = world.answers(project, "pat")
        return found if [kind for _, kind, _ in found] == ["label", "skip"] else None

    answers = until(both)
    assert answers[0][2] == "eggs", "the second word counts"
    assert page.locator("[data-testid=history] li").count() == 2
    page.locator("[data-testid=history] button").first.click()
    assert shown(page) == second
    answer(page, "1")
    until(lambda: [value for _, _, value in world.answers(project, "pat")] == ["eggs", "ham"])


def test_guidelines_and_a_script_in_an_item_are_text(world: World):
    script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    project = world.project(items=0, name=f"<b>{script[:30]}", labels=["<i>ham</i>", "spam"])
    line = '{"id": "x", "text": ' + __import__("json").dumps(script) + ', "meta": {"<b>k": "<img src=x onerror=1>"}}'
    world.admin.post(f"/v1/projects/{project}/items", content=line, headers={"Content-Type": "application/x-ndjson"})
    world.admin.put(
        f"/v1/projects/{project}/guidelines", json={"text": f"**Look** {script} [x](javascript:alert(1))", "after": 0}
    )
    world.person("sam", "annotator", project)
    page = world.page("sam")
    open_desk(page, world, project)
    assert page.inner_text("[data-testid=item-text]") == script
    assert page.locator("[data-testid=class]").first.inner_text().endswith("<i>ham</i>")
    page.wait_for_selector("[data-testid=guidelines]:not([hidden])")
    assert page.locator("#guidelines-text strong").inner_text() == "Look"
    assert (
        page.locator("#guidelines-text a[href^=javascript], #guidelines-text script, #guidelines-text img").count() == 0
    )
    assert page.locator(".item script, .item img[src=x], .class i").count() == 0
    assert page.title() != "owned"


def test_nothing_left_to_label_is_said_in_words(world: World, until: Callable[..., Any]):
    project = world.project(items=3, pre_annotate=False)
    world.person("lee", "annotator", project)
    page = world.page("lee")
    open_desk(page, world, project)
    for key in "12":
        answer(page, key)
    page.keyboard.press("1")
    until(lambda: "Every item is labeled" in page.inner_text("[data-testid=empty]"))
