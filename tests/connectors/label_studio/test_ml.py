"""The ML backend's answers to what Label Studio sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tithe.connectors.label_studio import ml
from tithe.connectors.protocol import Schema
from tithe.contracts.projects import Task
from tithe.errors import BadInput

BODY: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "payloads" / "label_studio" / "ml_next_ml_predict.json").read_text()
)
SCHEMA = Schema("any", Task.TEXT, ("pos", "neg"), overlap=1, suggestions=True)


def test_a_captured_predict_is_answered_task_by_task():
    asked = ml.read_predict(BODY, SCHEMA, {})
    assert asked.questions == (ml.Question("96", None, "t2"),)
    (result,) = ml.predictions(asked, [ml.Guess("neg", 0.7)], "tithe mail")["results"]
    assert result == {
        "result": [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["neg"]}}],
        "score": 0.7,
        "model_version": "tithe mail",
    }
    assert ml.setup("tithe mail")["model_version"] == result["model_version"]


def test_where_nothing_is_known_the_answer_still_has_as_many_results():
    asked = ml.read_predict(BODY | {"tasks": BODY["tasks"] * 3}, SCHEMA, {})
    results = ml.predictions(asked, [None, ml.Guess(None), ml.Guess("pos", 7)], "t")["results"]
    assert [one["score"] for one in results] == [0.0, 0.0, 1.0]
    assert [len(one["result"]) for one in results] == [0, 0, 1]
    with pytest.raises(ValueError, match="zip"):
        ml.predictions(asked, [], "t")


def test_a_config_that_does_not_fit_is_answered_with_nothing():
    other = Schema("any", Task.TOKENS, ("PER",), overlap=1, suggestions=True)
    asked = ml.read_predict(BODY, other, {})
    assert (
        ml.predictions(asked, [ml.Guess([{"start": 0, "end": 1, "label": "PER"}])], "t")["results"][0]["result"] == []
    )


@pytest.mark.parametrize("body", [None, [], {}, {"tasks": 7}, {"tasks": [7]}, {"tasks": [{"id": "x", "data": {}}]}])
def test_what_label_studio_does_not_send(body: Any):
    with pytest.raises(BadInput):
        ml.read_predict(body, SCHEMA, {})
