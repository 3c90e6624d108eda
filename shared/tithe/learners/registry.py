"""Encoders and learners by name. A name is imported when it is asked for, never before."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import cast

from tithe.errors import BadInput
from tithe.learners.protocol import Encoder, Learner

#: name → "module:Class". The class is called with ``threads=``.
ENCODERS = {
    "minilm": "tithe.learners.encoder_minilm:MiniLmEncoder",
    "hashing": "tithe.learners.encoder_hashing:HashingEncoder",
}
#: name → "module:Class". The class is called with nothing.
LEARNERS = {
    "linear": "tithe.learners.linear:LinearLearner",
}


class UnknownEncoder(BadInput):
    """No encoder has that name."""

    code = "unknown_encoder"


class UnknownLearner(BadInput):
    """No learner has that name."""

    code = "unknown_learner"


def encoder_names() -> list[str]:
    """Every encoder's name: the built-in ones and those of installed packages (entry points ``tithe.encoders``)."""
    return sorted(ENCODERS | _plugged("tithe.encoders"))


def learner_names() -> list[str]:
    """Every learner's name: the built-in ones and those of installed packages (entry points ``tithe.learners``)."""
    return sorted(LEARNERS | _plugged("tithe.learners"))


def get_encoder(name: str, *, threads: int = 1) -> Encoder:
    """The encoder of that name, ready to use.

    Parameters
    ----------
    name
        One of :func:`encoder_names`.
    threads
        Threads it may compute with.

    Raises
    ------
    UnknownEncoder
        When there is none; suggests the nearest name.
    EncoderUnavailable
        When its model is not installed; says what to install.
    """
    target = (_plugged("tithe.encoders") | ENCODERS).get(name)
    if target is None:
        raise UnknownEncoder(_unknown("encoder", name, encoder_names()), place="encoder")
    return cast("Encoder", _load(target)(threads=threads))


def get_learner(name: str = "linear") -> Learner:
    """The learner of that name. Raises UnknownLearner, with the nearest name, when there is none."""
    target = (_plugged("tithe.learners") | LEARNERS).get(name)
    if target is None:
        raise UnknownLearner(_unknown("learner", name, learner_names()), place="learner")
    return cast("Learner", _load(target)())


def _plugged(group: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=group)}


def _load(target: str) -> type:
    module, _, name = target.partition(":")
    return cast("type", getattr(importlib.import_module(module), name))


def _unknown(kind: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"no {kind} is called {name!r}.{hint} There are: {', '.join(known)}."
