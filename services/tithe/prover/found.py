"""From what people and models said to figures: quality, savings, advice, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tithe.artifacts import ArtifactDamaged, ArtifactMissing
from tithe.contracts import proof as told
from tithe.contracts.projects import Project
from tithe.loop.features import PoolVectors
from tithe.proof import criteria, random_arm, stopping, toward_random
from tithe.proof.advice import Advice, advise
from tithe.proof.quality import Estimate, estimate
from tithe.proof.savings import Savings, savings
from tithe.proof.tallies import Metric, Tally
from tithe.prover.arm import Bench
from tithe.prover.said import Classes, Said, Spans, Truth, labeled_rows, said_from
from tithe.runtime import Runtime
from tithe.storage.pool import Block
from tithe.storage.proof import MeasuredRound
from tithe.strategies.arrays import Int64

#: Earlier rounds that are looked at again, and the share of the control labels each must have been asked about.
_ROUNDS, _KNOWN = 20, 0.6
#: The estimate is told while the items the control arm has passed over are at most this share of its labels.
_BEHIND = 0.1
#: Control labels a class below which nothing is told of an early model: of 77 classes and 400 of them the interval held
#: the truth in one project of three.
_A_CLASS = 10
#: How many times more or fewer labels than random's largest fit an early model may have had.
_NEAR = 1.6
#: Fits to control labels alone, by what a fit costs: a head over frozen vectors, a tagger, a tuned transformer.
_FITS_HEAD, _FITS_TAGGER, _FITS_TUNED = 20, 10, 5
#: Of advice: the level of its intervals; and when it says stop, where the project has no rule.
_LEVEL, _MIN_GAIN, _CERTAINTY = 0.9, 0.005, 0.8


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of a round's model."""

    runtime: Runtime
    project: Project
    blocks: list[Block]
    vectors: PoolVectors
    said: Said  #: of the drawn items
    truth: Truth  #: of the control arm
    test: Said | None  #: of the project's own test items
    test_truth: Truth
    labels: int  #: in all: trained on and control
    paid: int  #: of the budget, in its unit
    behind: int  #: drawn items that came to the pool after the control arm had passed their place

    @property
    def metric(self) -> Metric:
        """What the project's learning curve is drawn in."""
        return self.project.metric


def found(evidence: Evidence, history: Sequence[MeasuredRound], seed: int, cost: float | None) -> told.Measured:
    """Everything that can be said. What cannot says why, and what it would take."""
    metric, names = evidence.metric, evidence.project.labels
    quality = _quality(evidence, estimate(evidence.said.tally(metric, evidence.truth), class_names=names))
    accuracy = None
    if metric == "macro_f1":
        accuracy = _quality(evidence, estimate(evidence.said.tally("accuracy", evidence.truth), class_names=names))
    test = None
    if evidence.test is not None:
        told_by_test = estimate(evidence.test.tally(metric, evidence.test_truth), class_names=names)
        test = told.Quality(**_fields(told_by_test))
    arm = _random_arm(evidence, seed)
    items = len(evidence.vectors.ordinals())
    saved = savings(_active(evidence), evidence.labels, arm, pool_items=items, seed=seed)
    early = _early(evidence, history, arm, seed)
    advice = _advice(evidence, history, cost)
    share = evidence.project.toward_random
    lean = toward_random.next_share([*_since_it_leaned(history, share), saved], share)
    measured = told.Measured(
        control_labels=len(labeled_rows(evidence.said.ordinals, evidence.truth)), quality=quality, accuracy=accuracy,
        test=test, savings=_in_money(saved, cost), early=None if early is None else _in_money(early, cost),
        advice=told.Advice.model_validate(asdict(advice)), toward_random=lean.share,
        notes=[lean.words] if lean.words else [],
    )  # fmt: skip
    return _with_stop(measured, evidence, history)


# ---- quality ----


def _quality(evidence: Evidence, found: Estimate) -> told.Quality:
    """As it is told; nothing while the control arm leans to the items the pool had before it grew."""
    rows = found.rows
    if found.score is not None and evidence.behind > _BEHIND * max(1, rows):
        why = (
            f"the pool has grown, and its control labels are of the items it had before: {evidence.behind:,} more, "
            "which the control arm asks for next, catch up"
        )
        return told.Quality(**{**_fields(found), "score": None, "low": None, "high": None, "missing": why})
    return told.Quality(**_fields(found))


def _fields(found: Estimate) -> dict[str, Any]:
    fields = asdict(found)
    return {name: fields[name] for name in told.Quality.model_fields}


# ---- savings ----


def _active(evidence: Evidence) -> Tally:
    return evidence.said.tally(evidence.metric, evidence.truth)


def _random_arm(evidence: Evidence, seed: int) -> random_arm.RandomArm | None:
    """Models of random labels, on the same control labels."""
    project, said = evidence.project, evidence.said
    rows = labeled_rows(said.ordinals, evidence.truth)
    bench = Bench(evidence.runtime, project, evidence.blocks, evidence.vectors)

    def fit(rows: Int64, fit_seed: int) -> Tally | None:
        other = bench.says(said.ordinals[rows], evidence.truth, fit_seed, said.ordinals)
        if isinstance(other, Classes) and isinstance(said, Classes):
            return other.tally(evidence.metric, evidence.truth, expected=said)
        return other.tally(evidence.metric, evidence.truth) if isinstance(other, Spans) else None

    planned = random_arm.plan(rows, seed, fits=_fits(project))
    return random_arm.measure(fit, rows, planned, seed) if planned else None


def _early(
    evidence: Evidence, history: Sequence[MeasuredRound], arm: random_arm.RandomArm | None, seed: int
) -> Savings | None:
    """The same question of the model that had about as many chosen labels as random's largest fit has.

    What random's labels buy is seen there, not carried on; so it can be told long before the model of today can.
    """
    if arm is None or not history:
        return None
    size = int(arm.sizes[-1])
    if size < _A_CLASS * len(evidence.project.labels):
        return None
    nearest = min(history, key=lambda one: abs(np.log(max(1, one.trained) / size)))
    said = _kept_say(evidence, nearest)
    if said is None or not size / _NEAR <= nearest.trained <= size * _NEAR:
        return None
    if not np.isin(evidence.said.ordinals, said.ordinals).all():
        return None  # the pool grew since: it was not asked about all that is compared
    tally = said.only(evidence.said.ordinals).tally(evidence.metric, evidence.truth)
    return savings(tally, nearest.trained, arm, pool_items=len(evidence.vectors.ordinals()), seed=seed)


def _fits(project: Project) -> int:
    if project.learner == "transformer":
        return _FITS_TUNED
    return _FITS_TAGGER if project.metric == "entity_f1" else _FITS_HEAD


def _in_money(saved: Savings, cost: float | None) -> told.Saved:
    fields: dict[str, Any] = asdict(saved)
    if cost is not None:
        for end in ("", "_low", "_high"):
            labels = fields[f"saved{end}"]
            fields[f"money{end}"] = None if labels is None else round(labels * cost, 2)
    return told.Saved.model_validate(fields)


# ---- advice ----


def _advice(evidence: Evidence, history: Sequence[MeasuredRound], cost: float | None) -> Advice:
    project, metric = evidence.project, evidence.metric
    before = _said_before(evidence, history)
    common = _common(evidence.said, [said for _, said in before])
    models = [(count, said.only(common)) for count, said in [*before, (evidence.labels, evidence.said)]]
    points = [(count, said.tally(metric, evidence.truth)) for count, said in models]
    told_by = [criteria.stable([_agreement(one, other) for (_, one), (_, other) in _pairs(models)])]
    if isinstance(evidence.said, Classes):
        told_by.append(criteria.certain(evidence.said.answers, single=evidence.said.single))
    told_by.append(criteria.plateau(points))
    if project.budget is not None:
        told_by.append(criteria.budget(evidence.paid, project.budget))
    stop_when = project.stop_when
    min_gain = _MIN_GAIN if stop_when is None or stop_when.min_gain is None else stop_when.min_gain
    return advise(
        points, metric=metric, price=cost, money=project.currency or "", level=_LEVEL, criteria=told_by,
        min_gain=min_gain, certainty=_CERTAINTY if stop_when is None else stop_when.certainty,
    )  # fmt: skip


def _said_before(evidence: Evidence, history: Sequence[MeasuredRound]) -> list[tuple[int, Said]]:
    """What earlier models said of the drawn items: of a long history the newest, and some of the others."""
    places = range(len(history))
    if len(history) > _ROUNDS:
        half = _ROUNDS // 2
        places = sorted({int(at) for at in np.geomspace(1, len(history) - half, half)} | {*places[-half:]})  # type: ignore[assignment]
    labeled = evidence.said.ordinals[labeled_rows(evidence.said.ordinals, evidence.truth)]
    kept: list[tuple[int, Said]] = []
    # A round that only filled the queue again used the model of the one before.
    newest = {history[at].model_id: history[at] for at in places if at < len(history)}
    for one in newest.values():
        said = _kept_say(evidence, one)
        known = np.isin(labeled, said.ordinals).mean() if said is not None and len(labeled) else 1.0
        if said is not None and known >= _KNOWN and one.labels < evidence.labels:
            kept.append((one.labels, said))
    return kept


def _kept_say(evidence: Evidence, one: MeasuredRound) -> Said | None:
    """What an earlier model said. It is only a help: None where its file is gone, or says another kind of thing."""
    try:
        said = said_from(evidence.runtime.artifacts.read_model(one.said_path, one.said_sha256)[0])
    except (ArtifactMissing, ArtifactDamaged):
        return None
    return said if type(said) is type(evidence.said) else None


def _common(now: Said, before: Sequence[Said]) -> Int64:
    """The drawn items that every one of them was asked about, in the order of the draw."""
    there = np.ones(len(now.ordinals), dtype=bool)
    for one in before:
        there &= np.isin(now.ordinals, one.ordinals)
    common: Int64 = now.ordinals[there]
    return common


def _pairs(models: Sequence[tuple[int, Said]]) -> list[tuple[tuple[int, Said], tuple[int, Said]]]:
    return list(pairwise(models))


def _agreement(one: Said, other: Said) -> float:
    if isinstance(one, Classes) and isinstance(other, Classes):
        return criteria.kappa(one.decided, other.decided)
    if isinstance(one, Spans) and isinstance(other, Spans):
        return criteria.span_agreement(one.found, other.found)
    raise AssertionError("models of one project say the same kind of thing")


# ---- what follows ----


def _since_it_leaned(history: Sequence[MeasuredRound], share: float) -> list[Savings]:
    """The savings measured since the share of random last changed, oldest first."""
    names = Savings.__dataclass_fields__
    since: list[Savings] = []
    before = 0.0
    for one in history:
        saved = {name: value for name, value in one.found["savings"].items() if name in names}
        changed, before = one.found["toward_random"] != before, one.found["toward_random"]
        since = [] if changed or before != share else [*since, Savings(**saved)]
    return since


def _with_stop(measured: told.Measured, evidence: Evidence, history: Sequence[MeasuredRound]) -> told.Measured:
    """The same with the reason to stop, if the project's rule finds one."""
    rule = evidence.project.stop_when
    if rule is None or evidence.project.stopped_at is not None:
        return measured
    known = [_measurement(one.labels, told.as_told(one.found)) for one in history]
    due = stopping.stop_due(
        stopping.StopWhen(rule.score, rule.min_gain, rule.certainty),
        [*known, _measurement(evidence.labels, measured)],
    )
    if due is None:
        return measured
    code = "target_score" if due.by == "score" else "advice"
    return measured.model_copy(update={"stop": code, "notes": [*measured.notes, due.words]})


def _measurement(labels: int, of: told.Measured) -> stopping.Measurement:
    """The better known of the two estimates, brought to the level of the advice."""
    best = min((one for one in (of.quality, of.test) if one and one.score is not None), key=_width, default=of.quality)
    gain = next((one for one in of.advice.gains if one.next == 100), None)
    met = tuple(one.name for one in of.advice.criteria if one.met)
    score, low, high = _at_level(best)
    return stopping.Measurement(
        labels=labels, score=score, low=low, high=high, gain=None if gain is None else gain.gain,
        gain_low=None if gain is None else gain.low, gain_high=None if gain is None else gain.high, met=met,
        level=_LEVEL, control=None if best is of.test else best.rows,
    )  # fmt: skip


def _width(one: told.Quality) -> float:
    return (one.high or 1.0) - (one.low or 0.0)


def _at_level(one: told.Quality) -> tuple[float, float, float] | tuple[None, None, None]:
    """An interval of another level, as a normal distribution has it: narrower by the ratio of the two quantiles."""
    if one.score is None or one.low is None or one.high is None:
        return None, None, None
    from scipy.special import ndtri

    ratio = float(ndtri((1 + _LEVEL) / 2) / ndtri((1 + one.level) / 2))
    return one.score, one.score - ratio * (one.score - one.low), one.score + ratio * (one.high - one.score)
