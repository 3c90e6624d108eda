"""Connections, driven by the real passes over a tool of paper: whatever people do there, and whoever dies when."""

from __future__ import annotations

import random

import pytest
from tests.services.boards import Connected, connect, failing_once
from tests.services.notice_board import Board, away
from tests.services.turning import work_off

from tithe.connectors.protocol import Kind
from tithe.loop import parting
from tithe.runtime import Runtime
from tithe.storage import connectors


@pytest.fixture
def here(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Connected:
    return connect(runtime, monkeypatch)


def _write(here: Connected, annotator: str = "ada", count: int = 1) -> list[str]:
    """Somebody writes on the next notes the truth; the notes."""
    done = []
    for _ in range(count):
        note = here.board.next_for(annotator)
        assert note is not None
        here.board.write(note.id, annotator, here.truth[note.text])
        done.append(note.id)
    return done


def test_a_window_of_the_best_is_pinned_in_the_order_of_the_round(here: Connected):
    here.sync()
    assert here.connection.state == "healthy"
    assert len(here.board.notes) == 20
    assert here.look.held == here.look.there == 20
    with here.runtime.database.unit() as unit:
        best = unit.connection.execute(
            "SELECT i.text FROM ready r JOIN items i USING (project_id, ordinal) ORDER BY r.rank LIMIT 20"
        ).fetchall()
    ordered = sorted(here.board.notes.values(), key=lambda note: note.score)
    assert [note.text for note in ordered] == [text for (text,) in best]
    here.clean()


def test_what_is_written_becomes_labels_and_a_round_changes_the_order(here: Connected):
    here.sync()
    before = here.progress().round_number
    _write(here, count=12)
    here.sync()
    assert here.progress().label_count == 12
    assert here.progress().round_number == before + 1
    here.sync()
    assert len(here.board.orders) >= 2
    nearest = here.board.next_for("ada")
    assert nearest is not None
    with here.runtime.database.unit() as unit:
        (text,) = unit.connection.execute(
            "SELECT i.text FROM ready r JOIN items i USING (project_id, ordinal) JOIN progress p USING (project_id)"
            " WHERE r.round_id = p.current_round ORDER BY r.rank LIMIT 1"
        ).fetchone()
    assert nearest.text == text
    here.clean()


def test_no_item_is_given_to_the_tool_and_to_somebody_else(here: Connected):
    here.sync()
    for _ in range(6):
        given = here.http("bob")
        pinned = {note.text for note in here.board.notes.values()}
        assert given
        assert not pinned & set(given)
        _write(here, count=2)
        here.sync()
    written = [note.text for note in here.board.notes.values() if note.written]
    assert len(here.standing()) == len(set(written)) + 30
    here.clean()


def test_an_edit_a_deletion_and_a_skip(here: Connected):
    here.sync()
    first, second, third = (here.board.next_for("ada"), None, None)
    assert first is not None
    a = here.board.write(first.id, "ada", "sport")
    second = here.board.next_for("ada")
    assert second is not None
    b = here.board.write(second.id, "ada", "money")
    third = here.board.next_for("ada")
    assert third is not None
    here.board.write(third.id, "ada", None, Kind.SKIP)
    here.sync()
    assert here.standing()[(first.text, "ada")] == ("label", "sport")
    here.board.rewrite(first.id, a, "health")
    here.board.erase(second.id, b)
    here.sync()
    stands = here.standing()
    assert stands[(first.text, "ada")] == ("label", "health")
    assert (second.text, "ada") not in stands
    assert stands[(third.text, "ada")] == ("skip", None)
    assert (here.progress().label_count, here.progress().skip_count) == (1, 1)
    again = here.board.write(second.id, "bob", "sport")  # the tool was waited for once more
    here.sync()
    assert here.standing()[(second.text, "bob")] == ("label", "sport")
    assert again in {a for note in here.board.notes.values() for a in note.written}
    here.clean()


def test_more_opinions_than_were_asked_for_are_kept_and_take_over(here: Connected):
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    first = here.board.write(note.id, "ada", "sport")
    here.board.write(note.id, "bob", "money")
    here.sync()
    assert here.standing() == {(note.text, "ada"): ("label", "sport")}
    assert (here.look.counted, here.look.extra) == (1, 1)
    here.board.erase(note.id, first)
    here.sync()
    assert here.standing() == {(note.text, "bob"): ("label", "money")}
    here.clean()


def test_a_label_nobody_knows_is_kept_apart_and_counts_once_it_is_mended(here: Connected):
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    wrong = here.board.write(note.id, "ada", "weather")
    here.sync()
    assert here.standing() == {}
    with here.runtime.database.unit() as unit:
        (told,) = connectors.quarantined(unit, here.connector_id, 10)
    assert (told.annotation, told.state) == (wrong, "quarantined")
    assert "'weather' is no class" in str(told.because)
    assert here.look.held == 20  # nobody else is asked while somebody may mend it
    here.board.rewrite(note.id, wrong, "health")
    here.sync()
    assert here.standing() == {(note.text, "ada"): ("label", "health")}
    assert here.look.quarantined == 0
    here.clean()


def test_a_good_label_that_becomes_nonsense_counts_no_more(here: Connected):
    here.sync()
    (task,) = _write(here)
    here.sync()
    (annotation,) = here.board.notes[task].written
    here.board.rewrite(task, annotation, "weather")
    here.sync()
    assert here.standing() == {}
    assert here.progress().label_count == 0
    here.clean()


def test_a_deleted_task_keeps_its_label_and_an_unanswered_one_goes_back(here: Connected):
    here.sync()
    (answered,) = _write(here)
    here.sync()
    open_note = here.board.next_for("ada")
    assert open_note is not None
    here.board.tear_off(answered)
    here.board.tear_off(open_note.id)
    here.runtime.database.run(lambda unit: connectors.hint(unit, here.connector_id, [((), (), True)]))
    work_off(here.runtime)
    assert len(here.standing()) == 1
    texts = {note.text for note in here.board.notes.values()}
    given = here.http("bob", 20)
    assert (open_note.text in given) != (open_note.text in texts)
    here.clean()


def test_labels_go_with_their_tasks_where_the_connection_says_so(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, settings={"labels_of_deleted_tasks": "withdraw"})
    here.sync()
    (answered,) = _write(here)
    here.sync()
    here.board.tear_off(answered)
    here.runtime.database.run(lambda unit: connectors.hint(unit, here.connector_id, [((answered,), (), False)]))
    work_off(here.runtime)
    assert here.standing() == {}
    here.clean()


def test_a_tool_that_is_away_is_told_and_tried_again_and_others_go_on(here: Connected):
    here.sync()
    _write(here, count=3)
    here.board.before = away
    here.sync()
    assert here.connection.state == "failing"
    assert here.connection.problem is not None
    assert here.connection.problem["code"] == "tool_unreachable"
    assert (here.connection.due_at - here.connection.created_at).total_seconds() > 5
    assert here.http("bob")
    here.board.before = lambda _: None
    here.sync()
    assert here.connection.state == "healthy"
    assert here.connection.problem is None
    assert here.progress().label_count == 8
    here.clean()


def test_a_wrong_secret_is_for_somebody_to_mend(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, secret="wrong")
    here.sync()
    assert here.connection.state == "attention"
    assert here.connection.problem is not None
    assert here.connection.problem["remedy"] == "send the right one"
    sealed = runtime.vault.seal("right")
    runtime.database.run(lambda unit: connectors.change(unit, here.connector_id, secret=sealed))
    work_off(runtime)
    assert here.connection.state == "healthy"
    here.clean()


@pytest.mark.parametrize("verb", ["push", "push_one", "rerank", "withdraw", "poll", "everything", "ensure_project"])
def test_a_pass_that_breaks_anywhere_is_finished_by_the_next(here: Connected, verb: str):
    here.board.before = failing_once(verb, RuntimeError("power cut"))
    here.board.after = failing_once(verb, RuntimeError("the answer was lost"))
    here.sync()
    here.sync()
    here.sync()
    here.sync()
    assert here.connection.state == "healthy"
    keys = [note.key for note in here.board.notes.values()]
    assert len(set(keys)) == len(keys) == 20
    texts = [note.text for note in here.board.notes.values()]
    assert len(set(texts)) == 20
    assert here.look.held == here.look.there == 20
    here.clean()


def test_an_item_the_tool_will_never_take_goes_to_others(runtime, monkeypatch):
    here = connect(runtime, monkeypatch)
    here.board.refused = set(list(here.truth)[:40])
    here.sync()
    here.sync()
    assert here.look.rejected > 0
    assert not here.board.refused & {note.text for note in here.board.notes.values()}
    here.clean()


def test_what_the_tool_holds_lapses_when_it_is_silent_and_what_others_took_is_taken_back(here: Connected):
    here.sync()
    pinned = {note.text for note in here.board.notes.values()}
    with here.runtime.database.unit() as unit:
        unit.connection.execute("UPDATE batches SET expires_at = clock_timestamp() - interval '1 s'")
    taken = set(here.http("bob", 8))
    assert taken & pinned
    here.sync()
    here.sync()
    assert not taken & {note.text for note in here.board.notes.values()}
    assert here.look.held == 20
    here.clean()


def test_a_late_answer_counts_if_nobody_took_the_item_over(here: Connected):
    here.sync()
    (task,) = _write(here)
    with here.runtime.database.unit() as unit:
        unit.connection.execute("UPDATE batches SET expires_at = clock_timestamp() - interval '1 s'")
    here.http("bob", 1)
    here.sync()
    note = here.board.notes[task]
    assert sum(text == note.text for text, _ in here.standing()) == 1
    here.clean()


def test_budgets_hold_across_tools(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, budget=15)
    here.sync()
    assert here.look.held == 15
    assert here.http("bob") == []
    _write(here, count=15)
    here.sync()
    here.sync()
    assert here.progress().paid_count == 15
    assert here.look.held == 0
    assert [note for note in here.board.notes.values() if not note.written] == []
    here.clean()


def test_two_opinions_of_each_item_are_the_tools(runtime, monkeypatch):
    here = connect(runtime, monkeypatch, overlap=2)
    here.sync()
    note = here.board.next_for("ada")
    assert note is not None
    here.board.write(note.id, "ada", "sport")
    here.sync()
    here.board.write(note.id, "bob", "money")
    here.board.write(note.id, "cyd", "money")
    here.sync()
    assert here.standing() == {(note.text, "ada"): ("label", "sport"), (note.text, "bob"): ("label", "money")}
    given = here.http("dan", 20)
    assert not set(given) & {one.text for one in here.board.notes.values()}
    here.clean()


def test_a_board_with_notes_of_its_own_becomes_the_pool_and_its_seeds(runtime, monkeypatch):
    board = Board()
    for number in range(30):
        note = board.put(f"the team won match {number}")
        if number < 6:
            board.write(note.id, "ada", "sport" if number % 2 else "money")
    board.put("the team won match 3")  # the same content twice
    here = connect(runtime, monkeypatch, items=0, board=board, settings={"adopt": True})
    here.sync()
    here.sync()
    progress = here.progress()
    assert (progress.label_count, progress.paid_count) == (6, 0)
    assert here.look.held > 0
    assert len(board.notes) == 31  # nothing was made, nothing taken away
    note = board.next_for("bob")
    assert note is not None
    assert note.score < 1.0
    board.write(note.id, "bob", "sport")
    here.sync()
    assert (here.progress().label_count, here.progress().paid_count) == (7, 1)
    here.clean()


def test_leaving_takes_back_what_nobody_answered_and_keeps_what_counts(here: Connected):
    here.sync()
    _write(here, count=4)
    here.runtime.database.run(lambda unit: connectors.leave(unit, here.connector_id))
    work_off(here.runtime)
    assert len(here.board.notes) == 4
    assert here.progress().label_count == 4
    assert here.runtime.database.run(lambda unit: connectors.looks(unit, here.project.id)) == []
    assert here.http("bob", 20)
    here.clean()


def test_leaving_at_once_asks_nobody(here: Connected):
    here.sync()
    here.board.before = away
    parting.part(here.runtime.database, here.connector_id)
    assert len(here.http("bob", 20)) == 20
    here.clean()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_do_and_whoever_dies_the_rows_say_what_the_board_says(runtime, monkeypatch, seed):
    chance = random.Random(seed)
    # Every second time nobody has anything open for long: what falls out of the best is taken back at once.
    runtime = Runtime(
        runtime.settings.model_copy(update={"connector_grace_seconds": 600.0 * (seed % 2)}), runtime.database
    )
    here = connect(runtime, monkeypatch, overlap=1 + seed // 2 % 2, items=150)
    board = here.board
    for _ in range(60):
        _do_something(here, chance)
        if chance.random() < 0.4:
            if chance.random() < 0.4:
                verb = chance.choice(["push", "push_one", "rerank", "withdraw", "poll", "read", "everything"])
                when = chance.choice(["before", "after"])
                setattr(board, when, failing_once(verb, RuntimeError("power cut")))
            here.sync()
            board.before = board.after = lambda _: None
    for _ in range(3):
        here.runtime.database.run(lambda unit: connectors.hint(unit, here.connector_id, [((), (), True)]))
        here.sync()
    _agree(here)
    here.clean()


def _do_something(here: Connected, chance: random.Random) -> None:
    board = here.board
    annotator = chance.choice(["ada", "bob", "cyd"])
    written = [(note.id, a) for note in board.notes.values() for a in note.written]
    act = chance.choice(["write"] * 5 + ["extra", "rewrite", "erase", "tear", "http", "nonsense", "skip"])
    note = board.next_for(annotator)
    if act == "http":
        here.http("dan", 3)
    elif act in ("write", "nonsense", "skip") and note is not None:
        value = "weather" if act == "nonsense" else here.truth[note.text]
        board.write(note.id, annotator, value, Kind.SKIP if act == "skip" else Kind.LABEL)
    elif act == "extra" and board.notes:
        board.write(chance.choice(sorted(board.notes)), annotator, chance.choice(["sport", "money"]))
    elif act == "rewrite" and written:
        board.rewrite(*chance.choice(written), chance.choice(["sport", "money", "weather"]))
    elif act == "erase" and written:
        board.erase(*chance.choice(written))
    elif act == "tear" and board.notes:
        board.tear_off(chance.choice(sorted(board.notes)))


def _agree(here: Connected) -> None:
    """Every note's opinions stand as they are written, as many as were asked for; nothing else does."""
    standing = here.standing()
    overlap = here.project.overlap
    for note in here.board.notes.values():
        said = {}
        for one in note.written.values():
            good = one.kind is Kind.SKIP or one.value in here.project.labels
            if good:
                said.setdefault(one.annotator, []).append((one.kind.value, one.value))
        stands = {who: what for (text, who), what in standing.items() if text == note.text}
        assert len(stands) <= overlap
        # Who labels over HTTP may have been faster where something that does not count was not mended in time.
        assert len([who for who in stands if who != "dan"]) == min(len(said), overlap - ("dan" in stands)), (
            note,
            stands,
        )
        for who, what in stands.items():
            if who != "dan":
                assert what in said[who]


def test_a_window_is_filled_up_though_much_that_fell_out_of_it_still_waits(here: Connected):
    """What fell out of the best is kept a while for whoever has it open, and does not stand in for the window."""
    here.sync()
    for _ in range(4):
        _write(here, count=11)
        here.sync()
        here.sync()
        tasks = list(here.board.notes.values())
        waiting = [note for note in tasks if not note.written and note.score < 20 / 10_000]
        assert len(waiting) > 15
    here.clean()
