"""The vectors of a pool are all by one encoder, whichever of two was first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tithe.contracts.projects import Project
from tithe.contracts.tasks import EmbedBlock
from tithe.errors import Hopeless
from tithe.loop import ingest
from tithe.storage import jobs, pool
from tithe.storage.database import Database

from .driving import embed, fill, line

FILE = {"path": "x", "sha256": "0", "size": 1, "dimension": 2}


def finish(database: Database, project: Project, start: int, encoder: str | None) -> None:
    """As a scorer with that encoder ends its work on a block."""
    claim = database.run(lambda unit: jobs.claim(unit, EmbedBlock(project_id=project.id, start=start), "test"))
    assert claim is not None
    database.run(lambda unit: ingest.finish_block(unit, claim, start, encoder=encoder, **FILE))


def test_vectors_of_another_encoder_are_refused_with_both_names_and_what_to_do(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    finish(database, project, 0, "torch/aaaa/256/float32")
    with pytest.raises(Hopeless, match=r"torch/aaaa/256/float32.*torch/bbbb/256/float32") as refused:
        finish(database, project, 10, "torch/bbbb/256/float32")
    assert "all scorers" in str(refused.value.remedy)
    with database.unit() as unit:
        block = pool.block(unit, project.id, 10)
    assert block is not None
    assert (block.state, block.path) == ("planned", None)


def test_the_same_model_in_another_precision_is_the_same_encoder(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(20)])
    finish(database, project, 0, "torch/aaaa/256/float32/3")
    finish(database, project, 10, "torch/aaaa/256/bfloat16/3")
    with database.unit() as unit:
        assert [block.encoder for block in pool.ready_blocks(unit, project.id)] == [
            "torch/aaaa/256/float32/3", "torch/aaaa/256/bfloat16/3"
        ]  # fmt: skip


def test_blocks_from_before_bind_nobody_and_a_pool_that_is_made_anew_may_be_anothers(
    database: Database, project: Project
):
    fill(database, project, [line(n) for n in range(20)])
    embed(database, project, 0)  # by a version that kept no encoder
    finish(database, project, 10, "hashing/1/256")
    database.run(lambda unit: ingest.encode_again(unit, project.id, [0, 10]))
    finish(database, project, 10, "hashing/2/256")
    finish(database, project, 0, "hashing/2/256")


def test_of_two_encoders_that_are_first_at_once_one_is(database: Database, project: Project):
    fill(database, project, [line(n) for n in range(80)])
    names = [f"hashing/{n}/256" for n in range(8)]
    together = threading.Barrier(len(names))

    def race(number: int) -> bool:
        together.wait()
        try:
            finish(database, project, 10 * number, names[number])
        except Hopeless:
            return False
        return True

    with ThreadPoolExecutor(len(names)) as threads:
        accepted = list(threads.map(race, range(len(names))))
    assert sum(accepted) == 1
    with database.unit() as unit:
        assert [block.encoder for block in pool.ready_blocks(unit, project.id)] == [names[accepted.index(True)]]
