"""Encoders in ONNX Runtime, for CPUs: exported from torch once, or ready-made; running them needs no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tithe.learners.encoding import onnx_export, onnx_forward, source
from tithe.learners.encoding.layers import resolve
from tithe.learners.encoding.onnx_forward import OnnxForward
from tithe.learners.encoding.reading import Reader
from tithe.learners.encoding.recipe import Recipe, recipe
from tithe.learners.encoding.subwords import Subwords
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.protocol import Float32, Progress
from tithe.learners.words import Document, Read

#: Where a folder with a ready-made model has it, and what its last layer's states are called there.
_READY = ("model.onnx", "onnx/model.onnx")
_LAST = ("last_hidden_state", "token_embeddings")


class OnnxEncoder:
    """``onnx:NAME``: float32, the model's own pooling, vectors of length one.

    A folder with a ``model.onnx`` is taken as it is. Any other model is exported once by torch into the cache, which
    takes some twenty seconds, with all its layers' states; other processes find it there.

    Of quantised models: what Tithe could make by itself did not keep the order of the most doubtful texts well enough
    (the figures are in docs/how-to), so it offers none; a folder with a quantised ``model.onnx`` of your own is run.

    Parameters
    ----------
    name
        As :func:`tithe.learners.encoding.source.model_folder` takes it.
    threads
        CPU threads; each computes batches of its own.
    cache
        Folder of exported models; by default ``TITHE_MODEL_CACHE``, else ``tithe/onnx`` in the user's cache folder.
    layers
        Whose states describe a word, side by side; None: the middle one, or of a ready-made model that knows its last
        one only, this.
    max_tokens
        Fewer tokens read at once than the model allows.

    Raises
    ------
    UnknownModel, ModelUnreachable, ModelUnusable, EncoderUnavailable
        As :class:`~tithe.learners.encoding.torch_encoder.TorchEncoder`.
    """

    def __init__(
        self,
        name: str = "minilm",
        *,
        threads: int = 1,
        cache: Path | None = None,
        layers: Sequence[int] | None = None,
        max_tokens: int | None = None,
    ) -> None:
        folder = source.model_folder(name)
        file = next((folder / place for place in _READY if (folder / place).is_file()), None)
        found = recipe(folder) if file else source.usable(folder)
        if found.beyond:
            raise ModelUnusable(
                f"after pooling, the model in {folder} goes through {', '.join(found.beyond)}, which only the encoder"
                " 'torch:…' computes"
            )
        # Exported here, a model is known by its weights: another machine's exporter may write other bytes.
        weights = [file] if file else source.check_weights(found.transformer)
        file = file or onnx_export.exported(folder, found, cache or default_cache())
        most = min(max_tokens or found.max_tokens, found.max_tokens)
        subwords = Subwords(source.tokenizer_file(found.transformer), most, lower=found.lower, prompt=found.prompt)
        forward = _forward(file, found, layers)
        self._reader = Reader(subwords, forward, most_tokens=onnx_forward.MOST_TOKENS, threads=threads)
        self.dimension, self.word_dimension = forward.dimension, forward.word_dimension
        layer = "middle" if layers is None else "+".join(map(str, layers))
        self.identity = f"onnx/{source.fingerprint([*weights, *source.beside(folder)])}/{most}/{layer}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """As :meth:`tithe.learners.protocol.Encoder.encode`."""
        return self._reader.encode(texts, progress)

    def read(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Read:
        """As :meth:`tithe.learners.words.WordEncoder.read`."""
        return self._reader.read(documents, progress)


def default_cache() -> Path:
    """Where exported models are kept."""
    named = os.environ.get("TITHE_MODEL_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tithe" / "onnx"


def _forward(file: Path, found: Recipe, layers: Sequence[int] | None) -> OnnxForward:
    """The session, with the outputs that its file has."""
    depth, width = int(found.config["num_hidden_layers"]), int(found.config["hidden_size"])
    numbers = resolve(layers, depth)
    outputs = onnx_forward.outputs_of(file)
    names = {number: onnx_export.output_of(number) for number in range(depth + 1)}
    if names[depth] not in outputs:
        last = next((name for name in _LAST if name in outputs), None)
        if last is None:
            raise ModelUnusable(f"{file} has no output {' or '.join(_LAST)}, but {', '.join(outputs)}",
                                remedy="export it as a feature extractor, with the states of its tokens")  # fmt: skip
        if layers is None:
            numbers = [depth]
        if set(numbers) != {depth}:
            raise ModelUnusable(f"{file} knows its last layer only", remedy="ask for layers=(-1,), or export it anew")
        names[depth] = last
    return OnnxForward(
        file, last=names[depth], words=[names[number] for number in numbers], width=width, modes=found.pooling
    )
