"""Texts whose labels a few words tell."""

import numpy as np

from tithe.learners.words import Document

ANIMALS = ["cat", "dog", "horse", "sheep", "goose", "trout"]
TOOLS = ["hammer", "saw", "drill", "chisel", "rasp", "lathe"]
PLANTS = ["oak", "fern", "moss", "rose", "reed", "ivy"]
FILLERS = ["the", "a", "old", "new", "near", "with", "and", "some", "very", "small"]
KINDS = [ANIMALS, TOOLS, PLANTS]


def toy_texts(n, seed, kinds=3):
    """Texts of which one word tells the class."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(kinds, size=n)
    texts = []
    for target in targets:
        words = [*rng.choice(FILLERS, 4), rng.choice(KINDS[target])]
        texts.append(" ".join(rng.permutation(words)))
    return texts, targets.astype(np.int64)


def toy_sets(n, seed):
    """Texts that carry each class or not, as words of it are in them."""
    rng = np.random.default_rng(seed)
    targets = rng.random((n, 3)) < [0.5, 0.4, 0.3]
    texts = []
    for carried in targets:
        words = [*rng.choice(FILLERS, 3), *(rng.choice(kind) for kind, has in zip(KINDS, carried, strict=True) if has)]
        texts.append(" ".join(rng.permutation(words)))
    return texts, targets


def toy_documents(n, seed):
    """Documents with animals (type 0), tools (type 1), and "small" before either as part of its name."""
    rng = np.random.default_rng(seed)
    documents, entities = [], []
    for _ in range(n):
        words, marked = [], []
        for _ in range(rng.integers(1, 4)):
            words += list(rng.choice(["the", "a", "old", "near", "with"], rng.integers(1, 3)))
            kind, first = int(rng.integers(2)), len(words)
            words += ["small"] * int(rng.random() < 0.4) + [str(rng.choice(KINDS[kind]))]
            if rng.random() < 0.2:
                words = words[:first]
            else:
                marked.append((first, len(words), kind))
        at = np.cumsum([0, *(len(word) + 1 for word in words)])
        spots = [(int(start), int(start) + len(word)) for start, word in zip(at, words, strict=False)]
        documents.append(Document(" ".join(words), spots))
        entities.append(marked)
    return documents, entities
