"""A project's settings, as people send them and as every service reads them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)


def _one_or_a_mix(sent: Any) -> Any:
    """A strategy as sent. Raises ValueError where it is neither a name nor names with shares that sum to 1."""
    if isinstance(sent, str) and len(sent) <= _LONGEST_STRATEGY:
        return sent
    if not isinstance(sent, dict) or not sent:
        raise ValueError('a strategy is a name, or names with their shares: {"margin": 0.9, "random": 0.1}')
    for name, share in sent.items():
        if not isinstance(name, str) or len(name) > _LONGEST_STRATEGY or not name.isascii():
            raise ValueError("a mix is of names of strategies")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise ValueError(f"the share of {name[:40]!r} is not a number above 0 and up to 1")
    if abs(sum(sent.values()) - 1) > _SHARES_TOLERANCE:
        raise ValueError(f"the shares sum to {sum(sent.values()):g}, not to 1")
    return sent


def strategy_from(stored: Any) -> Any:
    """A strategy as a row holds it: a name, or a mix as JSON.

    Examples
    --------
    >>> strategy_from("margin"), strategy_from('{"margin": 0.9, "random": 0.1}')
    ('margin', {'margin': 0.9, 'random': 0.1})
    """
    return json.loads(stored) if isinstance(stored, str) and stored.startswith("{") else stored


def stored_as(strategy: str | dict[str, float]) -> str:
    """A strategy as a row holds it; :func:`strategy_from` reads it."""
    return strategy if isinstance(strategy, str) else json.dumps(strategy)


def leaning(strategy: str | dict[str, float], share: float) -> str | dict[str, float]:
    """The strategy with so much of the queue given to chance.

    Examples
    --------
    >>> leaning("margin", 0.25), leaning({"margin": 0.9, "random": 0.1}, 0.5), leaning("margin", 0.0)
    ({'margin': 0.75, 'random': 0.25}, {'margin': 0.45, 'random': 0.55}, 'margin')
    >>> leaning("margin", 1.0)
    'random'
    """
    if not share:
        return strategy
    shares = {strategy: 1.0} if isinstance(strategy, str) else strategy
    mixed = {name: round(own * (1 - share), 6) for name, own in shares.items() if share < 1}
    mixed["random"] = round(mixed.get("random", 0.0) + share, 6)
    return mixed if len(mixed) > 1 else "random"


def metric_stored(task: Task, metric: Metric) -> Metric:
    """A metric as a row holds it; :class:`Project` reads it.

    That of entities follows from the task, so the column keeps what a version without it can read: its processes,
    still running while this one is rolled out, would fail over every list of projects.

    Examples
    --------
    >>> metric_stored(Task.TOKENS, "entity_f1"), metric_stored(Task.TEXT, "accuracy")
    ('macro_f1', 'accuracy')
    """
    return "macro_f1" if task is Task.TOKENS else metric


_LONGEST_STRATEGY = 100
#: A folder's path is a name too.
_LONGEST_ENCODER = 500
_SHARES_TOLERANCE = 1e-6
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]
ClassName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]
#: Neither "1" nor true nor 1.0.
Whole = Annotated[int, Field(strict=True)]
#: `entity_f1` is that of token_classification, and its alone: exact spans of the right type.
Metric = Literal["macro_f1", "accuracy", "entity_f1"]
#: `linear`: the encoder stays as it is, a head on it is fitted anew in seconds. `transformer`: the encoder is tuned.
LearnerName = Literal["linear", "transformer"]
BudgetUnit = Literal["labels", "words"]
#: Neither 1 nor "yes".
Switch = Annotated[bool, Field(strict=True)]
#: Of every hand-out; more than half would be no active learning.
Share = Annotated[float, Field(strict=True, ge=0, le=0.5, allow_inf_nan=False)]
CONTROL = 0.05
Price = Annotated[float, Field(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)]
Currency = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=12, pattern=r"^[^\x00-\x1f]*$")
]
#: A name from the catalog, or names with the share of the queue each has; the shares sum to 1.
Strategy = Annotated[str | dict[str, float], BeforeValidator(_one_or_a_mix)]
Similarity = Annotated[float, Field(gt=0, le=1, strict=True)]
#: Measured on sentence embeddings: what differs in a word or a number is above it, what merely shares a topic below.
NEAR_DUPLICATE = 0.95


class Task(StrEnum):
    """What a label is."""

    TEXT = "text_classification"
    MULTILABEL = "multilabel_classification"
    TOKENS = "token_classification"
    VECTORS = "vector_classification"


#: Up to so many classes entropy is the better half of the default; with more it asks for what nobody can tell apart.
_FEW_CLASSES = 8


def default_strategy(task: Task, classes: int, unit: BudgetUnit = "labels") -> str | dict[str, float]:
    """How a project chooses that does not say: by measurement, docs/decisions/0008-default-strategy.md.

    Of entities it is docs/decisions/0013-entities-default.md: what gains most by the item or, where words are paid, by
    the word.

    Before there is a model something else chooses: :data:`tithe.choosing.mix.WITHOUT_MODEL`.

    Examples
    --------
    >>> default_strategy(Task.TEXT, 4), default_strategy(Task.TEXT, 77)
    ({'entropy': 0.5, 'variance_reduction': 0.5}, {'falcun': 0.5, 'variance_reduction': 0.5})
    """
    if task is Task.TOKENS:
        return "mnlp" if unit == "words" else "token_entropy_top"
    doubt = "entropy" if task is Task.MULTILABEL or classes <= _FEW_CLASSES else "falcun"
    return {doubt: 0.5, "variance_reduction": 0.5}


def default_metric(task: Task) -> Metric:
    """The score a project's learning curve is drawn in that does not say.

    Examples
    --------
    >>> default_metric(Task.TEXT), default_metric(Task.TOKENS)
    ('macro_f1', 'entity_f1')
    """
    return "entity_f1" if task is Task.TOKENS else "macro_f1"


def no_transformer(task: Task, encoder: str | None) -> tuple[str, str] | None:
    """Why `learner: transformer` cannot be, and what to do; None: it can. `encoder` None: the default one.

    Only what is a transformer with weights can be tuned: `minilm`, and `torch:NAME_OR_FOLDER`.

    Examples
    --------
    >>> no_transformer(Task.TEXT, None), no_transformer(Task.TOKENS, "torch:my/model")
    (None, None)
    >>> no_transformer(Task.TEXT, "hashing")[0]
    "the encoder 'hashing' is no transformer that could be tuned"
    """
    if task is Task.VECTORS:
        return f"{task} brings its own vectors: there is no transformer to tune", "leave learner out: linear learns"
    if encoder is None or encoder == "minilm" or encoder.startswith("torch:"):
        return None
    return (
        f"the encoder {encoder[:80]!r} is no transformer that could be tuned",
        "make a project with the encoder minilm or torch:NAME_OR_FOLDER, or let the learner be linear",
    )


class StopWhen(BaseModel):
    """When a project stops by itself. It may be resumed; the budget stops it in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="the true score has reached this, with `certainty`; in the project's metric",
    )
    certainty: float = Field(default=0.8, ge=0.5, lt=1, description="how sure that has to be")
    min_gain: float | None = Field(
        default=None, gt=0, lt=1,
        description="the next 100 labels are expected to raise the score by less than this: the advice is to stop",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.score is None and self.min_gain is None:
            raise ValueError("say when: score, min_gain, or both; leave stop_when out to go on until the budget ends")
        return self


class ProjectSpec(BaseModel):
    """What a new project is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    task: Task
    labels: list[ClassName] = Field(min_length=1, max_length=10_000, description="the classes, or the entity types")
    strategy: Strategy | None = Field(
        default=None,
        description='a name from the catalog, or a mix: {"margin": 0.9, "random": 0.1}; default: by task and classes',
    )
    near_duplicate: Similarity | None = Field(
        default=NEAR_DUPLICATE,
        description="the cosine similarity from which two items are near-duplicates, never in one queue; null: never",
    )
    metric: Metric | None = Field(
        default=None, description="the score the learning curve is drawn in; default: macro_f1, of entities entity_f1"
    )
    encoder: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_ENCODER,
        description="minilm (default for texts), hashing, torch:, onnx: or static:NAME_OR_FOLDER; vectors need none",
    )
    learner: LearnerName = Field(
        default="linear",
        description="linear: a head on the encoder, seconds a round; transformer: the encoder itself is tuned, minutes",
    )
    pre_annotate: Switch = Field(
        default=True, description="whether annotators see what the model thinks; false: blind labeling"
    )
    batch_size: Whole = Field(default=10, ge=1, le=1000, description="items handed out at a time")
    retrain_every: Whole = Field(default=50, ge=1, le=1_000_000, description="new labels that ask for a round")
    lease_seconds: Whole = Field(default=600, ge=1, le=86_400, description="how long a batch is kept for its annotator")
    overlap: Whole = Field(default=1, ge=1, le=20, description="how many annotators answer each item")
    budget: Whole | None = Field(
        default=None, ge=1, le=1_000_000_000, description="labels, or words, to pay for; null: no end"
    )
    budget_unit: BudgetUnit = Field(
        default="labels", description="words: a label takes as many of the budget as its text has words"
    )
    seed: Whole = Field(default=0, ge=0, lt=1 << 31)
    control: Share = Field(
        default=CONTROL,
        description="the share of every hand-out that is drawn at random, to measure by; no model is trained on it",
    )
    price: Price | None = Field(
        default=None, description="of one label, or of one word where the budget counts words; null: unknown"
    )
    currency: Currency | None = Field(default=None, description="what the price is in: EUR, say")
    stop_when: StopWhen | None = Field(default=None, description="when to stop by itself, beside the budget")

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            twice = sorted(label for label, times in Counter(self.labels).items() if times > 1)
            raise ValueError(f"labels must be distinct; more than once: {', '.join(twice[:5])}")
        return self

    @model_validator(mode="after")
    def _classification_needs_two(self) -> Self:
        if self.task in (Task.TEXT, Task.VECTORS) and len(self.labels) < 2:
            raise ValueError(f"{self.task} needs at least two labels to tell apart")
        return self

    def resolved(self, default_encoder: str = "minilm") -> Self:
        """The specification with what the task decides filled in."""
        strategy = (
            default_strategy(self.task, len(self.labels), self.budget_unit) if self.strategy is None else self.strategy
        )
        encoder = None if self.task is Task.VECTORS else self.encoder or default_encoder
        metric = self.metric or default_metric(self.task)
        return self.model_copy(update={"strategy": strategy, "encoder": encoder, "metric": metric})

    @model_validator(mode="after")
    def _the_metric_is_the_tasks(self) -> Self:
        if self.metric is not None and (self.metric == "entity_f1") != (self.task is Task.TOKENS):
            fitting = "entity_f1" if self.task is Task.TOKENS else "macro_f1 or accuracy"
            raise ValueError(f"{self.task} is not scored by {self.metric}: take {fitting}, or leave metric out")
        return self

    @model_validator(mode="after")
    def _entity_types_are_no_tags(self) -> Self:
        if self.task is Task.TOKENS:
            tagged = {label[2:] for label in self.labels if label[:2] == "B-"} & {
                label[2:] for label in self.labels if label[:2] == "I-"
            }
            if tagged:
                types = ", ".join(sorted(tagged)[:5])
                raise ValueError(f"labels are entity types, not tags: send {types}, without B-, I- and O")
        return self

    @model_validator(mode="after")
    def _what_is_tuned_is_a_transformer(self) -> Self:
        if self.learner == "transformer" and (fault := no_transformer(self.task, self.encoder)):
            raise ValueError(f"learner: {fault[0]}; {fault[1]}")
        return self

    @model_validator(mode="after")
    def _words_are_of_texts(self) -> Self:
        if self.budget_unit == "words" and self.task is Task.VECTORS:
            raise ValueError(f"budget_unit: {self.task} has no words to count; leave it out: labels are counted")
        return self

    @model_validator(mode="after")
    def _vectors_bring_their_own(self) -> Self:
        if self.task is Task.VECTORS and self.encoder is not None:
            raise ValueError("vector_classification takes the vectors as they come: leave encoder out")
        return self


class ProjectPatch(BaseModel):
    """What may change while a project runs. The task, the classes, the encoder and the budget's unit may not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name | None = None
    strategy: Strategy | None = None
    near_duplicate: Similarity | None = Field(default=None, description="null lets near-duplicates in")
    learner: LearnerName | None = Field(default=None, description="from the next round on")
    pre_annotate: Switch | None = Field(default=None, description="false: blind labeling, from the next look on")
    batch_size: Whole | None = Field(default=None, ge=1, le=1000)
    retrain_every: Whole | None = Field(default=None, ge=1, le=1_000_000)
    lease_seconds: Whole | None = Field(default=None, ge=1, le=86_400)
    overlap: Whole | None = Field(default=None, ge=1, le=20)
    budget: Whole | None = Field(default=None, ge=1, le=1_000_000_000, description="null lifts it")
    control: Share | None = Field(default=None, description="from the next round on; 0 ends the control arm")
    price: Price | None = None
    currency: Currency | None = None
    stop_when: StopWhen | None = Field(default=None, description="null: never by itself, but for the budget")

    @field_validator(
        "name", "strategy", "learner", "pre_annotate", "batch_size", "retrain_every", "lease_seconds", "overlap",
        "control", mode="before",
    )  # fmt: skip
    @classmethod
    def _only_some_are_lifted(cls, sent: Any) -> Any:
        if sent is None:
            raise ValueError("this cannot be null: leave it out to keep it as it is")
        return sent


class Project(BaseModel):
    """A project as it stands."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    task: Task
    labels: list[str]
    strategy: Annotated[str | dict[str, float], BeforeValidator(strategy_from)]
    near_duplicate: float | None = None
    metric: Metric
    encoder: str | None
    learner: LearnerName = "linear"
    pre_annotate: bool = True
    batch_size: int
    retrain_every: int
    lease_seconds: int
    overlap: int
    budget: int | None
    budget_unit: BudgetUnit = "labels"
    seed: int
    control: float = 0.0
    reserve: float = Field(default=0.0, description="the share of the pool that is set aside for the control arm")
    price: float | None = None
    currency: str | None = None
    stop_when: StopWhen | None = None
    stopped_at: datetime | None = Field(default=None, description="null: it runs")
    stopped_because: str | None = None
    toward_random: float = Field(
        default=0.0, description="this share of the queue is random now, because choosing showed no gain"
    )
    created_at: datetime

    @field_validator("metric", mode="before")
    @classmethod
    def _of_its_task(cls, stored: Any, read: ValidationInfo) -> Any:
        return "entity_f1" if read.data.get("task") is Task.TOKENS else stored


def said(strategy: str | dict[str, float]) -> str:
    """A strategy or a mix in one line, for people.

    Examples
    --------
    >>> said("margin"), said({"margin": 0.9, "random": 0.1})
    ('margin', '0.9 margin + 0.1 random')
    """
    if isinstance(strategy, str):
        return strategy
    if len(strategy) == 1:
        return next(iter(strategy))
    return " + ".join(f"{share:g} {name}" for name, share in strategy.items())
