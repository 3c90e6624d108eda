"""The client against the real gateway on a real socket."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from tithe.client import SKIP, BatchHandle, Nothing, ProjectHandle, Question, Tithe, TitheProblem
from tithe.contracts.predictions import Prediction
from tithe.contracts.tasks import MESSAGES
from tithe.gateway.app import create_app
from tithe.loop.work import Delivery, deliver
from tithe.prover.handlers import HANDLERS as PROVER
from tithe.runtime import Runtime
from tithe.scorer.handlers import HANDLERS as SCORER
from tithe.storage import checks, jobs
from tithe.sync.handlers import HANDLERS as SYNC
from tithe.trainer.handlers import HANDLERS as TRAINER
from tithe.worker import _resolve

ITEMS = [{"id": f"m{n}", "text": f"{'win a lottery' if n % 2 else 'see you at lunch'} number {n}"} for n in range(40)]


@pytest.fixture
def tithe(runtime: Runtime) -> Iterator[Tithe]:
    server = uvicorn.Server(uvicorn.Config(create_app(runtime), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with Tithe(f"http://127.0.0.1:{port}/", retries=2) as client:
        yield client
    server.should_exit = True
    thread.join()
    assert runtime.database.run(checks.check) == []


@pytest.fixture
def mail(tithe: Tithe) -> ProjectHandle:
    made = tithe.create_project(
        "mail", labels=["ham", "spam"], encoder="hashing", batch_size=5, retrain_every=10, lease_seconds=60
    )
    made.import_items(ITEMS)
    return made


def work_off(runtime: Runtime) -> None:
    """Do every job that waits, as the workers would."""
    delivery = Delivery(runtime.database, "test", 1.0, 1)
    handlers = {**TRAINER, **SCORER, **SYNC, **PROVER}
    while bells := runtime.database.run(lambda unit: jobs.to_ring(unit, 0.0, 100)):
        for bell in bells:
            message = MESSAGES[bell.topic].model_validate(bell.body)
            handle = _resolve(handlers[type(message)])
            deliver(delivery, message, lambda claim, m=message, h=handle: h(runtime, m, claim))


def said(question: Question) -> str:
    return "spam" if "lottery" in question.text else "ham"


def test_who_says_a_then_b_then_a_again_means_it(tithe: Tithe, mail: ProjectHandle):
    batch = mail.batch("ada", 1)
    item = batch.items[0].item_id
    batch.submit({item: "ham"})
    outcomes = [
        batch.submit({item: label}, correct=True).outcomes[0].outcome for label in ("spam", "ham", "spam", "spam", SKIP)
    ]
    assert outcomes == ["corrected", "corrected", "corrected", "duplicate", "corrected"]
    assert mail.status().counts.skipped == 1
    tool = mail.batch("tool", 2)
    told = tool.submit({one.item_id: "ham" for one in tool.items}, annotator="bob")
    assert [one.outcome for one in told.outcomes] == ["counted", "counted"]
    assert {one.annotator: one.labels for one in mail.status().annotators} == {"ada": 0, "bob": 2}


def test_a_project_is_found_by_its_name_and_by_its_id(tithe: Tithe, mail: ProjectHandle):
    assert tithe.project("mail").id == tithe.project(mail.id).id == tithe.project(str(mail.id)).id == mail.id
    assert [one.name for one in tithe.projects()] == ["mail"]
    with pytest.raises(TitheProblem, match="'post'") as caught:
        tithe.project("post")
    assert (caught.value.status, caught.value.code, caught.value.remedy) == (404, "not_found", "there are: 'mail'")


def test_every_page_of_projects_is_read(tithe: Tithe):
    for n in range(53):
        tithe.create_project(f"p{n}", labels=["a", "b"])
    assert {one.name for one in tithe.projects()} == {f"p{n}" for n in range(53)}
    assert tithe.project("p52").name == "p52"


def test_settings_are_changed_and_a_budget_is_lifted(tithe: Tithe, mail: ProjectHandle):
    assert mail.patch(budget=7, strategy="entropy").budget == 7
    assert mail.patch(budget=None).budget is None
    assert tithe.project("mail").settings.strategy == "entropy"
    with pytest.raises(TitheProblem) as caught:
        mail.patch(strategy="magic")
    assert caught.value.code == "unknown_strategy"
    assert "margin" in (caught.value.remedy or "")


def test_a_deleted_project_is_gone(tithe: Tithe, mail: ProjectHandle):
    mail.delete()
    assert tithe.projects() == []
    with pytest.raises(TitheProblem, match="no project"):
        mail.status()


def test_sending_the_same_items_again_adds_nothing(mail: ProjectHandle):
    told: list[tuple[int, int | None]] = []
    again = mail.import_items(ITEMS, progress=lambda *sent: told.append(sent))
    assert (again.accepted, again.duplicates) == (0, 40)
    assert told[-1] == (40, 40)
    assert mail.import_progress(again.import_id).state == "done"


def test_bad_lines_are_told_by_number_and_cost_nothing_else(mail: ProjectHandle):
    done = mail.import_items([{"text": "new"}, {"text": ""}, {"text": "newer", "label": "eggs"}, {"text": "newest"}])
    assert (done.accepted, done.rejected) == (2, 2)
    assert [line.line for line in done.rejected_lines] == [2, 3]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_file_is_read_by_its_name_and_its_columns_by_theirs(mail: ProjectHandle, tmp_path: Path, ending: str):
    rows = [{"review": f"text {n}", "mark": "ham", "shop": "north"} for n in range(3)]
    path = tmp_path / f"more.{ending}"
    if ending == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = mail.import_items(path, text_column="review", label_column="mark", extra="meta")
    assert (done.accepted, done.labeled, done.rejected) == (3, 3, 0)


def test_a_name_that_tells_no_format_is_refused_before_anything_is_sent(mail: ProjectHandle, tmp_path: Path):
    path = tmp_path / "items.txt"
    path.touch()
    with pytest.raises(ValueError, match="jsonl, csv or parquet"):
        mail.import_items(path)
    with pytest.raises(FileNotFoundError):
        mail.import_items(tmp_path / "none.csv")


def test_the_same_annotator_gets_the_same_batch_until_it_is_answered(mail: ProjectHandle):
    first, again, other = mail.next_batch("ada"), mail.next_batch("ada"), mail.next_batch("grace", 3)
    assert isinstance(first, BatchHandle)
    assert isinstance(again, BatchHandle)
    assert isinstance(other, BatchHandle)
    assert first.id == again.id != other.id
    assert len(other.items) == 3
    answers = {item.item_id: "ham" for item in first.items}
    stored = first.submit(answers)
    assert {one.outcome for one in stored.outcomes} == {"counted"}
    assert first.closed
    assert [one.outcome for one in first.submit(answers).outcomes] == ["counted"] * 5  # the same call, the same answer
    assert mail.status().budget.received == 5


def test_a_wrong_label_is_refused_with_every_fault_and_nothing_is_stored(mail: ProjectHandle):
    with mail.batch("ada") as batch:
        a, b, *_ = (item.item_id for item in batch.items)
        with pytest.raises(TitheProblem) as caught:
            batch.submit({a: "sapm", b: 7})
        assert caught.value.code == "invalid_label"
        assert len(caught.value.errors) == 2
        assert "did you mean 'spam'?" in (caught.value.remedy or "")
    assert mail.status().budget.received == 0


def test_what_was_not_answered_goes_back_when_the_batch_is_left(mail: ProjectHandle):
    with mail.batch("ada") as batch:
        batch.submit({batch.items[0].item_id: "ham"})
        assert batch.heartbeat() >= batch.expires_at
    assert mail.status().counts.leased == 0
    with pytest.raises(TitheProblem) as caught:
        batch.heartbeat()
    assert caught.value.code == "batch_closed"


def test_a_loop_left_early_sends_what_was_answered_and_gives_back_the_rest(mail: ProjectHandle):
    questions = mail.labels("ada")
    for n, question in enumerate(questions):
        question.skip("blurred") if n == 1 else question.answer(said(question))
        if n == 2:
            break
    questions.close()
    status = mail.status()
    assert (status.budget.received, status.counts.skipped, status.counts.leased) == (2, 1, 0)


def test_an_error_in_a_loop_loses_no_answer_when_the_client_is_closed(mail: ProjectHandle, tithe: Tithe):
    def annotate(client: Tithe) -> None:
        with client:
            for n, question in enumerate(client.project("mail").labels("ada")):
                if n == 2:
                    raise ZeroDivisionError
                question.answer(said(question))

    with pytest.raises(ZeroDivisionError) as caught:  # whose traceback keeps the loop alive, as a dying program does
        annotate(Tithe(tithe._transport._url))
    assert caught.traceback
    assert (mail.status().budget.received, mail.status().counts.leased) == (2, 0)


def test_a_program_that_dies_in_its_loop_sends_what_it_has(mail: ProjectHandle, tithe: Tithe):
    code = (
        f"from tithe.client import Tithe\nfor n, one in enumerate(Tithe({tithe._transport._url!r})"
        ".project('mail').labels('ada')):\n    one.answer('ham')\n    if n == 2: raise SystemError('mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.strip().endswith("SystemError: mine")
    assert (mail.status().budget.received, mail.status().counts.leased) == (3, 0)


def test_answers_that_cannot_be_sent_any_more_are_one_line_of_the_log(
    mail: ProjectHandle, tithe: Tithe, caplog: pytest.LogCaptureFixture
):
    client = Tithe(tithe._transport._url)
    questions = client.project("mail").labels("ada")
    next(questions).answer("ham")
    client._transport._http.close()
    questions.close()
    assert [one.getMessage() for one in caplog.records if one.name == "tithe.client.questions"] == [
        "answers of ada that were not sent: 1; the client is closed; make another"
    ]


def test_a_wrong_answer_is_refused_at_once_and_costs_no_other(mail: ProjectHandle):
    questions = mail.labels("ada")
    first, second = next(questions), next(questions)
    first.answer("ham")
    with pytest.raises(TitheProblem, match=r"'sapm' is no class of this project; did you mean 'spam'\?") as caught:
        second.answer("sapm")
    assert (caught.value.code, second.item_id in str(caught.value)) == ("invalid_label", True)
    questions.close()
    assert mail.status().budget.received == 1


def test_a_question_tells_why_it_is_asked_and_checks_the_borders_of_spans(tithe: Tithe):
    people = tithe.create_project(
        "people", labels=["PER"], task="token_classification", encoder="hashing", strategy="random"
    )
    people.import_items([{"text": "Ada saw Rom"}])
    question = next(people.labels("ada"))
    assert (question.prediction, question.why) == (None, question.item.why)
    with pytest.raises(TitheProblem, match="ends at 12, the text at 11"):
        question.answer([{"start": 8, "end": 12, "label": "PER"}])
    question.answer(({"start": 0, "end": 3, "label": "PER"},))
    assert question.said == [{"start": 0, "end": 3, "label": "PER"}]
    question.answer(SKIP)
    assert question.said is SKIP


@pytest.mark.parametrize("name", ["texts", "vectors", "item_ids"])
def test_a_string_is_no_list_to_predict(mail: ProjectHandle, name: str):
    with pytest.raises(TypeError, match=f"{name} is one str; send a list"):
        mail.predict(**{name: "hallo"})


def test_a_loop_runs_until_nothing_is_left_and_says_why(mail: ProjectHandle):
    mail.patch(budget=12)
    for question in mail.labels("ada"):
        question.answer(said(question))
    nothing = mail.next_batch("ada")
    assert isinstance(nothing, Nothing)
    assert (nothing.because, nothing.finished, bool(nothing)) == ("budget_spent", True, False)
    assert mail.status().finished_because == "budget_spent"
    with pytest.raises(TitheProblem, match="budget_spent"):
        mail.batch("ada")


def test_a_loop_in_which_nobody_answers_ends(mail: ProjectHandle):
    assert len(list(mail.labels("ada"))) == 5


def test_waiting_asks_again_when_the_server_says_so(mail: ProjectHandle, monkeypatch: pytest.MonkeyPatch):
    mail.patch(budget=5)
    held = mail.batch("grace")
    monkeypatch.setattr("tithe.client.project.time.sleep", lambda seconds: waited.append(seconds) or held.release())
    waited: list[float] = []
    nothing = mail.next_batch("ada")
    assert isinstance(nothing, Nothing)
    assert (nothing.because, nothing.finished) == ("budget_reserved", False)
    assert mail.next_batch("ada", wait=True)
    assert waited == [nothing.retry_after_seconds]


def test_rounds_history_predictions_and_export_after_some_labels(runtime: Runtime, mail: ProjectHandle, tmp_path: Path):
    work_off(runtime)
    mail.patch(budget=20)
    for question in mail.labels("ada"):
        question.answer(said(question))
    work_off(runtime)
    assert [one.state for one in mail.rounds()][-1] == "ready"
    assert [point.labels for point in mail.history().points][-1] == 20
    assert mail.status().model is not None
    by_item = mail.predict(item_ids=["m0", "m1"])
    assert [one.label for one in by_item if one] == ["ham", "spam"]
    assert mail.export(tmp_path / "labels.csv", predictions=True) > 0
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    everything = io.BytesIO()
    mail.export(everything, everything=True)
    assert len(everything.getvalue().splitlines()) == 40
    assert mail.ask_for_round().reason == "asked"
    with pytest.raises(TitheProblem) as caught:
        mail.ask_for_round()
    assert caught.value.code == "round_already_open"
    work_off(runtime)


def test_texts_are_predicted_by_a_scorer_while_the_client_waits(
    runtime: Runtime, mail: ProjectHandle, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(TitheProblem) as caught:
        mail.predict(["hello"])
    assert caught.value.code == "no_model_yet"
    work_off(runtime)
    mail.patch(budget=20)
    for question in mail.labels("ada"):
        question.answer(said(question))
    work_off(runtime)
    over = threading.Event()

    def scorer() -> None:
        while not over.wait(0.05):
            work_off(runtime)

    thread = threading.Thread(target=scorer)
    thread.start()
    try:
        told = mail.predict(["win a lottery", "see you at lunch"])
        monkeypatch.setattr("tithe.gateway.predict._WAIT_SECONDS", 0.0)  # now the client has to ask again
        later = mail.predict(["win a lottery", "see you at lunch"])
    finally:
        over.set()
        thread.join()
    assert [one.label for one in told if one] == ["spam", "ham"]
    assert later == told


def test_entities_come_as_spans_that_can_be_agreed_with(runtime: Runtime, tithe: Tithe):
    people = tithe.create_project(
        "people", labels=["PER"], task="token_classification", encoder="hashing", budget=100, budget_unit="words",
        strategy="random", near_duplicate=None,
    )  # fmt: skip
    assert (people.settings.metric, people.settings.budget_unit, people.settings.learner) == (
        "entity_f1", "words", "linear"
    )  # fmt: skip
    people.import_items([{"text": "Ada Lovelace wrote to Charles."}])
    spans = [{"start": 22, "end": 29, "label": "PER", "confidence": 0.9},
             {"start": 0, "end": 12, "label": "PER", "confidence": 0.8}]  # fmt: skip
    batch = people.batch("ada")
    with runtime.database.unit() as unit:
        said = Prediction.of_spans(spans).model_dump(mode="json", exclude_none=True)
        unit.connection.execute("UPDATE leases SET why = %s", (json.dumps({"prediction": said}),))
    seen = people.batch("ada").items[0].prediction
    assert seen is not None
    assert seen.spans is not None
    assert [(one.start, one.end, one.label, one.confidence) for one in seen.spans] == [
        (0, 12, "PER", 0.8), (22, 29, "PER", 0.9)
    ]  # fmt: skip
    assert seen.confidence == 0.8
    batch.submit({batch.items[0].item_id: seen.answer()})
    assert people.status().budget.received == 6  # words, the full stop too
    assert people.patch(pre_annotate=False).pre_annotate is False


def test_skips_are_answers_that_cost_nothing(mail: ProjectHandle):
    batch = mail.batch("ada")
    stored = batch.submit([{"item_id": batch.items[0].item_id, "skip": True, "note": "two languages"}])
    assert [one.outcome for one in stored.outcomes] == ["skipped"]
    batch.submit({batch.items[1].item_id: SKIP})
    assert mail.status().budget.received == 0
    batch.release()


def test_the_server_is_ready(tithe: Tithe):
    assert tithe.ready()


def test_the_client_imports_nothing_of_the_server():
    code = (
        "import sys, tithe.client; ours = {m.split('.')[1] for m in sys.modules if m.startswith('tithe.')};"
        "theirs = {'fastapi', 'psycopg', 'celery', 'numpy', 'redis'} & set(sys.modules); print(sorted(ours | theirs))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['client', 'contracts', 'errors']"
