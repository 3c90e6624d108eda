"""What a rehearsal is asked to play."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from tithe.contracts.projects import CONTROL, NEAR_DUPLICATE, ProjectSpec, Task, said
from tithe.errors import BadInput
from tithe.strategies.catalog import CATALOG

#: Shares of the full-pool score, and the one a recommendation looks at first.
TARGETS = (0.90, 0.95, 0.98, 0.99)
RANDOM = "random"
DEFAULT = "default"
Errors = Literal["uniform", "confusion"]
Mix = str | dict[str, float]


@dataclass(frozen=True)
class Settings:
    """How the loop is played; everything of it decides the figures.

    Attributes
    ----------
    rounds, batch
        How many times people label, and how many items each time: the budget is their product.
    error_rate, errors
        The share of answers that are wrong, in [0, 1), and which wrong class is said: any (`uniform`), or one that the
        learner takes it for as well (`confusion`).
    control
        The share of every hand-out that is drawn at random and that no model is trained on, as in a project.
    near_duplicate
        The cosine similarity from which two items are near-duplicates; None: never.
    beyond
        Random goes on until so many times the budget, or until it has reached every target.
    test_share
        Held out of the data by each seed anew, where no test file is given.
    """

    task: Task
    metric: str
    rounds: int = 40
    batch: int = 20
    error_rate: float = 0.0
    errors: Errors = "uniform"
    encoder: str | None = None
    learner: str = "linear"
    control: float = CONTROL
    near_duplicate: float | None = NEAR_DUPLICATE
    beyond: float = 5.0
    test_share: float = 0.2

    @property
    def budget(self) -> int:
        """Labels in all."""
        return self.rounds * self.batch


def named(wanted: Sequence[str], spec: ProjectSpec) -> dict[str, Mix]:
    """The strategies by the names a report gives them, random first.

    Parameters
    ----------
    wanted
        As people write them: a name, `default`, or a mix as ``margin=0.9,random=0.1``.
    spec
        The project that is rehearsed; it says what `default` is.

    Raises
    ------
    BadInput
        When there is no such strategy, or it does not serve the task.
    """
    found: dict[str, Mix] = {RANDOM: RANDOM}
    for text in wanted:
        if text == RANDOM:
            continue
        mix: Any = spec.resolved().strategy if text == DEFAULT else parsed(text)
        for name in [mix] if isinstance(mix, str) else mix:
            _check(name, spec.task)
        found[DEFAULT if text == DEFAULT else said(mix)] = mix
    return found


def parsed(text: str) -> Mix:
    """A strategy as people write it.

    Examples
    --------
    >>> parsed("margin"), parsed("margin=0.9, random=0.1")
    ('margin', {'margin': 0.9, 'random': 0.1})
    """
    if "=" not in text:
        return text.strip()
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            mix[name.strip()] = float(share)
        except ValueError:
            raise _no_mix(text) from None
    if not all(0 < share <= 1 for share in mix.values()) or not math.isclose(sum(mix.values()), 1, abs_tol=1e-6):
        raise _no_mix(text)
    return mix


def _no_mix(text: str) -> BadInput:
    return BadInput(
        f"{text!r} is no mix of strategies", place="--strategy",
        remedy="names with their shares, which sum to 1: margin=0.9,random=0.1",
    )  # fmt: skip


def _check(name: str, task: Task) -> None:
    if name not in CATALOG:
        near = difflib.get_close_matches(name, CATALOG, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput(
            f"there is no strategy {name!r}", place="--strategy", remedy=f"{hint}tithe strategies lists them"
        )
    try:
        CATALOG[name].function_for(task.value)
    except ValueError as misfit:
        raise BadInput(str(misfit), place="--strategy", remedy=f"tithe strategies --task {task.value}") from None


def usual(task: Task) -> list[str]:
    """The strategies that are played where nobody names any: random, the product's default, and the best known ones.

    Examples
    --------
    >>> usual(Task.TEXT)
    ['random', 'default', 'margin', 'entropy', 'badge']
    """
    if task is Task.TOKENS:
        return [RANDOM, DEFAULT, "mnlp", "token_entropy_sum"]
    return [RANDOM, DEFAULT, "margin", "entropy"] + ([] if task is Task.MULTILABEL else ["badge"])


def spec_of(task: Task, classes: Sequence[str], chosen: Mapping[str, Any]) -> ProjectSpec:
    """The project that is rehearsed, checked as the server checks it. Raises BadInput."""
    given = {name: value for name, value in chosen.items() if value is not None}
    try:
        spec = ProjectSpec(
            name="rehearsal", task=task, labels=list(classes), near_duplicate=chosen.get("near_duplicate"),
            **{name: value for name, value in given.items() if name != "near_duplicate"},
        )  # fmt: skip
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(first["msg"].removeprefix("Value error, "), place=where or None) from None
    return spec.resolved()


@dataclass(frozen=True)
class Source:
    """Where the labeled data is, and which columns matter.

    Attributes
    ----------
    label
        The column of classes, of lists of classes, of tags, or of spans.
    text, tokens
        The column of texts; of entities with tags, that of their tokens.
    vectors
        A column of lists of numbers, or an .npy file with a row for each of the data's; None: texts are encoded.
    test
        A second file of the same form, to measure on; None: a share of the data is held out.
    """

    data: Path
    label: str = "label"
    text: str = "text"
    tokens: str = "tokens"
    vectors: str | None = None
    test: Path | None = None
    test_vectors: str | None = None
    task: Task | None = None
