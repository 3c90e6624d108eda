"""Classes as spaCy has them: ``cats``, a number between 0 and 1 for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tithe.connectors.files.format import Schema
from tithe.connectors.files.labels import of_classes
from tithe.connectors.files.row import Unfit
from tithe.contracts.projects import Task


def label_of_cats(task: Task, cats: Mapping[str, Any]) -> Any:
    """The label: of several classes those above one half, of one the one that is. Raises Unfit.

    Examples
    --------
    >>> label_of_cats(Task.TEXT, {"ham": 0.0, "spam": 1.0}), label_of_cats(Task.MULTILABEL, {"a": 1, "b": True})
    ('spam', ['a', 'b'])
    """
    if not all(isinstance(value, (int, float)) for value in cats.values()):
        raise Unfit("bad_cats", "cats are numbers between 0 and 1, one for each class")
    chosen = of_classes(task, [name for name, value in cats.items() if value > 0.5])
    if chosen is None:
        raise Unfit("no_class", "none of the cats is above one half", "give one class 1.0, or say --as-pool")
    return chosen


def cats_of(schema: Schema, label: Any) -> dict[str, float]:
    """A number for every class of the project.

    Examples
    --------
    >>> cats_of(Schema(Task.TEXT, ("ham", "spam")), "spam")
    {'ham': 0.0, 'spam': 1.0}
    """
    chosen = {label} if isinstance(label, str) else set(label)
    return {name: float(name in chosen) for name in schema.labels}
