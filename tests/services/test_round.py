"""A whole round by the real handlers: blocks on disk, a model on disk, and exactly the items the definition names."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.contracts.tasks import MESSAGES, EmbedBlock
from tithe.loop.audit import audit
from tithe.loop.features import PoolVectors
from tithe.loop.hand_out import hand_out
from tithe.loop.models import load
from tithe.loop.record import Sent, record
from tithe.loop.work import Delivery, deliver
from tithe.runtime import Runtime
from tithe.storage import checks, jobs, pool, projects, queue, rounds
from tithe.storage.pool import NewItem
from tithe.strategies import ranking
from tithe.strategies.catalog import CATALOG, Needs
from tithe.trainer.handlers import HANDLERS as TRAINER
from tithe.worker import _resolve

from .topics import TOPICS, text_items, texts
from .turning import bring_in, label, work_off


def text_project(runtime: Runtime, **changes: object) -> tuple[Project, dict[str, str]]:
    # The texts are made of few sentences, so nearly all are alike: what is left out for that has tests of its own.
    settings = {
        "strategy": "margin",
        "batch_size": 10,
        "retrain_every": 20,
        "seed": 3,
        "near_duplicate": None,
        "control": 0.0,
        **changes,
    }
    spec = ProjectSpec(name="news", task=Task.TEXT, labels=list(TOPICS), encoder="hashing", **settings)
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    items, truth = text_items(240, tests=60)
    bring_in(runtime, project, items, block_rows=64)
    return project, truth


@pytest.mark.parametrize("strategy", [name for name, s in CATALOG.items() if "text_classification" in s.tasks])
def test_a_round_by_any_strategy_turns_from_items_to_a_ranked_queue(runtime: Runtime, strategy: str):
    project, truth = text_project(runtime, strategy=strategy)
    assert "round.select" in work_off(runtime)
    first = hand_out(runtime.database, project.id, "ada", 10)
    expected = "typical_in_stages" if CATALOG[strategy].needs.a_model else strategy
    assert {item.chosen_by for item in first.items} == {expected}
    label(runtime, project, truth, 20)
    assert "round.train" in work_off(runtime)
    with runtime.database.unit() as unit:
        (point,) = rounds.history(unit, project.id)
        assert rounds.last(unit, project.id).state == "ready"
    assert point.score_from == "test_set"
    assert point.score > 0.8
    second = hand_out(runtime.database, project.id, "bob", 10)
    assert {item.chosen_by for item in second.items} == {strategy}
    assert all(item.why["prediction"]["label"] in TOPICS for item in second.items)
    assert runtime.database.run(checks.check) == []


@pytest.mark.parametrize("strategy", ["entropy", "margin", "least_confident", "ratio", "vote_entropy", "random"])
def test_the_choice_of_many_shards_is_the_single_process_answer(
    runtime: Runtime, strategy: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tithe.policy.shard_rows", lambda _: 64)  # one shard per block
    project, truth = text_project(runtime, strategy=strategy)
    work_off(runtime)
    label(runtime, project, truth, 20)
    with runtime.database.unit() as unit:
        closed = pool.closed_ordinals(unit, project.id, 0, 1000)
    work_off(runtime)
    with runtime.database.unit() as unit:
        current = rounds.last(unit, project.id)
        assert len(rounds.shards(unit, current.id)) == 5
        chosen = unit.connection.execute("SELECT ordinal, score FROM ready ORDER BY rank").fetchall()
        blocks = pool.ready_blocks(unit, project.id)
    model = load(runtime, current.model_id)
    everything = np.setdiff1d(np.arange(300), closed)
    rows = PoolVectors(runtime.artifacts, blocks).gather(everything)[1]
    if strategy == "random":
        scores = ranking.random_scores(everything, current.seed)
    elif CATALOG[strategy].needs is Needs.COMMITTEE:
        scores = CATALOG[strategy].function(model.exact_proba(rows, slice(1, None)))
    else:
        scores = CATALOG[strategy].function(model.exact_proba(rows, slice(0, 1))[0])
    order = np.lexsort((ranking.tie_hash(everything, current.seed), -scores))[: len(chosen)]
    assert chosen == [(int(everything[at]), float(scores[at])) for at in order]  # to the last bit


def test_near_duplicates_never_share_a_queue_and_the_threshold_is_the_projects(runtime: Runtime):
    depths = {}
    for threshold in (None, 0.9, 0.8):
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE projects SET name = name || id")
        project, truth = text_project(runtime, near_duplicate=threshold)
        work_off(runtime)
        label(runtime, project, truth, 20)
        work_off(runtime)
        with runtime.database.unit() as unit:
            last = rounds.last(unit, project.id)
            blocks = pool.ready_blocks(unit, project.id)
            queued = unit.connection.execute(
                "SELECT ordinal FROM ready WHERE project_id = %s", (project.id,)
            ).fetchall()
        rows = PoolVectors(runtime.artifacts, blocks).gather(np.array([one[0] for one in queued]))[1]
        alike = (rows @ rows.T - 2 * np.eye(len(rows))).max()
        assert last.near_duplicate == threshold
        assert threshold is None or alike < threshold
        assert (last.facts["near_duplicates_left_out"] == 0) == (threshold is None)
        depths[threshold] = len(queued)
    assert depths[None] > depths[0.9] > depths[0.8] >= 3


def test_a_mix_hands_out_its_shares_and_every_item_says_why(runtime: Runtime):
    project, truth = text_project(runtime, strategy={"uncertainty_herding": 0.8, "random": 0.2})
    work_off(runtime)
    first = hand_out(runtime.database, project.id, "ada", 10)
    assert Counter(item.chosen_by for item in first.items) == {"typical_in_stages": 8, "random": 2}
    label(runtime, project, truth, 20)
    work_off(runtime)
    second = hand_out(runtime.database, project.id, "bob", 50)
    assert Counter(item.chosen_by for item in second.items) == {"uncertainty_herding": 40, "random": 10}
    for item in second.items:
        assert item.why["prediction"]["label"] in TOPICS
        assert ("uncertainty" in item.why) == (item.chosen_by == "uncertainty_herding")
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
    assert last.strategy == {"uncertainty_herding": 0.8, "random": 0.2}
    assert last.facts["strategy_used"] == "0.8 uncertainty_herding + 0.2 random"


def test_a_model_that_answers_no_number_fails_the_round_with_the_shards_name(runtime: Runtime):
    project, truth = text_project(runtime)
    work_off(runtime)
    label(runtime, project, truth, 20)
    with runtime.database.unit() as unit:
        (bell,) = jobs.to_ring(unit, 0.0, 100)
    message = MESSAGES[bell.topic].model_validate(bell.body)
    delivery = Delivery(runtime.database, "test", 1.0, 3)
    train = _resolve(TRAINER[type(message)])
    assert deliver(delivery, message, lambda claim: train(runtime, message, claim))
    with runtime.database.unit() as unit:
        current = rounds.last(unit, project.id)
        model = load(runtime, current.model_id)
        heads = np.full_like(model.heads, np.nan)
        stored = runtime.artifacts.write_model(
            f"{project.id}/models/broken.safetensors", *replace(model, heads=heads).to_tensors()
        )
        unit.connection.execute("UPDATE models SET path = %s, sha256 = %s", (stored.key, stored.sha256))
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
    assert last.state == "failed"
    assert "shard 0, rows 0 to 300, best:margin" in last.failure
    assert "not finite" in last.failure


@pytest.mark.parametrize("shard_rows", [64, 1000])
def test_the_core_set_of_a_round_is_within_its_reported_radius(
    runtime: Runtime, shard_rows: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tithe.policy.shard_rows", lambda _: shard_rows)
    monkeypatch.setattr("tithe.policy.ready_depth", lambda *_: 30)
    project, truth = text_project(runtime, strategy="k_center")
    work_off(runtime)
    label(runtime, project, truth, 20)
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
        blocks = pool.ready_blocks(unit, project.id)
        queued = unit.connection.execute("SELECT ordinal FROM ready WHERE project_id = %s", (project.id,)).fetchall()
        labeled = unit.connection.execute("SELECT DISTINCT ordinal FROM answers WHERE state = 'counted'").fetchall()
    everything = np.arange(240)
    rows = PoolVectors(runtime.artifacts, blocks).gather(everything)[1].astype(np.float64)
    centers = rows[np.array([one[0] for one in queued + labeled if one[0] < 240])]
    radius = np.linalg.norm(rows[:, None] - centers[None], axis=2).min(axis=1).max()
    assert radius <= last.facts["radius_at_most"] + 1e-6
    assert (
        last.facts["radius_at_most"]
        <= (2 if shard_rows == 1000 else 4) * last.facts["radius_of_any_choice_at_least"] + 1e-6
    )
    if shard_rows == 1000:
        assert radius == pytest.approx(last.facts["radius_at_most"], abs=1e-6)


def test_vectors_as_they_come_and_several_labels_each(runtime: Runtime):
    spec = ProjectSpec(
        name="vectors",
        task=Task.VECTORS,
        labels=["a", "b"],
        strategy="entropy",
        batch_size=10,
        retrain_every=20,
        control=0.0,
    )
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((200, 8), dtype=np.float32)
    rows[:, 0] += np.where(np.arange(200) % 2, 3, -3)
    items = [NewItem(n, f"i{n}", f"{n:016d}".encode(), "pool", vector=row) for n, row in enumerate(rows)]
    bring_in(runtime, project, items, block_rows=64)
    work_off(runtime)
    label(runtime, project, {f"i{n}": "ab"[n % 2] for n in range(200)}, 20)
    work_off(runtime)
    with runtime.database.unit() as unit:
        stored = PoolVectors(runtime.artifacts, pool.ready_blocks(unit, project.id)).gather(np.array([199, 0, 77]))[1]
        assert rounds.history(unit, project.id)[0].score > 0.8
    np.testing.assert_array_equal(stored, rows[[199, 0, 77]])


def test_several_labels_an_item(runtime: Runtime):
    spec = ProjectSpec(
        name="multi", task=Task.MULTILABEL, labels=["sport", "money", "health"], strategy="entropy", encoder="hashing",
        batch_size=10, retrain_every=30, control=0.0,
    )  # fmt: skip
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    pairs = texts(200, seed=1)
    other = texts(200, seed=2)
    items = [NewItem(n, f"i{n}", f"{n:016d}".encode(), "pool", f"{pairs[n][0]} and {other[n][0]}") for n in range(200)]
    bring_in(runtime, project, items, block_rows=100)
    work_off(runtime)
    label(runtime, project, {f"i{n}": sorted({pairs[n][1], other[n][1]}) for n in range(200)}, 30)
    work_off(runtime)
    handed = hand_out(runtime.database, project.id, "bob", 10)
    assert {item.chosen_by for item in handed.items} == {"entropy"}
    assert set(handed.items[0].why["prediction"]["labels"]) <= set(TOPICS)


def test_labels_of_one_class_only_are_not_trained_on_and_the_round_goes_on_without_a_model(runtime: Runtime):
    project, truth = text_project(runtime)
    work_off(runtime)
    label(runtime, project, dict.fromkeys(truth, "sport"), 20)
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
    assert (last.state, last.model_id) == ("ready", None)
    assert "not_trained" in last.facts


def test_damaged_files_are_made_again_and_the_round_goes_on(runtime: Runtime):
    project, truth = text_project(runtime)
    work_off(runtime)
    label(runtime, project, truth, 20)
    work_off(runtime)
    for file in Path(runtime.settings.artifact_root()).rglob("*.*"):  # blocks and the model training would start from
        file.write_bytes(file.read_bytes()[:-8] + b"damaged!")
    label(runtime, project, truth, 20)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        work_off(runtime)
        with runtime.database.unit() as unit:
            last = rounds.last(unit, project.id)
            whole = pool.block_counts(unit, project.id)
        if last.label_count == 40 and last.state == "ready" and whole[0] == whole[1]:
            break
        time.sleep(0.2)
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE jobs SET not_before = clock_timestamp()")
    else:
        raise AssertionError((last, whole))
    assert runtime.database.run(checks.check) == []


def test_labels_are_in_a_second_place_after_every_round(runtime: Runtime):
    import json

    project, truth = text_project(runtime)
    work_off(runtime)
    label(runtime, project, truth, 20)
    work_off(runtime)
    file = runtime.settings.data / "labels" / f"{project.id}.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) == 60 + 20
    assert all(truth[one["id"]] == one["label"] for one in lines)


def test_a_query_committee_ties_and_all_is_deterministic(runtime: Runtime):
    chosen = []
    for name in ("one", "two"):
        spec_changes = {"strategy": "vote_entropy"}
        project, truth = text_project(runtime, **spec_changes) if name == "one" else (None, None)
        if project is None:
            with runtime.database.unit() as unit:
                unit.connection.execute("UPDATE projects SET name = 'old'")
            project, truth = text_project(runtime, **spec_changes)
        work_off(runtime)
        label(runtime, project, truth, 20)
        work_off(runtime)
        with runtime.database.unit() as unit:
            chosen.append(
                unit.connection.execute(
                    "SELECT ordinal, score FROM ready WHERE project_id = %s ORDER BY rank", (project.id,)
                ).fetchall()
            )
            assert queue.depth(unit, project.id) > 0
    assert chosen[0] == chosen[1]


def test_the_audit_finds_a_file_that_is_not_what_its_row_says(runtime: Runtime):
    project, truth = text_project(runtime)
    work_off(runtime)
    label(runtime, project, truth, 20)
    work_off(runtime)
    assert audit(runtime.database, runtime.artifacts) == []
    files = sorted(Path(runtime.settings.artifact_root()).rglob("*.*"))
    files[0].unlink()
    files[-1].write_bytes(b"something else")
    assert {one.invariant for one in audit(runtime.database, runtime.artifacts)} == {"i9_files_are_what_their_rows_say"}
    assert len(audit(runtime.database, runtime.artifacts)) == 2


def test_labels_of_items_that_are_not_encoded_yet_wait_and_the_round_goes_on(runtime: Runtime):
    project, truth = text_project(runtime, retrain_every=1)
    work_off(runtime)
    with runtime.database.unit() as unit:  # the labels' blocks are not there yet
        unit.connection.execute("UPDATE blocks SET state = 'planned' WHERE start > 0")
        unit.connection.execute("DELETE FROM ready")
        unit.connection.execute(
            "INSERT INTO ready SELECT project_id, current_round, 0, 100, 1, 0, 'margin', '{}' FROM progress"
        )
    handed = hand_out(runtime.database, project.id, "ada", 1)
    assert handed.batch is not None
    record(
        runtime.database, project.id, handed.batch.id, [Sent(i.external_id, truth[i.external_id]) for i in handed.items]
    )
    work_off(runtime)
    with runtime.database.unit() as unit:
        last = rounds.last(unit, project.id)
    assert (last.state, last.facts["not_trained"]) == (
        "ready",
        "the labels so far are of items that are not encoded yet",
    )


def test_a_scorer_whose_model_is_another_than_the_pools_encodes_nothing_and_says_so(runtime: Runtime):
    spec = ProjectSpec(name="news", task=Task.TEXT, labels=list(TOPICS), encoder="hashing", control=0.0)
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    items, _ = text_items(40, tests=0)
    bring_in(runtime, project, items, block_rows=20)
    work_off(runtime)
    with runtime.database.unit() as unit:
        assert {block.encoder for block in pool.ready_blocks(unit, project.id)} == {"hashing/1/256"}
        pool.forget_block(unit, project.id, 20)  # as if the other had been made where another model was
        unit.connection.execute("UPDATE blocks SET encoder = 'hashing/0/256' WHERE start = 0")
        jobs.again(unit, EmbedBlock(project_id=project.id, start=20))
    before = sorted(runtime.settings.artifact_root().rglob("*.npy"))
    work_off(runtime)
    with runtime.database.unit() as unit:
        state, reason = unit.connection.execute(
            "SELECT state, last_error FROM jobs WHERE topic = 'block.embed' AND part = 20"
        ).fetchone()
        assert [block.start for block in pool.ready_blocks(unit, project.id)] == [0]
    assert state == "failed"
    assert "hashing/0/256, and this scorer's is hashing/1/256" in reason
    assert "all scorers" in reason
    assert sorted(runtime.settings.artifact_root().rglob("*.npy")) == before
