"""Rows (seq, ordinal, vector) in COPY's binary form, packed and unpacked as one array: all rows are equally long.

Postgres' documentation, COPY, "Binary Format"; a vector is sent as two int16, its dimension and 0, and its float32s,
all in network byte order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"


def _row(dimension: int) -> np.dtype[np.void]:
    return np.dtype([
        ("fields", ">i2"), ("seq_bytes", ">i4"), ("seq", ">i8"), ("ordinal_bytes", ">i4"), ("ordinal", ">i8"),
        ("vector_bytes", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f4", (dimension,)),
    ])  # fmt: skip


def pack(seqs: npt.NDArray[np.int64], ordinals: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32]) -> bytes:
    """What to send to COPY … FROM STDIN for n rows; vectors of shape (n, d)."""
    dimension = vectors.shape[1]
    rows = np.zeros(len(seqs), _row(dimension))
    rows["fields"], rows["seq_bytes"], rows["ordinal_bytes"] = 3, 8, 8
    rows["vector_bytes"], rows["dimension"] = 4 + 4 * dimension, dimension
    rows["seq"], rows["ordinal"], rows["vector"] = seqs, ordinals, vectors
    return _HEAD + rows.tobytes() + _END


def unpack(
    content: bytes, dimension: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """What COPY … TO STDOUT sent: seqs (n,), ordinals (n,), vectors (n, d). ValueError where it is not whole.

    Examples
    --------
    >>> vectors = np.array([[1.0, 2.5]], dtype=np.float32)
    >>> unpack(pack(np.array([7]), np.array([3]), vectors), 2)
    (array([7]), array([3]), array([[1. , 2.5]], dtype=float32))
    """
    row = _row(dimension)
    count, rest = divmod(len(content) - len(_HEAD) - len(_END), row.itemsize)
    if rest or not content.startswith(_HEAD) or not content.endswith(_END):
        raise ValueError(f"{len(content)} bytes are no whole rows of {row.itemsize}")
    rows = np.frombuffer(content, row, count, len(_HEAD))
    return rows["seq"].astype(np.int64), rows["ordinal"].astype(np.int64), rows["vector"].astype(np.float32)
