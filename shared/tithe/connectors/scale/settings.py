"""What a connection to Scale is told, and what its labels cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
#: Not 0, which cannot be divided by; exact, as money is.
Money = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=6)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s]+$", max_length=2000)]


class ScaleSettings(BaseModel):
    """What a connection to Scale is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: Text = Field(description="the project's name in Scale; it is made where there is none of that name")
    url: Address = Field(default="https://api.scale.com/v1", description="where Scale's API is")
    instruction: str = Field(
        default="", max_length=20_000, description="what labelers are told, in Markdown; empty: a plain sentence"
    )
    priority: Annotated[int, Field(strict=True)] | None = Field(
        default=None, description="how urgent Scale is to take the tasks; null: as Scale has it"
    )
    callback_url: Address | None = Field(
        default=None, description="where Scale tells of changes: this connection's hook; null: polling only"
    )
    price_per_label: Money | None = Field(default=None, description="what Scale charges for a task; null: not counted")
    currency: Text = Field(default="USD", description="what the price is in")
    spend_limit: Money | None = Field(
        default=None, description="the most that may be spent on this connection, in the same currency; null: no limit"
    )
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = Field(
        default=5.0, description="how fast Scale is asked at most; slower by itself where Scale says so"
    )
    ner: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description=(
            "allow entities. Unverified: how Scale writes down the entities people marked is not public. Only spans "
            "whose quoted text stands where they say is read; anything else is set aside. Try it with a few tasks first"
        ),
    )
    poll_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=60.0, description="how often Scale is asked for changes"
    )
    window: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=100, description="how many tasks wait at Scale at most"
    )
    aliases: dict[str, str] = Field(
        default_factory=dict, description="names that mean a class although Scale writes them otherwise: {theirs: ours}"
    )

    @model_validator(mode="after")
    def _a_limit_needs_a_price(self) -> Self:
        if self.spend_limit is not None and self.price_per_label is None:
            raise ValueError("spend_limit: set price_per_label too, else nobody knows how far it reaches")
        return self


@dataclass(frozen=True)
class Cost:
    """An amount of money."""

    amount: Decimal
    currency: str


def cost(settings: ScaleSettings, completed: int) -> Cost | None:
    """What so many completed tasks cost; None where no price is set.

    Examples
    --------
    >>> cost(ScaleSettings(project="mail", price_per_label="0.08"), 250)
    Cost(amount=Decimal('20.00'), currency='USD')
    """
    if settings.price_per_label is None:
        return None
    return Cost(settings.price_per_label * completed, settings.currency)


def most_to_push(settings: ScaleSettings, paid_for: int) -> int | None:
    """How many more tasks the limit pays for; None where there is no limit.

    Parameters
    ----------
    paid_for
        Tasks made and not cancelled, answered or not: each will be charged.

    Examples
    --------
    >>> limited = ScaleSettings(project="mail", price_per_label="0.08", spend_limit="1")
    >>> most_to_push(limited, 0), most_to_push(limited, 10), most_to_push(limited, 13)
    (12, 2, 0)
    """
    if settings.spend_limit is None or settings.price_per_label is None:
        return None
    paid = (settings.spend_limit / settings.price_per_label).to_integral_value(ROUND_FLOOR)
    return max(0, int(paid) - paid_for)
