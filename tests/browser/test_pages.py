"""Every page: without a fault an accessibility checker finds, in light and dark, on a phone; and live."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import World
from .test_labeling import READY

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: make setup does it")
#: Where pictures are kept, for people to look at.
PICTURES = os.environ.get("TITHE_PICTURES")


def faults(page: Any) -> list[str]:
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_every_page_is_accessible(world: World, look: str):
    context: dict[str, Any] = {"color_scheme": "dark" if look == "dark" else "light"}
    if look == "phone":
        context["viewport"] = {"width": 375, "height": 720}
    desks = {
        task: world.project(items=30, task=task, name=f"{task} {look}")
        for task in (
            "text_classification",
            "multilabel_classification",
            "token_classification",
            "vector_classification",
        )
    }
    some = desks["text_classification"]
    world.admin.put(f"/v1/projects/{some}/guidelines", json={"text": "# How\n\nTake the *main* one.", "after": 0})
    world.person(f"boss-{look}", "admin", *desks.values())
    page = world.page(**context)
    for path, mark in (("/sign-in", "sign-in"), ("/welcome/nothing", "welcome")):
        page.goto(world.url + path)
        page.wait_for_selector(f"[data-testid={mark}]")
        assert faults(page) == [], path
    page = world.page(f"boss-{look}", **context)
    for path, mark in (
        ("/", "projects"),
        ("/people", "people"),
        ("/me", "me"),
        ("/projects/new", "new-project"),
        (f"/projects/{some}", "tiles"),
    ):
        page.goto(world.url + path)
        page.wait_for_selector(f"[data-testid={mark}]")
        page.wait_for_timeout(1200)
        keep(page, f"{mark}-{look}")
        assert faults(page) == [], path
        assert wide(page) == [], path
    for task, project in desks.items():
        page.goto(f"{world.url}/label/{project}")
        page.wait_for_selector(READY)
        if task == "token_classification":
            page.keyboard.press("ArrowRight")
            page.keyboard.press("1")
        page.wait_for_timeout(400)
        keep(page, f"{task}-{look}")
        assert faults(page) == [], task
        assert wide(page) == [], task
        page.keyboard.press("?")
        page.wait_for_selector("#help[open]")
        assert faults(page) == [], "help"


def keep(page: Any, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


def test_the_project_page_follows_what_happens(world: World, until: Callable[..., Any]):
    project = world.project(items=120)
    world.person("watcher", "manager", project)
    page = world.page("watcher")
    page.goto(f"{world.url}/projects/{project}")
    until(lambda: page.inner_text("#labels") == "0")
    batch = world.admin.post(f"/v1/projects/{project}/batches", json={"annotator": "tool", "size": 30}).json()
    labels = [
        {"item_id": one["item_id"], "label": ["ham", "spam", "eggs"][n % 3]} for n, one in enumerate(batch["items"])
    ]
    world.admin.post(f"/v1/batches/{batch['batch_id']}/labels", json={"labels": labels})
    until(lambda: page.inner_text("#labels") == "30")
    until(lambda: "model 1" in page.inner_text("#round"))
    until(lambda: "tool" in page.inner_text("[data-testid=annotators]"))
    page.fill("#guidelines-form textarea", "Take the main one.")
    page.click("#guidelines-form button")
    until(lambda: "Version 1" in page.inner_text("#guidelines-version"))
    assert world.admin.get(f"/v1/projects/{project}/guidelines").json()["text"] == "Take the main one."


def test_a_project_is_made_in_the_page_with_a_look_at_its_pool(world: World, until: Callable[..., Any], tmp_path: Path):
    pool = tmp_path / "mail.csv"
    rows = "\n".join(f'm{n},"a letter, number {n}",{n}' for n in range(30))
    pool.write_text(f"id,body,size\n{rows}\n")
    world.person("maker", "manager")
    page = world.page("maker")
    page.click("text=New project")
    page.wait_for_selector("[data-testid=new-project]")
    page.fill("input[name=name]", "made here")
    page.fill("textarea[name=labels]", "question\ncomplaint\n\n")
    page.set_input_files("#pool", pool)
    page.wait_for_selector("#preview:not([hidden])")
    assert page.input_value("#column") == "body"
    assert page.locator("#preview-rows tr").count() == 5
    assert faults(page) == []
    page.fill("input[name=overlap]", "0")
    page.eval_on_selector("#new-project", "form => form.noValidate = true")
    page.click("button[type=submit]")
    until(lambda: "overlap" in page.inner_text("[data-problem]"))
    page.fill("input[name=overlap]", "1")
    page.click("button[type=submit]")
    page.wait_for_selector("[data-testid=tiles]")
    project = page.url.rpartition("/")[2]
    until(lambda: "of 30 items" in page.inner_text("#labels-more"))
    assert "project made" in page.inner_text("[data-testid=trail]")
    page.goto(f"{world.url}/label/{project}")
    page.wait_for_selector(READY)
    assert "a letter, number" in page.inner_text("[data-testid=item-text]")
    assert "size" in page.inner_text("[data-testid=item]")


def test_an_annotator_sees_their_projects_and_nothing_else(world: World):
    mine, other = world.project(items=5, name="mine alone"), world.project(items=5, name="somebody's")
    world.person("zoe", "annotator", mine)
    page = world.page("zoe")
    assert "mine alone" in page.inner_text("main")
    assert "somebody's" not in page.inner_text("main")
    for path, status in (
        (f"/label/{other}", 404),
        (f"/projects/{mine}", 403),
        ("/people", 403),
        (f"/v1/projects/{other}", 404),
    ):
        assert page.goto(world.url + path).status == status, path


def wide(page: Any) -> list[str]:
    """What makes the page wider than its window; what scrolls in a box of its own does not."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
        [...document.body.querySelectorAll("*")]
        .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 120))"""
    )
    return found
