"""The quality report's sets, in groups, and who competes on each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from learning_curves.sets import POOL_ROWS, SETS, LabeledSet

RANDOM, DEFAULT, CONTROLLED, EVERYTHING = "random", "default", "default, control arm", "all"
#: Share of the labels that are control labels, and of the pool that is set aside for them: a project's own default.
CONTROL = 0.05

#: Random is followed so many times as far as the others, to the whole pool at most: ratios are no guesses then.
FURTHER, FURTHER_IF_LARGE = 8, 4

_ONE_BY_ONE = ("small-text: LeastConfidence",)
_PEERS = ("peer: Falcun", "peer: margin", "peer: entropy", *_ONE_BY_ONE, "peer: Badge")
_PEERS_OF_MANY = ("peer: Falcun", "peer: margin", "peer: entropy", *_ONE_BY_ONE)
#: With two classes margin, entropy and least confidence rank alike.
_PEERS_OF_TWO = ("peer: Falcun", "peer: margin", "peer: Badge")
_PEERS_OF_SEVERAL = ("peer: CoreSet", "small-text: CategoryVector", "small-text: LightweightCoreset")
#: Run on two sets to find small-text's best.
_MORE_OF_SMALL_TEXT = ("small-text: ContrastiveActiveLearning", "small-text: EmbeddingKMeans")

_SGD = LabeledSet(
    "sgd_turns, 50k", "sgd_turns", "accuracy", 2500, pool_rows=50_000, encoded=(54_000, 12_000), shared_only=True
)


#: Followed on the first pool only: slow.
_ONCE = {"peer: Badge", *_MORE_OF_SMALL_TEXT}


@dataclass(frozen=True)
class Entry:
    """One set of a group and who competes on it, beside the default, random and every label.

    Attributes
    ----------
    controlled
        Whether the default is followed with its control arm, too.
    far
        Labels to which the default, without its control arm, is followed where 90 % is beyond the set's own limit.
    """

    set: LabeledSet
    others: tuple[str, ...]
    controlled: bool = False
    far: int | None = None

    @property
    def large(self) -> bool:
        """Whether its pool is larger than those of ``make bench-curves``."""
        return self.set.pool_rows > POOL_ROWS

    def strategies(self, seed: int) -> list[str]:
        """The curves of a seed, the most telling first."""
        # the pools of a large set are the same texts but for one in a hundred, so one fit to all is every seed's
        full = [] if seed and self.large and self.set.rare is None else [EVERYTHING]
        others = [name for name in self.others if not seed or name not in _ONCE]
        return [*full, RANDOM, DEFAULT, *([CONTROLLED] if self.controlled else []), *others]

    def limit(self, strategy: str) -> int:
        """Labels to which a strategy is followed."""
        if strategy == RANDOM:
            return self.set.limit * (FURTHER_IF_LARGE if self.large else FURTHER)
        return self.far if self.far and strategy == DEFAULT else self.set.limit


@dataclass(frozen=True)
class Group:
    """Sets of a kind."""

    name: str  #: also what the picture's file is called after
    title: str
    words: str
    entries: tuple[Entry, ...]


def _as(name: str, of: str, limit: int, **changes: object) -> LabeledSet:
    return replace(SETS[of], name=name, limit=limit, **changes)  # type: ignore[arg-type]  # fields of LabeledSet


GROUPS = (
    Group(
        "large",
        "50,000 texts",
        "Pools of 50,000 texts: which of 14 services a turn of a dialogue is about (by itself: some say only thanks); "
        "which of 16 news feeds wrote a tweet.",
        (
            Entry(_SGD, _PEERS_OF_MANY, controlled=True),
            Entry(
                LabeledSet(
                    "healthtweets, 50k", "healthtweets", "accuracy", 2500, pool_rows=50_000, encoded=(50_661, 8_000)
                ),
                _PEERS_OF_MANY,
                far=10_000,
            ),
        ),
    ),
    Group(
        "skewed",
        "Rare classes",
        "Macro-F1, so that a rare class counts as much as a common one. Where classes were made rare it is in the pool "
        "only; hate_offensive is skewed by itself (6 % hate).",
        (
            Entry(_as("agnews, one class 2 %", "agnews, one class 2 %", 1000), _PEERS, controlled=True),
            Entry(
                _as("snips, three classes 1 %", "snips", 1000, metric="macro_f1", rare=(4, 5, 6), rare_share=0.01),
                (*_PEERS, *_MORE_OF_SMALL_TEXT),
                controlled=True,
            ),
            Entry(_as("hate_offensive", "hate_offensive", 1200), _PEERS, controlled=True),
            Entry(
                replace(
                    _SGD,
                    name="sgd_turns, 50k, three domains 1 %",
                    metric="macro_f1",
                    limit=2000,
                    rare=(5, 12, 13),
                    rare_share=0.01,
                ),
                _PEERS_OF_MANY,
                controlled=True,
            ),
        ),
    ),
    Group(
        "balanced",
        "Balanced classes",
        "Accuracy; 4, 7 and 2 classes of about the same size.",
        (
            Entry(_as("agnews", "agnews", 1000), (*_PEERS, *_MORE_OF_SMALL_TEXT)),
            Entry(_as("snips", "snips", 600), _PEERS),
            Entry(_as("pros_cons", "pros_cons", 1000), _PEERS_OF_TWO),
        ),
    ),
    Group(
        "noisy",
        "Annotators who are wrong",
        "Of the pool's answers 10 or 20 % are replaced by another class, each as likely, whoever asks; the test set is "
        "clean. Every answer is taken for true: no second opinions.",
        (
            Entry(_as("agnews, 10 % wrong", "agnews", 1000, wrong=0.1), _PEERS_OF_MANY),
            Entry(_as("agnews, 20 % wrong", "agnews", 1000, wrong=0.2), _PEERS_OF_MANY),
            Entry(_as("snips, 20 % wrong", "snips", 1000, wrong=0.2), _PEERS_OF_MANY),
        ),
    ),
    Group(
        "classes",
        "77 classes",
        "Accuracy on banking77.",
        (Entry(_as("banking77", "banking77", 1200), _PEERS_OF_MANY),),
    ),
    Group(
        "several",
        "Several labels an item",
        "Macro-F1 over 28 emotions. scikit-activeml and small-text have few strategies for several labels an item: "
        "these are what they have that works on vectors.",
        (Entry(_as("goemotions", "goemotions", 1000), _PEERS_OF_SEVERAL),),
    ),
    Group(
        "digits",
        "Digits",
        "1,197 handwritten digits out of scikit-learn: a set everybody has.",
        (
            Entry(
                _as("digits", "digits", 300),
                (*_PEERS, *_MORE_OF_SMALL_TEXT, "small-text: LightweightCoreset", "small-text: GreedyCoreset"),
                controlled=True,
            ),
        ),
    ),
)
