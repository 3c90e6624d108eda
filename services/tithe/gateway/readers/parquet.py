"""Parquet: its index is at its end, so the upload goes to a temporary file first, and is read from there in batches."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from tithe.errors import BrokenUpload, Unavailable
from tithe.gateway.readers.record import Columns
from tithe.loop.checking import BadLine, Record

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 512
_BATCH_BYTES = 32 << 20
_DEEPEST = 20
#: What a cell that Python cannot hold throws; pyarrow's own faults of values are among them.
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError)


def read_parquet(pieces: Iterable[bytes], columns: Columns, limit_bytes: int) -> Iterator[Record | BadLine]:
    """Every row, by its number from 1.

    Columns that are nothing of ours go into `meta`, unless they are to be refused; a float that is no number is null
    there. Rows over the line limit are refused, their vectors left aside.
    """
    import pyarrow as pa

    # Not all that it throws is its own: names in a broken encoding, unknown zones, unheard-of types.
    thrown = (pa.ArrowException, OSError, NotImplementedError, *_UNREADABLE)
    with tempfile.TemporaryFile(prefix="tithe-import-") as file:
        _spool(pieces, file)
        try:
            yield from _read(file, columns, limit_bytes)
        except thrown as error:
            raise BrokenUpload(
                f"this is no Parquet file that can be read: {str(error)[:200]}", place="body",
                remedy="write it again, or check that it was sent whole",
            ) from error  # fmt: skip


def _spool(pieces: Iterable[bytes], file: BinaryIO) -> None:
    for piece in pieces:
        try:
            file.write(piece)
        except OSError as error:
            raise Unavailable("there is no room to keep the upload", remedy="free the disk of TMPDIR") from error
    file.seek(0)


def _read(file: BinaryIO, columns: Columns, limit_bytes: int) -> Iterator[Record | BadLine]:
    import pyarrow.parquet as pq

    # Column chunks are read through a buffer instead of whole: a row group may be as large as the file.
    opened = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    names = opened.schema_arrow.names
    if len(set(names)) != len(names):
        raise BrokenUpload("two columns have the same name", place="body", remedy="give each a name of its own")
    columns.check_present(names)
    ours = columns.ours()
    if columns.extra == "reject" and (unknown := [name for name in names if name not in ours]):
        raise BrokenUpload(f"{unknown[0]!r} is no field of an item", place="body", remedy="leave it out")
    number = 0
    average = sum(opened.metadata.row_group(at).total_byte_size for at in range(opened.num_row_groups)) // max(
        1, opened.metadata.num_rows
    )
    rows = max(1, min(_ROWS_AT_ONCE, _BATCH_BYTES // max(1, average)))
    for batch in opened.iter_batches(batch_size=rows):
        cells = {name: _column(ours.get(name), batch.column(at)) for at, name in enumerate(batch.schema.names)}
        for at in range(batch.num_rows):
            number += 1
            row = {name: column[at] for name, column in cells.items()}
            yield _record(number, row, ours, limit_bytes)


def _column(name: str | None, column: pa.Array) -> Any:
    """A column's cells; vectors stay arrays, for a list of numbers in Python is twenty times as large."""
    from pyarrow import types

    if name == "vector" and (types.is_list(column.type) or types.is_large_list(column.type)
                             or types.is_fixed_size_list(column.type)):  # fmt: skip
        return [_numbers(cell) for cell in column]
    if hasattr(column, "storage") and name == "vector":
        return _column(name, column.storage)
    if getattr(column.type, "unit", None) == "ns":
        return [_cell(one) for one in column]
    try:
        cells: list[Any] = column.to_pylist()
    except _UNREADABLE:
        return [_cell(one) for one in column]
    return cells


class _Unreadable(str):
    """Stands for a cell that Python cannot hold; says why."""

    __slots__ = ()


def _cell(cell: pa.Scalar) -> Any:
    """The cell, a time that Python cannot hold as ISO 8601 has it, or why it cannot be read."""
    import pyarrow as pa

    try:
        return _whole_microseconds(cell).as_py()
    except _UNREADABLE as error:
        if not pa.types.is_temporal(cell.type) or pa.types.is_duration(cell.type):
            return _Unreadable(error)
    try:
        zone = "+00:00" if pa.types.is_timestamp(cell.type) and cell.type.tz is not None else ""
        if zone:
            cell = pa.scalar(cell.value, pa.timestamp(cell.type.unit))  # the zone may be unknown, the instant is not
        text = str(cell.cast(pa.string()).as_py()) + zone
    except (pa.ArrowException, *_UNREADABLE) as error:
        return _Unreadable(error)
    return _Unreadable("a time is out of range") if text.startswith("<") else text.replace(" ", "T", 1)


def _whole_microseconds(cell: pa.Scalar) -> pa.Scalar:
    """The cell in a unit that Python has, whether or not pandas, which has others, is there too."""
    import pyarrow as pa

    if not cell.is_valid or getattr(cell.type, "unit", None) != "ns" or not hasattr(cell, "value"):
        return cell
    if cell.value % 1000:
        raise ValueError("it has nanoseconds, which Python has not")
    coarse = pa.duration("us") if pa.types.is_duration(cell.type) else None
    if pa.types.is_timestamp(cell.type):
        coarse = pa.timestamp("us", cell.type.tz)
    return cell if coarse is None else cell.cast(coarse)


def _numbers(cell: pa.Scalar) -> Any:
    if not cell.is_valid:
        return None
    values = cell.values
    return values.to_pylist() if values.null_count else values.to_numpy(zero_copy_only=False)


def _record(number: int, row: dict[str, Any], ours: dict[str, str], limit_bytes: int) -> Record | BadLine:
    for name, cell in row.items():
        if isinstance(cell, _Unreadable):
            return BadLine(number, "unreadable_cell", f"{name[:80]!r} cannot be read: {cell[:200]}", "write it as text")
    values = {ours[name]: cell for name, cell in row.items() if name in ours and cell is not None}
    try:
        extra = {name: _plain(cell) for name, cell in row.items() if name not in ours}
        for name in ("meta", "label", "tokens"):
            if name in values and not isinstance(values[name], str):
                values[name] = _plain(values[name])
        if isinstance(values.get("meta"), str):
            values["meta"] = json.loads(values["meta"])
    except (ValueError, RecursionError) as error:
        return BadLine(number, "not_json", str(error)[:200], "write text, numbers or JSON")
    size = sum(_size(cell) for name, cell in values.items() if name != "vector") + sum(map(_size, extra.values()))
    if size > limit_bytes:
        return BadLine(number, "line_too_long", f"the row is longer than {limit_bytes:,} bytes", "shorten it")
    vector = values.get("vector")
    return Record(number, values, extra, size + int(getattr(vector, "nbytes", 0)))


def _plain(cell: Any, depth: int = 0) -> Any:
    """The cell as JSON has it."""
    if depth > _DEEPEST:
        raise ValueError("a cell is nested too deeply")
    if cell is None or isinstance(cell, (str, bool, int)):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, dict):
        return {str(name): _plain(inner, depth + 1) for name, inner in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in cell]
    if isinstance(cell, (bytes, bytearray)):
        raise ValueError("a cell holds bytes")  # noqa: TRY004  (a fault of the data, not of a type of ours)
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _size(cell: Any) -> int:
    if isinstance(cell, str):
        return len(cell.encode("utf-8", "surrogatepass"))
    if isinstance(cell, dict):
        return sum(len(str(name)) + _size(inner) for name, inner in cell.items())
    if isinstance(cell, list):
        return sum(map(_size, cell))
    return 8
