"""Sums, maxima, losses and confidences beside the enumeration of all sequences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tithe.learners.tagging import crf
from tithe.learners.tagging.decoding import entities
from tithe.learners.tagging.lattice import Order, likeliest, sums
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.words import Tagged

LENGTHS = [3, 0, 1, 4, 2, 4, 0]
STARTS = np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int64)
SCHEMES = [Scheme(1, "bio"), Scheme(2, "bio"), Scheme(1, "bilou")]


def sequences(scheme: Scheme, length: int) -> list[tuple[int, ...]]:
    """Every well-formed sequence."""
    return [
        tags
        for tags in itertools.product(range(scheme.tags), repeat=length)
        if scheme.starts[tags[0]]
        and scheme.ends[tags[-1]]
        and all(scheme.allowed[a, b] for a, b in itertools.pairwise(tags))
    ]


def drawn(scheme: Scheme, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(STARTS[-1], scheme.tags)) * 2, rng.normal(size=(scheme.tags, scheme.tags))


def weight(found, steps, tags):
    return np.exp(
        sum(row[tag] for row, tag in zip(found, tags, strict=True))
        + sum(steps[a, b] for a, b in itertools.pairwise(tags))
    )


def test_the_order_lists_every_word_once_places_without_gaps():
    order = Order(STARTS)
    assert sorted(order.words.tolist()) == list(range(STARTS[-1]))
    assert (order.words[order.after] == order.words[order.before] + 1).all()
    assert sorted(order.words[order.last].tolist()) == [
        stop - 1 for start, stop in itertools.pairwise(STARTS) if stop > start
    ]
    assert (STARTS[order.documents] <= order.words).all()
    assert (order.words < STARTS[order.documents + 1]).all()
    assert len(Order(np.array([0])).words) == len(Order(np.array([0, 0, 0])).words) == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(3))
def test_marginals_pairs_and_the_sum_are_those_of_the_enumeration(scheme, seed):
    found, steps = drawn(scheme, seed)
    order = Order(STARTS)
    marginal = np.empty_like(found)
    marginal[order.words] = crf.posterior(found[order.words], steps, scheme, order)
    weights, top = crf.weights_of(found[order.words])
    step = crf.step_weights(steps, scheme)
    summed = sums(weights, step, scheme.starts, scheme.ends, order)
    logs = np.bincount(order.documents, np.log(summed.scale) + top, len(LENGTHS))
    counts = np.ones(STARTS[-1])
    expected_pairs = np.zeros_like(steps)
    for document, (start, stop) in enumerate(itertools.pairwise(STARTS)):
        if start == stop:
            continue
        all_of_them = sequences(scheme, stop - start)
        each = np.array([weight(found[start:stop], steps, tags) for tags in all_of_them])
        assert logs[document] == pytest.approx(np.log(each.sum()))
        expected = np.zeros((stop - start, scheme.tags))
        for tags, share in zip(all_of_them, each / each.sum(), strict=True):
            expected[np.arange(stop - start), tags] += share
            for a, b in itertools.pairwise(tags):
                expected_pairs[a, b] += share
        np.testing.assert_allclose(marginal[start:stop], expected, atol=1e-10)
    np.testing.assert_allclose(crf.pairs(summed, step, counts, order), expected_pairs, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(3))
def test_the_likeliest_sequence_is_that_of_the_enumeration(scheme, seed):
    found, _ = drawn(scheme, seed)
    order = Order(STARTS)
    path = np.empty(STARTS[-1], np.int64)
    path[order.words] = likeliest(found[order.words], scheme.allowed, scheme.starts, scheme.ends, order)
    for start, stop in itertools.pairwise(STARTS):
        if start < stop:
            best = max(
                sequences(scheme, stop - start),
                key=lambda tags: weight(found[start:stop], np.zeros((scheme.tags,) * 2), tags),
            )
            assert tuple(path[start:stop]) == best


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(4))
def test_entities_and_their_confidence_are_those_of_the_enumeration(scheme, seed):
    found, _ = drawn(scheme, seed)
    probabilities = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    answer = entities(Tagged(probabilities, STARTS), scheme)
    nothing = np.zeros((scheme.tags,) * 2)
    assert len(answer) == len(LENGTHS)
    for (start, stop), own in zip(itertools.pairwise(STARTS), answer, strict=True):
        if start == stop:
            assert own == []
            continue
        each = {
            tags: weight(np.log(probabilities[start:stop]), nothing, tags) for tags in sequences(scheme, stop - start)
        }
        held = {
            tags: {tuple(row[1:]) for row in scheme.decode(np.array(tags), np.array([0, stop - start])).tolist()}
            for tags in each
        }
        assert {tuple(one[:3]) for one in own} == held[max(each, key=each.__getitem__)]
        for one in own:
            exactly = sum(share for tags, share in each.items() if tuple(one[:3]) in held[tags])
            assert one.confidence == pytest.approx(exactly / sum(each.values()))


def test_where_nothing_is_the_likeliest_of_every_word_there_is_no_entity():
    quiet = np.tile([0.4, 0.3, 0.3], (5, 1))
    assert entities(Tagged(quiet, np.array([0, 2, 5])), Scheme(1, "bio")) == [[], []]


def test_an_eager_model_finds_more_and_is_no_surer_of_it():
    unsure = np.array([[0.6, 0.3, 0.1], [0.9, 0.05, 0.05], [0.2, 0.7, 0.1]])
    starts = np.array([0, 3])
    (calm,), (eager,) = (entities(Tagged(unsure, starts), Scheme(1, "bio"), eagerness) for eagerness in (1.0, 3.0))
    assert [one.first for one in calm] == [2]
    assert [one.first for one in eager] == [0, 2]
    assert eager[1].confidence == calm[0].confidence
    assert eager[0].confidence < 0.5


def test_certain_words_that_cannot_follow_one_another_give_an_answer():
    impossible = np.eye(5)[[2, 2, 3]]  # I I L without a beginning
    (found,) = entities(Tagged(impossible, np.array([0, 3])), Scheme(1))
    assert [(one.first, one.stop) for one in found] == [(0, 3)]
    assert 0 < found[0].confidence < 1
    order = Order(np.array([0, 3]))
    assert np.isfinite(crf.posterior(1e4 * impossible, np.zeros((5, 5)), Scheme(1), order)).all()


def test_probabilities_of_another_scheme_are_refused():
    with pytest.raises(ValueError, match="must have shape"):
        entities(Tagged(np.ones((2, 3)) / 3, np.array([0, 2])), Scheme(1))
