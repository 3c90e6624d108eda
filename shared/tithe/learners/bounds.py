"""Between which two numbers a row's score lies, from logits that are known to within an error.

Each measure of a model's probabilities changes by at most its *slope* times the largest change of any logit; the
slopes are proved beside the functions. Votes do not change gradually: a vote is sure where the runner-up is more than
two errors away, and a member who is not sure may vote for a class of its own, the most that it can add to the entropy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32, Float64, Task
from tithe.strategies import binary_committee, committee, uncertainty, votes
from tithe.strategies.arrays import Floats
from tithe.strategies.measures import two_largest

#: Gives the lowest and the highest score of each row, float64 of shape (n,); may overwrite the logits.
Bound = Callable[[LinearModel, Float32, float], tuple[Float64, Float64]]


@dataclass(frozen=True)
class Measure:
    """A score of rows as a definition, and as bounds.

    Attributes
    ----------
    exact
        The strategy's function, of :meth:`LinearModel.exact_proba` the score.
    committee
        Whether it takes the members' probabilities or the model's own.
    bound
        Holds for logits within the error of the real ones.
    glance
        The same, looser but cheaper, for a first look; None: `bound`.
    """

    exact: Callable[[Floats], Float64]
    committee: bool
    bound: Bound
    glance: Bound | None = None

    @property
    def heads(self) -> slice:
        """Which of the model's heads it reads."""
        return slice(1, None) if self.committee else slice(0, 1)

    def scores(self, model: LinearModel, rows: Float32) -> Float64:
        """The score of each row, shape (n,), the same to the last bit whatever rows are beside it."""
        answers = model.exact_proba(rows, self.heads)
        return self.exact(answers if self.committee else answers[0])


def _within(slope: Callable[[int], float], score: Callable[[LinearModel, Float32], Floats]) -> Bound:
    """The bound of a measure that changes by at most `slope` times the change of any logit."""

    def bound(model: LinearModel, logits: Float32, error: float) -> tuple[Float64, Float64]:
        classes = logits.shape[1]
        # What float32 arithmetic on the probabilities may add: every sum is over classes, no term above log(classes).
        rounding = (classes + 16) * 2.0**-22 * (2 + math.log(classes))
        room = slope(classes) * error + rounding
        about = score(model, logits).astype(np.float64)
        return about - room, about + room

    return bound


# ---- one class a row, logits of shape (heads, learned classes, rows) ----


def _entropy_slope(classes: int) -> float:
    """Of entropy: ``sqrt(log(classes - 1)**2 / 4 + 1)``.

    A change t of the logits changes the entropy by ``-Cov(t, log p)``, at most the largest change times the standard
    deviation of ``log p`` under p, of which this is a bound (Reeb & Wolf 2015, Tight bound on relative entropy by
    entropy difference, IEEE Transactions on Information Theory 61(3), pp. 1458-1473). Of the members' mean it is one
    too: their covariances with the mean's logarithm, averaged, have at most its standard deviation by Jensen.
    """
    return math.sqrt(math.log(max(classes - 1, 1)) ** 2 / 4 + 1)


def _exponentials(logits: Float32) -> tuple[Float32, Float32, Float32]:
    """Logits less the column's largest, their exponentials, and the sum of these."""
    logits -= logits.max(axis=-2, keepdims=True)
    powers = np.exp(logits)
    return logits, powers, np.add.reduce(powers, axis=-2)


def _entropy(model: LinearModel, logits: Float32) -> Floats:
    logits, powers, total = _exponentials(logits[0])
    powers *= logits
    return _with_unlearned(model, np.log(total) - np.add.reduce(powers, axis=0) / total)


def _consensus_entropy(model: LinearModel, logits: Float32) -> Floats:
    _, powers, total = _exponentials(logits)
    powers /= total[:, np.newaxis]
    mean = np.add.reduce(powers, axis=0) / np.float32(len(powers))
    terms = np.log(mean + np.float32(1e-37))
    terms *= mean
    return _with_unlearned(model, -np.add.reduce(terms, axis=0))


def _kl_to_consensus(model: LinearModel, logits: Float32) -> Floats:
    logits, powers, total = _exponentials(logits)
    own = np.log(total) - np.add.reduce(powers * logits, axis=1) / total
    powers /= total[:, np.newaxis]
    mean = np.add.reduce(powers, axis=0) / np.float32(len(powers))
    terms = np.log(mean + np.float32(1e-37))
    terms *= mean
    divergence = -np.add.reduce(terms, axis=0) - np.add.reduce(own, axis=0) / np.float32(len(own))
    return np.asarray(divergence * (1 - model.unlearned_mass))


def _with_unlearned(model: LinearModel, entropy: Floats) -> Floats:
    """The entropy over all classes of the project, from that over the learned ones."""
    mass, unlearned = model.unlearned_mass, model.n_classes - len(model.learned)
    if not unlearned:
        return entropy
    return entropy * (1 - mass) - (1 - mass) * math.log(1 - mass) - mass * math.log(mass / unlearned)


def _best_two(model: LinearModel, logits: Float32) -> tuple[Floats, Floats]:
    """The two largest probabilities of each row. That of an unlearned class is never the largest."""
    own, _, total = _shifted(logits)
    first, second = two_largest(own, np.empty_like(own), least=0.0)
    share = (1 - model.unlearned_mass) / total
    floor = model.unlearned_mass / max(1, model.n_classes - len(model.learned))
    return first * share, np.maximum(second * share, floor)


def _shifted(logits: Float32) -> tuple[Float32, Float32, Float32]:
    shifted, powers, total = _exponentials(logits[0])
    return powers, shifted, total


def _margin(model: LinearModel, logits: Float32) -> Floats:
    """Slope 1: the difference changes by ``2 p1 (1 - p1 + p2)`` at most, and ``p2 <= min(p1, 1 - p1)``."""
    first, second = _best_two(model, logits)
    return np.asarray(1 - (first - second))


def _ratio(model: LinearModel, logits: Float32) -> Floats:
    """Slope 2: it is the exponential of a difference of two logits, and at most 1."""
    first, second = _best_two(model, logits)
    return np.asarray(second / first)


def _least_confident(model: LinearModel, logits: Float32) -> Floats:
    """Slope 1/2: p1 changes by ``2 p1 (1 - p1)`` at most."""
    _, _, total = _exponentials(logits[0])
    return np.asarray(1 - (1 - model.unlearned_mass) / total)


# ---- votes for one class ----


def _vote_bound(model: LinearModel, logits: Float32, error: float) -> tuple[Float64, Float64]:
    del model  # an unlearned class is nobody's likeliest
    members, classes, _ = logits.shape
    near = logits >= logits.max(axis=1, keepdims=True) - np.float32(2.001 * error)
    sure = np.add.reduce(near.view(np.uint8), axis=1, dtype=np.min_scalar_type(classes)) == 1
    cast = votes.first_of(near).astype(np.min_scalar_type(classes + members))
    own = np.arange(classes + 1, classes + members + 1, dtype=cast.dtype)[:, np.newaxis]
    most = votes.entropy_of_split((np.arange(members) % classes).astype(np.uint8)[:, np.newaxis])[0]
    high = np.minimum(votes.entropy_of_split(np.where(sure, cast, own)), most)
    return np.where(sure.all(axis=0), high, 0.0), high


def _tiebroken_weight(members: int, classes: int) -> float:
    return votes.smallest_gap(members) / 2 / (1.0 + math.log(classes))


def _tiebroken_glance(model: LinearModel, logits: Float32, error: float) -> tuple[Float64, Float64]:
    low, high = _vote_bound(model, logits, error)
    return low, high + votes.smallest_gap(len(logits)) / 2


def _tiebroken_bound(model: LinearModel, logits: Float32, error: float) -> tuple[Float64, Float64]:
    low, high = _vote_bound(model, logits, error)
    consensus_low, consensus_high = _within(_entropy_slope, _consensus_entropy)(model, logits, error)
    weight = _tiebroken_weight(len(logits), model.n_classes)
    most = math.log(model.n_classes)
    return (
        low + weight * consensus_low.clip(0, most) - 1e-12,
        high + weight * consensus_high.clip(0, most) + 1e-12,
    )


# ---- several labels a row: each logit stands alone ----


def _by_definition(score: Callable[[Floats], Float64]) -> Callable[[LinearModel, Float32], Floats]:
    def about(model: LinearModel, logits: Float32) -> Floats:
        answers = model.probabilities(logits.astype(np.float64) * model.temperature)
        return score(answers.transpose(0, 2, 1))

    return about


def _own(score: Callable[[Floats], Float64]) -> Callable[[Floats], Float64]:
    return lambda answers: score(answers[0])


def _yes_bound(model: LinearModel, logits: Float32, error: float) -> tuple[Float64, Float64]:
    """Labels without a head of their own are every member's same answer, and add nothing."""
    members, _, _ = logits.shape
    yes = np.add.reduce((logits > error).view(np.uint8), axis=0, dtype=np.uint8)
    open_ = np.add.reduce((np.abs(logits) <= error).view(np.uint8), axis=0, dtype=np.uint8)
    evenest = np.clip(np.full_like(yes, members // 2), yes, yes + open_)
    terms = votes.entropy_of_yes_counts(evenest, members)
    # Twice where it is alone: NumPy adds up a lone column in another order than columns side by side.
    levels = np.add.reduce(np.repeat(terms, 2, axis=1) if terms.shape[1] == 1 else terms, axis=0)[: terms.shape[1]]
    high = np.maximum(levels / model.n_classes, 0.0)
    return np.where(open_.any(axis=0), 0.0, high), high


#: Of ``H(sigmoid(l))``: the largest ``p (1 - p) |log(p / (1 - p))|`` is 0.22387. By Jensen also of a mean of members.
_BINARY_ENTROPY_SLOPE = 0.224


def _constant(value: float) -> Callable[[int], float]:
    return lambda _: value


SINGLE: Mapping[str, Measure] = MappingProxyType(
    {
        "entropy": Measure(uncertainty.entropy, False, _within(_entropy_slope, _entropy)),
        "margin": Measure(uncertainty.margin, False, _within(_constant(1.0), _margin)),
        "ratio": Measure(uncertainty.ratio, False, _within(_constant(2.0), _ratio)),
        "least_confident": Measure(uncertainty.least_confident, False, _within(_constant(0.5), _least_confident)),
        "vote_entropy": Measure(committee.vote_entropy, True, _vote_bound),
        "vote_entropy_tiebroken": Measure(
            committee.vote_entropy_tiebroken, True, _tiebroken_bound, _tiebroken_glance
        ),
        "consensus_entropy": Measure(
            committee.consensus_entropy, True, _within(_entropy_slope, _consensus_entropy)
        ),
        "kl_to_consensus": Measure(
            committee.mean_kl_to_consensus, True, _within(lambda c: 2 * _entropy_slope(c), _kl_to_consensus)
        ),
    }
)  # fmt: skip

MULTI: Mapping[str, Measure] = MappingProxyType(
    {
        name: Measure(exact, members, _within(_constant(slope), _by_definition(exact if members else _own(exact))))
        for name, exact, members, slope in (
            ("entropy", uncertainty.binary_entropy, False, _BINARY_ENTROPY_SLOPE),
            ("margin", uncertainty.binary_margin, False, 0.5),  # 2 p (1 - p)
            ("least_confident", uncertainty.binary_least_confident, False, 0.5),  # 1 - max(p, 1 - p)
            ("consensus_entropy", binary_committee.binary_consensus_entropy, True, _BINARY_ENTROPY_SLOPE),
            ("kl_to_consensus", binary_committee.binary_mean_kl_to_consensus, True, 2 * _BINARY_ENTROPY_SLOPE),
        )
    }
    | {"vote_entropy": Measure(binary_committee.binary_vote_entropy, True, _yes_bound)}
)


def measures(task: Task) -> Mapping[str, Measure]:
    """What can be ranked by, by the strategies' names."""
    return SINGLE if task == "single" else MULTI
