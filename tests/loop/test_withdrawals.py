"""Answers changed and withdrawn with rows in hand, and what that asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tithe.contracts.projects import Project
from tithe.contracts.tasks import ScoreShard, TrainRound
from tithe.errors import Conflict
from tithe.loop import rounds as turns
from tithe.loop.correct import correct, withdraw
from tithe.loop.hand_out import hand_out, release
from tithe.loop.record import Sent
from tithe.storage import answers, checks, jobs, rounds
from tithe.storage.database import Database

from .changing import assert_counted_right, labels, now, outcomes, patched, ranked, send, stands
from .driving import answer, choices, fill, line, run_round


@pytest.fixture(autouse=True)
def sound(database: Database, project: Project) -> Iterator[None]:
    """After each test everything adds up."""
    yield
    assert database.run(checks.check) == []
    assert_counted_right(database, project)


def test_a_withdrawn_label_is_asked_for_again_and_its_money_is_back(database: Database, project: Project):
    project = patched(database, project, budget=2, retrain_every=50)
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 2))
    assert hand_out(database, project.id, "ada", 1).empty_because == "budget_spent"
    run_round(database, project, choices([0, 5]), trains=True)
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 0), "deleted"))
    progress = now(database, project)
    assert (progress.label_count, progress.paid_count, progress.settled_slots, progress.answer_seq) == (1, 1, 1, 3)
    assert progress.change_count == 3
    assert [i.ordinal for i in hand_out(database, project.id, "bob", 5).items] == [5]
    with database.unit() as unit:
        assert answers.training_set(unit, project.id, 2, "pool") == [(0, "ham"), (1, "ham")]
        assert answers.training_set(unit, project.id, 3, "pool") == [(1, "ham")]
        assert unit.connection.execute("SELECT because FROM answers WHERE kind = 'withdrawn'").fetchall() == [
            ("deleted",)
        ]


def test_a_withdrawn_item_of_the_queue_stands_in_it_again(database: Database, project: Project):
    ranked(database, project, 3)
    answer(database, project, hand_out(database, project.id, "ada", 3))
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 1), "deleted"))
    assert [i.ordinal for i in hand_out(database, project.id, "bob", 3).items] == [1]


def test_who_withdrew_answers_again_in_one_history(database: Database, project: Project):
    ranked(database, project, 3)
    handed = hand_out(database, project.id, "ada", 3)
    answer(database, project, handed)
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 1), "deleted"))
    with database.unit() as unit:
        assert answers.standing(unit, project.id, [1], "ada") == []
        (end,) = answers.standing(unit, project.id, [1], "ada", withdrawn=True)
        assert (end.kind, end.lease_id) == ("withdrawn", None)
    # The lease of the batch is given up, so the answer is a late one: it counts, nobody took the item over.
    assert outcomes(send(database, project, handed, [Sent("i1", "spam")])) == [("counted", None)]
    assert stands(database, project, 1).value == "spam"
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 1), "deleted"))
    again = hand_out(database, project.id, "ada", 3)
    assert [i.ordinal for i in again.items] == [1]
    answer(database, project, again, "ham")
    with database.unit() as unit:
        chain = unit.connection.execute(
            "SELECT kind, lag(id) OVER (ORDER BY seq) IS NOT DISTINCT FROM replaces FROM answers WHERE ordinal = 1"
            " ORDER BY seq"
        ).fetchall()
    assert chain == [(kind, True) for kind in ("label", "withdrawn", "label", "withdrawn", "label")]


def test_imported_labels_are_corrected_and_withdrawn_too(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    fill(database, project, [line(n, label="ham" if n < 2 else None) for n in range(4)])
    fill(database, project, [line(9, label="ham", split="test")])
    import_ = "@import"
    database.run(lambda unit: correct(unit, project, stands(database, project, 0, import_), "label", "spam"))
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 1, import_), "wrong"))
    database.run(lambda unit: correct(unit, project, stands(database, project, 4, import_), "label", "spam"))
    progress = now(database, project)
    assert (progress.label_count, progress.paid_count, progress.settled_slots) == (1, 0, 2)
    with database.unit() as unit:
        assert answers.training_set(unit, project.id, progress.answer_seq, "test") == [(4, "spam")]
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 4, import_), "wrong"))
    assert hand_out(database, project.id, "ada", 4).batch is not None
    assert now(database, project).label_count == 1


def test_a_file_sent_again_does_not_bring_back_what_was_withdrawn(database: Database, project: Project):
    fill(database, project, [line(n, label="ham") for n in range(2)])
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 0, "@import"), "wrong"))
    assert fill(database, project, [line(n, label="ham") for n in range(2)]).labeled == 0
    assert fill(database, project, [line(0, label="spam")]).labeled == 1  # but another label is new
    assert labels(database, project) == {(0, "@import"): "spam", (1, "@import"): "ham"}


def test_what_was_replaced_meanwhile_is_not_replaced_twice(database: Database, project: Project):
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 1))
    was = stands(database, project, 0)
    database.run(lambda unit: correct(unit, project, was, "label", "spam"))
    for late in (
        lambda unit: correct(unit, project, was, "label", "ham"),
        lambda unit: withdraw(unit, project, was, "x"),
    ):
        with pytest.raises(Conflict, match="replaced meanwhile"):
            database.run(late)
    database.run(lambda unit: withdraw(unit, project, stands(database, project, 0), "x"))
    (end,) = database.run(lambda unit: answers.standing(unit, project.id, [0], withdrawn=True))
    with pytest.raises(ValueError, match="was withdrawn"):
        database.run(lambda unit: correct(unit, project, end, "label", "ham"))


def test_saying_the_same_again_is_not_stored(database: Database, project: Project):
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 1), "ham")
    database.run(lambda unit: correct(unit, project, stands(database, project, 0), "label", "ham"))
    assert now(database, project).answer_seq == 1


# ---- what it asks for ----


def test_changes_ask_for_the_next_round_and_deletions_never_put_it_off(database: Database, project: Project):
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 10))  # the threshold
    run_round(database, project, choices(list(range(10, 30))), trains=True)
    for ordinal in range(4):
        database.run(lambda unit, at=ordinal: withdraw(unit, project, stands(database, project, at), "deleted"))
    for ordinal in range(4, 9):
        database.run(lambda unit, at=ordinal: correct(unit, project, stands(database, project, at), "label", "spam"))
    assert database.run(lambda unit: rounds.unfinished(unit, project.id)) is None
    answer(database, project, hand_out(database, project.id, "ada", 1))
    opened = database.run(lambda unit: rounds.unfinished(unit, project.id))
    assert opened is not None
    assert (opened.label_count, opened.watermark) == (7, 20)
    assert now(database, project).requested_at_changes == 20


def test_a_correction_by_the_batch_may_open_the_round(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 9)
    answer(database, project, handed, "ham")
    told = send(database, project, handed, [Sent("i0", "spam", correct=True)])
    assert told.round_requested == 1


def test_a_finished_project_trains_on_what_is_corrected_afterwards(database: Database, project: Project):
    project = patched(database, project, budget=3)
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 3))
    run_round(database, project, choices([5]), trains=True)
    database.run(lambda unit: correct(unit, project, stands(database, project, 0), "label", "spam"))
    assert database.run(checks.check) == []
    run_round(database, project, choices([5]), trains=True)
    database.run(lambda unit: correct(unit, project, stands(database, project, 0), "label", "ham"))
    assert database.run(lambda unit: rounds.unfinished(unit, project.id)) is not None


def test_when_every_label_is_withdrawn_the_pool_is_ranked_without_a_model(database: Database, project: Project):
    project = patched(database, project, retrain_every=2)
    ranked(database, project)
    answer(database, project, hand_out(database, project.id, "ada", 2))
    run_round(database, project, choices(list(range(2, 30))), trains=True)
    for ordinal in range(2):
        database.run(lambda unit, at=ordinal: withdraw(unit, project, stands(database, project, at), "deleted"))
    opened = database.run(lambda unit: rounds.unfinished(unit, project.id))
    assert opened is not None
    assert opened.label_count == 0
    with database.unit() as unit:
        claim = jobs.claim(unit, TrainRound(round_id=opened.id), "test")
        assert claim is not None
        turns.begin_training(unit, opened.id)
        turns.finish_training(unit, claim, None, {"not_trained": "no labels"})
        scoring = rounds.get(unit, opened.id)
        assert scoring is not None
        assert (scoring.state, scoring.model_id) == ("scoring", None)
        assert jobs.claim(unit, ScoreShard(round_id=opened.id, shard=0), "test") is not None


def test_a_skip_is_corrected_to_a_label_only_while_the_budget_has_room(database: Database, project: Project):
    project = patched(database, project, budget=2)
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 2)
    send(database, project, handed, [Sent("i0", "ham"), Sent("i1", skip=True)])
    other = hand_out(database, project.id, "bob", 1)  # reserves the last one
    told = send(database, project, handed, [Sent("i1", "ham", correct=True)])
    assert outcomes(told) == [("superseded", "budget_spent")]
    database.run(lambda unit: correct(unit, project, stands(database, project, 1), "label", "ham"))
    assert (now(database, project).answer_seq, stands(database, project, 1).kind) == (2, "skip")
    assert other.batch is not None
    release(database, project.id, other.batch.id)
    assert outcomes(send(database, project, handed, [Sent("i1", "ham", correct=True)])) == [("corrected", None)]
    assert now(database, project).paid_count == 2
