"""Whether a record is an item of this project: its content, its label, its split.

Pure, but for the vectors' dimension.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tithe.contracts.labels import check_label
from tithe.contracts.projects import Project, Task
from tithe.errors import InvalidLabel
from tithe.storage.pool import NewItem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: What Postgres' vector type holds.
MOST_NUMBERS = 16_000
#: Squared. Strategies refuse longer vectors: sums of a trillion squares are to stay within float32.
LONGEST_SQUARED = 1e26
_LONGEST_ID = 500
_DEEPEST = 20


@dataclass(frozen=True)
class Record:
    """One line: its fields under our names, the caller's other columns, and about how much memory it takes."""

    line: int
    values: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    size: int = 0


class BadLine(Exception):
    """A line that is not taken. The upload goes on."""

    def __init__(self, line: int, code: str, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.code = code
        self.reason = reason
        self.remedy = remedy


class Checker:
    """Turns records into items; `dimension` is that of the pool's vectors, or of the first one that comes."""

    def __init__(self, project: Project, dimension: int | None, limit_bytes: int) -> None:
        self._project = project
        self._dimension = dimension
        self._limit_bytes = limit_bytes

    def item(self, record: Record) -> NewItem:
        """The item. Raises BadLine."""
        if record.size > self._limit_bytes and "vector" not in record.values:
            raise BadLine(record.line, "line_too_long", f"the line is longer than {self._limit_bytes:,} bytes")
        values = {name: value for name, value in record.values.items() if value is not None}
        try:
            text, tokens, vector = self._content(values)
            split = self._split(values)
            meta = _meta(values.get("meta"), record.extra)
            value = self._label(values, text, tokens)
        except _Fault as fault:
            raise BadLine(record.line, *fault.args) from None
        except InvalidLabel as fault:
            raise BadLine(record.line, fault.code, fault.message, fault.remedy) from None
        if split == "test" and value is None:
            raise BadLine(record.line, "test_without_label", "an item of the test split needs a label",
                          "add the label, or leave split out")  # fmt: skip
        digest = digest_of(text, tokens, vector)
        try:
            external_id = _id(values["id"]) if "id" in values else digest.hex()
        except _Fault as fault:
            raise BadLine(record.line, *fault.args) from None
        cost = self._cost(text, tokens)
        return NewItem(record.line, external_id, digest, split, text, tokens, meta, vector, value, cost)

    def _content(self, values: dict[str, Any]) -> tuple[str | None, list[str] | None, npt.NDArray[np.float32] | None]:
        task = self._project.task
        if task is Task.VECTORS:
            if "vector" not in values:
                raise _Fault("no_vector", f"a project of {task} takes vectors", 'send "vector": [numbers]')
            if "tokens" in values:
                raise _Fault("wrong_content", "tokens are for token_classification", "send a text beside the vector")
            vector = self._vector(values["vector"])
            return (_text(values["text"]) if "text" in values else None), None, vector
        if "vector" in values:
            raise _Fault("wrong_content", f"a project of {task} takes texts, not vectors",
                         "send text, or make a project of vector_classification")  # fmt: skip
        if "tokens" in values:
            if task is not Task.TOKENS or "text" in values:
                raise _Fault("wrong_content", "tokens are for token_classification, in the place of a text",
                             "send either text or tokens")  # fmt: skip
            return None, _tokens(values["tokens"]), None
        if "text" not in values:
            raise _Fault("no_text", "there is no text", 'send "text", or say which column it is with ?text_column=…')
        return _text(values["text"]), None, None

    def _vector(self, sent: Any) -> npt.NDArray[np.float32]:
        import numpy as np

        if not isinstance(sent, np.ndarray):
            if not isinstance(sent, list) or not set(map(type, sent)) <= {int, float}:
                raise _Fault("invalid_vector", "a vector is a list of numbers", None)
            try:
                sent = np.array(sent, dtype=np.float64)
            except OverflowError:
                raise _Fault("invalid_vector", "a number is beyond float32", "scale the vectors down") from None
        if sent.ndim != 1 or sent.dtype.kind not in "fiu" or not 1 <= len(sent) <= MOST_NUMBERS:
            raise _Fault("invalid_vector", f"a vector has 1 to {MOST_NUMBERS:,} numbers, not {sent.size:,}", None)
        with np.errstate(over="ignore"):
            vector: npt.NDArray[np.float32] = sent.astype(np.float32) + np.float32(
                0
            )  # -0.0 and 0.0 are the same content
        if not np.isfinite(vector).all():
            finite = bool(np.isfinite(sent).all())
            raise _Fault(
                "invalid_vector", "a number is beyond float32" if finite else "a number is NaN or infinite",
                "scale the vectors down" if finite else "leave such vectors out",
            )  # fmt: skip
        if np.square(vector, dtype=np.float64).sum() > LONGEST_SQUARED:
            raise _Fault("invalid_vector", "the vector is too long to be compared in float32", "scale the vectors down")
        if not vector.any():
            raise _Fault("invalid_vector", "every number is zero: the vector has no direction", "leave it out")
        if self._dimension is None:
            self._dimension = len(vector)
        if len(vector) != self._dimension:
            raise _Fault("wrong_dimension", f"the vector has {len(vector)} numbers, the pool's have {self._dimension}",
                         "send vectors of one model only")  # fmt: skip
        return vector

    def _label(self, values: dict[str, Any], text: str | None, tokens: list[str] | None) -> Any:
        if "label" not in values or values["label"] == "":
            return None
        project = self._project
        return check_label(project.task, project.labels, values["label"], place="label", text=text, tokens=tokens)

    def _cost(self, text: str | None, tokens: list[str] | None) -> int:
        """What a label of it takes from the budget: at least 1, also where the text has no word."""
        if self._project.budget_unit == "labels":
            return 1
        if tokens is not None:
            return len(tokens)
        from tithe.learners.tagging.words import document

        return max(1, len(document(text or "").words))

    def _split(self, values: dict[str, Any]) -> str:
        split = values.get("split") or "pool"
        if split not in ("pool", "test"):
            raise _Fault("unknown_split", f"{str(split)[:80]!r} is no split", "pool or test; leave it out for pool")
        return str(split)


def digest_of(text: str | None, tokens: list[str] | None, vector: npt.NDArray[np.float32] | None) -> bytes:
    """The content's digest: 128 bits of BLAKE2b, each kind of content in a domain of its own."""
    if vector is not None:
        found = hashlib.blake2b(vector.astype("<f4").tobytes(), digest_size=16, person=b"tithe.vector")
        found.update((text or "").encode())
    elif tokens is not None:
        found = hashlib.blake2b("\0".join(tokens).encode(), digest_size=16, person=b"tithe.tokens")
    else:
        found = hashlib.blake2b((text or "").encode(), digest_size=16, person=b"tithe.text")
    return found.digest()


class _Fault(Exception):
    """code, reason, remedy."""


def _text(sent: Any) -> str:
    if not isinstance(sent, str):
        raise _Fault("not_a_text", "a text is a string", "put it in quotes")
    _storable("text", sent)
    if not sent.strip():
        raise _Fault("empty_text", "the text is empty", "leave the line out")
    return sent


def _tokens(sent: Any) -> list[str]:
    if not isinstance(sent, list) or not sent or not all(isinstance(one, str) and one.strip() for one in sent):
        raise _Fault("not_tokens", "tokens are a list of strings, none of them empty", None)
    for one in sent:
        _storable("tokens", one)
    return sent


def _id(sent: Any) -> str:
    if isinstance(sent, bool) or not isinstance(sent, (str, int)):
        raise _Fault("bad_id", "an id is a string or a whole number", None)
    told = str(sent)
    _storable("id", told)
    if not 1 <= len(told) <= _LONGEST_ID or any(mark < " " or mark == "\x7f" for mark in told):
        raise _Fault("bad_id", f"an id has 1 to {_LONGEST_ID} characters, none of them a control character", None)
    return told


def _storable(name: str, text: str) -> None:
    if "\x00" in text:
        raise _Fault("nul_character", f"{name} holds a NUL character", "leave it out")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Fault("lone_surrogate", f"{name} is no valid Unicode: it holds half a character", None) from None


def _meta(sent: Any, extra: dict[str, Any]) -> dict[str, Any] | None:
    if sent is not None and not isinstance(sent, dict):
        raise _Fault("bad_meta", "meta is an object", 'send "meta": {"name": "value"}')
    meta = {**extra, **(sent or {})}
    _check_json("meta", meta, 0)
    return meta or None


def _check_json(name: str, value: Any, depth: int) -> None:
    """What Postgres would refuse, refused by us: it costs one line here, and the whole chunk there."""
    if depth > _DEEPEST:
        raise _Fault("too_deep", f"{name} is nested too deeply", "flatten it")
    if isinstance(value, str):
        _storable(name, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _Fault("not_a_number", f"{name} holds a number that is NaN or beyond float64", "leave it out")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _storable(name, key)
            _check_json(name, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_json(name, inner, depth + 1)
