"""The linear learner: fast, calibrated logistic heads over fixed vectors, refitted from every label in each round."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tithe.learners import folds, heads, scores, selection
from tithe.learners.calibration import fit_temperature
from tithe.learners.linear_model import FitFacts, LinearModel
from tithe.learners.logistic import one_thread
from tithe.learners.protocol import Float32, Float64, Metric, Model, NotEnoughClasses, Targets, Task
from tithe.learners.thresholds import cross_fitted, fit_thresholds

#: Pool rows self-training looks at; fewer where rows times classes would pass `POOL_ANSWERS`.
POOL_ROWS = 3000
POOL_ANSWERS = 1_500_000
FOLDS = 5


class LinearLearner:
    """Logistic regression on fixed vectors, tuned, calibrated, with a committee: a second or two at 500 labels.

    A fit: regularisation and class weights by cautious cross-validation (:mod:`tithe.learners.selection`); then the
    model's head, the committee's (stratified bootstrap) and the folds', each a scikit-learn ``LogisticRegression``
    (:mod:`tithe.learners.logistic`); where a sample of the pool is given and a row carries one class, one step of
    self-training for all of them (:func:`tithe.learners.heads.self_trained`); then one temperature from the folds'
    answers to rows they had not seen. Those answers also give the score: honest about the labels at hand, which an
    uncertainty strategy has made harder than the pool. Where a row may carry several classes and macro-F1 is the score,
    they give each class its threshold too (:mod:`tithe.learners.thresholds`), and for the score each fold's rows are
    decided by thresholds from the other folds'.

    Vectors whose lengths are not one are standardised, each number to mean 0 and variance 1 / d over labels and pool.

    References
    ----------
    Lewis & Gale (1994), A sequential algorithm for training text classifiers, SIGIR, 3-12.
    Dagan & Engelson (1995), Committee-based sampling for training probabilistic classifiers, ICML, 150-157.
    """

    def fit(
        self,
        vectors: Float32,
        targets: Targets,
        n_classes: int,
        *,
        task: Task,
        metric: Metric = "macro_f1",
        seed: int,
        members: int = 5,
        previous: Model | None = None,
        pool: Float32 | None = None,
    ) -> LinearModel:
        """Fit to every label there is.

        Parameters
        ----------
        vectors
            float32, shape (n, d): the labeled items; left unchanged.
        targets
            int64, shape (n,), in ``[0, n_classes)`` for ``"single"``; bool, shape (n, n_classes) for ``"multi"``.
        n_classes
            Classes of the project; some may have no label yet.
        task
            ``"single"``: one class a row, softmax. ``"multi"``: any number, a sigmoid each.
        metric
            ``"macro_f1"`` or ``"accuracy"``: what the fit is tuned for and scored by.
        seed
            Same input and seed, same model.
        members
            Heads of the committee; 0 for none.
        previous
            The last round's model. With many labels only the neighbourhood of its choice is searched.
        pool
            float32, shape (m, d): a random sample of unlabeled vectors, of which the first `POOL_ROWS` are used, for
            self-training. Without it a model of few labels is several points worse.

        Returns
        -------
        The model, with :meth:`LinearModel.facts` and ``out_of_fold``.

        Raises
        ------
        NotEnoughClasses
            When fewer than two classes have a label, or, for ``"multi"``, no class is both present and absent.
        ValueError
            When an argument has the wrong shape or a number is not finite.

        Notes
        -----
        Memory: a few times (n + m) * (d + classes) floats. One thread, no processes.
        """
        began = time.perf_counter()
        _check(vectors, targets, n_classes, task)
        single = task == "single"
        truth = scores.as_bool(targets, n_classes)
        counts = truth.sum(axis=0)
        learned = np.flatnonzero((counts > 0) if single else (counts > 0) & (counts < len(truth)))
        if len(learned) < (2 if single else 1):
            raise NotEnoughClasses
        unlabeled = vectors[:0]
        if pool is not None and single and heads.pseudo_weight(len(truth)):
            unlabeled = pool[: min(POOL_ROWS, POOL_ANSWERS // len(learned))]
        mean, scale = _standardisation(vectors, unlabeled)
        labeled = _Labeled(
            features=_standardised(vectors, mean, scale),
            onehot=np.ascontiguousarray(truth[:, learned].T, np.float32),
            task=task,
            rng=np.random.default_rng(seed),
        )
        before = previous.fitted if isinstance(previous, LinearModel) else None
        extra = _standardised(unlabeled, mean, scale)
        with one_thread():
            choice = labeled.choose(metric, selection.Choice(before.c, before.class_weight) if before else None)
            solved, logits, fold = labeled.solve(choice, members, extra)
        held_out = fold >= 0
        temperature = fit_temperature(logits[held_out], truth[held_out][:, learned], single=single)
        facts = FitFacts(
            labels=len(truth),
            class_counts=tuple(int(count) for count in counts),
            c=choice.c,
            class_weight=choice.power,
            temperature=temperature,
            metric=metric,
            held_out=int(held_out.sum()),
            pseudo_labels=len(extra),
            members=members,
        )
        prior = (counts + 1) / (len(truth) + 2)
        model = LinearModel(solved, learned, prior, task, temperature, mean, scale, facts)
        answers = model.probabilities(logits.T[None].astype(np.float64))[0].T
        answers[~held_out] = np.nan
        said, thresholds = _said(answers[held_out], truth[held_out], fold[held_out], learned, task, metric)
        facts = _scored(facts, answers[held_out], truth[held_out], said, single=single)
        facts = replace(facts, thresholds=tuple(thresholds.tolist()))
        facts = replace(facts, seconds=time.perf_counter() - began)
        return replace(model, fitted=facts, out_of_fold=answers, thresholds=thresholds)

    def load(self, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> LinearModel:
        """The model out of what its ``to_tensors`` returned."""
        return LinearModel.from_tensors(tensors, meta)


@dataclass(frozen=True)
class _Labeled:
    """The labeled rows of a round, ready to be fitted to, and the round's dice."""

    features: Float32  # (n, d)
    onehot: Float32  # (learned classes, n)
    task: Task
    rng: np.random.Generator

    def choose(self, metric: Metric, previous: selection.Choice | None) -> selection.Choice:
        """Regularisation and class weights, by cross-validation on at most `SELECTION_ROWS` rows."""
        chosen = self.rng.permutation(self.onehot.shape[1])[: selection.SELECTION_ROWS]
        onehot = np.ascontiguousarray(self.onehot[:, chosen])
        fold = folds.stratified_folds(folds.strata(onehot), FOLDS, self.rng)
        return selection.choose(self.features[chosen], onehot, fold, self.task, metric, previous)

    def solve(
        self, choice: selection.Choice, members: int, pool: Float32
    ) -> tuple[Float32, Float32, NDArray[np.int64]]:
        """The model's head over its committee's; each row's logits from a head that had not seen it; its fold."""
        stratum = folds.strata(self.onehot)
        fold = folds.stratified_folds(stratum, FOLDS, self.rng)
        numbers = np.unique(fold[fold >= 0])
        weights = np.concatenate(
            [
                np.ones((1, len(fold)), np.float32),
                folds.bootstrap_weights(stratum, self.onehot, members, self.rng),
                (fold != numbers[:, None]).astype(np.float32),
            ]
        )
        c, power = choice.c, choice.power
        solved = heads.fit_heads(self.features, self.onehot, weights, c, power, self.task)
        if len(pool):
            solved = heads.self_trained(self.features, self.onehot, weights, solved, pool, c, power)
        return solved[: 1 + members], selection.held_out_logits(self.features, fold, solved[1 + members :]), fold


def _said(
    answers: Float64,
    truth: NDArray[np.bool_],
    fold: NDArray[np.int64],
    learned: NDArray[np.int64],
    task: Task,
    metric: Metric,
) -> tuple[NDArray[np.bool_], Float64]:
    """What the held-out answers come to, for the scores; and the thresholds of the model, none where one half is best.

    A class that no head has learned is never a matter of thresholds: its probability is the same for every row.
    """
    said = scores.decide(answers, single=task == "single")
    if task == "single" or metric != "macro_f1" or not len(answers):
        return said, np.empty(0)
    thresholds = np.full(truth.shape[1], 0.5)
    thresholds[learned] = fit_thresholds(answers[:, learned], truth[:, learned])
    said[:, learned] = cross_fitted(answers[:, learned], truth[:, learned], fold)
    return said, thresholds


def _scored(
    facts: FitFacts, answers: Float64, truth: NDArray[np.bool_], said: NDArray[np.bool_], *, single: bool
) -> FitFacts:
    """The facts with the scores of the held-out answers."""
    if not len(answers):
        return facts
    accuracy, macro_f1 = scores.accuracy(truth, said), scores.macro_f1(truth, said)
    return replace(
        facts,
        score=macro_f1 if facts.metric == "macro_f1" else accuracy,
        accuracy=accuracy,
        macro_f1=macro_f1,
        log_loss=scores.log_loss(answers, truth, single=single),
    )


def _standardisation(vectors: Float32, pool: Float32) -> tuple[Float32 | None, Float32 | None]:
    """Mean and scale that bring vectors to length one on average; None for vectors whose lengths are one already."""
    rows = np.concatenate([vectors, pool]).astype(np.float64)
    if np.abs((rows**2).sum(axis=1) - 1).max() < 1e-2:
        return None, None
    spread = rows.std(axis=0)
    # Nothing but rounding, for numbers of that size; or so little that its inverse is beyond float32.
    constant = spread <= np.maximum(1e-6 * np.abs(rows).max(axis=0), np.finfo(np.float32).tiny)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, spread)) / np.sqrt(max(1, (~constant).sum()))
    return rows.mean(axis=0).astype(np.float32), scale.astype(np.float32)


def _standardised(vectors: Float32, mean: Float32 | None, scale: Float32 | None) -> Float32:
    rows = np.asarray(vectors, np.float32)
    return rows if mean is None or scale is None else (rows - mean) * scale


def _check(vectors: Float32, targets: Targets, n_classes: int, task: Task) -> None:
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"vectors must have shape (n, d) with n > 0, not {vectors.shape}")
    expected = (len(vectors),) if task == "single" else (len(vectors), n_classes)
    if targets.shape != expected:
        raise ValueError(f"targets must have shape {expected} for {task!r}, not {targets.shape}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"vectors row {int(np.argmin(finite))} is not finite")
    if task == "single" and (targets.min() < 0 or targets.max() >= n_classes):
        bad = int(np.argmax((targets < 0) | (targets >= n_classes)))
        raise ValueError(f"targets row {bad} is {targets[bad]}, not a class in [0, {n_classes})")
