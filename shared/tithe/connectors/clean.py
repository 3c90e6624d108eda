"""What tools tell, made fit to be kept: a database holds no NUL, and people put anything anywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tithe.connectors.protocol import Annotation, Seen

#: The keys that Tithe gives to tasks: connection, item, attempt.
_KEY = re.compile(r"[0-9a-f]{8}-\d{1,18}\.\d{1,9}")
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")  # as access tokens are written (RFC 7519)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def storable(value: Any) -> Any:
    r"""JSON without what Postgres does not store: NUL, and halves of characters.

    Examples
    --------
    >>> storable({"text": ["a\x00b"], "n": 1})
    {'text': ['a�b'], 'n': 1}
    """
    if isinstance(value, str):
        return _UNFIT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(name): storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value


def moment(told: datetime | None) -> datetime | None:
    """A time in UTC; one without a zone is taken to be in UTC, one that cannot be is left out.

    Examples
    --------
    >>> moment(datetime(2026, 11, 23, 6)), moment(datetime(9999, 12, 31))
    (datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.timezone.utc), None)
    """
    if told is None:
        return None
    aware = told if told.tzinfo else told.replace(tzinfo=UTC)
    if not _EARLIEST.year <= aware.year < _LATEST.year:
        return None
    return aware.astimezone(UTC)


def without(text: str, *secrets: str) -> str:
    """The text with secrets, and what looks like an access token, blotted out.

    Examples
    --------
    >>> without("401: invalid token abc123", "abc123")
    '401: invalid token ***'
    """
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return _TOKEN.sub("***", text)


def cleaned(seen: Seen) -> Seen:
    """A task as it was read, fit to be kept; a key that cannot be ours is none."""
    key = seen.key if seen.key is not None and _KEY.fullmatch(seen.key) else None
    return replace(
        seen, task=storable(seen.task), key=key, annotations=tuple(map(_annotation, seen.annotations)),
        meta=storable(seen.meta), updated_at=moment(seen.updated_at),
    )  # fmt: skip


def _annotation(one: Annotation) -> Annotation:
    return replace(
        one, id=storable(one.id), value=storable(one.value), raw=storable(one.raw),
        fault=storable(one.fault), created_at=moment(one.created_at), updated_at=moment(one.updated_at),
    )  # fmt: skip
