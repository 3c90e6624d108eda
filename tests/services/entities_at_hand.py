"""Sentences with people and places, their spans known: letters beyond ASCII, an emoji within a name."""

from __future__ import annotations

import re

import numpy as np

from tithe.storage.pool import NewItem

PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Édith Piaf", "Zoë 🙂 Wanamaker"]
PLACES = ["Paris", "New York", "São Paulo", "Rome"]
FRAMES = [
    "{person} went to {place} last week.",
    "In {place} it rained, said {person}!",
    "Nothing happened today, and nobody came.",
    "Will {person} like {place}? Perhaps.",
]


def sentences(count: int, seed: int = 0, *, apart: bool = False) -> list[tuple[str, list[dict[str, object]]]]:
    """Texts with their spans in code points."""
    chance = np.random.default_rng(seed)
    made = []
    for number in range(count):
        names = {"person": str(chance.choice(PEOPLE)), "place": str(chance.choice(PLACES))}
        frame = str(chance.choice(FRAMES))
        if apart:
            frame = re.sub(r"([.,!?])", r" \1", frame)
        text = f"({number}) " + frame.format(**names)
        kinds = {"person": "PER", "place": "LOC"}
        spans = [
            {"start": text.index(name), "end": text.index(name) + len(name), "label": kinds[kind]}
            for kind, name in names.items()
            if name in text
        ]
        made.append((text, sorted(spans, key=lambda span: span["start"])))
    return made


def entity_items(
    pool: int, *, tests: int, tokens: bool = False
) -> tuple[list[NewItem], dict[str, list[dict[str, object]]]]:
    """Items and the truth of each; the last ones are held out."""
    pairs = sentences(pool + tests, apart=tokens)
    items = []
    for number, (text, spans) in enumerate(pairs):
        split, value = ("pool", None) if number < pool else ("test", spans)
        content = {"tokens": text.split(" ")} if tokens else {"text": text}
        items.append(NewItem(number, f"i{number}", f"{number:016d}".encode(), split, value=value, **content))
    return items, {f"i{number}": spans for number, (_, spans) in enumerate(pairs)}
