"""People change their minds: answers corrected, by themselves and through a batch that is held for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from tithe.contracts.projects import Project
from tithe.errors import InvalidLabel, KeyReused
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent
from tithe.storage import answers, checks, queue
from tithe.storage.database import Database

from .changing import assert_counted_right, labels, now, outcomes, patched, ranked, send, stands
from .driving import answer, expire


@pytest.fixture(autouse=True)
def sound(database: Database, project: Project) -> Iterator[None]:
    """After each test everything adds up."""
    yield
    assert database.run(checks.check) == []
    assert_counted_right(database, project)


# ---- through one's own batch ----


def test_whoever_changes_their_mind_is_trained_on_as_they_say_now(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 3)
    answer(database, project, handed, "ham")
    again = send(database, project, handed, [Sent("i0", "spam", correct=True), Sent("i1", "ham", correct=True)])
    assert outcomes(again) == [("corrected", None), ("duplicate", "answered_before")]
    assert labels(database, project) == {(0, "ada"): "spam", (1, "ada"): "ham", (2, "ada"): "ham"}
    progress = now(database, project)
    assert (progress.answer_seq, progress.label_count, progress.paid_count, progress.change_count) == (4, 3, 3, 4)
    with database.unit() as unit:
        assert answers.training_set(unit, project.id, 3, "pool") == [(0, "ham"), (1, "ham"), (2, "ham")]
        assert answers.training_set(unit, project.id, 4, "pool") == [(1, "ham"), (2, "ham"), (0, "spam")]
        assert answers.class_counts(unit, project.id) == {"ham": 2, "spam": 1}
        assert [one[:3] for one in answers.annotators(unit, project.id)] == [("ada", 3, 0)]


def test_without_saying_so_a_second_answer_takes_nothing_s_place(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 1)
    answer(database, project, handed, "ham")
    assert outcomes(send(database, project, handed, [Sent("i0", "spam")])) == [("superseded", "answered_before")]
    assert labels(database, project) == {(0, "ada"): "ham"}


def test_a_label_becomes_a_skip_and_a_skip_a_label(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 2)
    send(database, project, handed, [Sent("i0", "ham"), Sent("i1", skip=True)])
    told = send(database, project, handed, [Sent("i0", skip=True, correct=True), Sent("i1", "ham", correct=True)])
    assert outcomes(told) == [("corrected", None), ("corrected", None)]
    progress = now(database, project)
    assert (progress.label_count, progress.skip_count, progress.paid_count) == (1, 1, 1)
    assert (progress.settled_slots, progress.change_count) == (2, 3)
    assert stands(database, project, 0).kind == "skip"


def test_a_first_answer_may_say_that_it_corrects(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 2)
    told = send(database, project, handed, [Sent("i0", "ham", correct=True), Sent("i1", skip=True, correct=True)])
    assert outcomes(told) == [("counted", None), ("skipped", None)]
    assert told.batch_state == "closed"


def test_an_answer_of_an_older_batch_is_corrected_through_a_newer_one(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    ranked(database, project, 1)
    answer(database, project, hand_out(database, project.id, "ada", 1), "ham")
    theirs = hand_out(database, project.id, "tool", 1)
    told = send(database, project, theirs, [Sent("i0", "spam", annotator="ada", correct=True)])
    assert (outcomes(told), told.waiting) == ([("corrected", None)], 1)  # the tool's lease still waits for a second
    assert labels(database, project) == {(0, "ada"): "spam"}


def test_the_same_call_again_is_remembered_with_what_it_corrected(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 2)
    answer(database, project, handed, "ham")
    sent = [Sent("i0", "spam", correct=True)]
    first = send(database, project, handed, sent, "k")
    assert send(database, project, handed, sent, "k") == first
    with pytest.raises(KeyReused):
        send(database, project, handed, [Sent("i0", "spam")], "k")
    assert now(database, project).answer_seq == 3


def test_a_key_of_the_last_release_is_known_again(database: Database, project: Project):
    """Its digests were made of what there was to be said then."""
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 1)
    send(database, project, handed, [Sent("i0", "ham", note="so")], "k")
    with database.unit() as unit:
        stored = unit.connection.execute("SELECT sha256 FROM idempotency_keys").fetchone()
    assert handed.batch is not None
    then = [str(handed.batch.id), [{"item_id": "i0", "label": "ham", "skip": False, "note": "so"}]]
    assert stored == (hashlib.sha256(json.dumps(then, sort_keys=True).encode()).hexdigest(),)


def test_one_bad_correction_refuses_the_call_and_stores_nothing(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "ada", 2)
    answer(database, project, handed, "ham")
    with pytest.raises(InvalidLabel, match="no class of this project"):
        send(database, project, handed, [Sent("i0", "spam", correct=True), Sent("i1", "egg", correct=True)])
    assert now(database, project).answer_seq == 2


# ---- for others ----


def test_a_tool_s_lease_is_settled_under_the_name_of_who_answered(database: Database, project: Project):
    ranked(database, project)
    handed = hand_out(database, project.id, "tool", 3)
    told = send(database, project, handed, [
        Sent("i0", "ham", annotator="bob"), Sent("i1", skip=True, annotator="cleo"), Sent("i2", "spam"),
    ])  # fmt: skip
    assert [one for one, _ in outcomes(told)] == ["counted", "skipped", "counted"]
    assert (told.batch_state, told.waiting) == ("closed", 0)
    assert labels(database, project) == {(0, "bob"): "ham", (2, "tool"): "spam"}
    again = send(database, project, handed, [Sent("i0", "spam", annotator="bob", correct=True)])
    assert outcomes(again) == [("corrected", None)]


def test_nobody_is_counted_twice_for_an_item_by_answering_in_a_tool(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    ranked(database, project, 1)
    answer(database, project, hand_out(database, project.id, "bob", 1), "ham")
    handed = hand_out(database, project.id, "tool", 1)
    told = send(database, project, handed, [Sent("i0", "spam", annotator="bob")])
    assert (outcomes(told), told.waiting) == ([("superseded", "answered_before")], 1)
    assert send(database, project, handed, [Sent("i0", "spam", annotator="cleo")]).batch_state == "closed"
    assert labels(database, project) == {(0, "bob"): "ham", (0, "cleo"): "spam"}


def test_an_opinion_more_than_were_asked_for_is_kept_and_does_not_count(database: Database, project: Project):
    ranked(database, project, 2)
    handed = hand_out(database, project.id, "tool", 2)
    send(database, project, handed, [Sent("i0", "ham", annotator="bob")])
    assert outcomes(send(database, project, handed, [Sent("i0", "ham", annotator="cleo")])) == [
        ("superseded", "item_taken")
    ]


def test_a_second_opinion_through_the_same_batch_counts_while_one_is_wanted(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    ranked(database, project, 2)
    handed = hand_out(database, project.id, "tool", 2)
    for who, outcome in (("bob", "counted"), ("cleo", "counted"), ("dan", "superseded")):
        assert outcomes(send(database, project, handed, [Sent("i0", "ham", annotator=who)]))[0][0] == outcome


def test_who_answers_in_a_tool_is_not_asked_again_in_their_own_batch(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    ranked(database, project, 2)
    mine, theirs = hand_out(database, project.id, "bob", 1), hand_out(database, project.id, "tool", 2)
    assert outcomes(send(database, project, theirs, [Sent("i0", "ham", annotator="bob")])) == [("counted", None)]
    with database.unit() as unit:
        assert mine.batch is not None
        batch = queue.lock_batch(unit, project.id, mine.batch.id)
        assert batch is not None
        assert batch.state == "released"  # nothing is left to ask
    assert outcomes(send(database, project, mine, [Sent("i0", "spam")])) == [("superseded", "answered_before")]
    assert outcomes(send(database, project, mine, [Sent("i0", "ham")])) == [("duplicate", "answered_before")]
    assert [i.ordinal for i in hand_out(database, project.id, "bob", 2).items] == [1]
    assert [i.ordinal for i in hand_out(database, project.id, "eve", 2).items] == [0]


def test_a_late_answer_in_a_tool_counts_under_the_name_of_who_gave_it(database: Database, project: Project):
    ranked(database, project, 4)
    handed = hand_out(database, project.id, "tool", 2)
    expire(database)
    hand_out(database, project.id, "eve", 1)  # takes the first over
    told = send(database, project, handed, [Sent("i0", "ham", annotator="bob"), Sent("i1", "ham", annotator="bob")])
    assert outcomes(told) == [("superseded", "lease_lapsed"), ("counted", None)]
    assert labels(database, project) == {(1, "bob"): "ham"}
