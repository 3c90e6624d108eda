"""The folder of the model a fine-tuning starts from."""

from __future__ import annotations

from pathlib import Path

from tithe.learners.encoding.source import model_folder
from tithe.learners.encoding.unusable import ModelUnusable


def folder_of(base: str | Path) -> Path:
    """The local folder of a model, whichever way an encoder names it.

    Parameters
    ----------
    base
        ``minilm``, a folder, a name on the hub; ``torch:`` and ``onnx:`` before it say how an encoder runs it, and make
        no difference here.

    Raises
    ------
    ModelUnusable
        For an encoder that is no transformer.
    tithe.errors.TitheError
        When there is no such model, or it cannot be reached; as :func:`tithe.learners.encoding.source.model_folder`.

    Examples
    --------
    >>> folder_of("hashing")
    Traceback (most recent call last):
    tithe.learners.encoding.subwords.ModelUnusable: the encoder 'hashing' is no transformer: it cannot be fine-tuned
    """
    kind, _, name = str(base).partition(":")
    if kind in {"hashing", "static"} or not str(base):
        raise ModelUnusable(
            f"the encoder {str(base)!r} is no transformer: it cannot be fine-tuned",
            remedy="choose the encoder 'minilm' or 'torch:NAME', or the linear learner",
        )
    return model_folder(name if kind in {"torch", "onnx"} and name else str(base))
