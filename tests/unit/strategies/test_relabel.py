"""ActiveLab, against the formula written out answer by answer, and against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.relabel import activelab_scores

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Answers = list[tuple[int, int, int]]  # item, annotator, class


def scored(probabilities: Float64, answers: Answers) -> Float64:
    items, annotators, classes = np.array(answers, dtype=np.int64).reshape(-1, 3).T
    return activelab_scores(probabilities, items, annotators, classes)


def plain(probabilities: Float64, answers: Answers) -> list[float]:
    p, count = probabilities.tolist(), probabilities.shape[1]
    of: dict[int, list[tuple[int, int]]] = {}
    for item, annotator, label in answers:
        of.setdefault(item, []).append((annotator, label))
    people = sorted({annotator for _, annotator, _ in answers})
    if any(len(given_answers) > 1 for given_answers in of.values()):
        named = {i: [label for _, label in of[i]] for i in of}
        consensus = {i: max(range(count), key=lambda k: (named[i].count(k), p[i][k], -k)) for i in of}
        _, _, mean = trust(p, count, of, people, consensus)
        consensus = {i: max(range(count), key=lambda k: (mean(i, k), -k)) for i in of}
        model, weight, mean = trust(p, count, of, people, consensus)
        quality = {i: mean(i, consensus[i]) for i in of}
    else:
        model, weight = 1.0, dict.fromkeys(people, 1.0)
        quality = {i: p[i][of[i][0][1]] for i in of}
    average = sum(weight.values()) / len(people) if people else 1.0
    scores = []
    for i, row in enumerate(p):
        own = model + sum(weight[j] for j, _ in of.get(i, []))
        scores.append(1 - (own * quality.get(i, max(row)) + average / count) / (own + average))
    return scores


def trust(
    p: list[list[float]], count: int, of: dict[int, list[tuple[int, int]]], people: list[int], consensus: dict[int, int]
) -> tuple[float, dict[int, float], Callable[[int, int], float]]:
    several = [i for i in of if len(of[i]) > 1]
    seen = {j: [0, 0] for j in people}
    for i in several:
        for j, mine in of[i]:
            others = [label for other, label in of[i] if other != j]
            seen[j][0] += others.count(mine)
            seen[j][1] += len(others)
    shares = {j: same / total for j, (same, total) in seen.items() if total}
    share = {j: shares.get(j, sum(shares.values()) / len(shares)) for j in people}
    agreed = sum(sum(label == consensus[i] for _, label in of[i]) / len(of[i]) for i in several) / len(several)
    often = [sum(consensus[i] == k for i in several) for k in range(count)]
    baseline = max(sum(consensus[i] != often.index(max(often)) for i in several) / len(several), 1e-6)
    wrong = sum(p[i].index(max(p[i])) != consensus[i] for i in several) / len(several)
    model = max(1 - wrong / baseline, 1e-6) * math.sqrt(sum(map(len, of.values())) / len(of))
    weight = {j: max(1 - (1 - share[j]) / baseline, 1e-6) for j in people}

    def mean(i: int, k: int) -> float:
        likelihoods = [weight[j] * (agreed if label == k else (1 - agreed) / (count - 1)) for j, label in of[i]]
        return (model * p[i][k] + sum(likelihoods)) / (model + sum(weight[j] for j, _ in of[i]))

    return model, weight, mean


@st.composite
def projects(draw: st.DrawFn) -> tuple[Float64, Answers]:
    """Few items, few people, ragged answers, some people who share no item; numbers of people in no order."""
    classes = draw(st.integers(2, 3))
    n = draw(st.integers(1, 12))
    seed = draw(st.integers(0, 999))
    answers = draw(
        st.lists(
            st.tuples(st.integers(0, n - 1), st.sampled_from([3, -7, 40, 10**9]), st.integers(0, classes - 1)),
            max_size=25,
            unique_by=lambda answer: answer[:2],
        )
    )
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n), answers


@PROPERTY
@given(project=projects(), seed=st.integers(0, 99))
def test_it_is_the_formula_in_whatever_order_answers_come(project: tuple[Float64, Answers], seed: int) -> None:
    probabilities, answers = project
    scores = scored(probabilities, answers)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(plain(probabilities, answers), abs=1e-9)
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0
    order = np.random.default_rng(seed).permutation(len(answers))
    assert scored(probabilities, [answers[i] for i in order]) == pytest.approx(scores, abs=1e-12)


def test_a_case_worked_out_by_hand() -> None:
    # Answers of a, b and c: 000, 111, 001, 111; the fifth item has none. Consensus 0, 1, 0, 1.
    # a and b agree with 7 of 8 answers of others, c with 6; b = 1/2, so w = 3/4, 3/4, 1/2, mean 2/3.
    # P = (1 + 1 + 2/3 + 1) / 4 = 11/12. The classifier is wrong on 1 of 4: w_M = (1 - 1/2) * sqrt(3).
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9], [0.5, 0.5]])
    answers = [(i, j, int(label)) for i, row in enumerate(["000", "111", "001", "111"]) for j, label in enumerate(row)]
    model = math.sqrt(3) / 2
    over = model + 2 + 2 / 3
    expected = [
        1 - (model * 0.9 + 2 * 11 / 12 + 1 / 3) / over,
        1 - (model * 0.8 + 2 * 11 / 12 + 1 / 3) / over,
        1 - (model * 0.3 + 1.5 * 11 / 12 + 0.5 / 12 + 1 / 3) / over,
        1 - (model * 0.9 + 2 * 11 / 12 + 1 / 3) / over,
        0.5,
    ]
    assert scored(probabilities, answers) == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx([0.16605, 0.19056, 0.43108, 0.16605, 0.5], abs=1e-5)


def test_agreement_settles_an_item_and_a_quarrel_keeps_it_open() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    probabilities = 0.7 * np.eye(3)[truth] + 0.1
    answers = [(i, j, int(truth[i])) for i in range(40) for j in range(2)]
    probabilities[50] = 1 / 3
    once = scored(probabilities, answers)
    agreed = scored(probabilities, [*answers, (50, 0, 1), (50, 1, 1)])
    quarrel = scored(probabilities, [*answers, (50, 0, 1), (50, 1, 2)])
    assert agreed[50] < quarrel[50]
    assert quarrel[50] > agreed[55]  # an open quarrel before a fresh item the model is sure of
    assert agreed[50] < once[50]


def test_one_class_is_never_in_doubt() -> None:
    assert scored(np.ones((3, 1)), [(0, 0, 0), (0, 1, 0)]).tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_no_items_no_scores() -> None:
    assert scored(np.empty((0, 3)), []).tolist() == []


def test_what_is_no_answer_is_refused() -> None:
    rows = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match="annotator 7 answers item 1 2 times"):
        scored(rows, [(0, 7, 1), (1, 7, 0), (1, 7, 1)])
    with pytest.raises(ValueError, match="items: answer 1 names 2, not 0 to 1"):
        scored(rows, [(0, 7, 1), (2, 7, 0)])
    with pytest.raises(ValueError, match="classes: answer 0 names -1, not 0 to 1"):
        scored(rows, [(0, 7, -1)])
    with pytest.raises(ValueError, match=r"must be of one length, not \[2, 1, 2\]"):
        activelab_scores(rows, np.array([0, 1]), np.array([0]), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"annotators, shape \(1,\), float64, must be one row of integers"):
        activelab_scores(rows, np.array([0]), np.array([0.0]), np.array([0]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"probabilities, .*row 1 sums to 2, not to 1"):
        scored(np.array([[0.5, 0.5], [1.0, 1.0]]), [])
