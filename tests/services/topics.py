"""Short texts of three topics, made of few sentences."""

from __future__ import annotations

import numpy as np

from tithe.storage.pool import NewItem

TOPICS = {
    "sport": ["the team won the match", "a late goal decided the game", "the coach praised the players"],
    "money": ["the bank raised its rate", "shares fell on the market", "profit and loss of the firm"],
    "health": ["the doctor saw a patient", "a new vaccine was tested", "the hospital needs nurses"],
}


def texts(n: int, seed: int = 0) -> list[tuple[str, str]]:
    chance = np.random.default_rng(seed)
    names = list(TOPICS)
    found = []
    for number in range(n):
        topic = names[int(chance.integers(3))]
        words = " ".join(chance.choice(TOPICS[topic], 2)) + f" number {number}"
        found.append((words, topic))
    return found


def text_items(pool: int, *, tests: int) -> tuple[list[NewItem], dict[str, str]]:
    """Items and the truth of each; the last ones are held out."""
    pairs = texts(pool + tests)
    items = [
        NewItem(
            n, f"i{n}", f"{n:016d}".encode(), "pool" if n < pool else "test", text, value=None if n < pool else topic
        )
        for n, (text, topic) in enumerate(pairs)
    ]
    return items, {f"i{n}": topic for n, (_, topic) in enumerate(pairs)}
