"""Logits of many rows at a glance, each with a proof of how far off they may be.

A screen turns a block of vectors into float32 logits, divided by the temperature, and one number: no logit is farther
than that from the real one. ``fused`` uses it to drop rows that cannot be among the best without computing them well.
Blocks lie on their side, (heads, classes, rows), so that all that follows runs along many rows at once.

The proofs, for weights w of d numbers and a vector x; u = 2**-24 is half the distance from 1 to the next float32:

* *float32*. In whatever order a matrix product adds, it is within ``d u / (1 - d u) * |w| |x|`` of ``w . x`` (Higham
  2002, Accuracy and stability of numerical algorithms, 2nd ed., p. 63, with Cauchy and Schwarz for ``|w| . |x|``).
* *bytes*. The row is rounded to steps of s, the weights to ``v = a q`` with whole q. As ``w . x - v . x'`` is
  ``v . (x - x') + (w - v) . x``, it is at most ``s / 2 * |v|_1 + |w - v|_2 |x|_2``. Products of bytes add up exactly.

Measures of one class a row are the same when all of a head's logits move by one amount. Of differences between classes
only half the largest counts as error, so w stands there for ``(w_i - w_j) / 2``, which is shorter.

Either way the roundings that come before and after are a few u times the largest term, for which ``_SPARE`` of them
are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tithe.learners import onnx_bytes as onnx
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32, Float64

_HALF_STEP = 2.0**-24
_SPARE = 16
#: Below what is left of it, logits in float64 may still give the same probability.
_LEAST = 1e-7
#: Weights take 7 bits and a sign is one of them: two products of an unsigned byte and such a weight fit 16 bits, which
#: is what processors without dot products of bytes add up in (ONNX Runtime's documentation calls it saturation).
_LARGEST_WEIGHT = 63
#: Pairs of classes are compared up to so many of them.
_MOST_PAIRED = 256
#: OpenBLAS multiplies up to so many numbers by such small kernels (a million at most, depending on the shape).
_SMALL_PRODUCT = 400_000
_SMALLEST_TILE = 32
_LAST = (onnx.node("Add", ["products", "offsets"], ["upright"]), onnx.node("Transpose", ["upright"], ["logits"]))


@dataclass(frozen=True)
class Linear:
    """What a screen computes: the heads with standardisation and temperature folded in, exact enough to judge by."""

    slopes: Float64  # (heads * classes, d)
    offsets: Float64  # (heads * classes,)
    shape: tuple[int, int]  # heads, classes
    away: float  # the length of what is subtracted from a vector
    slope: float = 0.0  # the longest slope
    offset: float = 0.0  # the largest offset

    @classmethod
    def of(cls, model: LinearModel, heads: slice) -> Linear:
        """The chosen heads of the model."""
        stacked = model.heads[heads].astype(np.float64) / model.temperature
        slopes, offsets = stacked[:, :, :-1].reshape(-1, model.dimension), stacked[:, :, -1].ravel()
        away = 0.0
        if model.mean is not None and model.scale is not None:
            slopes = slopes * model.scale
            offsets = offsets - slopes @ model.mean.astype(np.float64)
            away = float(np.linalg.norm(model.mean.astype(np.float64)))
        longest, largest = np.linalg.norm(slopes, axis=1).max(initial=0), np.abs(offsets).max(initial=0)
        return cls(slopes, offsets, stacked.shape[:2], away, float(longest), float(largest))

    def rounding(self, length: float) -> float:
        """How far float32 may be off for vectors of at most that length."""
        terms = (self.slopes.shape[1] + _SPARE) * _HALF_STEP
        largest = self.slope * (length + self.away) + self.offset
        return float(terms / (1 - terms) * largest + _LEAST)


class Screen(Protocol):
    """A way to see logits."""

    def __call__(self, rows: Float32, length: float) -> tuple[Float32, float]:
        """Logits of shape (heads, classes, rows) and their largest error, for vectors of at most that length."""


class NumpyScreen:
    """One float32 matrix product, by NumPy; of few columns as many small ones, for which OpenBLAS has faster ways."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        self._slopes = linear.slopes.astype(np.float32)
        self._offsets = linear.offsets.astype(np.float32)[:, np.newaxis]
        tile = _SMALL_PRODUCT // max(1, self._slopes.size)
        self._tile = 1 << (tile.bit_length() - 1) if tile >= _SMALLEST_TILE else 0

    @staticmethod
    def is_best_for(linear: Linear) -> bool:
        """Whether small products are fast enough that no other screen is faster."""
        return linear.slopes.size * _SMALLEST_TILE <= _SMALL_PRODUCT

    def __call__(self, rows: Float32, length: float) -> tuple[Float32, float]:
        """See :class:`Screen`."""
        columns, d = self._slopes.shape
        logits = np.empty((columns, len(rows)), np.float32)
        tiled = len(rows) // self._tile * self._tile if self._tile else 0
        if tiled:
            tiles = rows[:tiled].reshape(-1, self._tile, d).transpose(0, 2, 1)
            np.matmul(self._slopes, tiles, out=logits[:, :tiled].reshape(columns, -1, self._tile).transpose(1, 0, 2))
        np.matmul(self._slopes, rows[tiled:].T, out=logits[:, tiled:])
        logits += self._offsets
        return logits.reshape(*self._linear.shape, len(rows)), self._linear.rounding(length)


class FloatScreen:
    """The same by ONNX Runtime, which is faster for products this narrow, but takes a moment to start."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        columns, d = linear.slopes.shape
        product = onnx.node("MatMul", ["rows", "slopes"], ["products"])
        constants = [
            onnx.constant("slopes", linear.slopes.astype(np.float32).T),
            onnx.constant("offsets", linear.offsets.astype(np.float32)),
        ]
        outputs = [onnx.floats("logits", [columns, "n"])]
        self._session = _session(onnx.model([product, *_LAST], [onnx.floats("rows", ["n", d])], outputs, constants))

    def __call__(self, rows: Float32, length: float) -> tuple[Float32, float]:
        """See :class:`Screen`."""
        (logits,) = self._session.run(None, {"rows": rows})
        return logits.reshape(*self._linear.shape, len(rows)), self._linear.rounding(length)


class ByteScreen:
    """One matrix product of bytes, by ONNX Runtime: several times faster where there are many columns, but coarse."""

    def __init__(self, linear: Linear, *, shifts: bool) -> None:
        self._linear = linear
        largest = np.abs(linear.slopes).max(axis=1)
        unit = (np.where(largest > 0, largest, 1.0) / _LARGEST_WEIGHT).astype(np.float32)
        weights = np.rint(linear.slopes / unit[:, np.newaxis]).clip(-_LARGEST_WEIGHT, _LARGEST_WEIGHT).astype(np.int8)
        kept = weights * unit.astype(np.float64)[:, np.newaxis]
        self._by_step = _widest(linear, kept, 1, shifts=shifts) / 2 * (1 + 1e-3)
        self._by_length = _widest(linear, linear.slopes - kept, 2, shifts=shifts)
        self._session = _session(_graph(weights, unit, linear.offsets.astype(np.float32)))

    def __call__(self, rows: Float32, length: float) -> tuple[Float32, float]:
        """See :class:`Screen`."""
        logits, step = self._session.run(None, {"rows": rows})
        error = self._by_step * float(step) + self._by_length * length + self._linear.rounding(length)
        return logits.reshape(*self._linear.shape, len(rows)), error


def _widest(linear: Linear, weights: Float64, norm: int, *, shifts: bool) -> float:
    """The largest norm of a row, or where shifts do not matter of half the difference of two rows of a head."""
    whole = float(np.linalg.norm(weights, norm, axis=1).max())
    if not shifts or linear.shape[1] > _MOST_PAIRED:
        return whole
    heads = weights.reshape(*linear.shape, -1)
    return max(float(np.linalg.norm(head - row, norm, axis=1).max()) for head in heads for row in head) / 2


def _graph(weights: np.ndarray[Any, np.dtype[np.int8]], unit: Float32, offsets: Float32) -> bytes:
    columns, d = weights.shape
    nodes = [
        onnx.node("DynamicQuantizeLinear", ["rows"], ["bytes", "step", "zero"]),
        onnx.node("MatMulInteger", ["bytes", "weights", "zero"], ["whole"]),
        onnx.node("Cast", ["whole"], ["steps"], to=1),
        onnx.node("Mul", ["step", "unit"], ["steps_to_logits"]),
        onnx.node("Mul", ["steps", "steps_to_logits"], ["products"]),
        *_LAST,
    ]
    constants = [onnx.constant(*one) for one in (("weights", weights.T), ("unit", unit), ("offsets", offsets))]
    outputs = [onnx.floats("logits", [columns, "n"]), onnx.floats("step", [])]
    return onnx.model(nodes, [onnx.floats("rows", ["n", d])], outputs, constants)


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
