"""The control arm: a random slice of every hand-out that nobody can tell, that no model learns from, to measure by."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tithe.contracts.projects import Project, ProjectPatch, ProjectSpec, Task
from tithe.contracts.proof import as_told
from tithe.contracts.tasks import MeasureRound
from tithe.loop import rounds as turns
from tithe.loop.hand_out import hand_out
from tithe.proof import draw
from tithe.runtime import Runtime
from tithe.storage import checks, jobs, projects, proof, rounds
from tithe.storage.pool import NewItem

from .turning import bring_in, label, work_off

ITEMS = 600


def vector_project(runtime: Runtime, **changes: object) -> tuple[Project, dict[str, object]]:
    """Two classes on a line through eight dimensions, not quite apart."""
    settings = {
        "strategy": "margin", "batch_size": 10, "retrain_every": 40, "seed": 5, "control": 0.2, "near_duplicate": None,
        **changes,
    }  # fmt: skip
    spec = ProjectSpec(name="vectors", task=Task.VECTORS, labels=["a", "b"], **settings)
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((ITEMS, 8), dtype=np.float32)
    rows[:, 0] += np.where(np.arange(ITEMS) % 2, 1.5, -1.5)
    items = [NewItem(n, f"i{n}", f"{n:016d}".encode(), "pool", vector=row) for n, row in enumerate(rows)]
    bring_in(runtime, project, items, block_rows=200)
    work_off(runtime)
    return project, {f"i{n}": "ab"[n % 2] for n in range(ITEMS)}


def queue_of(runtime: Runtime, project: Project) -> list[tuple[int, str, dict[str, object]]]:
    with runtime.database.unit() as unit:
        return unit.connection.execute(
            "SELECT ordinal, chosen_by, why FROM ready WHERE project_id = %s ORDER BY rank", (project.id,)
        ).fetchall()


def set_aside(project: Project, share: float = 0.2) -> list[int]:
    return draw.in_turn(project.seed, np.arange(ITEMS), share).tolist()


def test_a_fifth_of_the_queue_is_drawn_in_order_and_no_strategy_touches_the_reserve(runtime: Runtime):
    project, truth = vector_project(runtime)
    for _ in range(2):  # before there is a model, and with one
        queue = queue_of(runtime, project)
        control = [ordinal for ordinal, chosen_by, _ in queue if chosen_by == "control"]
        left = [one for one in set_aside(project) if one not in labeled(runtime, project)]
        assert control == left[: len(control)]
        for stretch in range(0, len(queue) - 50, 50):
            assert 8 <= sum(by == "control" for _, by, _ in queue[stretch : stretch + 50]) <= 12
        chosen = {ordinal for ordinal, by, _ in queue if by != "control"}
        assert not chosen & set(set_aside(project))
        label(runtime, project, truth, 40)
        work_off(runtime)
    assert runtime.database.run(checks.check) == []


def labeled(runtime: Runtime, project: Project) -> set[int]:
    with runtime.database.unit() as unit:
        return {row[0] for row in unit.connection.execute("SELECT ordinal FROM answers").fetchall()}


def test_no_model_learns_from_the_control_arm(runtime: Runtime):
    project, truth = vector_project(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        model = rounds.current_model(unit, project.id)
    aside = labeled(runtime, project) & set(set_aside(project))
    assert len(aside) in (7, 8, 9)
    assert model.label_count == 40 - len(aside)


@pytest.mark.parametrize("strategy", ["margin", {"entropy": 0.5, "variance_reduction": 0.5}])
@pytest.mark.parametrize("pre_annotate", [True, False])
def test_whoever_labels_cannot_tell(runtime: Runtime, strategy: object, pre_annotate: bool):
    from tithe.gateway.batches import _item

    project, truth = vector_project(runtime, strategy=strategy, pre_annotate=pre_annotate)
    label(runtime, project, truth, 40)
    work_off(runtime)
    handed = hand_out(runtime.database, project.id, "bob", 100)
    shown = [(lease.chosen_by, _item(lease, blind=not pre_annotate)) for lease in handed.items]
    control = [item for by, item in shown if by == "control"]
    others = [item for by, item in shown if by != "control"]
    assert 18 <= len(control) <= 22
    names = {strategy} if isinstance(strategy, str) else set(strategy)
    assert {item.chosen_by for _, item in shown} <= names
    # What hides the model's opinion of the control arm hides it of as many others, and looks the same.
    hidden = [item for item in others if item.prediction is None and item.why.get("blind")]
    assert 10 <= len(hidden) <= 30
    assert (
        {frozenset(item.why) for item in control}
        == {frozenset(item.why) for item in hidden}
        == {frozenset({"rank", "blind"})}
    )
    assert all(item.score is None and item.prediction is None for item in control)
    if pre_annotate:
        assert all(item.prediction is not None for item in others if item not in hidden)


def test_a_round_is_measured_after_it_is_served_and_the_figures_hold(runtime: Runtime):
    project, truth = vector_project(runtime, price=0.1, currency="EUR", metric="accuracy")
    for _ in range(5):
        label(runtime, project, truth, 40)
        work_off(runtime)
    with runtime.database.unit() as unit:
        history = proof.history(unit, project.id)
        assert proof.control_answers(unit, project.id) == len(labeled(runtime, project) & set(set_aside(project)))
    assert [one.labels for one in history] == [40, 80, 120, 160, 200]
    last = as_told(history[-1].found)
    assert last.control_labels in range(38, 43)
    assert last.quality.low < last.quality.score < last.quality.high
    # Bayes' rule of these two classes is right in 93.3 %.
    assert last.quality.low <= 0.933 <= last.quality.high or last.quality.score > 0.85
    assert last.savings.spent == 200
    assert last.savings.saved_low <= (last.savings.saved or 10**9)
    assert [gain.next for gain in last.advice.gains] == [50, 100, 500]
    assert last.advice.gains[1].cost == pytest.approx(10.0)
    assert last.advice.criteria
    assert runtime.database.run(checks.check) == []


_PROVER = """
import sys
from pathlib import Path
from tithe.runtime import Runtime
from tithe.settings import Settings
from tithe.storage.database import Database
from services.turning import work_off
with Database(sys.argv[1]) as database:
    settings = Settings(database_url=sys.argv[1], data=Path(sys.argv[2]), _env_file=None)
    print("ready", flush=True)
    work_off(Runtime(settings, database))
"""


def test_a_prover_that_is_killed_is_followed_by_another_and_nobody_waits(
    runtime: Runtime, database_url: str, tmp_path: Path
):
    project, truth = vector_project(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime, but="round.measure")
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    prover = subprocess.Popen(
        [sys.executable, "-c", _PROVER, database_url, str(tmp_path / "data")], env={**os.environ, "PYTHONPATH": path}
    )
    try:
        wait_for(runtime, "SELECT EXISTS (SELECT FROM jobs WHERE topic = 'round.measure' AND state = 'claimed')")
    finally:
        prover.kill()
        prover.wait()
    with runtime.database.unit() as unit:
        assert proof.history(unit, project.id) == [], "killed in its middle"
    # Meanwhile people go on: they are handed items, and their labels are taken.
    label(runtime, project, truth, 10)
    with runtime.database.unit() as unit:
        assert [one.state for one in jobs.lapse(unit, 0.0, 4)] == ["ready"]
    work_off(runtime)
    with runtime.database.unit() as unit:
        (measured,) = proof.history(unit, project.id)
        assert proof.not_measured(unit, project.id) is None
    assert measured.labels == 40
    assert as_told(measured.found).control_labels in range(8, 13), "those of the last ten are looked at, too"
    assert runtime.database.run(checks.check) == []


def wait_for(runtime: Runtime, query: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with runtime.database.unit() as unit:
            if unit.connection.execute(query).fetchone()[0]:
                return
        time.sleep(0.002)
    raise AssertionError(f"never: {query}")


def test_a_measurement_that_fails_for_good_is_told(runtime: Runtime):
    project, truth = vector_project(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime, but="round.measure")
    with runtime.database.unit() as unit:
        last = rounds.page(unit, project.id, -1, 10)[-1]
        claimed = jobs.claim(unit, MeasureRound(round_id=last.id), "test")
    with runtime.database.unit() as unit:
        jobs.give_back(unit, claimed, "the file is damaged", attempts=1, delay_seconds=0.0, hopeless=True)
    with runtime.database.unit() as unit:
        failed = proof.not_measured(unit, project.id)
    assert (failed.number, failed.reason) == (last.number, "the file is damaged")
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        assert proof.not_measured(unit, project.id) is None, "the next one was measured"
        assert [one.number for one in proof.newest(unit, project.id, None, 5)] == [last.number + 1]
        assert proof.newest(unit, project.id, last.number + 1, 5) == []


def test_too_few_control_labels_give_words_and_no_figure(runtime: Runtime):
    project, truth = vector_project(runtime, control=0.02)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        found = as_told(proof.history(unit, project.id)[-1].found)
    assert found.control_labels <= 2
    assert found.quality.score is None
    assert "control" in found.quality.missing
    assert found.savings.saved is None
    assert found.savings.missing
    assert found.advice.gains == []
    assert found.advice.missing


def test_a_target_that_is_surely_reached_stops_the_project_and_it_goes_on_when_told(runtime: Runtime):
    project, truth = vector_project(runtime, metric="accuracy", control=0.5, stop_when={"score": 0.6, "certainty": 0.8})
    for _ in range(4):
        if runtime.database.run(lambda unit: projects.get(unit, project.id)).stopped_at is None:
            label(runtime, project, truth, 40)
            work_off(runtime)
    stopped = runtime.database.run(lambda unit: projects.get(unit, project.id))
    assert stopped.stopped_because == "target_score"
    assert hand_out(runtime.database, project.id, "ada", 5).empty_because == "stopped"
    with runtime.database.unit() as unit:
        found = as_told(proof.history(unit, project.id)[-1].found)
        assert projects.resume(unit, project.id)
    assert found.stop == "target_score"
    assert any("0.6" in note or "60" in note for note in found.notes)
    again = runtime.database.run(lambda unit: projects.get(unit, project.id))
    assert (again.stopped_at, again.stop_when) == (None, None)
    assert hand_out(runtime.database, project.id, "ada", 5).items


def test_stopping_learns_from_what_was_labeled_since_the_last_round(runtime: Runtime):
    project, truth = vector_project(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    label(runtime, project, truth, 10)
    assert work_off(runtime) == []
    with runtime.database.unit() as unit:
        projects.stop(unit, project.id, "asked")
        assert turns.maybe_open(unit, projects.get(unit, project.id)) is not None
    work_off(runtime)
    with runtime.database.unit() as unit:
        assert rounds.last(unit, project.id).label_count == 50
        assert not projects.stop(unit, project.id, "advice")
        assert projects.get(unit, project.id).stopped_because == "asked"


def test_a_control_share_that_is_raised_only_ever_sets_more_aside(runtime: Runtime):
    project, truth = vector_project(runtime, control=0.0)
    assert "control" not in {by for _, by, _ in queue_of(runtime, project)}
    label(runtime, project, truth, 40)
    work_off(runtime)
    before = labeled(runtime, project)
    with runtime.database.unit() as unit:
        assert proof.history(unit, project.id) == []
        for share, reserve in ((0.2, 0.2), (0.1, 0.2)):
            changed = projects.patch(unit, project.id, ProjectPatch(control=share))
            assert (changed.control, changed.reserve) == (share, reserve)
    label(runtime, project, truth, 40)
    work_off(runtime)
    queue = queue_of(runtime, project)
    assert any(by == "control" for _, by, _ in queue)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        model = rounds.current_model(unit, project.id)
        control = proof.control_answers(unit, project.id)
    # What a strategy had chosen before the reserve was there is learned from, and never measured on.
    assert before & set(set_aside(project))
    assert model.label_count == 120 - control


def test_the_queue_leans_toward_chance_from_the_next_round_on_and_says_so(runtime: Runtime):
    project, truth = vector_project(runtime)
    with runtime.database.unit() as unit:
        projects.lean(unit, project.id, 0.5)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        assert rounds.last(unit, project.id).strategy == {"margin": 0.5, "random": 0.5}
    by = [by for _, by, _ in queue_of(runtime, project)]
    assert abs(by.count("random") - by.count("margin")) <= 3


def test_the_last_items_of_a_pool_are_handed_out_whatever_they_were_set_aside_for(runtime: Runtime):
    project, truth = vector_project(runtime, control=0.05, retrain_every=200)
    while (handed := hand_out(runtime.database, project.id, "ada", 50)).items:
        from tithe.loop.record import Sent, record

        record(
            runtime.database,
            project.id,
            handed.batch.id,
            [Sent(i.external_id, truth[i.external_id]) for i in handed.items],
        )
        work_off(runtime)
    assert handed.empty_because == "pool_exhausted"
    assert len(labeled(runtime, project)) == ITEMS
    assert runtime.database.run(checks.check) == []


def test_whoever_answers_a_control_item_it_stays_one(runtime: Runtime):
    """Skipped by one and labeled by another, corrected to a skip and back: it is never learned from."""
    from tithe.loop.record import Sent, record
    from tithe.loop.set_aside import chosen_by_chance

    project, truth = vector_project(runtime, overlap=2, control=0.3)
    handed = hand_out(runtime.database, project.id, "ada", 20)
    control = {item.external_id for item in handed.items if item.chosen_by == "control"}
    assert len(control) >= 4
    sent = [
        Sent(item.external_id, skip=True)
        if item.external_id in control
        else Sent(item.external_id, truth[item.external_id])
        for item in handed.items
    ]
    record(runtime.database, project.id, handed.batch.id, sent)
    turns.ask_for_round(runtime.database, project.id)
    work_off(runtime)
    again = hand_out(runtime.database, project.id, "bob", 20)
    assert control <= {item.external_id for item in again.items}
    assert all("prediction" not in item.why for item in again.items)  # second opinions are blind, all of them
    record(
        runtime.database, project.id, again.batch.id, [Sent(i.external_id, truth[i.external_id]) for i in again.items]
    )
    turns.ask_for_round(runtime.database, project.id)
    work_off(runtime)
    with runtime.database.unit() as unit:
        model = rounds.current_model(unit, project.id)
        chance = chosen_by_chance(unit, projects.get(unit, project.id))
    assert {int(name[1:]) for name in control} <= chance
    answered = labeled(runtime, project)
    assert model.label_count == len(answered - chance)


def test_who_is_asked_blindly_stays_so_in_every_round(runtime: Runtime):
    """Were decoys drawn anew each round, an item that is blind twice would be the control arm's."""
    project, truth = vector_project(runtime)
    blind = {}
    for _ in range(3):
        label(runtime, project, truth, 40)
        work_off(runtime)
        for ordinal, _, why in queue_of(runtime, project):
            assert blind.setdefault(ordinal, bool(why.get("blind"))) == bool(why.get("blind"))


def test_a_pool_that_grew_is_told_of_once_the_control_arm_has_caught_up(runtime: Runtime):
    project, truth = vector_project(runtime, metric="accuracy", control=0.3)
    label(runtime, project, truth, 120)
    work_off(runtime)
    chance = np.random.default_rng(1)
    rows = chance.standard_normal((ITEMS, 8), dtype=np.float32)
    more = [NewItem(n, f"m{n}", f"more {n:012d}".encode(), "pool", vector=row) for n, row in enumerate(rows)]
    bring_in(runtime, project, more, block_rows=200)
    work_off(runtime)
    turns.ask_for_round(runtime.database, project.id)
    work_off(runtime)
    with runtime.database.unit() as unit:
        before, now = [as_told(one.found).quality for one in proof.history(unit, project.id)][-2:]
    assert before.score is not None or now.score is None
    assert now.score is None
    assert "the pool has grown" in now.missing
