"""What is near: an item's nearest labeled items, and how good the index is that finds them."""

from __future__ import annotations

import math
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from tithe.contracts.nearest import NearestLabeled, NearestRecall, Neighbour
from tithe.contracts.shapes import ItemId
from tithe.errors import NotFound
from tithe.gateway.context import Here, ProjectId
from tithe.gateway.models import gather, pool_vectors
from tithe.gateway.problems import documented
from tithe.loop.features import Vectors
from tithe.loop.neighbours import NoVectorYet, labeled_set, neighbours
from tithe.runtime import Runtime
from tithe.storage import labeled, pool, projects
from tithe.storage.database import Unit
from tithe.storage.labeled import LabeledSet, Recall
from tithe.storage.pool import Block

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["looking on"])


@router.get(
    "/items/{item_id:path}/nearest-labeled", summary="The labeled items nearest to an item",
    responses=documented(404, 409, 422),
)  # fmt: skip
def nearest_labeled(
    project_id: ProjectId,
    item_id: Annotated[ItemId, Path(description="the item's id")],
    here: Here,
    k: Annotated[int, Query(ge=1, le=100, description="how many")] = 5,
    exact: Annotated[bool, Query(description="look at every labeled item, even where there is an index")] = False,
) -> NearestLabeled:
    """How far the nearest labels are, in the space the model sees: for suspicious labels, and for what is unexplored.

    With 2,000 labeled items or more an approximate index answers; `…/nearest-labeled/recall` tells how good it is.
    """
    ordinal, blocks = here.database.run(lambda unit: _item(unit, project_id, item_id))
    vector = _vector(here, project_id, item_id, ordinal, blocks)
    near = here.database.run(lambda unit: neighbours(unit, project_id, ordinal, vector, k, exact=exact))
    return NearestLabeled(
        item_id=item_id,
        neighbours=[
            Neighbour(
                item_id=one.item.external_id, text=one.item.text, meta=one.item.meta, label=one.label,
                answers=len(one.item.labels or []), distance=one.distance,
                cosine=None if math.isnan(one.cosine) else one.cosine,
            )
            for one in near.found
        ],
        mode="exact" if near.exact else "index", labeled=near.of.vectors, labels_seen=near.of.label_count,
        labels_since=near.labels_since,
    )  # fmt: skip


@router.get(
    "/nearest-labeled/recall", summary="How good the index of labeled items is", responses=documented(404, 409, 422)
)
def nearest_labeled_recall(project_id: ProjectId, here: Here) -> NearestRecall:
    """Against exact answers for up to 200 unlabeled items, measured when the labeled ones have grown by a tenth.

    While there is no index every answer is exact, and there is nothing to measure.
    """

    def look(unit: Unit) -> tuple[LabeledSet, Recall | None]:
        projects.get(unit, project_id)
        return labeled_set(unit, project_id), labeled.recall(unit, project_id)

    of, found = here.database.run(look)
    return NearestRecall(
        mode="index" if of.indexed else "exact", labeled=of.vectors,
        recall_at_1=found.recall_at_1 if found else None, recall_at_10=found.recall_at_10 if found else None,
        distance_ratio=found.distance_ratio if found else None, measured_items=found.rows if found else None,
        measured_labeled=found.vectors if found else None, measured_at=found.at if found else None,
    )  # fmt: skip


def _item(unit: Unit, project_id: UUID, item_id: str) -> tuple[int, list[Block]]:
    """Its place in the pool, and the block that holds it if there is one."""
    projects.get(unit, project_id)
    ordinal = pool.ordinals(unit, project_id, [item_id]).get(item_id)
    if ordinal is None:
        raise NotFound(
            f"this project has no item {item_id!r}", place="path.item_id",
            remedy="GET …/export?include=all lists the ids there are",
        )  # fmt: skip
    return ordinal, pool.ready_blocks(unit, project_id, ordinal, ordinal + 1)


def _vector(here: Runtime, project_id: UUID, item_id: str, ordinal: int, blocks: list[Block]) -> Vectors:
    found, rows = gather(here, project_id, pool_vectors(here, blocks), [ordinal])
    if not found[0]:
        raise NoVectorYet(
            f"item {item_id!r} is not encoded yet", remedy="GET …/status shows how much of the pool is: try again then"
        )
    return rows
