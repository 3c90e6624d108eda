"""A rehearsal in memory: the same again, resumed, with errors, with several labels; and its words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tithe.contracts.projects import Task
from tithe.errors import BadInput
from tithe.learners.linear import LinearLearner
from tithe.policy import round_seed
from tithe.rehearsal.annotators import classes_said, confusion
from tithe.rehearsal.figures import area
from tithe.rehearsal.ledger import Job, Ledger, fingerprint
from tithe.rehearsal.outcome import Price
from tithe.rehearsal.page import page
from tithe.rehearsal.problem import problem_of
from tithe.rehearsal.rehearse import Script, rehearse
from tithe.rehearsal.replay import Course, replay
from tithe.rehearsal.verdict import verdict

from .small import records, settings, stage


class Quiet:
    def __init__(self) -> None:
        self.rounds, self.done_before, self.ended = 0, -1, []

    def encoded(self, done, of):
        pass

    def planned(self, rounds, done):
        assert done <= rounds
        self.done_before = done

    def round_over(self):
        self.rounds += 1

    def over(self, job, run):
        assert run["labels"]
        self.ended.append(job.name)


def script(seeds: int = 2, **changed) -> Script:
    return Script(settings(**changed), {"random": "random", "margin": "margin"}, range(seeds), Price(0.5, "EUR"), 1)


def without_time(report):
    return {name: value for name, value in report.items() if name != "seconds"}


def test_the_same_again_plays_nothing_and_says_the_same(tmp_path: Path):
    first, second = Quiet(), Quiet()
    told = rehearse(records(), script(), tmp_path, first)
    assert (first.done_before, first.rounds) == (0, 2 + 2 * 2 * 3)
    assert rehearse(records(), script(), tmp_path, second) == told
    assert (second.done_before, second.rounds) == (14, 0)
    assert without_time(rehearse(records(), script(), tmp_path / "elsewhere", Quiet())) == without_time(told)
    json.dumps(told, allow_nan=False)


def test_only_what_a_changed_setting_touches_is_played_again(tmp_path: Path):
    rehearse(records(), script(), tmp_path, Quiet())
    more, other, wrong = Quiet(), Quiet(), Quiet()
    rehearse(records(), script(seeds=3), tmp_path, more)
    assert more.ended == ["every label", "random", "margin"]
    rehearse(records(), script(control=0.2), tmp_path, other)
    assert other.ended == ["margin", "margin"]
    rehearse(records(), script(error_rate=0.2), tmp_path, wrong)
    assert sorted(set(wrong.ended)) == ["every label", "every label, none wrong", "margin", "random"]
    rehearse(records(n=380), script(), tmp_path, other)
    assert other.ended.count("random") == 2


def test_a_line_cut_off_is_played_again(tmp_path: Path):
    told = rehearse(records(), script(), tmp_path, Quiet())
    path = tmp_path / "runs.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    watch = Quiet()
    assert without_time(rehearse(records(), script(), tmp_path, watch)) == without_time(told)
    assert len(watch.ended) == 1
    assert len(Ledger(path).read()) == 6


def test_a_round_trains_and_chooses_with_the_seed_a_project_would_have(tmp_path: Path):
    chosen = settings(control=0.0, near_duplicate=None, rounds=2)
    problem = problem_of(stage(tmp_path), chosen, 5)
    course = Course(problem, chosen, "margin")
    for number in range(2):
        course.label(number)
        course.learn(number + 1)
    rows = np.random.default_rng(round_seed(5, 1)).choice(len(problem.vectors), len(problem.vectors), replace=False)
    first = course.labeled[:10]
    model = LinearLearner().fit(
        problem.vectors[first], problem.answers[first], 3, task="single", metric="accuracy", seed=round_seed(5, 1),
        members=0, pool=problem.vectors[np.sort(rows)],
    )  # fmt: skip
    top = np.sort(model.predict_proba(problem.vectors), axis=1)
    margins = top[:, -1] - top[:, -2]
    margins[first] = np.inf
    assert set(course.labeled[10:]) == set(np.argsort(margins, kind="stable")[:10])


def test_no_model_is_trained_on_the_control_arm_and_its_labels_are_counted(tmp_path: Path):
    chosen = settings(control=0.3, rounds=4)
    course = Course(problem_of(stage(tmp_path), chosen, 1), chosen, "margin")
    for number in range(4):
        course.label(number)
        course.learn(number + 1)
    assert course.labels == [10, 20, 30, 40]
    assert len(np.unique(course.labeled)) == 40
    assert abs(len(course.labeled) - len(course.trained) - 12) <= 4


def test_random_goes_on_until_the_targets_are_reached(tmp_path: Path):
    found = replay(stage(tmp_path), settings(rounds=1, beyond=20), "random", 0, 2.0, lambda: None)
    assert found["labels"][:3] == [10, 20, 30]
    assert found["labels"][-1] == 200
    stopped = replay(stage(tmp_path), settings(rounds=1), "random", 0, 0.01, lambda: None)
    assert stopped["labels"] == [10]


def test_test_items_are_never_in_the_pool_and_each_seed_holds_out_others(tmp_path: Path):
    found = [problem_of(stage(tmp_path), settings(), seed) for seed in range(2)]
    for one in found:
        assert not set(one.rows) & set(one.test_rows)
        assert len(one.rows) + len(one.test_rows) == 400
    assert set(found[0].test_rows) != set(found[1].test_rows)


@pytest.mark.parametrize("errors", ["uniform", "confusion"])
def test_annotators_err_as_often_as_they_are_told_to_and_alike_for_every_strategy(tmp_path: Path, errors: str):
    chosen = settings(error_rate=0.25, errors=errors)
    right, wrong, again = (problem_of(stage(tmp_path), chosen, 2, rate) for rate in (0.0, None, None))
    assert 0.17 < (right.answers != wrong.answers).mean() < 0.33
    assert (wrong.answers == again.answers).all()
    assert (right.test_truth == wrong.test_truth).all()


def test_errors_by_confusion_go_where_the_learner_errs():
    taken_for = confusion(np.array([0, 1, 2]), np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.1, 0.3, 0.6]]))
    said = classes_said(np.repeat([0, 2], 2000), 3, 0.5, 0, taken_for)
    assert set(said[:2000]) == {0, 1}
    assert 2.5 < (said[2000:] == 1).sum() / (said[2000:] == 0).sum() < 3.6


def test_several_labels_an_item(tmp_path: Path):
    chosen = script(task=Task.MULTILABEL, metric="macro_f1", error_rate=0.1)
    told = rehearse(records(several=True), chosen, tmp_path, Quiet())
    assert told["full_pool"]["none_wrong"]["score"]["median"] > 0.6
    assert told["strategies"][1]["at_the_end"]["score"]["median"] > 0.3


def test_more_rounds_than_the_pool_holds_are_told_of(tmp_path: Path):
    told = rehearse(records(n=60), script(rounds=40), tmp_path, Quiet())
    assert told["settings"]["rounds"] == 4
    assert any("4 rounds of 10 are played" in note for note in told["data"]["notes"])
    with pytest.raises(BadInput, match="not one batch of 100"):
        rehearse(records(n=60), script(batch=100), tmp_path, Quiet())


def test_where_all_else_is_a_near_duplicate_chance_asks_and_it_is_said(tmp_path: Path):
    """Vectors of which none points away from another: a queue holds hardly an item."""
    alike = replace(records(), vectors=np.abs(records().vectors))
    told = rehearse(alike, script(near_duplicate=0.1), tmp_path, Quiet())
    margin = told["strategies"][1]
    assert margin["curve"]["labels"] == [10, 20, 30], "it goes on as hand-outs do"
    assert margin["unranked"] > 5
    assert any("all else was a near-duplicate" in one for one in told["recommendation"]["words"])
    assert told["strategies"][0]["unranked"] == 0


def test_a_budget_below_a_curve_s_first_point_has_its_height():
    assert area([40, 60], [0.5, 0.7], until=20) == 0.5


def test_the_page_holds_everything_and_loads_nothing(tmp_path: Path):
    told = rehearse(records(), script(), tmp_path, Quiet())
    text = page(told)
    assert text.count("<svg") == 3
    assert told["recommendation"]["words"][0].split(":")[0] in text
    assert "<script" not in text
    assert "src=" not in text
    assert text == page(told)


def test_what_users_wrote_is_escaped_on_the_page(tmp_path: Path):
    told = rehearse(records(), script(), tmp_path, Quiet())
    told["data"]["notes"] = ["<b>bold</b>"]
    told["data"]["classes"] = {"$x<y$": 1, "plain": 5}
    for one in told["strategies"]:
        one["f1"] = {"$x<y$": 0.5, "plain": None}
    assert "<b>bold" not in page(told)


def report(ratios, labels=100.0, seeds=5, over=(0.01, 0.002, 0.02)):
    """A report of one strategy beside random; ratios by share: (median, low, high, bound)."""

    def row(name, found):
        targets = [
            {
                "share": share, "labels": {"median": labels, "low": None, "high": None}, "reached": 5, "of": 5,
                "against_random": None if found is None else
                dict(zip(("median", "low", "high", "bound"), found[share], strict=True)),
                "random_labels": {"median": 410.0}, "money": None,
            }
            for share in (0.9, 0.95, 0.98, 0.99)
        ]  # fmt: skip
        spread = dict(zip(("median", "low", "high"), over, strict=True))
        return {
            "name": name, "strategy": name, "targets": targets, "area": spread, "area_over_random": spread,
            "curve": {"labels": [20, 4000]},
        }  # fmt: skip

    return {
        "settings": {"seeds": list(range(seeds)), "price": 0.08, "currency": "EUR", "error_rate": 0.0,
                     "budget": 800},
        "data": {"pool": 50_000}, "full_pool": {"none_wrong": None},
        "strategies": [row("random", None), row("margin", ratios)],
    }  # fmt: skip


def test_what_beats_random_is_recommended_with_what_it_saves():
    found = verdict(report(dict.fromkeys((0.9, 0.95, 0.98, 0.99), (4.1, 2.9, 5.6, None))))
    assert (found["strategy"], found["share"], found["sure"]) == ("margin", 0.95, True)
    assert found["words"][0] == (
        "Margin reached 95% of the full-pool score with 100 labels, random with 410 "
        "(4.1x, 90 % interval 2.9 to 5.6): take it."
    )
    assert found["words"][1] == "For 99%: 100 labels, 4.1x (2.9 to 5.6)."
    assert "50,000 items and 0.08 EUR a label, labeling everything costs 4,000.00 EUR" in found["words"][2]
    assert "Random costs 32.80: 24.80 saved" in found["words"][2]


def test_it_is_recommended_for_a_target_at_which_it_wins():
    ratios = dict.fromkeys((0.9, 0.95, 0.98), (1.3, 0.9, 1.6, None)) | {0.99: (6.0, 2.6, None, "at least")}
    found = verdict(report(ratios))
    assert (found["strategy"], found["share"]) == ("margin", 0.99)
    assert "(at least 6.0x, 90 % interval from 2.6)" in found["words"][0]


@pytest.mark.parametrize(
    "ratio", [(1.3, 0.9, 1.6, None), (0.7, 0.5, 0.9, None), (None, None, None, None), (3.0, None, 4.0, "at most")]
)
def test_where_nothing_beats_random_it_says_so(ratio):
    found = verdict(report(dict.fromkeys((0.9, 0.95, 0.98, 0.99), ratio)))
    assert found["strategy"] is None
    assert found["words"][0] == "No strategy beat random: label at random, or change the encoder."


def test_a_budget_that_is_too_small_is_not_called_a_defeat():
    unknown = dict.fromkeys((0.9, 0.95, 0.98, 0.99), (3.0, None, 4.0, "at most"))
    found = verdict(report(unknown, labels=None))
    assert found["strategy"] is None
    assert found["words"][0] == "Random reached 90 % of the full-pool score with 410 labels, nothing else with 800."
    assert "margin +1.0" in found["words"][1]
    nobody = report(unknown, labels=None)
    for row in nobody["strategies"]:
        for target in row["targets"]:
            target["random_labels"] = {"median": None}
    first = verdict(nobody)["words"][0]
    assert first.startswith("No strategy reached 90 % of the full-pool score with 800 labels: play more")


def test_few_seeds_give_a_hint_and_no_finding():
    found = verdict(report(dict.fromkeys((0.9, 0.95, 0.98, 0.99), (4.1, None, None, None)), seeds=3))
    assert found["strategy"] == "margin"
    assert not found["sure"]
    assert "too few for an interval" in found["words"][2]


def test_a_strategy_that_is_lower_on_the_whole_is_not_recommended():
    ratios = dict.fromkeys((0.9, 0.95, 0.98, 0.99), (4.1, 2.9, 5.6, None))
    assert verdict(report(ratios, over=(-0.02, -0.03, -0.01)))["strategy"] is None


def test_a_fingerprint_knows_what_matters():
    base = settings()
    job = Job("margin", "margin", 0)
    mark = fingerprint(job, "d", base, "1")
    assert mark == fingerprint(job, "d", settings(beyond=9.0), "1")
    others = [
        fingerprint(Job("margin", "margin", 1), "d", base, "1"),
        fingerprint(Job("margin", "entropy", 0), "d", base, "1"),
        fingerprint(job, "e", base, "1"),
        fingerprint(job, "d", settings(batch=11), "1"),
        fingerprint(job, "d", base, "2"),
    ]
    assert len({mark, *others}) == 6
