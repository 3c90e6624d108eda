"""Feature blocks and models as files: written once, whole or not at all, and never believed without their checksum.

A block is a float32 array in NumPy's ``.npy`` format, read through a memory map; the states of a block's words are two
such arrays in one file, of which the second is mapped; a model is a safetensors file. None of them can carry code.
Whoever writes a file keeps its :class:`Stored` beside the fact it belongs to; whoever reads it names that checksum.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tithe.errors import WorkFailed

Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]
Int64 = NDArray[np.int64]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_TEMPORARY = ".writing-"  # no key starts with a dot
_PIECE_BYTES = 1 << 22


class ArtifactMissing(WorkFailed):
    """A file of the artifact store is not there."""

    code = "artifact_missing"


class ArtifactDamaged(WorkFailed):
    """A file of the artifact store is not what was written."""

    code = "artifact_damaged"


class InvalidKey(WorkFailed):
    """That is not a key of the artifact store."""

    code = "invalid_artifact_key"


@dataclass(frozen=True)
class Stored:
    """One file of the store: enough to find it again, and to know it is the same."""

    key: str  #: relative posix path under the store's root
    sha256: str  #: of the whole file, lower-case hexadecimal
    size: int  #: in bytes


class BlockWriter:
    """Takes an array's rows as they come and hashes what it writes; see :meth:`ArtifactStore.block_writer`."""

    def __init__(
        self, file: IO[bytes], key: str, rows: int, dimension: int, *, kind: str = "<f4", before: Int64 | None = None
    ) -> None:
        self._file, self._key, self._rows, self._dimension, self._kind = file, key, rows, dimension, kind
        self._written = self._size = 0
        self._hash = hashlib.sha256()
        header = io.BytesIO()
        if before is not None:
            np.lib.format.write_array(header, before.astype("<i8"), version=(1, 0), allow_pickle=False)
        shape = {"descr": kind, "fortran_order": False, "shape": (rows, dimension)}
        np.lib.format.write_array_header_1_0(header, shape)
        self._put(header.getbuffer())

    def append(self, chunk: Float32 | Float16) -> None:
        """Write the next rows: shape (some, dimension), left unchanged. ValueError when they do not fit."""
        if chunk.ndim != 2 or chunk.shape[1] != self._dimension or self._written + len(chunk) > self._rows:
            block = f"a block of {self._rows} x {self._dimension}"
            raise ValueError(f"a chunk of shape {chunk.shape} after {self._written} rows does not fit {block}")
        rows = max(1, _PIECE_BYTES // (4 * self._dimension))
        for first in range(0, len(chunk), rows):
            self._put(np.ascontiguousarray(chunk[first : first + rows], self._kind).data.cast("B"))
        self._written += len(chunk)

    def _put(self, content: memoryview) -> None:
        self._hash.update(content)
        self._size += self._file.write(content)

    @property
    def stored(self) -> Stored:
        """What was written. Raises ValueError while rows are missing."""
        if self._written != self._rows:
            raise ValueError(f"{self._written} of {self._rows} rows of block {self._key} were written")
        return Stored(self._key, self._hash.hexdigest(), self._size)


class ArtifactStore:
    """Files under one folder, by key. Several processes, on several machines, may share the folder.

    A file appears under its key complete or not at all: it is written beside its place under a temporary name,
    flushed to the disk, and renamed; then the folder is flushed. Writing a key again replaces the file; a reader that
    has the old one open keeps it. A checksum is verified when this process first opens the file, and again when its
    size or time of change differ. The root is made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: dict[str, tuple[str, int, int]] = {}
        self._lock = threading.Lock()

    def write_block(self, key: str, array: Float32) -> Stored:
        """Store float32 rows, shape (rows, dimension), as one block. Raises as :meth:`block_writer`."""
        if array.ndim != 2:
            raise ValueError(f"a block has two dimensions, not the shape {array.shape}")
        with self.block_writer(key, *array.shape) as writer:
            writer.append(array)
        return writer.stored

    @contextmanager
    def block_writer(self, key: str, rows: int, dimension: int) -> Iterator[BlockWriter]:
        """Store a block chunk by chunk, so that no more than a chunk is ever held.

        Leaving the with statement with all `rows` of `dimension` numbers in gives the file its key; ``writer.stored``
        then says what was written. Leaving it by an exception, or with rows missing, leaves nothing behind.

        Raises
        ------
        InvalidKey
            When the key could point outside the store, or is not a plain path.
        ValueError
            When the shape is empty, or rows are missing at the end.
        """
        if rows < 1 or dimension < 1:
            raise ValueError(f"a block has rows and numbers, not {rows} x {dimension}")
        with self._replacing(key) as file:
            writer = BlockWriter(file, key, rows, dimension)
            yield writer
            _ = writer.stored  # refuses while rows are missing

    def open_block(self, key: str, sha256: str) -> Float32:
        """The block as a memory map: float32, shape (rows, dimension), C-contiguous, not writable.

        Pages come from the disk as they are touched, and processes share them.

        Raises
        ------
        ArtifactMissing
            When there is no such file.
        ArtifactDamaged
            When its checksum differs, or it is not a block.
        """
        path = self._verify(key, sha256)
        try:
            block = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, OSError) as error:
            raise ArtifactDamaged(f"{path} is not a feature block: {error}", key=key) from error
        if block.dtype != np.dtype("<f4") or block.ndim != 2 or not block.flags.c_contiguous:
            raise ArtifactDamaged(f"{path} holds {block.dtype} of shape {block.shape}, not float32 rows", key=key)
        return block

    @contextmanager
    def words_writer(self, key: str, starts: Int64, dimension: int) -> Iterator[BlockWriter]:
        """Store the states of a block's words, as float16, chunk by chunk.

        Parameters
        ----------
        key
            Where.
        starts
            int64, shape (rows + 1,): the words of row i are ``starts[i]`` to ``starts[i + 1]``; the last one says how
            many words are to come.
        dimension
            Numbers of a word.

        Raises
        ------
        InvalidKey, ValueError
            As :meth:`block_writer`; also when `starts` do not begin with 0 or descend.
        """
        if len(starts) < 2 or starts[0] != 0 or (np.diff(starts) < 0).any() or dimension < 1:
            raise ValueError(f"{len(starts)} starts of words of {dimension} numbers are no block's")
        with self._replacing(key) as file:
            writer = BlockWriter(file, key, int(starts[-1]), dimension, kind="<f2", before=starts)
            yield writer
            _ = writer.stored

    def open_words(self, key: str, sha256: str) -> tuple[Int64, Float16]:
        """A block's starts, shape (rows + 1,), and its words as a memory map: float16, shape (words, dimension).

        Raises as :meth:`open_block`.
        """
        path = self._verify(key, sha256)
        try:
            with path.open("rb") as file:
                starts = np.lib.format.read_array(file, allow_pickle=False)
                np.lib.format.read_magic(file)
                shape, _, kind = np.lib.format.read_array_header_1_0(file)
                offset = file.tell()
            empty: Float16 = np.empty(shape, np.float16)
            words = np.memmap(path, kind, "r", offset, shape) if 0 not in shape else empty
        except (ValueError, OSError) as error:
            raise ArtifactDamaged(f"{path} holds no word states: {error}", key=key) from error
        if words.dtype != np.dtype("<f2") or words.ndim != 2 or starts.ndim != 1 or starts[-1] != len(words):
            raise ArtifactDamaged(f"{path} holds {words.dtype} of shape {words.shape}, not word states", key=key)
        return starts, words

    def present(self, key: str) -> bool:
        """Whether there is such a file; what is in it is not looked at."""
        return self._path(key).is_file()

    def room(self) -> int:
        """Bytes that are free where the store is."""
        return shutil.disk_usage(next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())).free

    def write_model(self, key: str, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Stored:
        """Store named arrays (numbers or booleans) and texts as a safetensors file. Raises InvalidKey."""
        from safetensors.numpy import save

        content = save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, dict(meta))
        with self._replacing(key) as file:
            file.write(content)
        return Stored(key, hashlib.sha256(content).hexdigest(), len(content))

    def read_model(self, key: str, sha256: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """The arrays and texts of :meth:`write_model`, copied out of the file. Raises as :meth:`open_block`."""
        from safetensors import SafetensorError, safe_open

        path = self._verify(key, sha256)
        try:
            with safe_open(path, framework="np") as file:
                tensors = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - not a dict
                return tensors, dict(file.metadata() or {})
        except (SafetensorError, ValueError, OSError) as error:
            raise ArtifactDamaged(f"{path} is not a model: {error}", key=key) from error

    def verify(self, key: str, sha256: str) -> None:
        """Make sure that a file is there and is what was written. Raises ArtifactMissing, ArtifactDamaged."""
        self._verify(key, sha256)

    def delete_prefix(self, prefix: str) -> int:
        """Delete the file, or the folder with all in it, at that key. Returns how many files went; none is no error."""
        path = self._path(prefix)
        for found in (files := [found for found in (path, *path.rglob("*")) if found.is_file()]):
            found.unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)  # the empty folders
        return len(files)

    def older(self, folder: str, seconds: float) -> dict[str, int]:
        """Key → bytes of the files right in the folder that nobody wrote to for so long, half-written ones left out.

        None where there is no such folder. Raises InvalidKey.
        """
        path, horizon = self._path(folder), time.time() - seconds
        found = {}
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
            for entry in entries:
                key = f"{folder}/{entry.name}"
                if _KEY.fullmatch(key) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        seen = entry.stat(follow_symlinks=False)
                        if seen.st_mtime < horizon:
                            found[key] = seen.st_size
        return found

    def sweep(self, older_than_seconds: float = 86_400) -> int:
        """Delete what writers who died left behind, if older than any file takes to write. Returns how many went."""
        horizon = time.time() - older_than_seconds
        gone = 0
        for path in self.root.rglob(f"{_TEMPORARY}*"):
            with suppress(FileNotFoundError):  # its writer finished, or another sweep was faster
                if path.stat().st_mtime < horizon:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise InvalidKey(
                f"{key!r} is not a key: names of letters, digits, '.', '_' and '-', joined by '/'", key=key
            )
        return self.root.joinpath(*key.split("/"))

    def _verify(self, key: str, sha256: str) -> Path:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                seen = (sha256, found.st_size, found.st_mtime_ns)
                with self._lock:
                    if self._verified.get(key) == seen:
                        return path
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ArtifactMissing(f"{path} is not there", key=key) from error
        if actual != sha256:
            raise ArtifactDamaged(f"{path} ({found.st_size} bytes) has sha256 {actual}, not {sha256}", key=key)
        with self._lock:
            self._verified[key] = seen
        return path

    @contextmanager
    def _replacing(self, key: str) -> Iterator[IO[bytes]]:
        """A temporary file that takes the key's place when all goes well, and vanishes when it does not."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for folder in path.parents:  # a new folder's own name must survive a power cut too
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if folder == self.root:
                break
