"""The tagger learns what can be learned, says how sure it is, and survives a trip through a file."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import safetensors.numpy

from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.stored import model_from
from tithe.learners.tagging import tagger_model
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.tagging.tagger import NothingTagged, TagLearner
from tithe.learners.tagging.tagger_model import WordTagger

TYPES = 3  # of which the last has no label


def made_up(documents: int, seed: int, noise: float = 1.0):
    """Sentences of 0 to 12 words with entities of one or two words, their tags written into 12 noisy numbers."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 13, documents)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    words = rng.normal(scale=noise, size=(starts[-1], 12)).astype(np.float32)
    entities = []
    for start, length in zip(starts, lengths, strict=False):
        own, at = [], int(rng.integers(0, 4))
        while at < length:
            stop, kind = min(at + int(rng.integers(1, 3)), int(length)), int(rng.integers(0, 2))
            own.append((at, stop, kind))
            words[start + at : start + stop, kind] += 4
            words[start + at, 2] += 4
            at = stop + int(rng.integers(1, 6))
        entities.append(own)
    words[:, 11] = 7.0  # says nothing
    return words, starts, entities


WORDS, STARTS, ENTITIES = made_up(60, 0)
TEST_WORDS, TEST_STARTS, TEST_ENTITIES = made_up(200, 1)


@pytest.fixture(scope="module")
def model() -> WordTagger:
    return TagLearner().fit(WORDS, STARTS, ENTITIES, TYPES, seed=0, members=3)


def test_it_finds_what_can_be_found_and_says_how_often(model):
    found = model.entities(model.tag(TEST_WORDS, TEST_STARTS))
    score = entity_f1(TEST_ENTITIES, found, TYPES)["f1"]
    assert score > 0.85
    facts = model.facts()
    assert abs(facts["score"] - score) < 0.1
    assert facts["words"] == len(WORDS)
    assert facts["metric"] == "entity_f1"
    assert facts["held_out"] == facts["documents"] == 60
    assert facts["type_counts"][2] == 0
    assert facts["per_type"][2] is None
    assert json.loads(json.dumps(facts))["seconds"] > 0


def test_confidence_is_how_often_it_is_right(model):
    words, starts, truth = made_up(600, 2, noise=1.6)
    noisy = TagLearner().fit(*made_up(120, 3, noise=1.6), TYPES, seed=0, members=0)
    found = noisy.entities(noisy.tag(words, starts))
    sure = np.array([one.confidence for own in found for one in own])
    right = np.array([tuple(one[:3]) in own for said, own in zip(found, truth, strict=True) for one in said])
    assert 0.5 < right.mean() < 0.95
    assert abs(sure.mean() - right.mean()) < 0.08
    assert sure[right].mean() > sure[~right].mean() + 0.1


def test_probabilities_are_probabilities(model):
    own, committee = model.tag(TEST_WORDS, TEST_STARTS), model.tag_committee(TEST_WORDS, TEST_STARTS)
    assert own.probabilities.shape == (len(TEST_WORDS), len(model.type_of_tag))
    assert committee.probabilities.shape == (3, len(TEST_WORDS), len(model.type_of_tag))
    for found in (own.probabilities, committee.probabilities):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.sum(axis=-1), 1)
        assert (found > 0).all()
    assert (own.probabilities[:, model.type_of_tag == 2] < 1e-3).all()
    assert model.type_of_tag[0] == -1
    assert np.ptp(committee.probabilities, axis=0).max() > 0.05


def test_a_document_is_tagged_alike_alone_and_among_others(model, monkeypatch):
    together = model.tag(TEST_WORDS, TEST_STARTS).probabilities
    monkeypatch.setattr(tagger_model, "CHUNK_WORDS", 40)
    monkeypatch.setattr(tagger_model, "_ROWS", 7)
    np.testing.assert_allclose(model.tag(TEST_WORDS, TEST_STARTS).probabilities, together, atol=1e-5)
    for start, stop in list(itertools.pairwise(TEST_STARTS))[:20]:
        alone = model.tag(TEST_WORDS[start:stop], np.array([0, stop - start])).probabilities
        np.testing.assert_allclose(alone, together[start:stop], atol=1e-5)


def test_half_precision_words_and_none_at_all(model):
    exact = model.tag(TEST_WORDS, TEST_STARTS).probabilities
    np.testing.assert_allclose(model.tag(TEST_WORDS.astype(np.float16), TEST_STARTS).probabilities, exact, atol=0.02)
    assert model.entities(model.tag(TEST_WORDS[:0], np.array([0, 0, 0]))) == [[], []]
    assert model.tag(TEST_WORDS[:0], np.array([0])).probabilities.shape == (0, 13)


def test_a_trip_through_a_file_changes_nothing(model, tmp_path):
    tensors, meta = model.to_tensors()
    safetensors.numpy.save_file(tensors, tmp_path / "model", meta)
    again = model_from(safetensors.numpy.load_file(tmp_path / "model"), meta)
    assert isinstance(again, WordTagger)
    assert again.facts() == model.facts()
    for name in ("tag", "tag_committee"):
        one, other = (getattr(each, name)(TEST_WORDS, TEST_STARTS).probabilities for each in (model, again))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": np.zeros((1, 2, 2))},
        {"learned": np.array([0, 9])},
        {"learned": np.array([1, 0])},
        {"offsets": np.zeros((1, 2), np.float32)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(model, change):
    tensors, meta = model.to_tensors()
    with pytest.raises(ValueError, match="do not fit together"):
        TagLearner().load(tensors | change, meta)
    with pytest.raises(ValueError, match="lacks learned, offsets"):
        TagLearner().load({"slopes": tensors["slopes"], "steps": tensors["steps"]}, meta)
    with pytest.raises(ValueError, match="not a tithe-tagger/1"):
        TagLearner().load(tensors, {"format": "tithe-linear/1"})


def test_the_same_seed_gives_the_same_model_and_arguments_are_left_alone(model):
    before = WORDS.copy()
    again = TagLearner().fit(WORDS, STARTS, ENTITIES, TYPES, seed=0, members=3)
    np.testing.assert_array_equal(again.slopes, model.slopes)
    np.testing.assert_array_equal(WORDS, before)


def test_beginning_at_the_last_model_ends_at_the_same_place(model):
    again = TagLearner().fit(WORDS, STARTS, ENTITIES, TYPES, seed=0, members=0, previous=model)
    one, other = (each.tag(TEST_WORDS, TEST_STARTS).probabilities for each in (model, again))
    assert np.abs(one - other).max() < 0.05
    other_types = TagLearner().fit(WORDS, STARTS, ENTITIES, TYPES, seed=0, members=0, previous="something else")
    np.testing.assert_allclose(other_types.tag(TEST_WORDS, TEST_STARTS).probabilities, one, atol=1e-6)


def test_more_documents_than_are_looked_at_to_choose(monkeypatch):
    monkeypatch.setattr("tithe.learners.tagging.tagger.SELECTION_DOCUMENTS", 40)
    seen = []
    found = TagLearner().fit(
        WORDS, STARTS, ENTITIES, TYPES, seed=0, members=1, progress=lambda *done: seen.append(done)
    )
    assert found.fitted.held_out == 60
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    monkeypatch.setattr("tithe.learners.tagging.tagger.MANY_DOCUMENTS", 50)
    assert TagLearner().fit(WORDS, STARTS, ENTITIES, TYPES, seed=0, members=0).fitted.held_out == 12


def test_a_single_document_is_enough_to_begin():
    words, starts, entities = WORDS[:6], np.array([0, 6]), [[(1, 2, 0)]]
    found = TagLearner().fit(words, starts, entities, TYPES, seed=0)
    assert found.fitted.score is None
    assert found.fitted.temperature == 1.0
    assert found.tag(words, starts).probabilities[:, 0].argmin() == 1


def test_without_an_entity_there_is_nothing_to_learn():
    with pytest.raises(NothingTagged, match="No label holds an entity yet") as raised:
        TagLearner().fit(WORDS, STARTS, [[] for _ in ENTITIES], TYPES, seed=0)
    assert isinstance(raised.value, NotEnoughClasses)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": WORDS[:, 0]}, "words must have shape"),
        ({"words": np.where(np.arange(len(WORDS))[:, None] == 3, np.nan, WORDS)}, "words row 3 is not finite"),
        ({"starts": STARTS[:-1]}, "starts must rise"),
        ({"starts": STARTS + 1}, "starts must rise"),
        ({"entities": [*ENTITIES[:-1], [(0, 1, 3)]]}, r"document 59 has an entity of a type that is not in \[0, 3\)"),
        ({"entities": [*ENTITIES[:-1], [(0, 99, 0)]]}, "document 59: the entity"),
    ],
)
def test_bad_arguments_are_named(change, message):
    given = {"words": WORDS, "starts": STARTS, "entities": ENTITIES} | change
    with pytest.raises(ValueError, match=message):
        TagLearner().fit(**given, types=TYPES, seed=0)


def test_words_that_do_not_fit_the_model_are_refused(model):
    with pytest.raises(ValueError, match="words must have shape"):
        model.tag(TEST_WORDS[:, :5], TEST_STARTS)
    with pytest.raises(ValueError, match="starts must rise from 0"):
        model.tag(TEST_WORDS, TEST_STARTS[:-1])
