"""Just enough of ONNX's file format to hand ONNX Runtime a few operators: no package needed that writes it.

A model is a protocol buffer: every field is a tag, ``number << 3 | kind``, then a varint (kind 0), or a length and so
many bytes (kind 2). The numbers are those of ``onnx.proto``, which never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"float32": 1, "int8": 3}  # TensorProto.DataType
_IR_VERSION, _OPSET = 8, 17  # of 2022: read by every ONNX Runtime since 1.12


def model(
    nodes: Iterable[bytes], inputs: Iterable[bytes], outputs: Iterable[bytes], constants: Iterable[bytes]
) -> bytes:
    """The file, from what the functions below return."""
    graph = [_field(1, node) for node in nodes] + [_field(2, "screen")]
    graph += [_field(5, constant) for constant in constants]
    graph += [_field(11, given) for given in inputs] + [_field(12, result) for result in outputs]
    return _field(1, _IR_VERSION) + _field(7, b"".join(graph)) + _field(8, _field(1, "") + _field(2, _OPSET))


def further_outputs(names: Iterable[str], width: int) -> bytes:
    """Appended to a model's bytes, makes float32 values from inside its graph outputs, of shape (rows, tokens, width).

    Two encodings of a message, one after the other, are their merger: what is repeated goes on.
    """
    return _field(7, b"".join(_field(12, floats(name, ("rows", "tokens", width))) for name in names))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **integers: int) -> bytes:
    """An operator, with its attributes that are whole numbers."""
    attributes = [_field(1, name) + _field(3, value) + _field(20, 2) for name, value in integers.items()]
    parts = [_field(1, name) for name in inputs] + [_field(2, name) for name in outputs] + [_field(4, operator)]
    return b"".join([*parts, *(_field(5, attribute) for attribute in attributes)])


def floats(name: str, axes: Sequence[int | str]) -> bytes:
    """A float32 array that goes in or out; an axis is a length, or a name where the length varies."""
    dims = b"".join(_field(1, _field(2 if isinstance(axis, str) else 1, axis)) for axis in axes)
    return _field(1, name) + _field(2, _field(1, _field(1, _TYPES["float32"]) + _field(2, dims)))


def constant(name: str, values: NDArray[Any]) -> bytes:
    """A float32 or int8 array inside the model."""
    dims = b"".join(_field(1, length) for length in values.shape)
    raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
    return dims + _field(2, _TYPES[values.dtype.name]) + _field(8, name) + _field(9, raw)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits to a byte, the lowest first; the eighth bit says that more follow."""
    low = bytearray()
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])
