"""A transformer in ONNX Runtime, without torch: padded sequences in, states of its layers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tithe.learners import onnx_bytes
from tithe.learners.encoding.alignment import add_up
from tithe.learners.encoding.pooling import pool
from tithe.learners.encoding.reading import Batch, States
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.protocol import Float32

#: Tokens of a padded batch: more gain nothing, and what passes between operators leaves the cache.
MOST_TOKENS = 1024
#: What ONNX Runtime raises where a file is no model that it can run.
_REFUSALS = ("InvalidProtobuf", "InvalidGraph", "Fail", "NotImplemented", "InvalidArgument")


class OnnxForward:
    """See :class:`tithe.learners.encoding.reading.Forward`.

    Each call computes on the thread it is made on; the session takes several at once.

    Parameters
    ----------
    model
        The file.
    last
        The output that vectors are pooled of: float32, shape (sequences, longest, width).
    words
        The outputs that describe words, side by side; inner values of the graph may be among them.
    width
        Numbers in a token's state.
    modes
        Ways of pooling, see :mod:`tithe.learners.encoding.pooling`.
    """

    def __init__(
        self, model: Path, *, last: str, words: Sequence[str], width: int, modes: Sequence[str] = ("mean",)
    ) -> None:
        self._last, self._words, self._modes = last, list(words), modes
        self.dimension, self.word_dimension = width * len(modes), width * len(words)
        session = _session(model)
        inner = sorted(set(self._words) - {output.name for output in session.get_outputs()})
        if inner:
            session = _session(model, onnx_bytes.further_outputs(inner, width))
        self._session = session
        self._inputs = {given.name for given in session.get_inputs()}

    def __call__(self, batch: Batch) -> States:
        """The batch's states. Memory grows with its tokens only."""
        lengths = [len(each) for each in batch.ids]
        asked = self._words if len(batch.words) else []
        names = list(dict.fromkeys([self._last, *asked]))
        mask = np.arange(lengths[0]) < np.array(lengths)[:, None]
        found = dict(zip(names, self._run(names, batch, mask), strict=True))
        states = {name: value[mask] for name, value in found.items()}
        sums = np.zeros((len(batch.words), self.word_dimension), np.float32)
        if asked:
            side_by_side = np.concatenate([states[name] for name in asked], axis=1)
            add_up(side_by_side, batch.pairs, sums, np.zeros(len(sums), np.int64))
        return States(pool(states[self._last], lengths, self._modes), sums)

    def _run(self, names: list[str], batch: Batch, mask: np.ndarray) -> list[Float32]:
        ids = np.zeros(mask.shape, np.int64)
        ids[mask] = np.concatenate(batch.ids)
        given = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
        found: list[Float32] = self._session.run(names, {name: given[name] for name in self._inputs})
        return found


def outputs_of(model: Path) -> list[str]:
    """What a model calls its outputs. Raises ModelUnusable where it cannot be run."""
    return [output.name for output in _session(model).get_outputs()]


def _session(model: Path, more: bytes = b"") -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        content = model.read_bytes() + more if more else str(model)
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (
        state.InvalidProtobuf,
        state.InvalidGraph,
        state.Fail,
        state.NotImplemented,
        state.InvalidArgument,
    ) as error:
        raise ModelUnusable(f"{model} is no ONNX model that can be run: {error}", remedy="make it again") from error
    strange = {given.name for given in session.get_inputs()} - {"input_ids", "attention_mask", "token_type_ids"}
    if strange:
        raise ModelUnusable(f"the ONNX model asks for {', '.join(sorted(strange))}, which Tithe does not know")
    return session
