"""What to say where a library of the extra ``text`` is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tithe.errors import Unavailable

LIBRARIES = {"accelerate", "onnx", "onnxscript", "sentence_transformers", "torch", "transformers"}


class TorchMissing(Unavailable):
    """Torch is not installed."""

    code = "torch_missing"


@contextlib.contextmanager
def torch_needed(by: str) -> Iterator[None]:
    """Turn the lack of a library of the extra ``text`` into an error that says what to install."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in LIBRARIES:
            raise
        raise TorchMissing(
            f"{by} needs torch and transformers, and {missing.name} is not installed",
            remedy="make setup-text, or pip install 'tithe[text]'",
        ) from None
