"""What a project may be made of, beyond the shape of its fields."""

import pytest
from pydantic import ValidationError

from tithe.contracts.projects import ProjectSpec, Task


def entities(labels, **more):
    return ProjectSpec(name="names", task=Task.TOKENS, labels=labels, **more)


@pytest.mark.parametrize("labels", [["B-PER", "I-PER", "O"], ["PER", "B-LOC", "I-LOC"]])
def test_tags_in_the_place_of_entity_types_are_refused_with_the_types(labels):
    with pytest.raises(ValidationError, match=r"not tags: send (PER|LOC), without"):
        entities(labels)


@pytest.mark.parametrize("labels", [["B-side"], ["I-beam", "PER"], ["B-52", "I-5"]])
def test_types_that_merely_look_like_tags_are_taken(labels):
    assert entities(labels).labels == labels


@pytest.mark.parametrize(("unit", "strategy"), [("labels", "token_entropy_top"), ("words", "mnlp")])
def test_what_entities_are_asked_by_depends_on_what_is_paid(unit, strategy):
    assert entities(["PER"], budget_unit=unit).resolved().strategy == strategy


def test_an_encoder_without_a_name_is_refused():
    with pytest.raises(ValidationError):
        entities(["PER"], encoder="")
