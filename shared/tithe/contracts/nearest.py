"""The shapes of what is near: an item's nearest labeled items, and how good the index is that finds them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from tithe.contracts.shapes import Told


class Neighbour(Told):
    """A labeled item and how far it is."""

    item_id: str
    text: str | None = Field(description="the beginning of its text")
    meta: dict[str, Any] | None
    label: Any = Field(description="what most annotators said; of a tie, what was said first")
    answers: int = Field(description="counted labels of this item")
    distance: float = Field(description="Euclidean, between the items' vectors; 0 for copies")
    cosine: float | None = Field(description="similarity of the vectors, 1 is the same direction; null beside zeros")


class NearestLabeled(Told):
    """The labeled items nearest to one item, nearest first. A labeled item is no neighbour of itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "item_id": "review-17", "mode": "exact", "labeled": 240, "labels_seen": 240, "labels_since": 12,
        "neighbours": [{"item_id": "review-3", "text": "A long film.", "meta": None, "label": "negative", "answers": 1,
                        "distance": 0.41, "cosine": 0.92}],
    }]})  # fmt: skip

    item_id: str
    neighbours: list[Neighbour]
    mode: Literal["exact", "index"] = Field(description="exact: every labeled item was looked at")
    labeled: int = Field(description="labeled items that were compared, vectors and all")
    labels_seen: int = Field(description="labels there were when the last round brought their items here")
    labels_since: int = Field(description="labels that came later: they count from the next round on")


class NearestRecall(Told):
    """How good the index is, as it was last measured against exact answers for a sample of unlabeled items."""

    mode: Literal["exact", "index"] = Field(description="how lookups are answered now, unless exact ones are asked for")
    labeled: int
    recall_at_1: float | None = Field(description="share of items whose nearest was found; null: never measured")
    recall_at_10: float | None = Field(description="share of the ten nearest that were found")
    distance_ratio: float | None = Field(description="mean distance of those found, over that of those there are")
    measured_items: int | None = Field(description="the size of the sample")
    measured_labeled: int | None = Field(description="labeled items at that time")
    measured_at: datetime | None
