"""The fused path from vectors to the best rows, against every row scored by the definition and then ranked."""

import dataclasses
import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.learners import bounds, fused, screens
from tithe.learners.bounds import measures
from tithe.learners.fused import best_rows
from tithe.learners.linear_model import FitFacts, LinearModel
from tithe.strategies import ranking, uncertainty

PROPERTY = settings(derandomize=True, deadline=None, max_examples=30)
NAMES = [("single", name) for name in measures("single")] + [("multi", name) for name in measures("multi")]


def a_model(task="single", *, classes=4, d=24, members=5, learned=None, seed=0, size=4.0, standardised=False):
    rng = np.random.default_rng(seed)
    learned = np.arange(classes) if learned is None else np.array(learned)
    own = size * rng.standard_normal((1, len(learned), d + 1)) / np.sqrt(d)
    heads = np.concatenate([own, own + 0.3 * size * rng.standard_normal((members, len(learned), d + 1)) / np.sqrt(d)])
    facts = FitFacts(40, (10,) * classes, 1.0, 0.0, 1.0, "accuracy", 0, 0, members)
    prior = np.full(classes, 1 / 42)
    mean = rng.standard_normal(d).astype(np.float32) if standardised else None
    scale = rng.uniform(0.2, 3, d).astype(np.float32) if standardised else None
    return LinearModel(heads.astype(np.float32), learned, prior, task, 0.7, mean, scale, facts)


def some_rows(n, d=24, seed=1, unit=True):
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows).astype(np.float32)


def defined(model, rows, measure, keep, seed, ordinals=None):
    """Every row by the definition, one at a time, then the product's order."""
    ordinals = np.arange(len(rows), dtype=np.int64) if ordinals is None else ordinals
    found = measures(model.task)[measure]
    scores = np.array([found.scores(model, row[np.newaxis])[0] for row in rows])
    return ranking.merge_top_k([(ordinals, scores)], keep, seed)


def same(found, expected):
    assert found.ordinals.tolist() == expected[0].tolist()
    assert found.scores.tobytes() == expected[1].tobytes()


def cut(rows, pieces, rng, first=0):
    """Runs of the rows, cut anywhere, in any order."""
    at = np.sort(rng.integers(0, len(rows) + 1, pieces))
    runs = [(first + int(a), rows[a:b]) for a, b in zip([0, *at], [*at, len(rows)], strict=True)]
    return [runs[i] for i in rng.permutation(len(runs))]


@pytest.fixture
def eager(monkeypatch):
    """All screens from the first rows on, in small blocks."""
    monkeypatch.setattr(fused, "_FIRST_ROWS", 64)
    monkeypatch.setattr(fused, "_BYTES_FROM_COLUMNS", 1)
    monkeypatch.setattr(fused, "_BLOCK_ROWS", (32, 64))
    monkeypatch.setattr(fused, "_SPARE_ROWS", 8)
    monkeypatch.setattr(fused, "_BYTES_MAY_PASS", 2.0)
    monkeypatch.setattr(screens.NumpyScreen, "is_best_for", lambda _: False)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("task", "measure"), NAMES)
@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("learned", [None, [1, 2, 4]])
def test_the_best_are_the_definitions_however_the_pool_is_cut(task, measure, standardised, learned):
    model = a_model(task, classes=6, learned=learned, standardised=standardised)
    rows = some_rows(700, unit=not standardised)
    rows[100:130] = rows[5]  # duplicates tie, and hashes decide
    rng = np.random.default_rng(3)
    for keep in (1, 7, 90):
        expected = defined(model, rows, measure, keep, seed=11)
        same(best_rows(model, [(0, rows)], measure, keep, 11), expected)
        same(best_rows(model, cut(rows, 9, rng), measure, keep, 11), expected)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("measure", ["margin", "entropy", "vote_entropy", "vote_entropy_tiebroken"])
@PROPERTY
@given(data=st.data())
def test_rows_in_any_shards_merge_to_the_same_best(measure, data):
    classes, d = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 12))
    size = data.draw(st.sampled_from([0.0, 0.1, 5.0, 80.0]))
    model = a_model(classes=classes, d=d, size=size, seed=data.draw(st.integers(0, 9)))
    rows = some_rows(data.draw(st.integers(0, 150)), d, seed=data.draw(st.integers(0, 9)))
    rows = rows[np.random.default_rng(0).integers(0, max(1, len(rows)), len(rows))] if len(rows) else rows
    keep, rng = data.draw(st.integers(0, 160)), np.random.default_rng(data.draw(st.integers(0, 9)))
    expected = defined(model, rows, measure, keep, seed=5, ordinals=np.arange(1000, 1000 + len(rows)))
    runs = cut(rows, data.draw(st.integers(1, 5)), rng, first=1000)
    same(best_rows(model, runs, measure, keep, 5), expected)
    shards = [best_rows(model, [run], measure, keep, 5)[:2] for run in runs]
    merged = ranking.merge_top_k(shards, keep, 5)
    same(fused.Best(*merged, 0), expected)


@pytest.mark.parametrize("columns", [4, 40])
def test_a_pool_past_the_first_rows_goes_through_every_screen(columns, monkeypatch):
    monkeypatch.setattr(fused, "_FIRST_ROWS", 5000)
    used = set()

    def watched(call):
        def watch(screen, rows, length):
            used.add(type(screen))
            return call(screen, rows, length)

        return watch

    for screen in (screens.NumpyScreen, screens.FloatScreen, screens.ByteScreen):
        monkeypatch.setattr(screen, "__call__", watched(screen.__call__))
    d = 400
    model, rows = a_model(classes=columns, members=0, size=12.0, d=d), some_rows(14_000, d)
    found = best_rows(model, [(0, rows)], "margin", 20, 3)
    scores = measures("single")["margin"].scores(model, rows)
    same(found, ranking.merge_top_k([(np.arange(len(rows)), scores)], 20, 3))
    few = {screens.NumpyScreen}
    expected = few if columns == 4 else few | {screens.FloatScreen, screens.ByteScreen}
    assert used == expected
    assert found.scored == len(rows)


@pytest.mark.usefixtures("eager")
def test_rows_that_may_not_be_asked_for_are_neither_kept_nor_counted():
    model, rows = a_model(), some_rows(500)
    open_ = np.arange(0, 500, 3)
    found = best_rows(model, [(0, rows)], "entropy", 12, 1, asked=lambda ordinals: ordinals % 3 == 0)
    same(found, defined(model, rows[open_], "entropy", 12, 1, ordinals=open_))
    assert found.scored == len(open_)
    nothing = best_rows(model, [(0, rows)], "entropy", 12, 1, asked=lambda ordinals: ordinals < 0)
    assert (len(nothing.ordinals), nothing.scored) == (0, 0)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("measure", ["margin", "ratio", "consensus_entropy", "vote_entropy"])
def test_a_constant_pool_is_ordered_by_hash_alone(measure):
    model, rows = a_model(), np.zeros((600, 24), np.float32)
    found = best_rows(model, [(0, rows)], measure, 25, 9)
    assert found.ordinals.tolist() == np.argsort(ranking.tie_hash(np.arange(600), 9))[:25].tolist()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("measure", ["margin", "vote_entropy"])
def test_vectors_of_any_finite_length_are_ranked_by_the_definition(measure):
    model = a_model()
    rows = some_rows(300, unit=False) * np.logspace(-30, 30, 300)[:, np.newaxis].astype(np.float32)
    same(best_rows(model, [(0, rows)], measure, 15, 2), defined(model, rows, measure, 15, 2))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 5000])
def test_a_row_that_is_not_finite_is_named(value, at):
    rows = some_rows(6000)
    rows[at, 3] = value
    with pytest.raises(ValueError, match=f"item {100 + at} is not finite"):
        best_rows(a_model(), [(100, rows)], "margin", 5, 0)


def test_what_makes_no_sense_is_refused_by_name():
    model, rows = a_model(learned=[1, 3, 2, 0]), some_rows(10)
    heads = model.heads.copy()
    heads[0, 1, 2] = np.nan
    for wrong, measure, keep, message in [
        (dataclasses.replace(model, heads=heads), "margin", 1, "head 0, class 3, is not finite"),
        (model, "random", 1, "no score of rows"),
        (a_model("multi"), "ratio", 1, "no score of rows for task 'multi'"),
        (model, "margin", -1, "keep must be at least 0"),
        (a_model(members=0), "vote_entropy", 1, "needs a committee"),
        (a_model(d=7), "margin", 1, r"shape \(n, 7\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            best_rows(wrong, [(0, rows)], measure, keep, 0)


@pytest.mark.parametrize(("task", "measure"), NAMES)
@pytest.mark.parametrize("screen", ["numpy", "float", "bytes"])
@pytest.mark.parametrize("classes", [2, 5, 40])
def test_no_score_leaves_its_bounds(task, measure, screen, classes):
    model = a_model(task, classes=classes, size=6.0, standardised=True, learned=range(classes - 1), seed=classes)
    rows, found = some_rows(600, unit=False, seed=4), measures(task)[measure]
    linear = screens.Linear.of(model, found.heads)
    seen = {
        "numpy": screens.NumpyScreen, "float": screens.FloatScreen,
        "bytes": lambda linear: screens.ByteScreen(linear, shifts=task == "single"),
    }[screen](linear)  # fmt: skip
    logits, error = seen(rows, float(np.linalg.norm(rows, axis=1).max()))
    scores = found.scores(model, rows)
    for bound in filter(None, (found.bound, found.glance)):
        low, high = bound(model, logits.copy(), error)
        assert (low <= scores).all()
        assert (scores <= high).all()


@pytest.mark.parametrize("shifts", [True, False])
def test_screens_are_as_close_as_they_say(shifts):
    model = a_model("single" if shifts else "multi", classes=30, size=9.0, standardised=True)
    linear, rows = screens.Linear.of(model, slice(0, 1)), some_rows(400, unit=False)
    features = (rows.astype(float) - model.mean) * model.scale
    own = model.heads[0].astype(float)
    real = (own[:, :-1] @ features.T + own[:, -1:]) / model.temperature
    length = float(np.linalg.norm(rows, axis=1).max())
    for screen in (screens.NumpyScreen(linear), screens.FloatScreen(linear), screens.ByteScreen(linear, shifts=shifts)):
        logits, error = screen(rows, length)
        off = logits[0] - real
        if shifts:
            off -= (off.max(axis=0) + off.min(axis=0)) / 2
        assert np.abs(off).max() <= error
        assert error < (6.0 if isinstance(screen, screens.ByteScreen) else 0.01)  # of logits of some 20


def test_the_definition_is_the_plain_strategy_of_the_plain_probabilities():
    model, rows = a_model(learned=[0, 2], classes=3, standardised=True), some_rows(50)
    exact = model.exact_proba(rows, slice(None))
    np.testing.assert_allclose(exact, model.stacked_proba(rows), atol=1e-5)
    np.testing.assert_allclose(exact[0].sum(axis=1), 1)
    assert measures("single")["ratio"].scores(model, rows).tobytes() == uncertainty.ratio(exact[0]).tobytes()


@PROPERTY
@given(n=st.integers(1, 70), at=st.integers(0, 69), d=st.integers(1, 40), classes=st.integers(1, 9))
def test_a_rows_exact_probabilities_do_not_depend_on_its_neighbours(n, at, d, classes):
    model, rows = a_model(classes=classes, d=d, standardised=True), some_rows(n, d)
    at %= n
    alone, together = model.exact_proba(rows[at : at + 1], slice(None)), model.exact_proba(rows, slice(None))
    assert alone[:, 0].tobytes() == together[:, at].tobytes()


def test_the_handwritten_model_files_are_what_onnx_runtime_reads():
    from tithe.learners import onnx_bytes as onnx

    graph = onnx.model(
        [onnx.node("Flatten", ["given"], ["flat"], axis=1), onnx.node("Mul", ["flat", "twice"], ["result"])],
        [onnx.floats("given", ["n", 200])], [onnx.floats("result", ["n", 200])],
        [onnx.constant("twice", np.full(200, 2, np.float32))],
    )  # fmt: skip
    rows = some_rows(3, 200)
    (result,) = screens._session(graph).run(None, {"given": rows})
    np.testing.assert_array_equal(result, 2 * rows)


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(bounds).failed == 0
