"""Encoders and learners by name. A name is imported when it is asked for, never before."""

from __future__ import annotations

import difflib
import importlib
import re
from importlib.metadata import entry_points
from typing import cast

from tithe.errors import BadInput, TitheError
from tithe.learners.protocol import Encoder, Learner

#: name → "module:Class". The class is called with ``threads=``.
ENCODERS = {
    "minilm": "tithe.learners.encoder_minilm:MiniLmEncoder",
    "hashing": "tithe.learners.encoder_hashing:HashingEncoder",
}
#: What stands before a colon → "module:Class". The class is called with what follows it, and ``threads=``.
FAMILIES = {
    "torch": "tithe.learners.encoding.torch_encoder:TorchEncoder",
    "onnx": "tithe.learners.encoding.onnx_encoder:OnnxEncoder",
    "static": "tithe.learners.encoding.static_encoder:StaticEncoder",
}
#: name → "module:Class". The class is called with nothing.
LEARNERS = {
    "linear": "tithe.learners.linear:LinearLearner",
}
#: As the hub allows names: an owner or none, letters, digits and what may stand between them.
_ON_THE_HUB = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*", re.ASCII)


class UnknownEncoder(BadInput):
    """No encoder has that name."""

    code = "unknown_encoder"


class UnknownLearner(BadInput):
    """No learner has that name."""

    code = "unknown_learner"


def encoder_names() -> list[str]:
    """Every encoder's name: the built-in ones and those of installed packages (entry points ``tithe.encoders``).

    Families of encoders stand as ``torch:NAME``: NAME is a model on the Hugging Face hub, a folder, or ``minilm``.
    """
    return sorted(ENCODERS | _plugged("tithe.encoders")) + [f"{family}:NAME" for family in sorted(FAMILIES)]


def learner_names() -> list[str]:
    """Every learner's name: the built-in ones and those of installed packages (entry points ``tithe.learners``)."""
    return sorted(LEARNERS | _plugged("tithe.learners"))


def check_encoder_name(name: str) -> None:
    """Whether an encoder could have that name. Nothing is imported, read or fetched: the model itself may be missing.

    Raises
    ------
    UnknownEncoder
        When none could; suggests the nearest name.

    Examples
    --------
    >>> check_encoder_name("torch:intfloat/multilingual-e5-small")
    >>> check_encoder_name("troch:minilm")
    Traceback (most recent call last):
    tithe.learners.registry.UnknownEncoder: no encoder is called 'troch:minilm'. Did you mean 'torch:minilm'?
    """
    family, colon, model = name.partition(":")
    if not colon:
        if name in ENCODERS or name in _plugged("tithe.encoders"):
            return
    elif family in FAMILIES and (_ON_THE_HUB.fullmatch(model) or _is_path(model)):
        return
    raise UnknownEncoder(_no_encoder(name), place="encoder")


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
        When a package that it needs is not installed; says what to install.
    UnknownModel, ModelUnreachable, ModelUnusable
        When the model is nowhere, cannot be fetched now, or its files cannot be used.
    """
    check_encoder_name(name)
    family, colon, model = name.partition(":")
    if colon:
        return _made(name, _load(FAMILIES[family]), model, threads)
    return cast("Encoder", _load((_plugged("tithe.encoders") | ENCODERS)[name])(threads=threads))


def _made(name: str, kind: type, model: str, threads: int) -> Encoder:
    try:
        return cast("Encoder", kind(model, threads=threads))
    except (TitheError, MemoryError):
        raise
    except Exception as error:  # what strange files make libraries raise has no class of its own
        from tithe.learners.encoding.unusable import ModelUnusable

        raise ModelUnusable(
            f"the model of the encoder {name!r} cannot be used: {type(error).__name__}: {str(error)[:300]}",
            remedy="look at the files beside its weights (config.json, modules.json, tokenizer.json), or fetch it anew",
        ) from error


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


def _is_path(model: str) -> bool:
    return "\0" not in model and model.startswith(("/", "./", "../", "~/"))


def _no_encoder(name: str) -> str:
    family, colon, model = name.partition(":")
    if colon and family in FAMILIES:
        said = f"{model!r} names no model" if model else "the model's name is missing"
        return f"no encoder is called {name!r}: {said}. Write {family}:owner/name, {family}:/folder or {family}:minilm."
    near = difflib.get_close_matches(family, FAMILIES, n=1)
    if colon and near:
        return f"no encoder is called {name!r}. Did you mean {f'{near[0]}:{model}'!r}?"
    if "/" in name and not colon:
        return f"no encoder is called {name!r}. Did you mean {f'torch:{name}'!r}?"
    return _unknown("encoder", name, encoder_names())


def _unknown(kind: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"no {kind} is called {name!r}.{hint} There are: {', '.join(known)}."
