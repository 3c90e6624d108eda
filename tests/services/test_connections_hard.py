"""Hard cases of connections: each was found broken once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from tests.services.boards import Connected, connect, failing_once
from tests.services.notice_board import BoardConnector, away
from tests.services.turning import work_off

from tithe.connectors.errors import ToolMisbehaves, ToolUnreachable
from tithe.loop import parting
from tithe.loop.checking import digest_of
from tithe.loop.hand_out import reclaim_lapsed
from tithe.runtime import Runtime
from tithe.storage import connectors


@pytest.fixture
def here(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Connected:
    return connect(runtime, monkeypatch)


def sql(here: Connected, query: str) -> list[tuple]:
    with here.runtime.database.unit() as unit:
        return unit.connection.execute(query).fetchall()


def write(here: Connected, count: int = 1, annotator: str = "ada") -> int:
    done = 0
    while done < count and (note := here.board.next_for(annotator)) is not None:
        here.board.write(note.id, annotator, here.truth[note.text])
        done += 1
    return done


def test_a_round_that_is_ready_during_a_push_reaches_the_tool(here: Connected):
    here.sync()
    fired: list[bool] = []

    def meanwhile(verb: str) -> None:
        if verb == "push" and not fired:
            fired.append(True)
            here.http("bob", 5)
            here.http("bob", 5)
            work_off(here.runtime)

    here.board.after = meanwhile
    write(here, 6)
    here.sync()
    here.sync()
    assert fired
    best = sql(
        here,
        "SELECT i.text FROM ready r JOIN items i USING (project_id, ordinal) JOIN progress p USING (project_id)"
        " WHERE r.round_id = p.current_round ORDER BY r.rank LIMIT 20",
    )
    assert {text for (text,) in best} <= {note.text for note in here.board.notes.values()}
    assert here.connection.ordered_round == here.progress().current_round
    here.clean()


def test_a_group_whose_push_broke_off_is_pushed_again_until_it_is_closed(here: Connected):
    here.board.after = failing_once("push", ToolUnreachable("broke off before the group was closed"))
    here.sync()
    here.sync()
    here.sync()
    assert here.board.groups.count(here.board.groups[0]) == 2
    assert len(here.board.notes) == 20
    here.clean()


def test_what_was_refilled_before_an_order_failed_is_ordered_by_the_next_pass(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, retrain_every=50)
    here.sync()
    write(here, 6)
    here.board.before = failing_once("rerank", ToolUnreachable("away"))
    here.sync()
    here.sync()
    assert [note for note in here.board.notes.values() if note.score == 1.0 and not note.written] == []


def test_two_tasks_with_one_key_do_not_withdraw_each_others_answers(here: Connected):
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    here.board.write(note.id, "ada", here.truth[note.text])
    here.sync()
    copy = here.board.put(note.text, key=note.key)
    for _ in range(3):
        here.board._touch(copy.id)
        here.board._touch(note.id)
        here.sync()
    assert here.standing() == {(note.text, "ada"): ("label", here.truth[note.text])}
    assert here.progress().change_count == 1
    here.board.erase(note.id, next(iter(note.written)))
    here.board.write(copy.id, "bob", "sport")
    here.sync()
    assert here.standing() == {(note.text, "bob"): ("label", "sport")}
    here.clean()


def test_one_person_is_asked_on_where_two_opinions_are_wanted(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, settings={"window": 8}, overlap=2, retrain_every=50)
    here.sync()
    done = 0
    for _ in range(12):
        done += write(here)
        here.sync()
    assert done == 12
    here.clean()


def test_a_tool_that_answers_once_is_not_connected_where_two_opinions_are_wanted(runtime, monkeypatch):
    can = BoardConnector.capabilities.fget
    monkeypatch.setattr(BoardConnector, "capabilities", property(lambda self: replace(can(self), overlap=False)))
    here = connect(runtime, monkeypatch, overlap=2)
    here.sync()
    assert here.connection.state == "attention"
    assert here.connection.problem is not None
    assert here.connection.problem["code"] == "schema_unfit"
    assert here.look.held == 0


def test_what_somebody_else_answered_before_it_was_pushed_is_not_pushed(runtime, monkeypatch):
    here = connect(runtime, monkeypatch)
    here.board.before = lambda verb: away(verb) if verb == "push" else None
    here.sync()
    with here.runtime.database.unit() as unit:
        unit.connection.execute("UPDATE batches SET expires_at = clock_timestamp() - interval '1 s'")
    reclaim_lapsed(here.runtime.database)
    given = {text for _ in range(5) for text in here.http("bob", 5)}
    here.board.before = lambda _: None
    here.sync()
    assert not given & {note.text for note in here.board.notes.values()}
    here.clean()


def test_a_hint_nothing_can_be_made_of_does_not_stop_polling(here: Connected, monkeypatch):
    here.sync()
    read = BoardConnector.read

    def poisoned(self, remote, tasks):
        if "poison" in tasks:
            raise ToolMisbehaves("what is that")
        return read(self, remote, tasks)

    monkeypatch.setattr(BoardConnector, "read", poisoned)
    here.runtime.database.run(lambda unit: connectors.hint(unit, here.connector_id, [(("poison",), (), False)]))
    write(here)
    here.sync()
    assert here.progress().label_count == 1
    assert here.connection.state == "healthy"
    assert sql(here, "SELECT count(*) FROM connector_hints") == [(0,)]


def test_a_new_secret_is_tried_at_once_though_a_pass_is_failing_just_then(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, secret="wrong")
    called = BoardConnector._called

    def replaced_meanwhile(self, verb):
        if self._secret == "wrong":
            sealed = runtime.vault.seal("right")
            runtime.database.run(lambda unit: connectors.change(unit, here.connector_id, secret=sealed))
        called(self, verb)

    monkeypatch.setattr(BoardConnector, "_called", replaced_meanwhile)
    work_off(runtime)
    assert here.connection.state == "healthy"


def test_a_tool_gets_every_opinion_of_an_item_or_none(runtime, monkeypatch):
    """A hand-out of one opinion that commits while the tool is given the item."""
    here = connect(runtime, monkeypatch, overlap=2, retrain_every=500)
    ((ordinal,),) = sql(
        here,
        "SELECT r.ordinal FROM ready r JOIN progress p USING (project_id) WHERE r.round_id = p.current_round"
        " ORDER BY rank LIMIT 1",
    )
    with psycopg.connect(runtime.database.url) as other:
        other.execute(
            "WITH b AS (INSERT INTO batches (project_id, annotator, state, expires_at)"
            "  VALUES (%(p)s, 'bob', 'open', now() + interval '1 h') RETURNING id)"
            " INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, chosen_by)"
            " SELECT %(p)s, %(o)s, 1, 'bob', b.id, 'active', 'entropy' FROM b", {"p": here.project.id, "o": ordinal},
        )  # fmt: skip
        threading.Timer(0.5, other.commit).start()
        here.sync()
    holders = sql(here, f"SELECT annotator FROM leases WHERE ordinal = {ordinal} AND state = 'active'")
    assert holders == [("bob",)]
    here.clean()


def test_an_answer_that_is_never_mended_is_given_up_and_the_window_stays_full(runtime, monkeypatch):
    runtime = Runtime(runtime.settings.model_copy(update={"connector_grace_seconds": 0.0}), runtime.database)
    here = connect(runtime, monkeypatch, settings={"window": 8}, retrain_every=50)
    here.sync()
    for _ in range(3):
        for _ in range(8):
            note = here.board.next_for("ada")
            assert note is not None
            here.board.write(note.id, "ada", "no such label")
        here.sync()
        here.sync()
    assert here.look.quarantined == 24
    assert here.look.held <= 16
    here.clean()


def test_labels_go_on_while_tools_are_refilled(here: Connected):
    """Hand-outs and a tool's refill take the same rows in the same order: nobody is undone by the other."""
    before = sql(here, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    stop = threading.Event()

    def label(name: str) -> None:
        while not stop.is_set() and here.http(name, 2):
            pass

    people = [threading.Thread(target=label, args=(f"p{n}",)) for n in range(3)]
    for one in people:
        one.start()
    for _ in range(6):
        here.sync()
        write(here, 8)
    stop.set()
    for one in people:
        one.join()
    here.sync()
    assert sql(here, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == before
    here.clean()


def test_an_id_that_is_given_again_is_another_task(here: Connected):
    """Some tools give a deleted task's id to the next one."""
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    here.board.tear_off(note.id)
    stranger = here.board.put("something else altogether")
    del here.board.notes[stranger.id]
    stranger.id = note.id
    here.board.notes[note.id] = stranger
    here.board.write(note.id, "ada", "money")
    here.sync()
    assert here.standing() == {}
    here.board.tear_off(note.id)
    write(here, 6)
    here.board._numbers = iter([int(note.id[1:]), *range(1000, 2000)])  # the next one pushed gets it
    here.sync()
    here.sync()
    assert here.connection.state == "healthy"
    assert here.board.notes[note.id].key is not None
    here.clean()


@pytest.mark.parametrize(
    "broken",
    [
        {"raw": {"text": ["a\x00b", "\ud83d"]}},
        {"created_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - a tool that names no zone
        {"created_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))},
        {"annotator": "a" * 10_000},
        {"annotator": "@import"},
        {"value": {"not": ["a", {"label": "\x00"}]}},
    ],
    ids=["unstorable", "no zone", "beyond time", "long name", "our name", "no label"],
)
def test_one_strange_annotation_stops_nothing(here: Connected, broken: dict):
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    for annotator in ("ada", "bob"):
        identity = here.board.write(note.id, annotator, here.truth[note.text])
    note.written[identity] = replace(note.written[identity], **broken)
    write(here, 2)
    here.sync()
    assert here.connection.state == "healthy"
    assert here.progress().label_count == 3
    with here.runtime.database.unit() as unit:
        assert len(connectors.quarantined(unit, here.connector_id, 10)) == 1
    here.clean()


def test_a_key_that_is_none_of_ours_is_no_key(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, settings={"adopt": True})
    here.sync()
    note = here.board.put("a text of theirs", key="a\x00b")
    here.board.write(note.id, "ada", "sport")
    here.sync()
    assert here.connection.state == "healthy"
    assert here.standing() == {("a text of theirs", "ada"): ("label", "sport")}


def test_one_id_on_two_tasks_counts_once(here: Connected):
    here.sync()
    write(here, 2)
    first, second = (note for note in here.board.notes.values() if note.written)
    (annotation,) = first.written.values()
    second.written = {annotation.id: annotation}
    here.sync()
    here.sync()
    assert here.progress().label_count == 1
    here.board.erase(first.id, annotation.id)
    second.written.clear()
    here.board._touch(second.id)
    here.sync()
    assert here.standing() == {}
    here.clean()


def test_who_connects_again_goes_on_from_what_was_said(runtime, monkeypatch):
    here = connect(runtime, monkeypatch)
    with runtime.database.unit() as unit:  # the items of these tests have digests that are made up
        for (text,) in unit.connection.execute("SELECT text FROM items").fetchall():
            digest = digest_of(text, None, None)
            unit.connection.execute("UPDATE items SET digest = %s WHERE text = %s", (digest, text))
    here.sync()
    write(here, 3)
    here.sync()
    parting.part(runtime.database, here.connector_id)
    added = runtime.database.run(
        lambda unit: connectors.add(
            unit, here.project.id, kind="board", name="again", settings={"adopt": True},
            secret=runtime.vault.seal("right"), hook_secret=runtime.vault.seal("hook"),
        )
    )  # fmt: skip
    here.connector_id = added.id
    here.sync()
    assert (here.look.counted, here.look.extra) == (3, 0)
    note = next(note for note in here.board.notes.values() if note.written)
    (annotation,) = note.written
    here.board.rewrite(note.id, annotation, "sport" if here.truth[note.text] != "sport" else "money")
    here.sync()
    assert here.standing()[(note.text, "ada")][1] != here.truth[note.text]
    here.board.erase(note.id, annotation)
    here.sync()
    assert (note.text, "ada") not in here.standing()
    here.clean()


def test_a_secret_that_the_tool_quotes_is_blotted_out(runtime, monkeypatch):
    here = connect(runtime, monkeypatch)
    quoted = "no: token right, and eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
    here.board.before = failing_once("health", ToolUnreachable(quoted))
    work_off(runtime)
    assert here.connection.problem is not None
    assert here.connection.problem["detail"] == "no: token ***, and ***"


def test_a_smaller_window_is_taken_back_to(runtime, monkeypatch):
    runtime = Runtime(runtime.settings.model_copy(update={"connector_grace_seconds": 0.0}), runtime.database)
    here = connect(runtime, monkeypatch, retrain_every=50)
    here.sync()
    runtime.database.run(lambda unit: connectors.change(unit, here.connector_id, settings={"window": 4}))
    here.sync()
    here.sync()
    assert here.look.held == 4
    here.clean()
