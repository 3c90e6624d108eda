"""What every request and every response has in common, and how errors look."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("a NUL character cannot be stored: leave it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("this is no valid Unicode: it holds half a character (a lone surrogate)") from None
    return value


def _person(value: str) -> str:
    if not value.isprintable():
        raise ValueError("an annotator's name is printable characters only")
    if value.startswith("@"):
        raise ValueError("names that begin with @ are Tithe's own: choose another")
    return value


Words = Annotated[str, AfterValidator(_storable)]
ItemId = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_storable)]
Annotator = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_person)
]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Asked(BaseModel):
    """What every request body has in common: nothing unknown, nothing coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Told(BaseModel):
    """What every response has in common."""

    model_config = ConfigDict(frozen=True)


# ---- when something is wrong ----


class Fault(Told):
    """One thing that is wrong with what was sent."""

    place: str | None = Field(default=None, examples=["body.labels[0].label"])
    code: str | None = None
    detail: str
    remedy: str | None = None


class Problem(Told):
    """Every error, as RFC 9457 has it (application/problem+json). `code` is stable; `detail` is for people."""

    type: str = Field(examples=["urn:tithe:problem:not_found"])
    title: str
    status: int
    detail: str
    code: str
    place: str | None = Field(default=None, description="where in what was sent")
    remedy: str | None = Field(default=None, description="what to do about it")
    errors: list[Fault] = Field(default_factory=list, description="every fault, where there are several")
    facts: dict[str, Any] = Field(default_factory=dict, description="what else is known")
