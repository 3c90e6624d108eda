"""What the model thinks of an item, as the queue has it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from tithe.contracts.predictions import Prediction


def suggestion(why: dict[str, Any]) -> Any:
    """What the model thinks, as an answer; None: nothing, or nothing that can be read.

    Examples
    --------
    >>> suggestion({"rank": 3, "prediction": {"label": "spam", "confidence": 0.8}}), suggestion({})
    ('spam', None)
    """
    try:
        return Prediction.model_validate(why["prediction"]).answer()
    except (KeyError, ValidationError):
        return None
