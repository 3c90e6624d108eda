"""Connections to other people's tools, as they are asked for and told. What is told never holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints, TypeAdapter, model_validator

from tithe.contracts.shapes import Asked, Fault, Told, Words

State = Literal["starting", "healthy", "failing", "attention", "paused", "leaving"]

_words = TypeAdapter(Words)


def _storable(value: Any, depth: int = 0) -> Any:
    if depth > 20:
        raise ValueError("this is nested too deeply")
    if isinstance(value, str):
        _words.validate_python(value)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            _storable(name)
            _storable(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _storable(one, depth + 1)
    return value


def _said(secret: SecretStr) -> SecretStr:
    """A secret that can go into a header: one line, without the space that copying leaves around it."""
    plain = secret.get_secret_value().strip()
    if not plain:
        raise ValueError("the secret is empty")
    if not plain.isascii() or not plain.isprintable():
        raise ValueError("the secret holds what no header can carry: it is one line of plain letters, digits and signs")
    return SecretStr(plain)


Secret = Annotated[SecretStr, Field(max_length=8000), AfterValidator(_said)]
Settings = Annotated[dict[str, Any], AfterValidator(_storable)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$"),
    Field(description="unique in the project: small letters, digits, - . and _"),
]  # fmt: skip


# ---- asked ----


class AskPreview(Asked):
    """A connection that somebody thinks of making."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "label-studio", "settings": {"url": "https://labels.example"}, "secret": "…"}]
        }
    )

    kind: str = Field(max_length=100, examples=["label-studio"])
    settings: Settings = Field(default_factory=dict, description="what the kind asks for: see GET /v1/connectors")
    secret: Secret = Field(description="what the tool lets Tithe in by; kept encrypted, never told again")


class NewConnector(AskPreview):
    """A connection to be made."""

    name: Name | None = Field(default=None, description="default: the kind's")
    hook_secret: Secret | None = Field(
        default=None, description="what the tool's hooks carry, where the tool chooses it; default: made here"
    )
    check: bool = Field(default=True, description="false: do not ask the tool whether it will work")


class ChangeConnector(Asked):
    """What of a connection is to change; the rest stays."""

    settings: Settings | None = Field(default=None, description="the fields that change; null resets one")
    secret: Secret | None = None
    paused: bool | None = Field(default=None, description="true: nothing is asked of the tool; its tasks stay held")

    @model_validator(mode="after")
    def _something(self) -> ChangeConnector:
        if self.settings is None and self.secret is None and self.paused is None:
            raise ValueError("send settings, secret or paused")
        return self


# ---- told ----


class ConnectorKindState(Told):
    """A kind of tool that can be connected."""

    name: str
    title: str
    secret_help: str = Field(description="what the secret is and where one gets it")
    settings: dict[str, Any] = Field(description="JSON Schema of the settings")


class BrokenKind(Told):
    """A package that means to bring a kind, and cannot."""

    name: str
    package: str
    reason: str


class ConnectorKinds(Told):
    """Every kind the gateway has."""

    kinds: list[ConnectorKindState]
    broken: list[BrokenKind]


class ConnectionPreview(Told):
    """What connecting would do, found out by reading only."""

    says: list[str] = Field(description="plain sentences, in order, for the one who is about to say yes")
    faults: list[Fault] = Field(description="why it cannot be; empty: it can")
    adoptable: int = Field(default=0, description="tasks that are there already and would become items of the pool")


class ConnectionProblem(Told):
    """What is wrong with a connection, and what to do about it."""

    code: str
    detail: str
    remedy: str | None = None
    since: datetime | None = None


class ConnectorState(Told):
    """A connection, and how it is."""

    id: UUID
    project_id: UUID
    name: str
    kind: str
    state: State = Field(
        description="failing: tried again by itself. attention: somebody must do something. leaving: it takes back "
        "what nobody answered, and then is gone"
    )
    problem: ConnectionProblem | None
    settings: dict[str, Any]
    url: str | None = Field(description="where people label, once it is known")
    facts: dict[str, Any] = Field(description="what is known of the tool: its version, its hooks …")
    held: int = Field(description="answers the tool is waited for")
    there: int = Field(description="tasks the tool asks for")
    rejected: int = Field(description="items the tool does not take")
    counted: int = Field(description="labels that counted")
    skipped: int
    extra: int = Field(description="annotations beyond what was asked for: kept, not counted")
    quarantined: int = Field(description="annotations that fit no schema: kept, not counted, told by …/quarantine")
    lag_seconds: float | None = Field(
        description="from the annotation to the counted label, median of the last hundred; by the tool's clock"
    )
    ok_at: datetime | None = Field(description="when a pass last went well")
    failures: int = Field(description="passes in a row that failed")
    created_at: datetime
    hook: str = Field(description="where the tool's hooks go, on this gateway")
    model_backend: str | None = Field(
        default=None,
        description="of Label Studio: its ML backend, on this gateway. Whoever knows the address may ask the model",
    )


class ConnectorPage(Told):
    """Every connection of a project."""

    connectors: list[ConnectorState]


class QuarantinedAnnotation(Told):
    """What somebody said that does not count."""

    annotation: str = Field(description="the tool's id")
    task: str | None
    item_id: str
    annotator: str
    state: Literal["quarantined", "extra"]
    because: str | None = Field(description="why it does not count")
    raw: dict[str, Any] = Field(description="what the tool said")
    given_at: datetime | None


class QuarantinePage(Told):
    """What does not count, what fits no schema first, the newest first."""

    annotations: list[QuarantinedAnnotation]
