"""The linear learner: what it computes, against plain definitions; and what it does when labels are few or odd."""

import doctest
import importlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.artifacts import ArtifactStore
from tithe.learners import folds, heads, logistic, selection, thresholds
from tithe.learners.calibration import fit_temperature, negative_log_likelihood
from tithe.learners.linear import LinearLearner
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.scores import decide, evaluate, f1_per_class, macro_f1


def clouds(counts, dimension=24, seed=0, spread=0.9, unit=True):
    """Labeled points of as many overlapping clouds as there are counts, shuffled."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).standard_normal((len(counts), dimension))
    targets = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    points = centers[targets] + spread * rng.standard_normal((len(targets), dimension)) * np.sqrt(2)
    if unit:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), targets.astype(np.int64)


def fit(vectors, targets, classes, **changes):
    options = {"task": "single", "metric": "macro_f1", "seed": 1, "members": 3} | changes
    return LinearLearner().fit(vectors, targets, classes, **options)


def one_hot(targets, classes):
    return np.eye(classes, dtype=np.float32)[targets].T.copy()


@pytest.mark.parametrize("module", ["calibration", "folds", "heads", "scores", "thresholds"])
def test_the_examples_in_the_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"tithe.learners.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


# ---- one head, against plain uses of scikit-learn ----


def reference(vectors, targets, weights, c, class_weight):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, class_weight=class_weight, tol=1e-8, max_iter=5000)
    return model.fit(vectors.astype(float), targets, sample_weight=weights)


def softmax(logits):
    mass = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return mass / mass.sum(axis=-1, keepdims=True)


def said(head, vectors):
    return softmax(logistic.logits(head, vectors).astype(float))


def head_of(vectors, onehot, weights=None, c=1.0, power=0.0, task="single", **options):
    weights = np.ones(len(vectors), np.float32) if weights is None else weights
    return logistic.fit_head(vectors, onehot, weights, c, power, task, **{"tolerance": 1e-6} | options)


@pytest.mark.parametrize("c", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("counts", [[50, 30, 10], [50, 30]])
def test_weighted_heads_are_the_logistic_regressions_they_stand_for(counts, c):
    vectors, targets = clouds(counts, dimension=8)
    weights = np.random.default_rng(0).integers(0, 3, (4, len(targets))).astype(np.float32)
    found = heads.fit_heads(vectors, one_hot(targets, len(counts)), weights, c, 0.0, "single", tolerance=1e-6)
    assert found.dtype == np.float32
    assert found.shape == (4, len(counts), 9)
    for head, row_weights in zip(found, weights, strict=True):
        theirs = reference(vectors, targets, row_weights, c if len(counts) > 2 else 2 * c, None)
        np.testing.assert_allclose(said(head, vectors), theirs.predict_proba(vectors), atol=5e-3)
        np.testing.assert_allclose(head.sum(axis=0), 0, atol=1e-3 * np.abs(head).max())


def test_balanced_weights_are_those_of_scikit_learn():
    vectors, targets = clouds([60, 25, 5], dimension=8)
    theirs = reference(vectors, targets, None, 1.0, "balanced")
    found = said(head_of(vectors, one_hot(targets, 3), power=1.0), vectors)
    np.testing.assert_allclose(found, theirs.predict_proba(vectors), atol=2e-3)


def test_several_classes_a_row_are_as_many_separate_regressions():
    vectors, targets = clouds([40, 40], dimension=8)
    truth = np.stack([targets == 0, vectors[:, 0] > 0, vectors[:, 1] > 0.1], axis=1)
    found = head_of(vectors, truth.T.astype(np.float32), c=2.0, power=1.0, task="multi")
    for head, column in zip(found, truth.T, strict=True):
        theirs = reference(vectors, column, None, 2.0, "balanced").predict_proba(vectors)[:, 1]
        ours = 1 / (1 + np.exp(-logistic.logits(head[None], vectors)[:, 0].astype(float)))
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("kept", [[0, 2], [0, 1, 3], [2]])
def test_classes_whose_rows_weigh_nothing_are_never_the_likeliest_and_change_no_other(kept):
    vectors, targets = clouds([30, 20, 10, 10], dimension=8)
    weights = np.isin(targets, kept).astype(np.float32)
    head = head_of(vectors, one_hot(targets, 4), weights)
    assert np.isin(logistic.logits(head, vectors).argmax(axis=1), kept).all()
    among = np.searchsorted(kept, targets[weights > 0])
    alone = head_of(vectors[weights > 0], one_hot(among, len(kept)))
    np.testing.assert_allclose(head[kept], alone, atol=1e-5)


def test_a_class_on_every_row_or_none_gets_the_odds_of_one_exception():
    vectors, _ = clouds([20, 20], dimension=8)
    onehot = np.stack([np.ones(40), np.zeros(40)]).astype(np.float32)
    head = head_of(vectors, onehot, task="multi")
    assert not head[:, :-1].any()
    np.testing.assert_allclose(1 / (1 + np.exp(-head[:, -1])), [41 / 42, 1 / 42], rtol=1e-5)


@pytest.mark.parametrize(("task", "classes"), [("single", 3), ("single", 2), ("multi", 3)])
def test_where_a_head_starts_changes_its_time_and_not_its_answer(task, classes, monkeypatch):
    vectors, targets = clouds([40] * classes, dimension=8)
    onehot = one_hot(targets, classes)
    head = head_of(vectors, onehot, task=task)
    away = head + np.random.default_rng(0).standard_normal(head.shape).astype(np.float32)
    np.testing.assert_allclose(head_of(vectors, onehot, task=task, start=away), head, atol=0.02 * np.abs(head).max())
    monkeypatch.setattr(logistic, "MAX_ITERATIONS", 1)  # enough from the answer, not from anywhere else; no warning
    np.testing.assert_allclose(head_of(vectors, onehot, task=task, start=head), head, atol=1e-3 * np.abs(head).max())
    assert np.abs(head_of(vectors, onehot, task=task) - head).max() > 0.1


# ---- the model, against the plain definition ----


def test_probabilities_are_the_softmax_of_the_heads_over_the_temperature():
    vectors, targets = clouds([40, 30, 20])
    model = fit(vectors, targets, 3)
    pool, _ = clouds([20, 20, 20], seed=5)
    logits = np.einsum("hkd,nd->hnk", model.heads[:, :, :-1].astype(float), pool) + model.heads[:, None, :, -1]
    expected = softmax(logits / model.temperature)
    np.testing.assert_allclose(model.predict_proba(pool), expected[0], atol=1e-5)
    np.testing.assert_allclose(model.committee_proba(pool), expected[1:], atol=1e-5)
    np.testing.assert_allclose(model.stacked_proba(pool), expected, atol=1e-5)
    assert model.predict_proba(pool).dtype == np.float64
    assert model.predict_proba(pool[:0]).shape == (0, 3)


def test_scikit_learn_gives_the_same_probabilities_on_the_same_weights():
    from sklearn.linear_model import LogisticRegression

    vectors, targets = clouds([40, 30, 20])
    model = fit(vectors, targets, 3)
    theirs = LogisticRegression().fit(vectors, targets)
    theirs.coef_ = model.heads[0, :, :-1].astype(float) / model.temperature
    theirs.intercept_ = model.heads[0, :, -1].astype(float) / model.temperature
    np.testing.assert_allclose(model.predict_proba(vectors), theirs.predict_proba(vectors), atol=1e-5)


def test_a_model_may_have_no_committee():
    vectors, targets = clouds([40, 30])
    model = fit(vectors, targets, 2, members=0)
    assert model.committee_proba(vectors).shape == (0, 70, 2)
    np.testing.assert_allclose(model.stacked_proba(vectors)[0], model.predict_proba(vectors))


def test_a_pool_longer_than_a_chunk_is_predicted_row_by_row_the_same(monkeypatch):
    vectors, targets = clouds([40, 30])
    model = fit(vectors, targets, 2)
    whole = model.predict_proba(vectors)
    monkeypatch.setattr("tithe.learners.linear_model.CHUNK_ROWS", 16)
    np.testing.assert_allclose(model.predict_proba(vectors), whole, atol=1e-6)


def test_a_model_survives_its_file(tmp_path):
    vectors, targets = clouds([40, 30, 20], unit=False)
    model = fit(vectors, targets, 4)
    store = ArtifactStore(tmp_path)
    stored = store.write_model("m.safetensors", *model.to_tensors())
    back = LinearModel.from_tensors(*store.read_model(stored.key, stored.sha256))
    assert back.fitted == model.fitted
    assert json.loads(json.dumps(back.facts()))["labels"] == 90
    assert (back.stacked_proba(vectors) == model.stacked_proba(vectors)).all()


def test_arrays_that_do_not_fit_together_are_no_model():
    tensors, meta = fit(*clouds([20, 20]), 2).to_tensors()
    for wrong, message in (
        (({}, meta), "lacks heads, learned, prior"),
        ((tensors, meta | {"format": "other/1"}), "not a tithe-linear/1 model"),
        ((tensors | {"prior": np.ones(1)}, meta), "do not fit together"),
        ((tensors | {"mean": np.ones(3, np.float32)}, meta), "do not fit together"),
    ):
        with pytest.raises(ValueError, match=message):
            LinearModel.from_tensors(*wrong)


def test_predicting_needs_neither_scikit_learn_nor_scipy():
    code = (
        "import sys, tithe.learners.linear_model, tithe.learners.registry, tithe.learners.scores\n"
        "heavy = {'sklearn', 'scipy', 'onnxruntime', 'tokenizers', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- the fit ----


def test_the_arguments_stay_as_they_were():
    vectors, targets = clouds([40, 30], unit=False)
    pool, _ = clouds([50, 50], unit=False, seed=3)
    before = [array.copy() for array in (vectors, targets, pool)]
    for array in (vectors, targets, pool):
        array.flags.writeable = False
    fit(vectors, targets, 2, pool=pool).stacked_proba(pool)
    assert all((now == then).all() for now, then in zip((vectors, targets, pool), before, strict=True))


def test_the_same_seed_gives_the_same_model_and_another_seed_another_committee():
    vectors, targets = clouds([40, 30, 20])
    pool, _ = clouds([50, 50, 50], seed=3)
    first, again, other = (fit(vectors, targets, 3, pool=pool, seed=seed) for seed in (1, 1, 2))
    assert (first.heads == again.heads).all()
    assert first.temperature == again.temperature
    assert not (first.heads[1:] == other.heads[1:]).all()


def test_it_learns_and_its_held_out_score_tells_the_truth():
    vectors, targets = clouds([100, 60, 40])
    test = clouds([300, 180, 120], seed=8)
    model = fit(vectors, targets, 3)
    found = evaluate(model, *test)
    assert found["macro_f1"] > 0.75
    assert model.fitted.score == pytest.approx(found["macro_f1"], abs=0.08)
    assert model.fitted.log_loss == pytest.approx(found["log_loss"], abs=0.15)
    assert model.out_of_fold.shape == (200, 3)
    assert model.facts()["class_counts"] == (100, 60, 40)


def test_a_pool_helps_while_labels_are_few():
    pool, _ = clouds([400, 400, 400, 400], seed=3)
    test = clouds([300, 300, 300, 300], seed=8)
    without, having = [], []
    for seed in range(5):
        vectors, targets = clouds([3, 3, 3, 3], seed=20 + seed)
        without.append(evaluate(fit(vectors, targets, 4), *test)["macro_f1"])
        having.append(evaluate(fit(vectors, targets, 4, pool=pool), *test)["macro_f1"])
    assert np.mean(having) > np.mean(without) + 0.02


def test_pseudo_labels_fade_as_labels_come():
    assert [round(heads.pseudo_weight(n), 2) for n in (0, 500, 2000, 9000)] == [3.0, 2.25, 0.0, 0.0]


def test_vectors_that_are_not_of_length_one_are_standardised():
    vectors, targets = clouds([60, 60], unit=False)
    stretch = np.geomspace(1e-3, 1e3, vectors.shape[1]).astype(np.float32)
    stretched = np.hstack([vectors * stretch + 50 * stretch, np.full((120, 1), 7, np.float32)])  # the last says nothing
    model, plain = fit(stretched, targets, 2), fit(vectors, targets, 2)
    assert model.scale is not None
    np.testing.assert_allclose(model.predict_proba(stretched), plain.predict_proba(vectors), atol=0.05)
    assert fit(*clouds([30, 30]), 2).scale is None


def test_many_labels_are_quick():
    vectors, targets = clouds([200, 150, 80, 40, 20, 10], dimension=384)
    began = time.process_time()
    fit(vectors, targets, 6, members=5, pool=vectors)
    assert time.process_time() - began < 10  # about half a second; far above, so that a busy machine passes


def test_the_next_round_may_start_from_the_last(monkeypatch):
    monkeypatch.setattr(selection, "WIDE_SEARCH", 100)
    vectors, targets = clouds([60, 40, 20])
    previous = fit(vectors[:90], targets[:90], 3)
    model = fit(vectors, targets, 3, previous=previous)
    assert abs(np.log10(model.fitted.c / previous.fitted.c)) < 0.51
    assert evaluate(model, *clouds([100, 100, 100], seed=8))["accuracy"] > 0.7


# ---- few and odd labels ----


def test_one_class_is_not_enough():
    vectors, _ = clouds([5, 5])
    with pytest.raises(NotEnoughClasses, match="all of one class"):
        fit(vectors, np.zeros(10, np.int64), 3)
    with pytest.raises(NotEnoughClasses):
        fit(vectors, np.ones((10, 2), bool), 2, task="multi")


@pytest.mark.parametrize("counts", [[1, 1], [1, 1, 1, 1], [2, 1], [9, 1], [2, 2, 1], [0, 3, 1], [30, 1, 1, 2]])
def test_classes_of_one_or_two_examples_are_learned(counts):
    vectors, targets = clouds(counts)
    model = fit(vectors, targets, len(counts))
    proper(model, vectors)
    assert model.fitted.held_out == sum(count for count in counts if count > 1)
    assert (model.predict_proba(vectors).argmax(axis=1) == targets).mean() > 0.8


def proper(model, vectors):
    stacked = model.stacked_proba(vectors)
    assert np.isfinite(stacked).all()
    assert (stacked > 0).all()
    assert (stacked < 1).all()
    np.testing.assert_allclose(stacked.sum(axis=2), 1, atol=1e-9)


def test_a_class_without_labels_gets_one_share_in_n_plus_two_and_reorders_nothing():
    vectors, targets = clouds([20, 0, 10, 0])
    model = fit(vectors, targets, 4)
    narrow = fit(vectors, np.where(targets == 0, 0, 1), 2)
    wide = model.predict_proba(vectors)
    np.testing.assert_allclose(wide[:, [1, 3]], 1 / 64)  # (1 / (30 + 2)) / 2 classes
    np.testing.assert_allclose(wide[:, [0, 2]], narrow.predict_proba(vectors) * 31 / 32)
    proper(model, vectors)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=6).filter(lambda c: sum(k > 0 for k in c) > 1), st.integers(0, 99)
)
def test_every_member_knows_every_class_that_has_a_label(counts, seed):
    vectors, targets = clouds(counts, seed=seed)
    model = fit(vectors, targets, len(counts), seed=seed, members=2)
    proper(model, vectors)
    unseen = np.array(counts) == 0
    likeliest = model.stacked_proba(vectors).argmax(axis=2)
    assert not unseen[likeliest].any()


def test_each_bootstrap_sample_keeps_every_class_and_draws_as_often_as_there_are_rows():
    onehot = one_hot(np.repeat([0, 1, 2], [20, 3, 1]), 3)
    weights = folds.bootstrap_weights(folds.strata(onehot), onehot, 50, np.random.default_rng(0))
    assert (weights.sum(axis=1) == 24).all()
    assert ((weights @ onehot.T) == [20, 3, 1]).all()
    assert len(np.unique(weights, axis=0)) == 50


def test_bootstrap_samples_of_rows_with_several_classes_keep_every_side_of_every_class():
    rng = np.random.default_rng(0)
    onehot = (rng.random((5, 30)) < np.array([[0.03], [0.1], [0.5], [0.9], [0.97]])).astype(np.float32)
    onehot[:, 0], onehot[:, 1] = 1, 0
    weights = folds.bootstrap_weights(folds.strata(onehot), onehot, 200, rng)
    assert ((weights @ onehot.T) > 0).all()
    assert ((weights @ (1 - onehot).T) > 0).all()


def test_folds_hold_out_each_row_once_but_a_class_of_one():
    stratum = np.repeat([0, 1, 2], [13, 6, 1])
    fold = folds.stratified_folds(stratum, 5, np.random.default_rng(0))
    assert (fold[stratum == 2] == folds.ALWAYS_IN).all()
    sizes = np.bincount(fold[fold >= 0], minlength=5)
    assert sizes.max() - sizes.min() <= 1
    for value in (0, 1):
        share = np.bincount(fold[stratum == value], minlength=5)
        assert share.max() - share.min() <= 1


def test_few_labels_are_fitted_with_what_is_expected():
    vectors, targets = clouds([6, 4, 3])
    model = fit(vectors, targets, 3)
    assert model.fitted.class_weight == 1.0
    assert model.fitted.c == heads.expected_c(13, 3)


# ---- several classes a row ----


def several(count=300, seed=0):
    vectors, _ = clouds([count // 2, count // 2], seed=seed)
    return vectors, vectors[:, :4] > np.array([0, 0.1, 0.2, 9])  # the last class never occurs


def test_each_class_of_a_row_stands_alone():
    vectors, truth = several()
    model = fit(vectors, truth, 4, task="multi")
    proba = model.predict_proba(vectors)
    assert ((proba > 0) & (proba < 1)).all()
    np.testing.assert_allclose(proba[:, 3], 1 / 302)  # (0 + 1) / (300 + 2)
    assert model.committee_proba(vectors).shape == (3, 300, 4)
    found = evaluate(model, *several(seed=4))
    assert found["macro_f1"] > 0.7
    assert found["f1"][3] is None
    assert model.fitted.score is not None


def test_rare_classes_of_several_a_row_are_learned_and_reproducible():
    vectors, truth = several(60)
    truth = truth.copy()
    truth[:, 3] = False
    truth[7, 3] = True
    first, again = (fit(vectors, truth, 4, task="multi", metric="accuracy") for _ in range(2))
    assert (first.heads == again.heads).all()
    assert np.isfinite(first.committee_proba(vectors)).all()


def test_thresholds_travel_with_the_model_and_its_facts(tmp_path):
    vectors, truth = several()
    model = fit(vectors, truth, 4, task="multi")
    assert model.thresholds.shape == (4,)
    assert ((model.thresholds > 0) & (model.thresholds < 1)).all()
    assert model.thresholds[3] == 0.5  # no head has learned it
    assert (model.thresholds[:3] != 0.5).any()
    assert model.fitted.thresholds == tuple(model.thresholds)
    store = ArtifactStore(tmp_path)
    stored = store.write_model("m.safetensors", *model.to_tensors())
    back = LinearModel.from_tensors(*store.read_model(stored.key, stored.sha256))
    assert (back.thresholds == model.thresholds).all()
    assert back.fitted == model.fitted
    test, answers = several(seed=4)
    by_hand = decide(model.predict_proba(test), single=False, thresholds=model.thresholds)
    assert evaluate(model, test, answers)["macro_f1"] == macro_f1(answers, by_hand)


def test_a_model_from_before_thresholds_says_what_is_likelier_than_not():
    vectors, truth = several()
    model = fit(vectors, truth, 4, task="multi")
    tensors, meta = model.to_tensors()
    facts = json.loads(meta["facts"])
    del tensors["thresholds"], facts["thresholds"]
    old = LinearModel.from_tensors(tensors, meta | {"facts": json.dumps(facts)})
    assert old.thresholds.tolist() == [0.5] * 4
    assert old.fitted.thresholds == ()
    by_half = decide(old.predict_proba(vectors), single=False)
    assert evaluate(old, vectors, truth)["macro_f1"] == macro_f1(truth, by_half)
    assert (old.predict_proba(vectors) == model.predict_proba(vectors)).all()  # they change no probability
    with pytest.raises(ValueError, match=r"do not fit together: .*thresholds \(3,\)"):
        LinearModel.from_tensors(tensors | {"thresholds": np.full(3, 0.5)}, meta)


def test_one_half_stays_where_it_is_right():
    vectors, truth = several()
    assert fit(vectors, truth, 4, task="multi", metric="accuracy").thresholds.tolist() == [0.5] * 4
    model = fit(*clouds([30, 20]), 2)
    assert model.thresholds.tolist() == [0.5, 0.5]
    assert "thresholds" not in model.to_tensors()[0]


def test_thresholds_find_the_classes_that_one_half_never_names():
    vectors, truth = several(600)
    rng = np.random.default_rng(1)
    truth = truth & (rng.random(truth.shape) < 0.35)  # most of what could be there is not: no odds reach one half
    test, answers = several(600, seed=4)
    answers = answers & (rng.random(answers.shape) < 0.35)
    model = fit(vectors, truth, 4, task="multi", members=0)
    half = macro_f1(answers, decide(model.predict_proba(test), single=False))
    found = evaluate(model, test, answers)["macro_f1"]
    assert found > half - 0.01
    assert model.fitted.macro_f1 == pytest.approx(found, abs=0.06)  # not flattered by the fit


def plain_best_f1(answers, truth):
    """The highest F1 of any threshold, one by one."""
    return max(
        2 * (said & truth).sum() / (said.sum() + truth.sum())
        for said in (answers >= limit for limit in np.unique(answers))
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=20))
def test_a_class_s_own_threshold_is_the_best_there_is(rows):
    answers, truth = np.array([p for p, _ in rows]), np.array([carried for _, carried in rows])
    if truth.any():
        said = answers >= 1 / (1 + np.exp(-thresholds._best(answers, truth, 0.0)))
        f1 = 2 * (said & truth).sum() / (said.sum() + truth.sum())
        assert f1 == pytest.approx(plain_best_f1(answers, truth))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 999))
def test_the_threshold_for_all_is_the_best_of_its_candidates(seed):
    rng = np.random.default_rng(seed)
    answers, truth = rng.random((30, 3)), rng.random((30, 3)) < 0.2
    if truth.any():
        named = truth.any(axis=0)
        limits = 1 / (1 + np.exp(-thresholds._LOG_ODDS))
        every = [np.nan_to_num(f1_per_class(truth, answers >= limit))[named].mean() for limit in limits]
        found = thresholds._best_for_all(answers, truth)
        assert every[int(np.flatnonzero(found == thresholds._LOG_ODDS)[0])] == pytest.approx(max(every))


def test_few_examples_move_a_threshold_little_and_many_all_the_way():
    rng = np.random.default_rng(0)
    common = rng.random((400, 5)) < 0.5
    calm = np.where(common, 0.6, 0.4) + rng.uniform(-0.05, 0.05, common.shape)
    for carried, least, most in ((1, 0.5, 0.62), (200, 0.85, 0.95)):
        rare = np.arange(400) < carried
        answers = np.column_stack([calm, np.where(rare, 0.95, 0.85)])
        found = thresholds.fit_thresholds(answers, np.column_stack([common, rare]))
        assert np.allclose(found[:5], 0.5, atol=0.06)
        assert least < found[5] < most
    empty = thresholds.fit_thresholds(calm, np.zeros_like(common))
    assert empty.tolist() == [0.5] * 5
    lacking = common.copy()
    lacking[:, 2] = False
    found = thresholds.fit_thresholds(calm, lacking)
    assert np.isfinite(found).all()


def test_a_row_is_scored_by_thresholds_that_have_not_seen_it():
    rng = np.random.default_rng(0)
    answers, truth, fold = rng.random((60, 3)), rng.random((60, 3)) < 0.3, rng.integers(0, 5, 60)
    said = thresholds.cross_fitted(answers, truth, fold)
    for number in range(5):
        others = thresholds.fit_thresholds(answers[fold != number], truth[fold != number])
        assert (said[fold == number] == (answers[fold == number] >= others)).all()
    flipped = truth.copy()
    flipped[fold == 2] ^= True
    assert (thresholds.cross_fitted(answers, flipped, fold)[fold == 2] == said[fold == 2]).all()
    own = decide(answers, single=False, thresholds=thresholds.fit_thresholds(answers, truth))
    assert macro_f1(truth, own) > macro_f1(truth, said)  # noise: whatever the fit gains on its own rows is flattery


# ---- calibration and scores ----


def test_the_temperature_lowers_the_held_out_loss_as_far_as_any():
    targets = np.repeat([0, 1, 2], [100, 80, 60])
    onehot = one_hot(targets, 3).T.astype(bool)
    logits = 7 * np.random.default_rng(0).standard_normal((240, 3)) + 4 * onehot
    found = fit_temperature(logits, onehot, single=True)

    def loss(temperature):
        return negative_log_likelihood(logits / temperature, onehot.astype(float), single=True)

    assert loss(found) < loss(1.0) - 0.5
    assert loss(found) <= min(loss(t) for t in np.geomspace(0.1, 50, 60)) + 1e-2


def test_the_fitted_temperature_lowers_the_loss_of_the_folds_answers():
    vectors, targets = clouds([60, 40, 20], spread=1.3)
    model = fit(vectors, targets, 3)
    held = model.out_of_fold[np.arange(120), targets]
    logits = np.log(model.out_of_fold) * model.temperature
    before = softmax(logits)[np.arange(120), targets]
    assert -np.log(held).mean() <= -np.log(before).mean() + 1e-3
    assert -np.log(held).mean() == pytest.approx(model.fitted.log_loss)


def test_a_few_rows_that_are_all_right_do_not_call_for_certainty():
    logits = np.array([[2.0, -2.0], [-2.0, 2.0]])
    assert 0.5 < fit_temperature(logits, logits > 0, single=True) < 5
    assert fit_temperature(logits[:0], logits[:0] > 0, single=True) == 1.0


def test_scores_are_those_of_scikit_learn():
    from sklearn import metrics

    vectors, targets = clouds([50, 30, 20], spread=1.5)
    test, truth = clouds([100, 60, 40], seed=8, spread=1.5)
    model = fit(vectors, targets, 3)
    found = evaluate(model, test, truth)
    proba = model.predict_proba(test)
    said = proba.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, proba))
    assert found["f1"] == pytest.approx(list(metrics.f1_score(truth, said, average=None)))
    assert json.dumps(found)


def test_macro_f1_leaves_out_classes_nobody_names():
    truth = np.array([[True, False, False], [True, False, False]])
    assert f1_per_class(truth, truth).tolist()[0] == 1
    assert macro_f1(truth, truth) == 1
    assert macro_f1(truth[:0], truth[:0]) == 0


# ---- bad input ----


@pytest.mark.parametrize(
    ("vectors", "targets", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "vectors must have shape"),
        (np.zeros(3), np.zeros(3, int), "vectors must have shape"),
        (np.ones((3, 2)), np.zeros(2, int), r"targets must have shape \(3,\)"),
        (np.ones((3, 2)), np.array([0, 1, 2]), "targets row 2 is 2, not a class"),
        (np.ones((3, 2)), np.array([0, -1, 1]), "targets row 1 is -1, not a class"),
        (np.array([[1, 2], [np.nan, 1], [1, 1]]), np.array([0, 1, 1]), "vectors row 1 is not finite"),
    ],
)
def test_what_cannot_be_fitted_is_named(vectors, targets, message):
    with pytest.raises(ValueError, match=message):
        fit(vectors.astype(np.float32), targets, 2)


def test_vectors_of_another_dimension_are_refused():
    model = fit(*clouds([20, 20]), 2)
    with pytest.raises(ValueError, match=r"shape \(n, 24\), not \(5, 3\)"):
        model.predict_proba(np.zeros((5, 3), np.float32))
