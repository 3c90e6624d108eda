"""Whole rounds of entities by the real handlers: word states on disk, a tagger, spans and doubt with every item."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.errors import StaleClaim
from tithe.learners.encoder_hashing import HashingEncoder
from tithe.learners.tagging.tagger_model import WordTagger
from tithe.loop.audit import audit
from tithe.loop.hand_out import hand_out
from tithe.loop.reading import Items
from tithe.runtime import Runtime
from tithe.storage import checks, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.strategies.catalog import CATALOG
from tithe.trainer.progress import telling

from .entities_at_hand import entity_items
from .turning import bring_in, label, work_off


def entity_project(
    runtime: Runtime, *, tokens: bool = False, **changes: object
) -> tuple[Project, dict[str, list[dict[str, object]]]]:
    settings = {
        "strategy": "token_entropy_mean", "batch_size": 10, "retrain_every": 20, "seed": 3, "control": 0.0, **changes,
    }  # fmt: skip
    spec = ProjectSpec(name="names", task=Task.TOKENS, labels=["PER", "LOC"], encoder="hashing", **settings)
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    items, truth = entity_items(120, tests=40, tokens=tokens)
    bring_in(runtime, project, items, block_rows=50)
    return project, truth


def last_round(runtime: Runtime, project: Project) -> rounds.Round:
    with runtime.database.unit() as unit:
        found = rounds.last(unit, project.id)
    assert found is not None
    return found


TAGGING = [name for name, one in CATALOG.items() if "token_classification" in one.tasks and one.needs.a_model]


@pytest.mark.parametrize("strategy", TAGGING)
def test_a_round_of_entities_turns_from_texts_to_a_ranked_queue(runtime: Runtime, strategy: str):
    project, truth = entity_project(runtime, strategy=strategy, near_duplicate=None)
    work_off(runtime)
    first = hand_out(runtime.database, project.id, "ada", 10)
    assert {item.chosen_by for item in first.items} == {"typical_in_stages"}
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        point = rounds.history(unit, project.id)[-1]
    assert point.score_from == "test_set"
    assert point.score > 0.6
    assert last_round(runtime, project).state == "ready"
    second = hand_out(runtime.database, project.id, "bob", 20)
    assert {item.chosen_by for item in second.items} == {strategy}
    assert runtime.database.run(checks.check) == []


@pytest.mark.parametrize("tokens", [False, True])
def test_every_item_carries_spans_in_code_points_and_its_words_in_doubt(runtime: Runtime, tokens: bool):
    project, truth = entity_project(runtime, tokens=tokens, near_duplicate=None)
    work_off(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    handed = hand_out(runtime.database, project.id, "bob", 60)
    right = 0
    for item in handed.items:
        text = item.text if item.text is not None else " ".join(item.tokens)
        for span in item.why["prediction"]["spans"]:
            words = text[span["start"] : span["end"]]
            assert words == words.strip()
            assert 0 < span["confidence"] < 1
            right += {key: span[key] for key in ("start", "end", "label")} in truth[item.external_id]
        for doubt in item.why.get("doubtful", []):
            assert text[doubt["start"] : doubt["end"]].strip()
            assert 0 < doubt["doubt"] <= 1
    assert right > 40
    assert any("doubtful" in item.why for item in handed.items)


def kept(runtime: Runtime, project: Project) -> list[pool.Block]:
    with runtime.database.unit() as unit:
        return pool.ready_blocks(unit, project.id)


def test_word_states_are_kept_and_are_what_is_made_again(runtime: Runtime):
    project, _ = entity_project(runtime)
    work_off(runtime)
    blocks = kept(runtime, project)
    assert all(block.words_path for block in blocks)
    ordinals = np.array([159, 3, 70, 3, 0])
    read = Items(runtime, project, blocks)
    made = Items(runtime, project, [])
    assert read.kept(ordinals).all()
    assert not made.kept(ordinals).any()
    words, starts = read.words(ordinals)
    again, starts_again = made.words(ordinals)
    np.testing.assert_array_equal(starts, starts_again)
    np.testing.assert_array_equal(words, again)
    assert [len(one.words) for one in read.documents(ordinals)] == np.diff(starts).tolist()
    with runtime.database.unit() as unit:
        assert pool.kept_states_bytes(unit, project.id) == sum(block.words_size for block in blocks)


def test_what_is_not_kept_is_made_for_the_candidates_only(runtime: Runtime):
    choices = []
    for limit, costly in ((16 << 30, 20_000), (0, 20_000), (0, 30)):
        settings = runtime.settings.model_copy(update={"word_states_limit_bytes": limit, "costly_rows": costly})
        other = Runtime(settings, runtime.database)
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE projects SET name = name || id")
        project, truth = entity_project(other, near_duplicate=None)
        work_off(other)
        assert all((block.words_path is None) == (limit == 0) for block in kept(runtime, project))
        label(other, project, truth, 40)
        work_off(other)
        last = last_round(runtime, project)
        choices.append(
            (last.facts["rows_scored"], [i.external_id for i in hand_out(other.database, project.id, "b", 20).items])
        )
    assert choices[0] == choices[1]  # the same numbers, whether read or made
    assert choices[0][0] == 80
    assert choices[2][0] <= 31
    assert len(choices[2][1]) == 20


def test_a_disk_that_is_nearly_full_keeps_vectors_and_no_words(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tithe.scorer.embed._ROOM_BYTES", 1 << 62)
    project, _ = entity_project(runtime)
    work_off(runtime)
    assert {block.words_path for block in kept(runtime, project)} == {None}


def test_damaged_word_states_are_made_again(runtime: Runtime):
    project, truth = entity_project(runtime, near_duplicate=None)
    work_off(runtime)
    damaged = kept(runtime, project)[0]
    file = Path(runtime.settings.artifact_root()) / damaged.words_path
    file.write_bytes(file.read_bytes()[:-8] + b"damaged!")
    assert {one.invariant for one in audit(runtime.database, runtime.artifacts)} == {"i9_files_are_what_their_rows_say"}
    label(runtime, project, truth, 20)
    for _ in range(30):
        work_off(runtime)
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE jobs SET not_before = clock_timestamp()")
        last = last_round(runtime, project)
        if last.label_count == 20 and last.state == "ready" and len(kept(runtime, project)) == 4:
            break
    assert (last.state, last.label_count) == ("ready", 20)
    assert audit(runtime.database, runtime.artifacts) == []


def test_labels_without_any_entity_train_nothing_and_the_round_goes_on(runtime: Runtime):
    project, truth = entity_project(runtime)
    work_off(runtime)
    label(runtime, project, {name: [] for name in truth}, 20)
    work_off(runtime)
    last = last_round(runtime, project)
    assert (last.state, last.model_id) == ("ready", None)
    assert "not_trained" in last.facts


def test_of_several_annotators_spans_the_majority_counts():
    from tithe.loop.opinions import spans_by_most

    a, b = {"start": 0, "end": 3, "label": "PER"}, {"start": 1, "end": 3, "label": "PER"}
    assert spans_by_most([[a]]) == [a]
    assert spans_by_most([[a], [b], [b]]) == [b]
    assert spans_by_most([[a], [b]]) == [a]
    assert spans_by_most([[a], [], []]) == []
    assert spans_by_most([[], [a]]) == []


def test_a_scorer_is_never_asked_for_more_words_at_a_time_than_fit(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tithe.loop.models._WORDS", 60)
    monkeypatch.setattr("tithe.loop.reading.READ_WORDS", 60)
    monkeypatch.setattr("tithe.scorer.embed.READ_WORDS", 60)
    monkeypatch.setattr("tithe.trainer.entities.READ_WORDS", 60)
    seen: list[int] = []
    real = HashingEncoder.read

    def reading(self: HashingEncoder, documents: list, **more: object) -> object:
        seen.append(sum(len(one.words) for one in documents))
        return real(self, documents, **more)

    monkeypatch.setattr(HashingEncoder, "read", reading)
    tagged: list[int] = []
    tag = WordTagger.tag

    def tagging(self: WordTagger, words: np.ndarray, starts: np.ndarray) -> object:
        tagged.append(len(words))
        return tag(self, words, starts)

    monkeypatch.setattr(WordTagger, "tag", tagging)
    project, truth = entity_project(runtime, near_duplicate=None)
    work_off(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    assert last_round(runtime, project).state == "ready"
    assert len(seen) > 20
    assert max(seen) <= 60
    assert max(tagged) <= 60


def test_lost_word_states_of_many_blocks_cost_one_attempt(runtime: Runtime):
    project, truth = entity_project(runtime, near_duplicate=None)
    work_off(runtime)
    for block in kept(runtime, project):
        (Path(runtime.settings.artifact_root()) / block.words_path).unlink()
    label(runtime, project, truth, 20)
    for _ in range(30):
        work_off(runtime)
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE jobs SET not_before = clock_timestamp()")
        last = last_round(runtime, project)
        if last.label_count == 20 and last.state in ("ready", "failed") and len(kept(runtime, project)) == 4:
            break
    assert (last.state, last.failure) == ("ready", None)
    assert audit(runtime.database, runtime.artifacts) == []


@pytest.mark.parametrize(("unit", "expected"), [("labels", "token_entropy_top"), ("words", "mnlp")])
def test_a_project_of_entities_that_says_nothing_asks_by_its_model(runtime: Runtime, unit: str, expected: str):
    project, truth = entity_project(runtime, strategy=None, budget_unit=unit, near_duplicate=None)
    work_off(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    assert {item.chosen_by for item in hand_out(runtime.database, project.id, "bob", 10).items} == {expected}


def test_how_far_a_fit_is_stands_beside_its_round_and_a_round_that_is_over_ends_the_fit(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tithe.trainer.progress._EVERY_SECONDS", 0.0)
    shares: list[float] = []
    real = rounds.note_training

    def noting(unit: Unit, round_id: UUID, share: float) -> bool:
        shares.append(share)
        noted = real(unit, round_id, share)
        assert rounds.get(unit, round_id).facts["training"] == share
        return noted

    monkeypatch.setattr(rounds, "note_training", noting)
    project, truth = entity_project(runtime)
    work_off(runtime)
    label(runtime, project, truth, 20)
    work_off(runtime)
    last = last_round(runtime, project)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert "training" not in last.facts
    monkeypatch.setattr(rounds, "note_training", real)
    with pytest.raises(StaleClaim):
        telling(runtime, last.id)(1, 2)
