"""Running minima: kept between rounds, and always what would come out of every labeled vector."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from tithe.loop import minima
from tithe.loop.features import block_key
from tithe.runtime import Runtime
from tithe.storage import checks, labeled
from tithe.storage import minima as rows_of
from tithe.storage.pool import Block

from .filled import Filled, clustered


@pytest.fixture
def fill(runtime: Runtime) -> Callable[..., Filled]:
    return lambda rows, **more: Filled(runtime.database, runtime.artifacts, rows, **more)


def current(here: Filled, blocks: list[Block] | None = None) -> minima.Minima:
    return minima.current(here.database, here.store, here.id, here.blocks() if blocks is None else blocks)


def exact(here: Filled) -> np.ndarray:
    """By Postgres, of every row."""
    return here.nearest(here.rows, 1, exact=True).distances[:, 0]


def from_nothing(here: Filled) -> np.ndarray:
    """The plain definition, every pair in float64."""
    chosen = here.rows[list(here.stored())].astype(np.float64)
    apart = here.rows[:, np.newaxis].astype(np.float64) - chosen
    return np.sqrt(np.einsum("ijk,ijk->ij", apart, apart).min(axis=1)).astype(np.float32)


def files(here: Filled) -> list[str]:
    return sorted(path.name for path in (here.store.root / str(here.id) / "minima").glob("*"))


def test_kept_minima_are_those_from_nothing_and_those_of_postgres_round_after_round(fill):
    here = fill(clustered(900, 12), block_rows=200)
    order = np.random.default_rng(0).permutation(900)
    assert np.isinf(current(here).distances).all()
    done = 0
    for size in (1, 40, 3, 0, 100):
        here.bring(order[done : done + size].tolist())
        done += size
        found = current(here)
        assert (found.labeled, found.folded, found.begun) == (done, size, 5 if done == 1 else 0)
        np.testing.assert_array_equal(found.distances, from_nothing(here))
        np.testing.assert_allclose(found.distances, exact(here), atol=1e-6)
        assert (found.distances[order[:done]] == 0).all()
        assert len(files(here)) == 1  # of all rounds before nothing is left
    copies = {0, 450}  # `clustered` makes them equal
    here.bring([next(iter(copies))])
    assert (current(here).distances[list(copies)] == 0).all()
    assert here.database.run(checks.check) == []


def test_a_scorer_gets_them_as_float64_in_the_order_of_the_ordinals(fill, runtime: Runtime):
    here = fill(clustered(90, 4), block_rows=30)
    here.bring([5])
    found = minima.distances(runtime, here.id, here.blocks()[::-1], 1)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, from_nothing(here).astype(np.float64))


def test_a_pool_that_grew_and_shards_that_are_cut_anew_keep_what_there_is(fill):
    here = fill(clustered(700, 6)[:500], block_rows=100)
    here.bring([1, 2, 3])
    for shard in (here.blocks()[:2], here.blocks()[2:]):
        assert current(here, shard).begun == len(shard)
    here.bring([4])
    grown = clustered(700, 6)
    here.rows = grown
    here.write_block(500, grown[500:])
    blocks = here.blocks()
    parts = [current(here, blocks[:3]), current(here, blocks[3:])]
    assert [(part.begun, part.folded) for part in parts] == [(0, 1), (1, 4)]  # the new block starts from nothing
    np.testing.assert_array_equal(np.concatenate([part.distances for part in parts]), from_nothing(here))
    assert len(files(here)) == 2


def test_a_lost_or_damaged_file_is_no_loss(fill):
    here = fill(clustered(200, 6), block_rows=100)
    here.bring([1, 2, 3])
    whole = current(here).distances
    (name,) = files(here)
    path = here.store.root / str(here.id) / "minima" / name
    path.unlink()
    again = current(here)
    assert (again.begun, again.folded) == (2, 3)
    np.testing.assert_array_equal(again.distances, whole)
    path.write_bytes(path.read_bytes()[:-4] + b"oops")
    here.bring([4])
    found = current(here)
    assert (found.begun, found.folded) == (2, 4)
    np.testing.assert_array_equal(found.distances, from_nothing(here))


def test_a_block_that_was_made_again_differently_starts_from_nothing(fill):
    here = fill(clustered(200, 6), block_rows=100)
    here.bring([150])
    current(here)
    here.rows[:100] = clustered(100, 6, seed=5)
    stored = here.store.write_block(block_key(here.id, 0, 99), here.rows[:100])
    with here.database.unit() as unit:
        unit.connection.execute("UPDATE blocks SET path = %s, sha256 = %s WHERE start = 0", (stored.key, stored.sha256))
    found = current(here)
    assert (found.begun, found.folded) == (1, 1)
    np.testing.assert_array_equal(found.distances, from_nothing(here))


def test_labels_that_went_away_are_not_in_the_minimum_any_more(fill):
    here = fill(clustered(200, 6), block_rows=100)
    here.bring([1, 2, 3])
    current(here)
    here.follow([1, 3])
    here.follow([1, 3, 9])  # as many as before: counting alone would not tell
    found = current(here)
    assert (found.labeled, found.folded, found.begun) == (3, 3, 2)
    np.testing.assert_array_equal(found.distances, from_nothing(here))
    assert len(files(here)) == 1


def test_workers_at_once_all_get_the_answer_and_one_file_is_left(fill):
    here = fill(clustered(400, 6), block_rows=100)
    here.bring(list(range(30)))
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(current(here).distances)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for one in found:
        np.testing.assert_array_equal(one, from_nothing(here))
    assert len(files(here)) == 1
    assert current(here).folded == 0


def test_what_a_slow_worker_brings_does_not_replace_what_is_newer(fill):
    here = fill(clustered(100, 6), block_rows=100)
    here.bring([1])
    old_set = here.set()
    (block,) = here.blocks()
    here.bring([2])
    current(here)
    before = files(here)
    for of in (old_set, here.set().__class__(**{**vars(here.set()), "epoch": old_set.project_id})):
        stored = here.store.write_block(minima.minima_key(here.id, 1, "00"), np.zeros((100, 1), np.float32))
        part = rows_of.BlockPart(0, 100, block.sha256 or "", 0)
        unused = here.database.run(
            lambda unit, of=of, stored=stored, part=part: rows_of.keep(
                unit, of, 1, path=stored.key, sha256=stored.sha256, parts=[part]
            )
        )
        assert unused == [stored.key]
        here.store.delete_prefix(stored.key)
    assert files(here) == before
    assert current(here).folded == 0


def test_a_label_that_goes_away_meanwhile_makes_it_look_again(fill, monkeypatch: pytest.MonkeyPatch):
    here = fill(clustered(100, 6), block_rows=100)
    here.bring([1, 2, 3])
    real, went = labeled.page, []

    def page(*given):
        if not went:
            went.append(1)
            here.follow([1, 3])
            assert here.set().vectors == 2
        return real(*given)

    monkeypatch.setattr(labeled, "page", page)
    monkeypatch.setattr(minima, "_PAGE", 1)
    found = current(here)
    assert (found.labeled, found.folded) == (2, 2)
    np.testing.assert_array_equal(found.distances, from_nothing(here))


def test_pages_and_chunks_change_nothing(fill, monkeypatch: pytest.MonkeyPatch):
    here = fill(clustered(250, 6), block_rows=100)
    here.bring([int(n) for n in np.random.default_rng(1).permutation(250)[:57]])
    monkeypatch.setattr(minima, "_PAGE", 10)
    monkeypatch.setattr(minima, "_CHUNK_ROWS", 33)
    np.testing.assert_array_equal(current(here).distances, from_nothing(here))


def test_no_blocks_are_no_rows(fill):
    here = fill(clustered(20, 3))
    here.bring([1])
    assert current(here, []).distances.shape == (0,)
