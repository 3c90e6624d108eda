"""What every strategy in the catalog promises, whichever it is."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from tithe.contracts.projects import Task
from tithe.strategies.candidates import Candidates
from tithe.strategies.catalog import CATALOG, SEVERAL_LABELS, TOKEN_LABELS, Needs, Strategy, lookup, stand_in
from tithe.strategies.sieves import Keep
from tithe.strategies.votes import smallest_gap

Array = npt.NDArray[Any]
OF_WORDS = {
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_top",
    "token_entropy_sum",
    "mnlp",
    "sequence_least_confident",
    "entity_entropy",
    "token_vote_entropy",
    "token_vote_entropy_tiebroken",
    "token_consensus_entropy",
    "token_kl_to_consensus",
}
N, CLASSES, MEMBERS = 60, 4, 5
#: Every strategy with every task it serves.
SERVED = [(strategy, task) for strategy in CATALOG.values() for task in sorted(strategy.tasks)]
SETS = [(strategy, task) for strategy, task in SERVED if strategy.needs.a_set]
WITH_SCORES = [(strategy, task) for strategy, task in SERVED if not strategy.needs.a_set]
PREDICTED = [(strategy, task) for strategy, task in WITH_SCORES if strategy.needs is not Needs.NOTHING]


class Texts(NamedTuple):
    """What a model, or each member of a committee, says of the words of some texts."""

    probabilities: Array
    starts: Array


def each(cases: list[tuple[Strategy, str]]) -> pytest.MarkDecorator:
    """Run a test for every pair, named like margin-text_classification."""
    return pytest.mark.parametrize(("strategy", "task"), cases, ids=[f"{s.name}-{task}" for s, task in cases])


def material(strategy: Strategy, task: str, n: int = N, dtype: type = np.float64) -> Array | Candidates | Texts:
    """Candidates as the strategy needs them, axis of the items as :func:`axis` says."""
    rng = np.random.default_rng(5)
    if strategy.needs is Needs.NOTHING:
        return rng.permutation(10 * n)[:n]
    if strategy.needs.a_set:
        vectors = rng.normal(size=(n, 6)).astype(dtype)
        labeled = rng.normal(size=(4, 6)).astype(dtype)
        answers = rng.random((n, CLASSES)) if task in SEVERAL_LABELS else rng.dirichlet(np.ones(CLASSES), n)
        distance = np.linalg.norm(vectors[:, None] - labeled[None], axis=2).min(axis=1).astype(np.float64)
        return Candidates(vectors, answers, rng.random(n), labeled, distance)
    if strategy.needs.words:
        starts = np.cumsum([0, *rng.integers(0, 6, n)])
        of_words = (MEMBERS, starts[-1]) if strategy.needs is Needs.TAG_COMMITTEE else (starts[-1],)
        return Texts(rng.dirichlet(np.ones(CLASSES), of_words).astype(dtype), starts)
    shape: tuple[int, ...] = (MEMBERS, n) if strategy.needs is Needs.COMMITTEE else (n,)
    if task in SEVERAL_LABELS:
        return rng.random((*shape, CLASSES)).astype(dtype)
    return rng.dirichlet(np.ones(CLASSES), shape).astype(dtype)


def arrays(candidates: Array | Candidates | Texts) -> list[Array]:
    """Every array in it."""
    if isinstance(candidates, Texts):
        return list(candidates)
    if isinstance(candidates, Candidates):
        return [
            candidates.vectors,
            candidates.answers,
            candidates.doubt,
            candidates.labeled,
            candidates.nearest_distance,
        ]
    return [candidates]


def taken(strategy: Strategy, candidates: Any, order: Array) -> Any:
    """The candidates in another order."""
    if isinstance(candidates, Texts):
        parts = np.split(candidates.probabilities, candidates.starts[1:-1], axis=-2)
        starts = np.cumsum([0, *np.diff(candidates.starts)[order]])
        return Texts(np.concatenate([parts[text] for text in order], axis=-2), starts)
    return np.take(candidates, order, axis=1 if strategy.needs is Needs.COMMITTEE else 0)


def call(strategy: Strategy, task: str, candidates: Array | Candidates | Texts, seed: int = 3, k: int = 7) -> Array:
    function = strategy.function_for(task)
    if strategy.needs is Needs.NOTHING:
        return function(candidates, seed)
    if strategy.needs.a_set:
        return function(candidates, k, np.random.default_rng(seed))
    return function(*candidates) if isinstance(candidates, Texts) else function(candidates)


@each(SERVED)
def test_the_answer_is_scores_or_positions(strategy: Strategy, task: str) -> None:
    answer = call(strategy, task, material(strategy, task))
    if strategy.needs.a_set:
        assert (answer.dtype, answer.shape) == (np.dtype(np.int64), (7,))
        assert len(np.unique(answer)) == 7
    else:
        assert (answer.dtype, answer.shape) == (np.dtype(np.float64), (N,))
        assert (answer >= 0.0).all()


@each(SERVED)
def test_the_input_is_unchanged_even_if_it_may_not_be_written(strategy: Strategy, task: str) -> None:
    candidates = material(strategy, task)
    before = [array.tobytes() for array in arrays(candidates)]
    for array in arrays(candidates):
        array.setflags(write=False)
    call(strategy, task, candidates)
    assert [array.tobytes() for array in arrays(candidates)] == before


@each(SERVED)
def test_the_same_seed_gives_the_same_bytes(strategy: Strategy, task: str) -> None:
    candidates = material(strategy, task)
    untouched = repr(np.random.get_state())  # noqa: NPY002  # the global generator, which no strategy may use
    assert call(strategy, task, candidates).tobytes() == call(strategy, task, candidates).tobytes()
    assert repr(np.random.get_state()) == untouched  # noqa: NPY002


@each(PREDICTED)
def test_float32_is_accepted(strategy: Strategy, task: str) -> None:
    narrow: Any = material(strategy, task, dtype=np.float32)
    if isinstance(narrow, Texts):
        wide: Any = narrow._replace(probabilities=narrow.probabilities.astype(np.float64))
    else:
        wide = narrow.astype(np.float64)
    assert call(strategy, task, narrow).tobytes() == call(strategy, task, wide).tobytes()


@each(SETS)
def test_float32_vectors_are_accepted(strategy: Strategy, task: str) -> None:
    assert len(call(strategy, task, material(strategy, task, dtype=np.float32))) == 7


@each(WITH_SCORES)
def test_an_empty_pool_has_an_empty_answer(strategy: Strategy, task: str) -> None:
    assert call(strategy, task, material(strategy, task, n=0)).shape == (0,)


@each(SETS)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 5), (5, 5), (5, 9), (60, 0), (60, 60)])
def test_never_more_than_there_are_and_each_once(strategy: Strategy, task: str, n: int, k: int) -> None:
    picked = call(strategy, task, material(strategy, task, n=n), k=k)
    assert len(picked) == min(n, k)
    assert len(np.unique(picked)) == len(picked)
    assert ((picked >= 0) & (picked < n)).all()


@each(WITH_SCORES)
def test_scores_move_with_their_rows(strategy: Strategy, task: str) -> None:
    candidates = material(strategy, task)
    order = np.random.default_rng(0).permutation(N)
    moved = call(strategy, task, taken(strategy, candidates, order))
    assert moved.tobytes() == call(strategy, task, candidates)[order].tobytes()


@each(SETS)
def test_a_candidate_that_is_no_number_is_refused(strategy: Strategy, task: str) -> None:
    candidates = material(strategy, task)
    candidates.answers[8] = candidates.doubt[8] = np.nan
    if strategy.name != "falcun":  # looks at the answers only
        candidates.vectors[8, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 8"):
        call(strategy, task, candidates)


@each(PREDICTED)
def test_nan_is_refused(strategy: Strategy, task: str) -> None:
    candidates = material(strategy, task)
    arrays(candidates)[0][..., 8, 1] = np.nan
    argument = next(iter(inspect.signature(strategy.function_for(task)).parameters))
    with pytest.raises(ValueError, match=rf"^{argument}, shape .* row 8 holds NaN"):
        call(strategy, task, candidates)


@each([(strategy, task) for strategy, task in PREDICTED if not strategy.needs.words])
def test_nothing_scores_above_doubt_or_below_certainty(strategy: Strategy, task: str) -> None:
    """Most doubt: uniform rows, or for votes and divergences members who are certain of different classes."""
    scores = call(strategy, task, material(strategy, task))
    several = task in SEVERAL_LABELS
    certain = np.eye(CLASSES)[:1]
    doubt = np.full((1, CLASSES), 0.5 if several else 1 / CLASSES)
    if strategy.needs is Needs.COMMITTEE:
        certain = np.repeat(certain[None], MEMBERS, axis=0)
        doubt = np.repeat(doubt[None], MEMBERS, axis=0)
        if strategy.name != "consensus_entropy":
            voices = np.arange(MEMBERS) % (2 if several else CLASSES)
            doubt = (np.repeat(voices[:, None], CLASSES, 1) if several else np.eye(CLASSES)[voices])[:, None].astype(
                float
            )
    assert call(strategy, task, certain).tolist() == [0.0]
    # Five members over four classes split alike in many rows; the tie-broken score then goes on to the consensus.
    slack = smallest_gap(MEMBERS) / 2 if strategy.name == "vote_entropy_tiebroken" else 1e-12
    assert call(strategy, task, doubt)[0] >= scores.max() - slack
    assert scores.min() >= 0.0


@each([(strategy, task) for strategy, task in PREDICTED if strategy.needs.words])
def test_no_text_scores_above_one_of_as_many_words_in_doubt_or_below_certainty(strategy: Strategy, task: str) -> None:
    texts = material(strategy, task)
    scores = call(strategy, task, texts)
    uniform = np.full_like(texts.probabilities, 1 / CLASSES)
    certain = np.eye(CLASSES)[np.zeros(texts.probabilities.shape[:-1], dtype=int)]
    if strategy.needs is Needs.TAG_COMMITTEE and strategy.name != "token_consensus_entropy":
        uniform = np.broadcast_to(np.eye(CLASSES)[np.arange(MEMBERS) % CLASSES][:, None], uniform.shape)
    if strategy.name == "entity_entropy":  # a little doubt whether it is an entity, and every type as likely as any
        none = np.linspace(0, 1, 10_001)
        words = np.stack([none, *[(1 - none) / (CLASSES - 1)] * (CLASSES - 1)], axis=1)
        uniform[:] = words[call(strategy, task, Texts(words, np.arange(len(words) + 1))).argmax()]
    slack = smallest_gap(MEMBERS) / 2 if strategy.name == "token_vote_entropy_tiebroken" else 1e-7
    assert (call(strategy, task, Texts(uniform, texts.starts)) >= scores - slack).all()
    assert not call(strategy, task, Texts(certain, texts.starts)).any()
    assert (scores[np.diff(texts.starts) > 0] > 0.0).all() or strategy.name == "token_vote_entropy"


def test_the_tasks_are_those_of_the_projects() -> None:
    served = set().union(*(strategy.tasks for strategy in CATALOG.values()))
    assert served == {str(task) for task in Task}
    for strategy in CATALOG.values():
        assert (strategy.multilabel is not None) == (Task.MULTILABEL in strategy.tasks)


def test_a_name_stands_for_the_function_of_its_paper() -> None:
    names = {
        name: (strategy.function.__name__, strategy.multilabel.__name__ if strategy.multilabel else None)
        for name, strategy in CATALOG.items()
        if not strategy.needs.a_set
    }
    assert names == {
        "random": ("random_scores", "random_scores"),
        "entropy": ("entropy", "binary_entropy"),
        "margin": ("margin", "binary_margin"),
        "least_confident": ("least_confident", "binary_least_confident"),
        "vote_entropy": ("vote_entropy", "binary_vote_entropy"),
        "vote_entropy_tiebroken": ("vote_entropy_tiebroken", None),
        "consensus_entropy": ("consensus_entropy", "binary_consensus_entropy"),
        "kl_to_consensus": ("mean_kl_to_consensus", "binary_mean_kl_to_consensus"),
        "ratio": ("ratio", None),
        "class_balanced_margin": ("margin", None),
    } | {name: (name, None) for name in OF_WORDS}
    sets = {name: definition(strategy.function) for name, strategy in CATALOG.items() if strategy.needs.a_set}
    assert sets == {
        "k_center": "coverage.k_center_greedy",
        "coverage": "coverage.k_means_plus_plus",
        "typical": "coverage.typical",
        "typical_in_stages": "stages.typical_in_stages",
        "variance_reduction": "variance.variance_reduction",
        "prob_cover": "prob_cover.prob_cover",
        "max_herding": "herding.max_herding",
        "k_medoids": "medoids.k_medoids",
        "badge": "badge.badge",
        "cluster_margin": "cluster_margin.cluster_margin",
        "uncertain_k_center": "uncertain_centers.uncertain_k_center",
        "falcun": "falcun.falcun",
        "uncertainty_herding": "herding.uncertainty_herding",
    }


def definition(adapter: Any) -> str:
    """What an adapter says that it calls."""
    return re.search(r":func:`tithe\.strategies\.([\w.]+)`", adapter.__doc__)[1]


def documented(strategy: Strategy) -> list[Any]:
    """The functions that carry the paper: a scorer's own, a set strategy's behind its adapter."""
    given = filter(None, (strategy.function, strategy.multilabel))
    if not strategy.needs.a_set:
        return list(given)
    named = [definition(adapter).rpartition(".") for adapter in given]
    return [getattr(importlib.import_module(f"tithe.strategies.{module}"), name) for module, _, name in named]


def test_every_entry_is_documented_and_none_can_be_changed() -> None:
    for name, strategy in CATALOG.items():
        assert strategy.name == name
        assert strategy.summary.endswith(".")
        assert strategy.use.endswith(".")
        assert strategy.cost.startswith("O(")
        assert strategy.reference
        for function in documented(strategy):
            for section in ("Parameters", "Returns", "Raises", "References", "Examples"):
                assert f"{section}\n    ---" in (function.__doc__ or ""), f"{name}: no {section}"
    with pytest.raises(TypeError):
        CATALOG["margin"] = CATALOG["entropy"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        CATALOG["margin"].name = "entropy"  # type: ignore[misc]


def test_every_list_a_shard_keeps_is_by_a_strategy_that_serves_the_same_tasks() -> None:
    for strategy in CATALOG.values():
        for sieve in strategy.sieves(300):
            assert sieve.rows >= 300
            if sieve.keep is not Keep.CENTERS:
                assert strategy.tasks <= CATALOG[sieve.by].tasks, strategy.name
                assert not CATALOG[sieve.by].needs.a_set


def test_strategies_for_words_serve_nothing_else_and_nothing_else_reads_words() -> None:
    for strategy in CATALOG.values():
        assert strategy.needs.words == (strategy.tasks == TOKEN_LABELS), strategy.name
        assert not strategy.needs.words or strategy.needs.a_model


def test_the_nearest_of_another_task_asks_by_the_same_idea() -> None:
    of_words = {
        "entropy": "token_entropy_mean",
        "margin": "mnlp",
        "ratio": "mnlp",
        "least_confident": "mnlp",
        "class_balanced_margin": "mnlp",
        "vote_entropy": "token_vote_entropy",
        "vote_entropy_tiebroken": "token_vote_entropy_tiebroken",
        "consensus_entropy": "token_consensus_entropy",
        "kl_to_consensus": "token_kl_to_consensus",
    }
    for name, nearest in of_words.items():
        assert stand_in(CATALOG[name], "token_classification") == nearest
    for name in OF_WORDS:
        for task in ("text_classification", "multilabel_classification"):
            assert CATALOG[stand_in(CATALOG[name], task)].needs in (Needs.PROBABILITIES, Needs.COMMITTEE)
    assert stand_in(CATALOG["token_vote_entropy_tiebroken"], "multilabel_classification") == "vote_entropy"


def test_whoever_cannot_serve_a_task_has_a_stand_in_that_can() -> None:
    for strategy in CATALOG.values():
        for task in Task:
            if task not in strategy.tasks:
                assert task in CATALOG[stand_in(strategy, task)].tasks


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert lookup("kl_to_consensus") is CATALOG["kl_to_consensus"]
    with pytest.raises(
        ValueError, match=r"^no strategy is called 'least_confidence'; did you mean 'least_confident'\?"
    ):
        lookup("least_confidence")
    with pytest.raises(
        ValueError, match=r"^no strategy is called 'zzz'; there are badge, class_balanced_margin, cluster_margin"
    ):
        lookup("zzz")


def test_a_task_that_is_not_served_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match="'vote_entropy_tiebroken' does not serve 'multilabel_classification': it has no form for several labels",
    ):
        CATALOG["vote_entropy_tiebroken"].function_for("multilabel_classification")
    with pytest.raises(
        ValueError, match="'margin' does not serve 'token_classification': it reads one answer an item, "
    ):
        CATALOG["margin"].function_for("token_classification")
    for task in ("text_classification", "multilabel_classification"):
        with pytest.raises(
            ValueError, match=f"'mnlp' does not serve '{task}': it reads tags of words, and no words are"
        ):
            CATALOG["mnlp"].function_for(task)
