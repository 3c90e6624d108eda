"""Answers changed by many at once, and by chance."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.errors import Conflict
from tithe.loop.correct import correct, withdraw
from tithe.loop.hand_out import HandedOut, hand_out, release
from tithe.loop.record import Sent
from tithe.storage import answers, checks, projects, rounds
from tithe.storage.database import Database

from .changing import assert_counted_right, labels, now, outcomes, patched, ranked, send, stands
from .driving import answer, choices, embed_all, expire, fill, line, run_round


@pytest.fixture(autouse=True)
def sound(database: Database, project: Project) -> Iterator[None]:
    """After each test everything adds up."""
    yield
    assert database.run(checks.check) == []
    assert_counted_right(database, project)


def test_two_corrections_at_once_make_one_chain(database: Database, project: Project):
    ranked(database, project, 5)
    handed = hand_out(database, project.id, "ada", 1)
    answer(database, project, handed, "ham")
    gate = threading.Barrier(6)

    def by_batch(number: int) -> str:
        gate.wait()
        return send(database, project, handed, [Sent("i0", ("ham", "spam")[number % 2], correct=True)]).outcomes[0][
            "outcome"
        ]

    def by_rows(number: int) -> str:
        was = stands(database, project, 0)
        gate.wait()
        try:
            if number % 2:
                database.run(lambda unit: withdraw(unit, project, was, "x"))
            else:
                database.run(lambda unit: correct(unit, project, was, "skip", None))
        except Conflict:
            return "late"
        return "replaced"

    with ThreadPoolExecutor(6) as threads:
        done = [*threads.map(lambda n: (by_batch if n < 3 else by_rows)(n), range(6))]
    assert set(done) <= {"corrected", "duplicate", "counted", "late", "replaced"}
    with database.unit() as unit:
        links = unit.connection.execute(
            "SELECT count(*), count(replaces), count(DISTINCT replaces) FROM answers WHERE ordinal = 0"
            " AND state = 'counted'"
        ).fetchone()
    assert links is not None
    assert links[0] == links[1] + 1 == links[2] + 1
    assert links[0] > 1


@pytest.mark.parametrize("change", ["correct", "withdraw"])
def test_a_correction_waits_for_one_that_is_under_way_and_goes_on_from_there(
    database: Database, project: Project, change: str
):
    ranked(database, project, 5)
    handed = hand_out(database, project.id, "ada", 2)
    answer(database, project, handed, "ham")
    was = stands(database, project, 0)
    with ThreadPoolExecutor(1) as threads:
        with database.unit() as unit:
            if change == "correct":
                correct(unit, project, was, "skip", None)
            else:
                withdraw(unit, project, was, "x")
            late = threads.submit(send, database, project, handed, [Sent("i0", "spam", correct=True)])
            time.sleep(0.3)
            assert not late.done()
        told = late.result()
    assert outcomes(told) == [("corrected" if change == "correct" else "counted", None)]
    assert labels(database, project) == {(0, "ada"): "spam", (1, "ada"): "ham"}


def test_a_tool_and_its_people_answer_the_same_items_at_once(database: Database, project: Project):
    project = patched(database, project, overlap=2)
    ranked(database, project, 20)
    tool, bob = hand_out(database, project.id, "tool", 20), hand_out(database, project.id, "bob", 20)
    gate = threading.Barrier(2)

    def in_turn(handed: HandedOut, annotator: str | None) -> None:
        gate.wait()
        for item in handed.items:
            send(database, project, handed, [Sent(item.external_id, "ham", annotator=annotator, correct=True)])

    with ThreadPoolExecutor(2) as threads:
        for future in (threads.submit(in_turn, tool, "bob"), threads.submit(in_turn, bob, None)):
            future.result()
    assert set(labels(database, project)) == {(ordinal, "bob") for ordinal in range(20)}


# ---- whatever people do ----

PEOPLE = ["ada", "bob", "cleo"]


class Walk:
    """A project in which everything happens, by chance."""

    def __init__(self, database: Database, project: Project, seed: int) -> None:
        self.database, self.project, self.chance = database, project, random.Random(seed)
        self.batches: list[HandedOut] = []
        self.seen: set[str] = set()

    def step(self) -> None:
        often, rarely = (
            [self.ask, self.send, self.send],
            [self.correct, self.withdraw, self.lapse, self.bring, self.turn],
        )
        moves = [*often, *often, *rarely]
        self.chance.choice(moves)()

    def said(self, item_id: str) -> Sent:
        skip = self.chance.random() < 0.25
        who = self.chance.choice([None, None, None, *PEOPLE])
        return Sent(
            item_id, None if skip else self.chance.choice(["ham", "spam"]), skip, None, who, self.chance.random() < 0.6
        )

    def ask(self) -> None:
        who = self.chance.choice([*PEOPLE, "tool"])
        handed = hand_out(self.database, self.project.id, who, self.chance.randint(1, 4))
        if handed.batch is not None:
            self.batches.append(handed)

    def send(self) -> None:
        if self.batches:
            handed = self.chance.choice(self.batches[-6:])  # perhaps long over
            some = self.chance.sample(handed.items, self.chance.randint(1, len(handed.items)))
            told = send(self.database, self.project, handed, [self.said(one.external_id) for one in some])
            self.seen |= {one["outcome"] for one in told.outcomes}

    def one_that_stands(self) -> answers.Standing | None:
        ordinals = list(range(30))
        found = self.database.run(lambda unit: answers.standing(unit, self.project.id, ordinals))
        return self.chance.choice(found) if found else None

    def correct(self) -> None:
        if was := self.one_that_stands():
            kind, value = self.chance.choice([("label", "ham"), ("label", "spam"), ("skip", None)])
            self.database.run(lambda unit: correct(unit, self.project, was, kind, value))

    def withdraw(self) -> None:
        if was := self.one_that_stands():
            self.database.run(lambda unit: withdraw(unit, self.project, was, "changed my mind"))
            self.seen.add("withdrawn")

    def lapse(self) -> None:
        if self.batches and self.chance.random() < 0.5:
            expire(self.database)
        elif self.batches and (batch := self.chance.choice(self.batches).batch):
            release(self.database, self.project.id, batch.id)

    def bring(self) -> None:
        n = self.chance.randrange(30)
        item = line(n, label=self.chance.choice(["ham", "spam"]), split="test" if n % 10 == 9 else "pool", cost=cost(n))
        fill(self.database, self.project, [item])

    def turn(self) -> None:
        found = self.database.run(lambda unit: rounds.unfinished(unit, self.project.id))
        if found is not None:
            chosen = self.chance.sample([n for n in range(30) if n % 10 != 9], 20)
            trains = found.state == "requested"
            run_round(self.database, self.project, choices(chosen), trains=trains)


def cost(number: int) -> int:
    return (1, 2, 3, 7)[number % 4]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_changed_everything_adds_up_after_every_step(database: Database, seed: int):
    spec = ProjectSpec(
        name="walk", task=Task.TEXT, labels=["ham", "spam"], encoder="hashing", retrain_every=8, batch_size=3,
        overlap=1 + seed % 2, budget=60 if seed < 2 else None, budget_unit="words",
    )  # fmt: skip
    project = database.run(lambda unit: projects.create(unit, spec))
    fill(database, project, [line(n, split="test" if n % 10 == 9 else "pool", cost=cost(n)) for n in range(30)])
    embed_all(database, project)
    walk = Walk(database, project, seed)
    walk.turn()
    for _ in range(120):
        walk.step()
        assert database.run(checks.check) == []
        assert now(database, project).paid_count < 60 + 7 or seed > 1
    assert_counted_right(database, project)
    assert walk.seen >= {"counted", "skipped", "corrected", "superseded", "withdrawn"}
