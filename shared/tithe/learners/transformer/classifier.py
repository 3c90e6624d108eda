"""The transformer learner: fine-tunes a text classifier with transformers' Trainer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tithe.learners import heads, scores, selection
from tithe.learners.calibration import fit_temperature
from tithe.learners.extra import torch_needed
from tithe.learners.linear_model import FitFacts, LinearModel
from tithe.learners.protocol import Float32, Float64, Metric, NotEnoughClasses, Progress, Targets, Task
from tithe.learners.thresholds import cross_fitted, fit_thresholds
from tithe.learners.transformer.base import folder_of
from tithe.learners.transformer.body import Body, arrays_of
from tithe.learners.transformer.held_out import FEWEST_TO_STOP, Judge, caution, held_out
from tithe.learners.transformer.last_layer import Standard, committee, logits_of, start_from_probe
from tithe.learners.transformer.quiet import quiet, undisturbed
from tithe.learners.transformer.settings import TransformerSettings
from tithe.learners.transformer.text_model import TextModel

if TYPE_CHECKING:
    import torch

    from tithe.learners.transformer.network import Network
    from tithe.learners.transformer.training import Course, Loss

Bool = NDArray[np.bool_]
#: No class weighs more than this many times another.
HEAVIEST = 10.0


class TransformerLearner:
    """Fine-tunes a transformer to classify texts: minutes where the linear learner takes seconds.

    A fit: a linear probe on the untouched transformer starts the head (Kumar et al. 2022: a head at random would bend
    good features first); then all weights are trained, with class weights, warm-up and linear decay. A fifth of the
    labels (a tenth of many) is held out: it ends the training, with the best epoch's weights, the untouched
    transformer's among the candidates; gives the temperature; and gives the score, each row's by the epoch that was
    chosen without it. With fewer than `FEWEST_TO_STOP` labels the epochs are fixed.

    Each round starts from the base again: weights that go on from the last round's generalise worse (Ash & Adams
    2020).

    The committee is an ensemble of last layers: logistic heads on bootstrap samples of the fine-tuned features. Asking
    it costs one pass over the pool, where Monte Carlo dropout would cost one a member.

    Parameters
    ----------
    base
        ``"minilm"``, a folder, or a model's name on the hub.

    References
    ----------
    Devlin et al. (2019), BERT: pre-training of deep bidirectional transformers, NAACL, 4171-4186.
    Kumar et al. (2022), Fine-tuning can distort pretrained features and underperform out-of-distribution, ICLR.
    Ash & Adams (2020), On warm-starting neural network training, NeurIPS 33, 3884-3894.
    Lakshminarayanan et al. (2017), Simple and scalable predictive uncertainty estimation using deep ensembles, NeurIPS
    30, 6402-6413.
    """

    def __init__(self, base: str | Path) -> None:
        self.base = base

    def fit(
        self,
        texts: Sequence[str],
        targets: Targets,
        n_classes: int,
        *,
        task: Task,
        metric: Metric = "macro_f1",
        seed: int,
        members: int = 5,
        previous: TextModel | None = None,  # noqa: ARG002 - the protocol's; see the class on warm starts
        progress: Progress | None = None,
        settings: TransformerSettings | None = None,
    ) -> TextModel:
        """Fine-tune to every label there is, the held-out ones aside.

        Parameters
        ----------
        texts
            The labeled texts; left unchanged.
        targets
            int64, shape (n,), in ``[0, n_classes)`` for ``"single"``; bool, shape (n, n_classes) for ``"multi"``.
        n_classes
            Classes of the project; some may have no label yet.
        task, metric
            What is fitted; what the epoch is chosen and the model scored by.
        seed
            Same input, seed, settings and kind of machine, same model.
        members
            Heads of the committee; 0 for none.
        previous
            Not used.
        progress
            Called with (steps done, steps planned) after each optimiser step; what it raises ends the fit.
        settings
            How to train and read.

        Returns
        -------
        The model. Its facts: ``base``, ``parameters``, ``labels``, ``class_counts``, ``metric``, ``held_out``,
        ``score``, ``accuracy``, ``macro_f1``, ``log_loss`` (None while no row could be held out), ``temperature``,
        ``members``, ``steps``, ``epochs``, ``planned_epochs``, ``best_epoch``, ``stopped_early``, ``seconds``.

        Raises
        ------
        NotEnoughClasses
            When fewer than two classes have a label, or, for ``"multi"``, no class is both present and absent.
        ModelUnusable
            When the base model cannot be loaded.
        TrainingDiverged
            When a loss is not finite.
        TorchMissing
            When torch, transformers or accelerate is not installed.
        ValueError
            When an argument has the wrong shape.

        Notes
        -----
        Writes to a temporary folder only, reports to nobody. Torch, transformers and accelerate are needed.
        """
        began = time.perf_counter()
        _check(texts, targets, n_classes, task)
        truth = scores.as_bool(targets, n_classes)
        counts = truth.sum(axis=0)
        learned = np.flatnonzero((counts > 0) if task == "single" else (counts > 0) & (counts < len(truth)))
        if len(learned) < (2 if task == "single" else 1):
            raise NotEnoughClasses
        settings = settings or TransformerSettings()
        round_ = _Round(texts, truth, learned, task, metric, settings, np.random.default_rng(seed))
        with torch_needed("fine-tuning"), quiet(), undisturbed(seed):
            body = Body.from_folder(folder_of(self.base))
            trained = round_.train(body, seed, progress)
        body = replace(body, weights=arrays_of(trained.network.body))
        facts = {
            "base": str(self.base),
            "parameters": body.parameters,
            "labels": len(truth),
            "class_counts": [int(count) for count in counts],
            "metric": metric,
            "members": members,
            **asdict(trained.course),
        }
        return round_.model(trained, body, facts, members, began)

    def load(self, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> TextModel:
        """The model out of what its ``to_tensors`` returned."""
        return TextModel.from_tensors(tensors, meta)


@dataclass(frozen=True)
class _Trained:
    """What a training leaves."""

    network: Network
    course: Course
    judge: Judge[Float32]
    features: Float32  # (n, width), of all labeled texts, the held-out ones too
    offset: Float32  # (learned,), what the loss's weights added to the logits
    weights: Float32  # (learned,)


class _Round:
    """The labels of a round, and who is held out."""

    def __init__(
        self,
        texts: Sequence[str],
        truth: Bool,
        learned: NDArray[np.int64],
        task: Task,
        metric: Metric,
        settings: TransformerSettings,
        rng: np.random.Generator,
    ) -> None:
        self.texts, self.truth, self.learned = texts, truth, learned
        self.task, self.metric, self.settings, self.rng = task, metric, settings, rng
        self.onehot = np.ascontiguousarray(truth[:, learned].T, np.float32)
        self.aside = held_out(self.onehot, rng)

    @property
    def single(self) -> bool:
        return self.task == "single"

    def train(self, body: Body, seed: int, progress: Progress | None) -> _Trained:
        """Probe, fine-tune, and read all labeled texts once more."""
        from tithe.learners.transformer.network import Network
        from tithe.learners.transformer.reading import Reader, cutter_of
        from tithe.learners.transformer.training import Row, fine_tune

        cutter = cutter_of(body, self.settings)
        network = Network(body.module(), len(self.learned), self.settings.dropout)
        kept, unseen = (
            np.flatnonzero(~self.aside).tolist(),
            [self.texts[at] for at in np.flatnonzero(self.aside).tolist()],
        )
        shown = [self.texts[at] for at in kept]
        pieces = list(cutter.texts(shown, self.settings.most_windows))
        windows = np.bincount([piece.owner for piece in pieces])
        untouched = Reader(network.body, cutter, body.padding, self.settings).texts(shown)
        start_from_probe(network.head, untouched, self.onehot[:, kept], _power(self.task, self.metric), self.task)
        rows = [Row(piece, self.onehot[:, kept[piece.owner]], 1 / windows[piece.owner]) for piece in pieces]
        weights = class_weights(self.onehot[:, kept], self.task, self.metric)
        offset = np.zeros_like(weights) if self.single else np.log(weights)

        def answer() -> Float32:
            features = Reader(network.body, cutter, body.padding, self.settings).texts(unseen)
            return logits_of(network.head, features) - offset

        judge = Judge(answer, _join, lambda logits, rows: self._score(logits, offset, rows), len(unseen), self.rng)
        stopping = len(self.texts) >= FEWEST_TO_STOP and len(unseen) > 1
        course = fine_tune(
            network,
            rows,
            loss_of(weights, self.task),
            padding=body.padding,
            settings=self.settings,
            seed=seed,
            look=judge.look if stopping else None,
            caution=caution(len(unseen)),
            progress=progress,
        )
        features = Reader(network.body, cutter, body.padding, self.settings).texts(self.texts)
        return _Trained(network, course, judge, features, offset, weights)

    def _score(self, logits: Float32, offset: Float32, rows: Bool) -> float:
        """The metric on some of the held-out rows, decided as the loss was weighted."""
        answers = logits[rows].astype(np.float64)
        said = scores.decide(answers if self.single else answers + offset + 0.5, single=self.single)
        return scores.score(self.metric, self.truth[self.aside][rows][:, self.learned], said)

    def model(self, trained: _Trained, body: Body, facts: dict[str, Any], members: int, began: float) -> TextModel:
        """Calibrate, add the committee, score."""
        truth = self.truth[self.aside]
        own = logits_of(trained.network.head, trained.features[self.aside]) - trained.offset
        temperature = fit_temperature(own, truth[:, self.learned], single=self.single)
        standard = Standard.of(trained.features)
        network_head = trained.network.head
        stack = standard.inward(
            network_head.weight.detach().numpy(), network_head.bias.detach().numpy() - trained.offset
        )[None]
        if members:
            others = committee(
                standard(trained.features), self.onehot, self.aside, members,
                power=_power(self.task, self.metric) if self.single else 0.0, task=self.task,
                temperature=temperature, rng=self.rng,
            )  # fmt: skip
            stack = np.concatenate([stack, others])
        prior = (self.truth.sum(axis=0) + 1) / (len(self.truth) + 2)
        fitted = FitFacts(
            labels=len(self.truth),
            class_counts=tuple(facts["class_counts"]),
            c=heads.expected_c(len(self.truth), len(self.learned)),
            class_weight=_power(self.task, self.metric),
            temperature=temperature,
            metric=self.metric,
            held_out=len(truth),
            pseudo_labels=0,
            members=members,
        )
        scale = np.full(len(standard.mean), standard.scale, np.float32)
        head = LinearModel(stack, self.learned, prior, self.task, temperature, standard.mean, scale, fitted)
        honest = trained.judge.honest() if trained.judge.seen else own
        answers = head.probabilities(honest.T[None].astype(np.float64))[0].T
        said, levels = self._said(answers, truth)
        facts |= {"temperature": temperature, "held_out": len(truth)}
        facts |= _scored(answers, truth, said, self.metric, single=self.single)
        everyone = np.full(self.truth.shape, np.nan)
        everyone[self.aside] = answers
        facts["seconds"] = time.perf_counter() - began
        return TextModel(body, replace(head, thresholds=levels), self.settings, facts, everyone)

    def _said(self, answers: Float64, truth: Bool) -> tuple[Bool, Float64]:
        """What the held-out answers come to, for the scores, and the model's thresholds; none for one half."""
        said = scores.decide(answers, single=self.single)
        if self.single or self.metric != "macro_f1" or len(answers) < 2:
            return said, np.empty(0)
        levels = np.full(truth.shape[1], 0.5)
        levels[self.learned] = fit_thresholds(answers[:, self.learned], truth[:, self.learned])
        fold = self.rng.permutation(len(answers)) % 5
        said[:, self.learned] = cross_fitted(answers[:, self.learned], truth[:, self.learned], fold)
        return said, levels


def class_weights(onehot: Float32, task: Task, metric: Metric) -> Float32:
    """What each class weighs in the loss, so that rare ones are learned too.

    Parameters
    ----------
    onehot
        float32, shape (classes, n).
    task
        ``"single"``: balanced weights, or their square root for accuracy, their mean over the rows one. ``"multi"``:
        what a row that carries the class weighs against one that does not.
    metric
        What counts.

    Returns
    -------
    float32, shape (classes,); none more than `HEAVIEST` times another, or times the rows without the class.

    Examples
    --------
    >>> onehot = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], np.float32)
    >>> class_weights(onehot, "single", "macro_f1").round(2).tolist()
    [0.67, 2.0]
    >>> class_weights(onehot, "multi", "macro_f1").round(2).tolist()
    [1.0, 3.0]
    """
    counts = onehot.sum(axis=1)
    rows = onehot.shape[1]
    power = _power(task, metric)
    weights: Float32
    if task == "multi":
        weights = np.clip(((rows - counts) / counts) ** power, 1, HEAVIEST)
    else:
        weights = np.minimum((counts.max() / counts) ** power, HEAVIEST)
        weights *= rows / (weights * counts).sum()
    return weights.astype(np.float32)


def loss_of(weights: Float32, task: Task) -> Loss:
    """The loss of a batch: cross-entropy in nats, weighted by class and by row."""
    import torch
    from torch.nn import functional

    by_class = torch.from_numpy(weights)

    def single(logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        own = (targets * by_class.to(logits.device)).sum(dim=1) * rows
        found = functional.cross_entropy(logits, targets, reduction="none")
        return (found * own).sum() / rows.sum()

    def multi(logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        each = functional.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=by_class.to(logits.device), reduction="none"
        )
        return (each.mean(dim=1) * rows).sum() / rows.sum()

    return single if task == "single" else multi


def _power(task: Task, metric: Metric) -> float:
    return selection.expected(np.ones((1, 1), np.float32), task, metric).power


def _join(one: Float32, other: Float32, in_one: Bool) -> Float32:
    joined: Float32 = np.where(in_one[:, None], one, other)
    return joined


def _scored(answers: Float64, truth: Bool, said: Bool, metric: Metric, *, single: bool) -> dict[str, Any]:
    if not len(truth):
        return dict.fromkeys(("score", "accuracy", "macro_f1", "log_loss"))
    accuracy, macro_f1 = scores.accuracy(truth, said), scores.macro_f1(truth, said)
    return {
        "score": macro_f1 if metric == "macro_f1" else accuracy,
        "accuracy": accuracy,
        "macro_f1": macro_f1,
        "log_loss": scores.log_loss(answers, truth, single=single),
    }


def _check(texts: Sequence[str], targets: Targets, n_classes: int, task: Task) -> None:
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f"texts must be a sequence of at least one text, not {texts!r:.40}")
    expected = (len(texts),) if task == "single" else (len(texts), n_classes)
    if targets.shape != expected:
        raise ValueError(f"targets must have shape {expected} for {task!r}, not {targets.shape}")
    if task == "single" and (targets.min() < 0 or targets.max() >= n_classes):
        bad = int(np.argmax((targets < 0) | (targets >= n_classes)))
        raise ValueError(f"targets row {bad} is {targets[bad]}, not a class in [0, {n_classes})")
