"""Answers to documents the answering field had not seen: for choosing, calibrating and scoring a tagger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tithe.learners.calibration import COLDEST, HOTTEST
from tithe.learners.protocol import Float32, Float64
from tithe.learners.tagging.crf import TOLERANCE, Labeled, Potentials, posterior, scores
from tithe.learners.tagging.lattice import Order
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.words import Int64

#: Words a temperature is fitted to; beyond, the first ones do.
_CALIBRATION_WORDS = 50_000


@dataclass(frozen=True)
class Corpus:
    """Labeled documents.

    Attributes
    ----------
    features
        float32, shape (W, w), standardised.
    tags
        int64, shape (W,).
    starts
        int64, shape (n + 1,).
    scheme
        Of the tags.
    """

    features: Float32
    tags: Int64
    starts: Int64
    scheme: Scheme

    def some(self, documents: Int64) -> Corpus:
        """These documents alone, in this order."""
        lengths = np.diff(self.starts)[documents]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(self.starts[documents] - starts[:-1], lengths) + np.arange(starts[-1])
        return Corpus(self.features[places], self.tags[places], starts, self.scheme)

    def labeled(self) -> Labeled:
        """The same, laid out to be fitted to."""
        return Labeled(self.features, self.tags, self.starts, self.scheme)


@dataclass(frozen=True)
class Answers:
    """Scores of held-out documents' tags, each document's by a field that had not seen it."""

    parts: Sequence[tuple[Corpus, Order, Float64, Float64]]  #: documents, their order, scores, steps

    def probabilities(self, temperature: float) -> list[Float64]:
        """Of each part float64, shape (W, tags), rows as the part's corpus has them."""
        found = []
        for corpus, order, said, steps in self.parts:
            rows = np.empty_like(said)
            rows[order.words] = posterior(said, steps, corpus.scheme, order, temperature)
            found.append(rows)
        return found

    def log_loss(self, temperature: float, doubt: float = 0.0) -> float:
        """Mean ``-log p`` of the words' tags, nats; targets pulled toward the uniform by `doubt`."""
        total, words = 0.0, 0
        for (corpus, *_), found in zip(self.parts, self.probabilities(temperature), strict=True):
            logs = -np.log(np.maximum(found, 1e-300))
            total += (1 - doubt) * logs[np.arange(len(logs)), corpus.tags].sum() + doubt * logs.mean(axis=1).sum()
            words += len(logs)
        return total / max(words, 1)

    def temperature(self) -> float:
        """What to divide all scores by, so that words' probabilities mean what they say; 1.0 without any.

        References
        ----------
        Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2.
        """
        from scipy.optimize import minimize_scalar

        words = np.cumsum([len(part[0].tags) for part in self.parts])
        if not len(words) or not words[-1]:
            return 1.0
        enough = Answers(self.parts[: int(np.searchsorted(words, _CALIBRATION_WORDS)) + 1])
        doubt = 1 / (words[-1] + 2)
        found = minimize_scalar(
            lambda log_t: enough.log_loss(float(np.exp(log_t)), doubt),
            bounds=(np.log(COLDEST * 10), np.log(HOTTEST / 10)),
            method="bounded",
            options={"xatol": 1e-2},
        )
        return float(np.exp(found.x))


def held_out(
    corpus: Corpus,
    fold: Int64,
    cs: Sequence[float],
    only: Sequence[int] | None = None,
    tolerance: float = TOLERANCE,
    done: Callable[[], None] = lambda: None,
) -> list[Answers]:
    """Fit without each fold, answer it.

    Parameters
    ----------
    corpus
        n documents.
    fold
        int64, shape (n,): in which a document is held out; negative, never.
    cs
        Regularisations, ascending; each fit begins where the one before it ended.
    only
        The folds to do, instead of all.
    tolerance
        As in :meth:`tithe.learners.tagging.crf.Labeled.fit`.
    done
        Called after each fit.

    Returns
    -------
    The answers of each regularisation.
    """
    numbers = np.unique(fold[fold >= 0]) if only is None else np.array(only)
    parts: list[list[tuple[Corpus, Order, Float64, Float64]]] = [[] for _ in cs]
    for number in numbers:
        unseen = corpus.some(np.flatnonzero(fold == number))
        order = Order(unseen.starts)
        features = unseen.features[order.words]
        labeled = corpus.some(np.flatnonzero(fold != number)).labeled()
        potentials: Potentials | None = None
        for at, c in enumerate(cs):
            potentials = labeled.fit(c, start=potentials, tolerance=tolerance)
            said = scores(features @ potentials.slopes.T, potentials.intercepts, order)
            parts[at].append((unseen, order, said, potentials.steps))
            done()
    return [Answers(found) for found in parts]
