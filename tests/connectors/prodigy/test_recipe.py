"""The recipe, in what does with it as Prodigy's documentation says, against the real gateway."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.prodigy.served import Gateway, eventually
from connectors.prodigy.simulator import Browser, Dataset, Json, Prodigy, Start
from tithe.connectors.prodigy import tithe_prodigy
from tithe.loop import people
from tithe.runtime import Runtime
from tithe.storage.database import Unit

TEXTS = [f"text {n}" for n in range(30)]
LABELS = ["ham", "spam"]


def truth(task: Json) -> str:
    return "spam" if int(task["tithe"]["item"][1:]) % 3 == 0 else "ham"


def choose(browser: Browser, count: int = 1 << 30) -> int:
    """Answer what is shown, up to so many; how many were answered."""
    for done in range(count):
        task = browser.task
        if task is None:
            return done
        assert browser.submit("accept", accept=[truth(task)]) is None
    return count


def lapse(runtime: Runtime) -> None:
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE batches SET expires_at = clock_timestamp() - interval '1 s' WHERE state='open'")


def refused(tmp_path: Path) -> list[Json]:
    found = tmp_path / "home" / "tithe-mail.refused.jsonl"
    return [json.loads(line) for line in found.read_text().splitlines()] if found.exists() else []


def test_a_pool_is_labeled_to_its_end_though_pages_fetch_ahead_and_keep_answers_back(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"), "--size 7")
    browser = Browser(prodigy, patience=1.0)
    assert choose(browser, 30) == 30
    assert not prodigy.ended  # what is not saved may yet be given back
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 30)
    browser.patience = 8.0
    assert browser.task is None
    assert prodigy.ended
    found = gateway.answers(project)
    assert Counter(item for item, _, _ in found) == Counter(f"i{n}" for n in range(30))
    assert all(label == ("spam" if int(item[1:]) % 3 == 0 else "ham") for item, label, _ in found)
    assert {who for _, _, who in found} == {"mail"}
    assert len(prodigy.dataset.examples) == 30
    assert {len(one["meta"]) for one in prodigy.sent} == {0}  # no model yet, no score


def test_what_is_sent_again_counts_once(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"))
    answers = [{**task, "accept": ["ham"], "answer": "accept"} for task in prodigy.questions(5)]
    for _ in range(3):  # the page never heard that they arrived
        prodigy.give(None, answers)
    eventually(lambda: len(gateway.answers(project)) == 5)
    prodigy.stop()
    assert len(gateway.answers(project)) == 5
    assert sum(call.endswith("/labels") for call in gateway.calls) == 5


def test_a_page_that_was_closed_loses_nothing_once_prodigy_is_started_again(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    dataset = Dataset("mail")
    first = start("tithe.textcat", dataset)
    browser = Browser(first)
    choose(browser, 15)  # some of them are not sent yet, and more is fetched: the page is closed
    kept = len(dataset.examples)
    assert 0 < kept < 15
    first.stop()
    assert gateway.http("GET", f"/v1/projects/{project}/status")["counts"]["leased"] == 0
    browser = Browser(start("tithe.textcat", dataset))
    assert choose(browser, 30 - kept) == 30 - kept
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 30)
    assert len({item for item, _, _ in gateway.answers(project)}) == 30


def test_what_never_came_back_from_a_page_is_asked_again_at_the_end(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS[:12])
    prodigy = start("tithe.textcat", Dataset("mail"), AGAIN_SECONDS=0.3)
    lost = Browser(prodigy)
    choose(lost, 2)
    lost.save()
    late = list(lost.queue)  # the page is closed
    browser = Browser(prodigy, patience=3.0)
    time.sleep(0.3)
    for _ in range(10):
        choose(browser, 1)
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 12)
    prodigy.give(None, [{**late[0], "accept": [truth(late[0])], "answer": "accept"}])  # it was only asleep
    prodigy.stop()
    assert len(gateway.answers(project)) == 12


def test_a_server_that_is_down_keeps_nobody_from_answering_and_gets_everything_after(
    gateway: Gateway, start: Start, capsys: pytest.CaptureFixture[str]
):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"), "--size 20")
    browser = Browser(prodigy, patience=0.5)
    choose(browser, 3)
    gateway.stop()
    done = 3 + choose(browser)  # all that was handed out
    assert done >= 20
    browser.save()
    assert not prodigy.ended
    assert len(prodigy.dataset.examples) == done
    time.sleep(0.2)
    gateway.start()
    browser.patience = 5.0
    assert choose(browser, 30 - done) == 30 - done
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 30)
    told = capsys.readouterr().err
    assert told.count("does not answer") == 1
    assert told.count("answers again") == 1


def test_answers_that_wait_when_prodigy_stops_are_sent_when_it_starts(
    gateway: Gateway, start: Start, capsys: pytest.CaptureFixture[str]
):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    dataset = Dataset("mail")
    prodigy = start("tithe.textcat", dataset)
    browser = Browser(prodigy, patience=1.0)
    browser.fetch()
    gateway.stop()
    assert choose(browser, 6) == 6
    browser.save()
    prodigy.stop()
    assert "6 answers wait in " in capsys.readouterr().err
    gateway.start()
    assert gateway.answers(project) == []
    again = start("tithe.textcat", dataset)
    eventually(lambda: len(gateway.answers(project)) == 6)
    assert not {task["tithe"]["item"] for task in again.questions(24)} & {i for i, _, _ in gateway.answers(project)}


def test_an_answer_is_changed_before_it_is_sent_and_after(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"))
    browser = Browser(prodigy)
    browser.submit("accept", accept=["ham"])
    item = browser.undo()["tithe"]["item"]
    browser.submit("accept", accept=["spam"])
    browser.save()
    eventually(lambda: gateway.answers(project) == [(item, "spam", "mail")])
    (stored,) = prodigy.dataset.examples
    for label in ("ham", "spam", "ham"):  # there and back again: each change is one
        prodigy.give(None, [{**stored, "accept": [label]}])
    eventually(lambda: gateway.answers(project) == [(item, "ham", "mail")])
    prodigy.give(None, [{**stored, "answer": "ignore"}])
    eventually(lambda: gateway.answers(project) == [(item, None, "mail")])
    prodigy.stop()
    assert sum(call.endswith("/labels") for call in gateway.calls) == 5


def test_leases_are_kept_alive_while_somebody_thinks(gateway: Gateway, start: Start, runtime: Runtime):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS, lease_seconds=1)
    prodigy = start("tithe.textcat", Dataset("mail"))
    browser = Browser(prodigy)
    assert browser.task is not None
    time.sleep(2.2)
    assert gateway.http("GET", f"/v1/projects/{project}/status")["counts"]["leased"] == 20
    taken = gateway.http("POST", f"/v1/projects/{project}/batches", json={"annotator": "bob", "size": 30})
    assert not {one["item_id"] for one in taken["items"]} & {task["tithe"]["item"] for task in browser.queue}
    assert choose(browser, 11) == 11
    eventually(lambda: len(gateway.answers(project)) >= 5)


def test_an_item_that_is_handed_out_again_is_shown_again_and_a_late_answer_counts(
    gateway: Gateway, start: Start, runtime: Runtime, capsys: pytest.CaptureFixture[str]
):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS[:4])
    prodigy = start("tithe.textcat", Dataset("mail"), AGAIN_SECONDS=999)
    first = prodigy.questions(4, patience=1.0)
    assert len(first) == 4
    lapse(runtime)  # the machine slept, say
    taken = gateway.http("POST", f"/v1/projects/{project}/batches", json={"annotator": "bob", "size": 1})
    gone = taken["items"][0]["item_id"]
    gateway.http(
        "POST", f"/v1/batches/{taken['batch_id']}/labels", json={"labels": [{"item_id": gone, "label": "ham"}]}
    )
    by_item = {task["tithe"]["item"]: task for task in first}
    late, *rest = [item for item in by_item if item != gone]
    prodigy.give(None, [{**by_item[item], "accept": ["spam"], "answer": "accept"} for item in (gone, late)])
    eventually(lambda: {(gone, "ham", "bob"), (late, "spam", "mail")} == set(gateway.answers(project)))
    eventually(lambda: "kept but does not count" in capsys.readouterr().err)
    again = prodigy.questions(2, patience=7)
    assert sorted(task["tithe"]["item"] for task in again) == sorted(rest)
    assert {task["_task_hash"] for task in again}.isdisjoint(task["_task_hash"] for task in first)
    assert {task["_input_hash"] for task in again} < {task["_input_hash"] for task in first}
    # The page still shows the first ones too: an answer to these is one under the new lease.
    prodigy.give(None, [{**by_item[item], "accept": ["ham"], "answer": "accept"} for item in rest])
    eventually(lambda: len(gateway.answers(project)) == 4)
    prodigy.give(None, [{**task, "accept": ["ham"], "answer": "accept"} for task in again])
    prodigy.stop()
    assert len(gateway.answers(project)) == 4


def test_people_are_told_apart_by_their_sessions_and_nobody_gets_what_another_has(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"), "--annotator team")
    pages = [Browser(prodigy, name, patience=1.0) for name in ("ada", "bob", None)]
    for n in range(30):
        assert choose(pages[n % 3], 1) == 1
    for page in pages:
        page.save()
    eventually(lambda: len(gateway.answers(project)) == 30)
    people = Counter(who for _, _, who in gateway.answers(project))
    assert set(people) == {"ada", "bob", "team"}
    assert min(people.values()) >= 5


def test_two_machines_with_a_dataset_of_one_name_never_share_an_item(
    gateway: Gateway, start: Start, recipe: Path, tmp_path: Path
):
    gateway.project("pool", "text_classification", LABELS, TEXTS)
    here = start("tithe.textcat", Dataset("mail"), "--size 10")
    there = start("tithe.textcat", Dataset("mail"), f"--size 10 --outbox {tmp_path / 'there'}")
    one, other = ({task["tithe"]["item"] for task in prodigy.questions(10)} for prodigy in (here, there))
    assert len(one | other) == 20


def test_a_dataset_has_one_prodigy_at_a_time(gateway: Gateway, start: Start):
    gateway.project("pool", "text_classification", LABELS, TEXTS)
    first = start("tithe.textcat", Dataset("mail"))
    with pytest.raises(SystemExit, match="another Prodigy is at work on the dataset 'mail'"):
        start("tithe.textcat", Dataset("mail"))
    start("tithe.textcat", Dataset("other"))
    first.stop()
    start("tithe.textcat", Dataset("mail"))


def test_several_classes_none_of_them_a_skip_and_a_rejection(gateway: Gateway, start: Start):
    project = gateway.project("pool", "multilabel_classification", ["a", "b", "c"], TEXTS[:4])
    prodigy = start("tithe.textcat", Dataset("mail"))
    assert prodigy.config["choice_style"] == "multiple"
    browser = Browser(prodigy, patience=1.0)
    said: Json = {}
    for answer, chosen in (("accept", ["c", "a"]), ("accept", []), ("ignore", ["a"]), ("reject", ["b"])):
        said[browser.task["tithe"]["item"]] = sorted(chosen) if answer == "accept" else None
        assert browser.submit(answer, accept=chosen) is None
    browser.save()
    eventually(lambda: {item: label for item, label, _ in gateway.answers(project)} == said)
    rows = gateway.rows(project)
    assert sorted(row.get("note", "") for row in rows) == ["", "", "", "rejected"]


def test_a_single_choice_is_one_class_and_the_page_says_so(gateway: Gateway, start: Start, tmp_path: Path):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    browser = Browser(start("tithe.textcat", Dataset("mail")))
    assert "none is chosen" in (browser.submit("accept", accept=[]) or "")
    assert "2 are chosen" in (browser.submit("accept", accept=LABELS) or "")
    assert browser.submit("accept", accept=["ham"]) is None
    # A Prodigy without `validate_answer` hands it over all the same: it is put aside, and the next one goes through.
    odd, good = browser.queue.popleft(), browser.queue.popleft()
    both = [{**odd, "accept": LABELS, "answer": "accept"}, {**good, "accept": ["ham"], "answer": "accept"}]
    browser.prodigy.give(None, [*both, {"text": "not ours", "answer": "accept"}, {**good, "answer": "maybe"}])
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 2)
    reasons = [one["reason"] for one in refused(tmp_path)]
    assert len(reasons) == 3
    assert "2 are chosen" in reasons[0]
    assert "not of this project" in reasons[1]


def test_what_the_server_refuses_is_put_aside_and_blocks_nothing(
    gateway: Gateway, start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = "so 👩‍🚀 flew"
    project = gateway.project("pool", "token_classification", ["WHO"], [text, "to Rome", "and back"])
    prodigy = start("tithe.ner", Dataset("mail"))
    tasks = {task["text"]: task for task in prodigy.questions(3, patience=1.0)}
    cut = {"start": 3, "end": 4, "label": "WHO"}  # half an astronaut, as no page would mark it
    answers = [{**tasks[text], "spans": [cut]}, {**tasks["to Rome"], "spans": []}]
    prodigy.give(None, [{**one, "answer": "accept"} for one in answers])
    eventually(lambda: len(gateway.answers(project)) == 1)
    (aside,) = refused(tmp_path)
    assert "in the middle of" in aside["reason"]
    assert aside["says"] == {"label": [cut]}
    assert "REFUSED" in capsys.readouterr().err
    whole = {"start": 3, "end": 6, "label": "WHO", "token_start": 1, "token_end": 1}
    prodigy.give(None, [{**tasks[text], "spans": [whole], "answer": "accept"}])
    eventually(lambda: len(gateway.answers(project)) == 2)
    assert ("i0", [{"start": 3, "end": 6, "label": "WHO"}], "mail") in gateway.answers(project)


def test_entities_among_emoji_and_in_texts_that_came_as_tokens(gateway: Gateway, start: Start):
    items = [
        "Café 😀😀 Ada works at ACME.",
        {"id": "tokens", "tokens": ["St.", "Ives", "👩‍🚀"]},
        "one\ntwo  lines\r\n🇦🇹🇩🇪 three",
        "東京へ行く",
    ]
    wanted = {
        "i0": [(8, 11, "PER"), (21, 25, "ORG")],
        "tokens": [(0, 8, "LOC")],
        "i2": [(4, 14, "ORG"), (16, 18, "LOC")],
        "i3": [(0, 2, "LOC")],
    }
    project = gateway.project("pool", "token_classification", ["PER", "ORG", "LOC"], items)
    prodigy = start("tithe.ner", Dataset("mail"))
    assert prodigy.config["labels"] == ["PER", "ORG", "LOC"]
    browser = Browser(prodigy, patience=1.0)
    for _ in items:
        task = browser.task
        starts = {token["start"]: token["id"] for token in task["tokens"]}
        ends = {token["end"]: token["id"] for token in task["tokens"]}
        spans = [
            {"start": -1, "end": -1, "label": label, "token_start": starts[a], "token_end": ends[b]}
            for a, b, label in wanted[task["tithe"]["item"]]
        ]
        assert "overlap" in (browser.submit("accept", spans=[*spans, spans[0]]) or "")
        assert browser.submit("accept", spans=spans[::-1]) is None
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 4)
    found = {item: [(s["start"], s["end"], s["label"]) for s in label] for item, label, _ in gateway.answers(project)}
    assert found == wanted
    tokens = next(task for task in prodigy.sent if task["tithe"]["item"] == "tokens")
    assert [token["text"] for token in tokens["tokens"]] == ["St.", "Ives", "👩‍🚀"]
    broken = next(task for task in prodigy.sent if task["tithe"]["item"] == "i2")
    assert [token["text"] for token in broken["tokens"] if token.get("disabled")] == ["\n", "\r\n"]


def test_the_stream_ends_where_the_budget_does(gateway: Gateway, start: Start, capsys: pytest.CaptureFixture[str]):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS, budget=4)
    browser = Browser(start("tithe.textcat", Dataset("mail")), patience=1.0)
    assert choose(browser, 4) == 4
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 4)
    browser.patience = 7
    assert browser.task is None
    assert browser.prodigy.ended
    assert "no more questions: the budget is spent" in capsys.readouterr().err


def test_several_opinions_come_from_several_datasets_each_a_person(gateway: Gateway, start: Start):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS[:6], overlap=2)
    for name in ("ada", "bob", "cleo"):
        prodigy = start("tithe.textcat", Dataset(name))
        assert prodigy.config["instant_submit"]
        browser = Browser(prodigy, "somebody", patience=1.0)
        assert choose(browser, 6) == (6 if name != "cleo" else 0)
        prodigy.stop()
    by_item = Counter((item, who) for item, _, who in gateway.answers(project))
    assert by_item == Counter((f"i{n}", who) for n in range(6) for who in ("ada", "bob"))


@pytest.mark.parametrize(
    ("name", "task"), [("tithe.ner", "text_classification"), ("tithe.textcat", "token_classification")]
)
def test_a_recipe_says_which_one_fits_the_project(gateway: Gateway, start: Start, name: str, task: str):
    gateway.project("pool", task, LABELS, TEXTS[:1])
    other = {"tithe.ner": "tithe.textcat", "tithe.textcat": "tithe.ner"}[name]
    with pytest.raises(SystemExit, match=f"its recipe is {other}"):
        start(name, Dataset("mail"))


def test_what_is_wrong_at_the_start_is_said(gateway: Gateway, start: Start):
    gateway.project("there", "text_classification", LABELS, TEXTS[:1])
    with pytest.raises(SystemExit, match="has no project 'pool'; it has: there"):
        start("tithe.textcat", Dataset("mail"))
    with pytest.raises(SystemExit, match="is no address"):
        start("tithe.textcat", Dataset("mail"), "--url localhost:8000")
    gateway.stop()
    with pytest.raises(SystemExit, match="does not answer"):
        start("tithe.textcat", Dataset("mail"))
    gateway.start()


def test_no_answer_of_another_project_is_sent_to_this_one(
    gateway: Gateway, start: Start, capsys: pytest.CaptureFixture[str]
):
    one = gateway.project("pool", "text_classification", LABELS, TEXTS[:5])
    other = gateway.project("two", "text_classification", LABELS, TEXTS[:5])
    dataset = Dataset("mail")
    prodigy = start("tithe.textcat", dataset)
    browser = Browser(prodigy, patience=1.0)
    browser.fetch()
    gateway.stop()
    assert choose(browser, 3) == 3
    browser.save()
    prodigy.stop()
    gateway.start()
    second = start("tithe.textcat", dataset, "--project two")
    assert "3 answers in " in capsys.readouterr().err
    second.stop()
    assert gateway.answers(one) == gateway.answers(other) == []
    start("tithe.textcat", dataset)
    eventually(lambda: len(gateway.answers(one)) == 3)


def test_an_update_never_raises_even_where_the_disk_is_full(
    gateway: Gateway, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    project = gateway.project("pool", "text_classification", LABELS, TEXTS)
    prodigy = start("tithe.textcat", Dataset("mail"))
    browser = Browser(prodigy)
    full = True
    write = prodigy.module.os.write

    def failing(file: int, body: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return write(file, body)

    monkeypatch.setattr(prodigy.module.os, "write", failing)
    choose(browser, 3)
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 3)  # they are sent from memory
    assert "CANNOT BE WRITTEN" in capsys.readouterr().err
    full = False
    choose(browser, 1)
    browser.save()
    eventually(lambda: len(gateway.answers(project)) == 4)
    prodigy.stop()
    again: Any = start("tithe.textcat", prodigy.dataset)
    assert isinstance(again, Prodigy)
    time.sleep(0.2)
    assert len(gateway.answers(project)) == 4
    assert {t["tithe"]["item"] for t in again.questions(10)}.isdisjoint(i for i, _, _ in gateway.answers(project))


def test_a_server_that_asks_who_calls_is_told_by_a_key(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    closed = Gateway(Runtime(runtime.settings.model_copy(update={"open_loopback": False}), runtime.database))
    try:
        server = tithe_prodigy.Server(closed.url)
        monkeypatch.delenv("TITHE_API_KEY", raising=False)
        with pytest.raises(tithe_prodigy.Trouble, match="set TITHE_API_KEY"):
            server.call("GET", "/v1/projects")

        def work(unit: Unit) -> str:
            made, _ = people.add(unit, "tool", "manager", "test")
            return people.add_key(unit, made, "tool", "test", 1)[0]

        monkeypatch.setenv("TITHE_API_KEY", runtime.database.run(work))
        assert server.call("GET", "/v1/projects")["projects"] == []
    finally:
        closed.stop()
