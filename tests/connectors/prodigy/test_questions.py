"""One class at a time, and what the model thinks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.services.turning import work_off

from connectors.prodigy.served import Gateway, eventually
from connectors.prodigy.simulator import Browser, Dataset, Json, Start
from tithe.runtime import Runtime

TEXTS = [f"text {n}" for n in range(6)]


def item(task: Json | None) -> int:
    assert task is not None
    return int(task["tithe"]["item"][1:])


def test_yes_or_no_of_two_classes_tells_both_ways(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", ["ham", "spam"], TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"), "--binary")
    assert prodigy.view_id == "classification"
    browser = Browser(prodigy, patience=0.15)
    wanted: dict[str, str | None] = {}
    while (task := browser.task) is not None:
        answer = ("accept", "reject", "ignore")[item(task) % 3]
        other = {"ham": "spam", "spam": "ham"}[task["label"]]
        wanted[f"i{item(task)}"] = {"accept": task["label"], "reject": other, "ignore": None}[answer]
        assert browser.submit(answer) is None
    browser.save()
    eventually(lambda: {one: label for one, label, _ in gateway.answers(project)} == wanted)
    assert len(wanted) == len(prodigy.sent) == 6


def test_yes_or_no_of_three_classes_is_asked_until_one_is_right_and_none_is_made_up(gateway: Gateway, start: Start):
    labels = ["a", "b", "c"]
    project = gateway.project("pool", "text_classification", labels, TEXTS[:4])
    dataset = Dataset("mail")
    truth = {0: "a", 1: "b", 2: "c", 3: None}
    browser = Browser(start("tithe.textcat", dataset, "--binary"), patience=0.15)
    assert browser.prodigy.config["instant_submit"]  # the next question depends on the answer
    for _ in range(5):
        assert browser.submit("accept" if truth[item(browser.task)] == browser.task["label"] else "reject") is None
    browser.prodigy.stop()  # and is started again: what was asked is not asked again
    browser = Browser(start("tithe.textcat", dataset, "--binary"), patience=0.3)
    while browser.task is not None:
        browser.submit("accept" if truth[item(browser.task)] == browser.task["label"] else "reject")
    eventually(lambda: browser.task is None and browser.prodigy.ended)
    assert {one: label for one, label, _ in gateway.answers(project)} == {f"i{n}": truth[n] for n in truth}
    asked = Counter((one["tithe"]["item"], one["label"]) for one in dataset.examples)
    assert Counter(one for one, _ in asked) == {"i0": 1, "i1": 2, "i2": 3, "i3": 3}
    assert max(asked.values()) == 1


def test_an_answer_to_a_question_is_changed(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", ["a", "b", "c"], TEXTS[:1])
    prodigy = start("tithe.textcat", Dataset("mail"), "--binary")
    (first,) = prodigy.questions(1)
    prodigy.give(None, [{**first, "answer": "accept"}])
    eventually(lambda: gateway.answers(project) == [("i0", "a", "mail")])
    prodigy.give(None, [{**first, "answer": "reject"}])
    assert gateway.answers(project) == [("i0", "a", "mail")]  # nothing else was said yet
    (second,) = prodigy.questions(1)
    assert second["label"] == "b"
    prodigy.give(None, [{**second, "answer": "accept"}] * 2)
    eventually(lambda: gateway.answers(project) == [("i0", "b", "mail")])


def test_several_classes_are_asked_one_by_one_and_counted_when_all_were(gateway: Gateway, start: Start):
    labels = ["a", "b", "c"]
    project = gateway.project("pool", "multilabel_classification", labels, TEXTS[:3])
    prodigy = start("tithe.textcat", Dataset("mail"), "--binary")
    tasks = prodigy.questions(9, patience=0.15)
    assert len(tasks) == 9
    truth = {0: ["a", "c"], 1: [], 2: ["b"]}

    def said(task: Json) -> Json:
        return {**task, "answer": "accept" if task["label"] in truth[item(task)] else "reject"}

    by_item = {n: [task for task in tasks if item(task) == n] for n in truth}
    prodigy.give("ada", [said(task) for task in by_item[0][:2]])
    prodigy.give("ada", [said(task) for task in by_item[1]])
    eventually(lambda: gateway.answers(project) == [("i1", [], "ada")])
    prodigy.give("bob", [said(by_item[0][2])])  # who answers last answers; the others are named
    eventually(lambda: ("i0", ["a", "c"], "bob") in gateway.answers(project))
    prodigy.give("ada", [{**by_item[2][0], "answer": "ignore"}, *map(said, by_item[2][1:])])
    eventually(lambda: ("i2", None, "ada") in gateway.answers(project))
    (note,) = [row["note"] for row in gateway.rows(project) if row["id"] == "i0"]
    assert note == "questions answered with ada"


@pytest.mark.parametrize("blind", [False, True])
def test_what_the_model_thinks_is_shown_unless_people_label_blindly(
    gateway: Gateway, start: Start, runtime: Runtime, blind: bool
):
    words = {"ham": "good morning dear friend", "spam": "win cash prize now"}
    items: list[Any] = [
        {"id": f"i{n}", "text": f"{words[label]} {n}", **({"label": label} if n < 20 else {"meta": {"page": n}})}
        for n, label in enumerate(["ham", "spam"] * 20)
    ]
    gateway.project(
        "pool", "text_classification", ["ham", "spam"], items, retrain_every=20, pre_annotate=not blind,
        near_duplicate=None, strategy="entropy", control=0.0,
    )  # fmt: skip
    work_off(runtime)
    tasks = start("tithe.textcat", Dataset("mail")).questions(10)
    assert all("page" in task["meta"] for task in tasks)
    if blind:
        assert all(task["accept"] == [] and "score" not in task["meta"] for task in tasks)
        return
    assert all(task["accept"] == ["ham" if item(task) % 2 == 0 else "spam"] for task in tasks)
    assert all(task["meta"]["score"] >= 0 for task in tasks)
    asked = start("tithe.textcat", Dataset("other"), "--binary").questions(10)
    assert all(task["label"] == ("ham" if item(task) % 2 == 0 else "spam") for task in asked)  # the likelier one


def test_entities_the_model_sees_are_marked_already(gateway: Gateway, start: Start, runtime: Runtime):
    names = ["Ada", "Bob", "Cleo", "Dan", "Eve"]
    items: list[Any] = []
    for n in range(105):
        name, frame = names[n % 5], ("Mrs. {} went home", "they met Mrs. {} there", "Mrs. {} 👩‍🚀 spoke")[n % 3]
        text = f"{frame.format(name)} {n}"
        label = [{"start": text.index(name), "end": text.index(name) + len(name), "label": "PER"}]
        items.append({"id": f"i{n}", "text": text, **({"label": label} if n < 100 else {})})
    gateway.project("pool", "token_classification", ["PER"], items, retrain_every=10, near_duplicate=None)
    work_off(runtime)
    tasks = start("tithe.ner", Dataset("mail")).questions(5, patience=0.3)
    marked = {task["text"]: [(s["start"], s["end"], s["label"]) for s in task["spans"]] for task in tasks}
    assert len(marked) == 5
    assert any(marked.values())
    assert all(
        task["tokens"][span["token_start"]]["start"] == span["start"] for task in tasks for span in task["spans"]
    )
