"""A budget that counts words: handed out in order while it lasts, exceeded by less than one item, never left lying."""

from __future__ import annotations

import random

import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.loop.hand_out import HandedOut, hand_out, reclaim_lapsed, release
from tithe.loop.record import Sent, record
from tithe.storage import answers, checks, projects
from tithe.storage.database import Database

from .driving import answer, choices, embed_all, expire, fill, line, run_round


def words_project(database: Database, budget: int | None, **more: object) -> Project:
    spec = ProjectSpec(
        name="words", task=Task.TEXT, labels=["ham", "spam"], encoder="hashing", batch_size=3, retrain_every=1000,
        budget=budget, budget_unit="words", **more,
    )  # fmt: skip
    return database.run(lambda unit: projects.create(unit, spec))


def ranked(database: Database, project: Project, costs: list[int]) -> None:
    """A pool whose queue is in the order of its lines."""
    fill(database, project, [line(n, cost=cost) for n, cost in enumerate(costs)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(len(costs)))), trains=False)


def got(handed: HandedOut) -> list[int]:
    return [one.ordinal for one in handed.items]


def paid(database: Database, project: Project) -> int:
    return database.run(lambda unit: answers.progress(unit, project.id)).paid_count


def test_items_are_handed_out_in_order_while_their_words_fit(database: Database):
    project = words_project(database, 20)
    ranked(database, project, [5, 5, 9, 30, 1, 1])
    ada = hand_out(database, project.id, "ada", 5)
    assert got(ada) == [0, 1, 2]  # the fourth does not fit, and what is shorter does not jump the queue
    bob = hand_out(database, project.id, "bob", 5)
    assert (got(bob), bob.empty_because, bob.retry_after_seconds) == ([], "budget_reserved", 5)
    answer(database, project, ada)
    assert paid(database, project) == 19
    last = hand_out(database, project.id, "bob", 5)
    assert got(last) == [3]  # nothing else is held: the last item may be longer than what is left
    assert got(hand_out(database, project.id, "ada", 5)) == []
    answer(database, project, last)
    assert paid(database, project) == 49
    assert hand_out(database, project.id, "ada", 5).empty_because == "budget_spent"
    assert database.run(checks.check) == []


def test_a_skip_costs_nothing_and_frees_what_was_held_for_it(database: Database):
    project = words_project(database, 12)
    ranked(database, project, [10, 10, 10])
    first = hand_out(database, project.id, "ada", 1)
    assert hand_out(database, project.id, "bob", 1).empty_because == "budget_reserved"
    assert first.batch is not None
    record(database, project.id, first.batch.id, [Sent("i0", skip=True)])
    assert (paid(database, project), got(hand_out(database, project.id, "bob", 1))) == (0, [1])
    release(database, project.id, hand_out(database, project.id, "bob", 1).batch.id)  # type: ignore[union-attr]
    assert got(hand_out(database, project.id, "cleo", 1)) == [1]


def test_unranked_items_keep_to_the_budget_too(database: Database):
    project = words_project(database, 10)
    fill(database, project, [line(n, cost=4) for n in range(30)])  # no round: the queue is empty
    ada = hand_out(database, project.id, "ada", 5)
    assert [one.chosen_by for one in ada.items] == ["random", "random"]
    assert hand_out(database, project.id, "bob", 5).empty_because == "budget_reserved"
    answer(database, project, ada)
    assert len(hand_out(database, project.id, "bob", 5).items) == 1


def test_an_item_longer_than_the_whole_budget_is_handed_out_alone(database: Database):
    project = words_project(database, 3)
    fill(database, project, [line(n, cost=40) for n in range(3)])
    handed = hand_out(database, project.id, "ada", 3)
    assert len(handed.items) == 1
    assert hand_out(database, project.id, "bob", 3).empty_because == "budget_reserved"


def test_words_without_an_end_are_counted_all_the_same(database: Database):
    project = words_project(database, None)
    ranked(database, project, [7, 8, 9, 10])
    answer(database, project, hand_out(database, project.id, "ada", 4))
    assert paid(database, project) == 34


@pytest.mark.parametrize(("budget", "counted"), [(30, 3), (29, 2), (10, 1), (9, 1)])
def test_late_answers_count_as_far_as_the_budget_goes(database: Database, budget: int, counted: int):
    project = words_project(database, 30)
    ranked(database, project, [10, 10, 10])
    late = hand_out(database, project.id, "ada", 3)
    expire(database)
    reclaim_lapsed(database)
    with database.unit() as unit:
        unit.connection.execute("UPDATE projects SET budget = %s", (budget,))
    outcomes = [one["outcome"] for one in answer(database, project, late).outcomes]
    assert outcomes == ["counted"] * counted + ["superseded"] * (3 - counted)
    assert paid(database, project) == 10 * counted
    assert database.run(checks.check) == []


def test_a_late_answer_waits_for_what_others_hold(database: Database):
    project = words_project(database, 15)
    ranked(database, project, [10, 10, 10])
    late = hand_out(database, project.id, "ada", 1)
    expire(database)
    reclaim_lapsed(database)
    with database.unit() as unit:  # somebody else got another item meanwhile
        unit.connection.execute("UPDATE ready SET rank = rank + 100 WHERE ordinal = 0")
    assert got(hand_out(database, project.id, "bob", 1)) == [1]
    assert [one["outcome"] for one in answer(database, project, late).outcomes] == ["superseded"]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_people_do_a_budget_is_spent_and_exceeded_by_less_than_one_item(database: Database, seed: int):
    chance = random.Random(seed)
    costs = [chance.choice([1, 2, 3, 5, 8, 40]) for _ in range(40)]
    project = words_project(database, 60, overlap=2 if seed == 2 else 1)
    ranked(database, project, costs)
    held: dict[str, HandedOut] = {}
    for _ in range(200):
        who = chance.choice(["ada", "bob", "cleo", "dan"])
        handed = hand_out(database, project.id, who, chance.randint(1, 6))
        if handed.empty_because in ("budget_spent", "pool_exhausted"):
            break
        if handed.batch is None:
            continue
        held[who] = handed
        done = chance.random()
        if done < 0.5:
            some = handed.items[: chance.randint(1, len(handed.items))]
            sent = [Sent(one.external_id, "ham") for one in some]
            sent = [one if chance.random() < 0.8 else Sent(one.item_id, skip=True) for one in sent]
            record(database, project.id, handed.batch.id, sent)
        elif done < 0.6:
            release(database, project.id, handed.batch.id)
        elif done < 0.7:
            expire(database)
        elif done < 0.75 and held:  # perhaps long lapsed
            answer(database, project, chance.choice(list(held.values())))
        spent = paid(database, project)
        assert spent < 60 + max(costs)
    else:
        raise AssertionError("the budget was neither spent nor the pool exhausted")
    assert 60 <= paid(database, project) < 60 + max(costs)
    assert database.run(checks.check) == []
