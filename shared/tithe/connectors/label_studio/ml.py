"""Tithe as a Label Studio ML backend: what it is asked, and what it answers. Pure; the gateway carries it.

For suggestions on the page only. It cannot rank: Label Studio asks only for the one task it has chosen already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tithe.connectors.errors import SchemaUnfit
from tithe.connectors.label_studio.config import Fit, fit
from tithe.connectors.label_studio.keys import key_of
from tithe.connectors.label_studio.mapping import Reading
from tithe.connectors.protocol import Json, Schema
from tithe.errors import BadInput


@dataclass(frozen=True)
class Question:
    """A task that a suggestion is asked for."""

    task: str  #: the tool's id
    key: str | None  #: ours, where we made the task
    text: str


@dataclass(frozen=True)
class Guess:
    """What the model thinks."""

    value: Any  #: in the project's form; None: nothing to show
    score: float | None = None  #: how sure it is, from 0 to 1


@dataclass(frozen=True)
class Asked:
    """A call of ``/predict``, read."""

    questions: tuple[Question, ...]
    reading: Reading | None  #: None: the configuration does not fit, and no suggestion can be shown


def health() -> Json:
    """The answer to ``GET /health``."""
    return {"status": "UP", "model_class": "Tithe"}


def setup(title: str) -> Json:
    """The answer to ``POST /setup``: the version must be the title the backend is registered under."""
    return {"model_version": title}


def versions(title: str) -> Json:
    """The answer to ``GET /versions``."""
    return {"versions": [title]}


def read_predict(body: Any, schema: Schema, aliases: Mapping[str, str]) -> Asked:
    """What ``POST /predict`` asks.

    Raises
    ------
    BadInput
        It is not what Label Studio sends.
    """
    tasks = body.get("tasks") if isinstance(body, dict) else None
    if not isinstance(tasks, list):
        raise BadInput("body.tasks: Label Studio sends a list of tasks", place="body.tasks")
    found = _fit(body.get("label_config"), schema, aliases)
    field = found.control.data_key if found else ""
    questions = tuple(_question(task, field, f"body.tasks[{at}]") for at, task in enumerate(tasks))
    return Asked(questions, Reading(schema.task, found.control, aliases) if found else None)


def predictions(asked: Asked, guesses: Sequence[Guess | None], title: str) -> Json:
    """The answer to ``POST /predict``: one result for each task, in order, or Label Studio stores none of them.

    Raises ValueError where there are not as many guesses as tasks.
    """
    results = []
    for question, guess in zip(asked.questions, guesses, strict=True):
        known = guess if guess and asked.reading else None
        result = asked.reading.result(known.value, question.text) if known and asked.reading else []
        score = min(1.0, max(0.0, known.score)) if known and known.score is not None else 0.0
        results.append({"result": result, "score": score, "model_version": title})
    return {"results": results}


def _fit(config: Any, schema: Schema, aliases: Mapping[str, str]) -> Fit | None:
    try:
        return fit(config, schema, aliases) if isinstance(config, str) else None
    except SchemaUnfit:
        return None


def _question(task: Any, field: str, place: str) -> Question:
    if not isinstance(task, dict) or not isinstance(task.get("id"), int) or not isinstance(task.get("data"), dict):
        raise BadInput(f"{place}: a task has an id and data", place=place)
    text = task["data"].get(field)
    return Question(str(task["id"]), key_of(task), text if isinstance(text, str) else "")
