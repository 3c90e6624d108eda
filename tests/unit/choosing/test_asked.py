"""A model that is asked item by item chooses what the same model chooses that is seen through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tithe.choosing.choose import choose
from tithe.choosing.kept import merge
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Pool
from tithe.choosing.sift import sift_all
from tithe.choosing.worth_asking import worth_asking
from tithe.learners.linear_model import LinearModel
from tithe.learners.words import Tagged
from tithe.strategies.catalog import CATALOG, Needs

from .pools import Made, pool


@dataclass
class Asking:
    """The linear model, reached by ordinals only."""

    made: Made
    model: LinearModel
    costly: bool = False
    asked: int = 0

    def portions(self, ordinals: np.ndarray) -> Iterator[np.ndarray]:
        for first in range(0, len(ordinals), 70):
            yield ordinals[first : first + 70]

    def of(self, ordinals: np.ndarray, *, committee: bool = False) -> np.ndarray:
        self.asked += len(ordinals)
        said = self.model.exact_proba(self.made.vectors[ordinals], slice(None))
        return said if committee else said[0]


WITH_A_MODEL = [name for name, one in CATALOG.items() if one.needs.a_model and "text_classification" in one.tasks]


def lists_of(made: Made, strategy: str, cuts: list[int], model: object) -> tuple:
    plan = made.plan(strategy, 20)
    shards = [replace(shard, model=model) for shard in made.shards(cuts)]
    kept = [sift_all(shard, plan.sieves()) for shard in shards]
    return plan, {
        sieve.name: merge(sieve, [one[at] for one in kept], plan.seed) for at, sieve in enumerate(plan.sieves())
    }


@pytest.mark.parametrize("strategy", WITH_A_MODEL)
def test_what_is_asked_is_chosen_as_what_is_seen_through(strategy: str):
    made = pool(300)
    around = Pool(lambda o: (np.ones(len(o), bool), made.vectors[o]), made.model, lambda: made.vectors[made.labeled],
                  lambda _, rows: made.nearest(rows))  # fmt: skip
    plan, seen = lists_of(made, strategy, [100], made.model)
    expected = choose(plan, seen, around)
    asking = Asking(made, made.model)
    _, answered = lists_of(made, strategy, [100], asking)
    found = choose(plan, answered, replace(around, model=asking))
    assert [one.ordinal for one in found.chosen] == [one.ordinal for one in expected.chosen]
    assert [one.score for one in found.chosen] == pytest.approx([one.score for one in expected.chosen])


def test_a_mix_asks_about_each_item_once():
    made = pool(300)
    asking = Asking(made, made.model)
    lists_of(made, {"margin": 0.5, "vote_entropy": 0.3, "class_balanced_margin": 0.2}, [], asking)
    assert asking.asked == 300 - len(made.labeled)


def test_only_what_is_considered_is_asked_about_and_kept():
    made = pool(300)
    asking = Asking(made, made.model)
    (shard,) = made.shards([])
    considered = np.setdiff1d(np.arange(50, 90), made.labeled)
    plan = made.plan("margin", 20)
    kept = sift_all(replace(shard, model=asking, considered=considered), plan.sieves())
    by_name = dict(zip((sieve.name for sieve in plan.sieves()), kept, strict=True))
    assert sorted(by_name["best:margin"].ordinals) == considered.tolist()
    assert asking.asked == len(considered)
    assert len(by_name["best:random"].ordinals) == 300 - len(made.labeled)  # a lot needs no answer


def test_sets_are_chosen_from_fewer_where_an_answer_is_dear(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tithe.choosing.rank.MOST_COSTLY", 60)
    made = pool(300)
    asking = Asking(made, made.model, costly=True)
    around = Pool(lambda o: (np.ones(len(o), bool), made.vectors[o]), asking, lambda: made.vectors[made.labeled],
                  lambda _, rows: made.nearest(rows))  # fmt: skip
    plan, lists = lists_of(made, "variance_reduction", [], asking)
    asking.asked = 0
    assert len(choose(plan, lists, around).chosen) == 20
    assert asking.asked == 60


@dataclass
class Words:
    """Answers about words: item i has i % 4 words, and the more doubt the larger i is."""

    n: int
    members: int = 3
    costly: bool = False

    def portions(self, ordinals: np.ndarray) -> Iterator[np.ndarray]:
        for first in range(0, len(ordinals), 33):
            yield ordinals[first : first + 33]

    def of(self, ordinals: np.ndarray, *, committee: bool = False) -> Tagged:
        lengths = ordinals % 4
        sure = np.repeat(1 - 0.6 * ordinals / self.n, lengths)
        rows = np.stack([sure, (1 - sure) * 0.7, (1 - sure) * 0.3], axis=1)
        if committee:
            rows = np.stack([rows, *(np.roll(rows, at, axis=1) for at in range(self.members))])
        return Tagged(rows, np.cumsum([0, *lengths]).astype(np.int64))


TAGGING = [name for name, one in CATALOG.items() if one.needs in (Needs.TAGS, Needs.TAG_COMMITTEE)]


@pytest.mark.parametrize("strategy", TAGGING)
def test_strategies_of_words_are_the_same_however_the_pool_is_cut(strategy: str):
    made = replace(pool(200, model=False), task="token_classification")
    plan = replace(made.plan("random", 15), parts=parts_of(strategy, model=True))
    model = Words(200)
    found = []
    for cuts in ([], [70, 71, 150]):
        kept = [sift_all(replace(shard, model=model), plan.sieves()) for shard in made.shards(cuts)]
        lists = [merge(sieve, [one[at] for one in kept], 11) for at, sieve in enumerate(plan.sieves())]
        found.append([one.ordinals.tolist() for one in lists])
    assert found[0] == found[1]
    everything = np.setdiff1d(np.arange(200), made.labeled)
    said = model.of(everything, committee=True)
    own = slice(1, None) if CATALOG[strategy].needs is Needs.TAG_COMMITTEE else 0
    scores = CATALOG[strategy].function_for("token_classification")(said.probabilities[own], said.starts)
    best = found[0][0][0]
    assert scores[everything.tolist().index(best)] == scores.max()


def test_what_is_worth_asking_is_half_neighbours_and_half_by_lot():
    made = pool(400)
    ordinals = np.setdiff1d(np.arange(400), made.labeled)
    vectors, labeled = made.vectors[ordinals], made.vectors[made.labeled[:5]]
    chosen = worth_asking(ordinals, vectors, labeled, 40, seed=3)
    gaps = np.linalg.norm(vectors[:, None].astype(np.float64) - labeled[None], axis=2)
    near = set(ordinals[np.unique(np.argsort(gaps, axis=0)[:4].ravel())].tolist())  # 40 // (2 * 5) of each
    assert len(chosen) == 40
    assert (np.diff(chosen) > 0).all()
    assert set(chosen.tolist()) <= set(ordinals.tolist())
    assert len(near & set(chosen.tolist())) >= min(20, len(near))
    assert worth_asking(ordinals, vectors, labeled, 40, seed=3).tolist() == chosen.tolist()
    assert worth_asking(ordinals, vectors, labeled, 40, seed=4).tolist() != chosen.tolist()


@pytest.mark.parametrize("most", [1, 7, 360, 1000])
def test_no_more_are_worth_asking_than_may_be_asked(most: int):
    made = pool(400, model=False)
    ordinals = np.setdiff1d(np.arange(400), made.labeled)
    for labeled in (made.vectors[made.labeled], made.vectors[:0]):
        chosen = worth_asking(ordinals, made.vectors[ordinals], labeled, most, seed=0)
        assert len(chosen) == min(most, len(ordinals))
        assert len(set(chosen.tolist())) == len(chosen)
