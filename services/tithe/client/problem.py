"""What the client raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class TitheProblem(Exception):
    """A call the server refused, or could not be asked.

    Attributes
    ----------
    status
        The HTTP status; 0 where no answer came at all.
    code
        What happened, as a constant word: ``not_found``, ``invalid_label``, ``batch_closed``, ``unreachable`` …
    detail
        What happened, as a sentence.
    place, remedy
        Where in what was sent, and what to do about it, where the server says so.
    errors
        Every single fault, where there are several.
    retry_after_seconds
        When asking again makes sense, where the server says so.
    facts
        What else the answer holds: of an import, say, how many lines were taken and which were not.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        place: str | None = None,
        remedy: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after_seconds: float | None = None,
        arrived: bool = True,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.place = place
        self.remedy = remedy
        self.errors = list(errors)
        self.retry_after_seconds = retry_after_seconds
        self.facts = dict(facts or {})
        self.arrived = arrived  #: False: the server surely saw nothing of the call

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed in a moment: nobody there, a server busy or away, a lock that was held."""
        if self.status == 409:
            return self.retry_after_seconds is not None
        return self.status in (0, 502, 503, 504)

    def __str__(self) -> str:
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail

    def __repr__(self) -> str:
        return f"TitheProblem(status={self.status}, code={self.code!r}, detail={self.detail!r})"
