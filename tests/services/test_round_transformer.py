"""Whole rounds by fine-tuned transformers: classes and entities, texts read anew, within the rows that may be."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_transformer
from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.loop.hand_out import hand_out
from tithe.runtime import Runtime
from tithe.storage import checks, projects, rounds

from .entities_at_hand import FRAMES, entity_items
from .topics import TOPICS, text_items
from .turning import bring_in, label, work_off

pytest.importorskip("torch", reason="the text extra is not installed: fine-tuning needs torch")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    words = " ".join([*FRAMES, *(text for kind in TOPICS.values() for text in kind)])
    tiny_transformer.make(folder, {word.strip(".,!?{}").lower() for word in words.split()})
    return folder


def made(runtime: Runtime, spec: ProjectSpec) -> Project:
    return runtime.database.run(lambda unit: projects.create(unit, spec))


def costly(runtime: Runtime, rows: int) -> Runtime:
    return Runtime(runtime.settings.model_copy(update={"costly_rows": rows}), runtime.database)


@pytest.mark.parametrize("strategy", ["margin", {"variance_reduction": 0.5, "entropy": 0.5}])
def test_a_round_by_a_tuned_classifier(runtime: Runtime, tiny: Path, strategy: object):
    runtime = costly(runtime, 100)
    project = made(runtime, ProjectSpec(
        name="news", task=Task.TEXT, labels=list(TOPICS), encoder=f"torch:{tiny}", learner="transformer",
        strategy=strategy, batch_size=10, retrain_every=30, near_duplicate=None, control=0.0,
    ))  # fmt: skip
    items, truth = text_items(240, tests=60)
    bring_in(runtime, project, items, block_rows=100)
    work_off(runtime)
    label(runtime, project, truth, 30)
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
        point = rounds.history(unit, project.id)[-1]
    assert (last.state, last.failure) == ("ready", None)
    assert point.score_from == "test_set"
    assert point.score > 0.6
    assert last.facts["rows_scored"] <= 100
    handed = hand_out(runtime.database, project.id, "bob", 10)
    assert {item.chosen_by for item in handed.items} <= {"margin", "entropy", "variance_reduction"}
    assert all(item.why["prediction"]["label"] in TOPICS and item.why["votes"] for item in handed.items)
    assert runtime.database.run(checks.check) == []


def test_a_round_by_a_tuned_tagger(runtime: Runtime, tiny: Path):
    project = made(runtime, ProjectSpec(
        name="names", task=Task.TOKENS, labels=["PER", "LOC"], encoder=f"torch:{tiny}", learner="transformer",
        strategy={"token_entropy_top": 0.5, "token_vote_entropy": 0.5}, batch_size=10, retrain_every=40,
        near_duplicate=None, control=0.0,
    ))  # fmt: skip
    items, truth = entity_items(120, tests=30)
    bring_in(runtime, project, items, block_rows=50)
    work_off(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
        point = rounds.history(unit, project.id)[-1]
    assert (last.state, last.failure) == ("ready", None)
    assert point.score_from == "test_set"
    handed = hand_out(runtime.database, project.id, "bob", 40)
    assert {item.chosen_by for item in handed.items} == {"token_entropy_top", "token_vote_entropy"}
    for item in handed.items:
        for span in item.why["prediction"]["spans"]:
            assert item.text[span["start"] : span["end"]].strip()


def test_a_learner_that_is_changed_trains_anew_without_new_labels(runtime: Runtime, tiny: Path):
    project = made(runtime, ProjectSpec(
        name="news", task=Task.TEXT, labels=list(TOPICS), encoder=f"torch:{tiny}", batch_size=10, retrain_every=30,
        near_duplicate=None, control=0.0,
    ))  # fmt: skip
    items, truth = text_items(120, tests=0)
    bring_in(runtime, project, items, block_rows=100)
    work_off(runtime)
    label(runtime, project, truth, 30)
    work_off(runtime)
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE projects SET learner = 'transformer'")
    from tithe.loop import rounds as turns

    turns.ask_for_round(runtime.database, project.id)
    work_off(runtime)
    with runtime.database.unit() as unit:
        history = rounds.history(unit, project.id)
        model = rounds.current_model(unit, project.id)
    assert [point.label_count for point in history] == [30, 30]
    assert model.facts["learner"] == "transformer"
