"""What people said of items, as models are scored by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tithe.contracts.projects import Project, Task
from tithe.learners.tagging.alignment import to_words
from tithe.loop.opinions import class_targets, opinions, spans_by_most
from tithe.loop.reading import Items
from tithe.prover.said import Truth, class_truth
from tithe.runtime import Runtime
from tithe.storage.pool import Block


def truth_of(runtime: Runtime, project: Project, blocks: Sequence[Block], labels: list[tuple[int, Any]]) -> Truth:
    """One answer an item; of several people's, the majority's. Of entities, by words."""
    if not labels:
        return {}
    if project.task is not Task.TOKENS:
        return class_truth(*class_targets(project, labels), len(project.labels))
    agreed = opinions(labels, spans_by_most)
    documents = Items(runtime, project, blocks).documents(np.array(list(agreed), dtype=np.int64))
    return {
        ordinal: to_words(spans, one.words, project.labels)
        for (ordinal, spans), one in zip(agreed.items(), documents, strict=True)
    }
