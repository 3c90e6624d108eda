"""Files of the artifact store: whole or absent, checked, and never code."""

import hashlib
import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore, InvalidKey, Stored


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


def rows(count=5, dimension=3):
    return np.arange(count * dimension, dtype=np.float32).reshape(count, dimension)


def files(store):
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file())


def plant(store, key, content):
    """A file that somebody else put there, with a checksum that is right."""
    path = store.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


class Bomb:
    """Unpickling it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_block_comes_back_as_it_went_and_cannot_be_written_to(store):
    stored = store.write_block("pools/7/0.npy", rows())
    block = store.open_block(stored.key, stored.sha256)
    assert isinstance(block, np.memmap)
    assert block.dtype == np.float32
    assert (block == rows()).all()
    with pytest.raises(ValueError, match="read-only"):
        block[0, 0] = 1


def test_what_was_stored_is_the_file_on_disk(store):
    stored = store.write_block("b.npy", rows())
    content = (store.root / "b.npy").read_bytes()
    assert stored == Stored("b.npy", hashlib.sha256(content).hexdigest(), len(content))
    assert (np.load(store.root / "b.npy", allow_pickle=False) == rows()).all()


def test_any_memory_order_and_float_type_is_stored_as_float32_rows(store):
    for array in (np.asfortranarray(rows()), rows()[::2], rows().astype(np.float64), rows().astype(np.float16)):
        before = array.copy()
        stored = store.write_block("b.npy", array)
        assert (store.open_block("b.npy", stored.sha256) == before).all()
        assert (array == before).all()


def test_a_streamed_block_is_byte_for_byte_the_block_written_at_once(store):
    whole = store.write_block("whole.npy", rows(1000, 7))
    with store.block_writer("streamed.npy", 1000, 7) as writer:
        for first in range(0, 1000, 300):
            writer.append(rows(1000, 7)[first : first + 300])
    assert (writer.stored.sha256, writer.stored.size) == (whole.sha256, whole.size)


def test_a_crash_in_mid_write_leaves_nothing(store):
    def interrupted():
        with store.block_writer("b.npy", 10, 3) as writer:
            writer.append(rows(4))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files(store) == []


def test_a_crash_while_replacing_leaves_the_old_file(store):
    old = store.write_block("b.npy", rows())
    with pytest.raises(KeyboardInterrupt), store.block_writer("b.npy", 10, 3):
        raise KeyboardInterrupt
    assert (store.open_block("b.npy", old.sha256) == rows()).all()
    assert files(store) == ["b.npy"]


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from tithe.artifacts import ArtifactStore
with ArtifactStore(Path(sys.argv[1])).block_writer("pools/7/0.npy", 10, 3) as writer:
    writer.append(np.zeros((4, 3), np.float32))
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_no_half_file_and_its_leftover_is_swept(store):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.root)], check=False)
    assert killed.returncode == -9
    leftover = files(store)
    assert len(leftover) == 1
    assert leftover != ["pools/7/0.npy"]
    assert store.sweep() == 0  # young: somebody may still be writing it
    old = time.time() - 100_000
    os.utime(store.root / leftover[0], (old, old))
    assert store.sweep() == 1
    assert files(store) == []


def test_old_files_of_a_folder_are_told_with_their_sizes(store):
    for name in ("blocks/old.npy", "blocks/young.npy", "blocks/deeper/old.npy", "words/old.npy", "blocks/.writing-x"):
        plant(store, name, b"12345")
        if "young" not in name:
            os.utime(store.root / name, (time.time() - 100,) * 2)
    (store.root / "blocks/link.npy").symlink_to("old.npy")
    assert store.older("blocks", 50) == {"blocks/old.npy": 5}
    assert store.older("blocks", 200) == {}
    assert store.older("nowhere", 0) == {}
    assert store.older("words/old.npy", 0) == {}
    with pytest.raises(InvalidKey):
        store.older("../blocks", 0)


def test_missing_rows_are_refused_and_leave_nothing(store):
    with pytest.raises(ValueError, match="4 of 10 rows"), store.block_writer("b.npy", 10, 3) as writer:
        writer.append(rows(4))
    assert files(store) == []


@pytest.mark.parametrize("chunk", [rows(11), rows(5, 4), rows(5).ravel()])
def test_a_chunk_that_does_not_fit_is_refused(store, chunk):
    with (
        pytest.raises(ValueError, match="does not fit a block of 10 x 3"),
        store.block_writer("b.npy", 10, 3) as writer,
    ):
        writer.append(chunk)
    assert files(store) == []


@pytest.mark.parametrize("array", [np.zeros(3, np.float32), np.zeros((0, 3), np.float32), np.zeros((3, 0), np.float32)])
def test_an_empty_or_flat_block_is_refused(store, array):
    with pytest.raises(ValueError, match="a block has"):
        store.write_block("b.npy", array)


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", ".hidden", "a\\b", "a/", "a\0b", "C:x", "a b", "é"]
)
def test_a_key_cannot_leave_the_store(store, key):
    for use in (
        lambda: store.write_block(key, rows()),
        lambda: store.open_block(key, "0" * 64),
        lambda: store.write_model(key, {}, {}),
        lambda: store.delete_prefix(key),
    ):
        with pytest.raises(InvalidKey, match="is not a key"):
            use()
    assert not store.root.exists()


def test_a_missing_file_is_named(store):
    with pytest.raises(ArtifactMissing, match=r"pools/7/0\.npy is not there"):
        store.open_block("pools/7/0.npy", "0" * 64)
    with pytest.raises(ArtifactMissing, match="m is not there"):
        store.read_model("m", "0" * 64)


def test_a_wrong_checksum_is_refused_and_named(store):
    stored = store.write_block("b.npy", rows())
    with pytest.raises(ArtifactDamaged, match=rf"b\.npy.* has sha256 {stored.sha256}, not {'0' * 64}"):
        store.open_block("b.npy", "0" * 64)


def test_damage_after_the_first_look_is_noticed(store):
    stored = store.write_block("b.npy", rows())
    store.open_block("b.npy", stored.sha256)
    path = store.root / "b.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtifactDamaged):
        store.open_block("b.npy", stored.sha256)
    path.unlink()
    with pytest.raises(ArtifactMissing):
        store.open_block("b.npy", stored.sha256)


def test_a_checksum_is_computed_once_while_the_file_stays(store, monkeypatch):
    stored = store.write_block("b.npy", rows())
    store.open_block("b.npy", stored.sha256)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    store.open_block("b.npy", stored.sha256)


def test_a_truncated_block_with_a_right_checksum_is_refused(store):
    store.write_block("b.npy", rows())
    content = (store.root / "b.npy").read_bytes()
    for cut in (len(content) - 4, 40, 6, 0):
        sha256 = plant(store, "cut.npy", content[:cut])
        with pytest.raises(ArtifactDamaged, match=r"cut\.npy is not a feature block"):
            store.open_block("cut.npy", sha256)


def test_a_pickle_by_any_name_is_refused_unopened(store, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    with (tmp_path / "object.npy").open("wb") as file:
        np.save(file, np.array([Bomb(tmp_path / "exploded")], dtype=object), allow_pickle=True)
    for content in (bomb, (tmp_path / "object.npy").read_bytes()):
        sha256 = plant(store, "planted", content)
        with pytest.raises(ArtifactDamaged):
            store.open_block("planted", sha256)
        with pytest.raises(ArtifactDamaged):
            store.read_model("planted", sha256)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("array", [rows().astype(np.float64), rows().ravel(), np.asfortranarray(rows())])
def test_an_array_that_is_no_block_is_refused(store, tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    sha256 = plant(store, "x.npy", (tmp_path / "x.npy").read_bytes())
    with pytest.raises(ArtifactDamaged, match="not float32 rows"):
        store.open_block("x.npy", sha256)


def test_a_model_comes_back_as_it_went(store):
    tensors = {
        "heads": rows(6, 4).reshape(2, 3, 4),
        "learned": np.array([0, 2], np.int64),
        "prior": np.array([0.25, 0.75]),
        "transposed": rows(3, 2).T,
        "flags": np.array([True, False]),
    }
    stored = store.write_model("models/1.safetensors", tensors, {"task": "single", "note": "é"})
    back, meta = store.read_model(stored.key, stored.sha256)
    assert meta == {"task": "single", "note": "é"}
    assert back.keys() == tensors.keys()
    for name, array in tensors.items():
        assert back[name].dtype == array.dtype
        assert (back[name] == array).all()
    assert stored.size == (store.root / stored.key).stat().st_size


def test_a_reader_keeps_the_file_it_has_open(store):
    old = store.write_block("b.npy", rows())
    block = store.open_block("b.npy", old.sha256)
    new = store.write_block("b.npy", rows() + 1)
    assert (block == rows()).all()
    assert (store.open_block("b.npy", new.sha256) == rows() + 1).all()
    with pytest.raises(ArtifactDamaged):
        store.open_block("b.npy", old.sha256)


def test_deleting_takes_a_file_or_a_whole_folder(store):
    for key in ("pools/7/0.npy", "pools/7/1.npy", "pools/71/0.npy", "models/1"):
        store.write_block(key, rows())
    assert store.delete_prefix("pools/7") == 2
    assert store.delete_prefix("models/1") == 1
    assert store.delete_prefix("pools/7") == 0
    assert files(store) == ["pools/71/0.npy"]
    assert not (store.root / "pools/7").exists()


def test_word_states_come_back_with_where_each_row_begins(store):
    starts = np.array([0, 2, 2, 5])
    states = np.arange(15, dtype=np.float32).reshape(5, 3)
    with store.words_writer("p/words/0.npy", starts, 3) as writer:
        writer.append(states[:1])
        writer.append(states[1:].astype(np.float16))
    read_starts, words = store.open_words("p/words/0.npy", writer.stored.sha256)
    assert (read_starts == starts).all()
    assert isinstance(words, np.memmap)
    assert words.dtype == np.float16
    assert (words == states).all()
    with pytest.raises(ValueError, match="read-only"):
        words[0, 0] = 1


def test_a_block_without_any_word_has_states_too(store):
    with store.words_writer("w.npy", np.array([0, 0, 0]), 4) as writer:
        pass
    starts, words = store.open_words("w.npy", writer.stored.sha256)
    assert words.shape == (0, 4)
    assert starts.tolist() == [0, 0, 0]


@pytest.mark.parametrize("starts", [[0], [1, 2], [0, 3, 2]])
def test_starts_that_are_none_are_refused(store, starts):
    with pytest.raises(ValueError, match="starts of words"), store.words_writer("w.npy", np.array(starts), 4):
        pass
    assert files(store) == []


def test_a_file_that_lacks_word_states_is_damaged(store):
    stored = store.write_block("b.npy", rows())
    with pytest.raises(ArtifactDamaged, match="no word states"):
        store.open_words("b.npy", stored.sha256)
    with store.words_writer("w.npy", np.array([0, 1]), 4) as writer:
        writer.append(np.zeros((1, 4), np.float16))
    with pytest.raises(ArtifactDamaged, match="has sha256"):
        store.open_words("w.npy", "0" * 64)


def test_there_is_room_to_be_told_before_the_first_file(store):
    assert store.room() > 0
