"""What a fine-tuned transformer makes of texts and words: features, in batches of about the same length."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tithe.learners.encoding.batches import batches
from tithe.learners.encoding.torch_model import chosen_type
from tithe.learners.protocol import Float32, Progress
from tithe.learners.transformer.body import Body
from tithe.learners.transformer.network import features
from tithe.learners.transformer.pieces import Cutter, Piece
from tithe.learners.transformer.quiet import on_threads
from tithe.learners.transformer.settings import Precision, TransformerSettings
from tithe.learners.words import Document

Int64 = NDArray[np.int64]
#: Pieces tokenized and sorted together: enough for batches of one length, few enough to hold.
_PORTION = 4096


class Reader:
    """A transformer in the precision and on the device it is read with; the module it was made of stays as it is.

    Safe to read from several threads: nothing in it changes.

    Parameters
    ----------
    module
        The transformer, float32.
    cutter
        Makes pieces of texts.
    padding
        The id that fills batches up.
    settings
        Precision, device, threads, windows.
    """

    def __init__(self, module: torch.nn.Module, cutter: Cutter, padding: int, settings: TransformerSettings) -> None:
        self.device = device_of(settings)
        dtype = torch.bfloat16 if in_bfloat16(settings.precision, self.device) else torch.float32
        self._body = copy.deepcopy(module).to(device=self.device, dtype=dtype).eval()
        self._cutter, self._padding, self._settings = cutter, padding, settings

    @property
    def width(self) -> int:
        """Numbers of a feature."""
        return int(self._body.config.hidden_size)

    def texts(self, texts: Sequence[str], progress: Progress | None = None) -> Float32:
        """The features of each text: the mean over its windows, each by the tokens kept from it.

        Returns
        -------
        float32, shape (len(texts), width).
        """
        sums = np.zeros((len(texts), self.width))
        weights = np.zeros(len(texts))
        for piece, state in self._read(self._cutter.texts(texts, self._settings.most_windows), len(texts), progress):
            sums[piece.owner] += piece.weight * state
            weights[piece.owner] += piece.weight
        return (sums / np.maximum(weights, 1)[:, None]).astype(np.float32)

    def words(self, documents: Sequence[Document], progress: Progress | None = None) -> tuple[Float32, Int64]:
        """The features of each word: the state of its first sub-word; NaN for a word without one.

        Returns
        -------
        float32, shape (words in all, width); and int64, shape (documents + 1,): where each document's begin.
        """
        starts = np.concatenate([[0], np.cumsum([len(document.words) for document in documents])]).astype(np.int64)
        answer = np.full((int(starts[-1]), self.width), np.nan, np.float32)
        pieces = self._cutter.documents(documents, self._settings.overlap)
        for piece, states in self._read(pieces, len(documents), progress):
            answer[starts[piece.owner] + piece.words] = states
        return answer, starts

    def _read(self, pieces: Iterator[Piece], owners: int, progress: Progress | None) -> Iterator[tuple[Piece, Float32]]:
        with on_threads(self._settings.threads):
            for portion in _portions(pieces):
                done, first, stop = 0, portion[0].owner, portion[-1].owner + 1
                for batch in batches([len(piece.ids) for piece in portion], self._settings.most_tokens):
                    together = [portion[at] for at in batch]
                    yield from zip(together, self._forward(together), strict=True)
                    done += len(together)
                    if progress is not None:
                        progress(first + (stop - first) * done // len(portion), owners)

    def _forward(self, pieces: list[Piece]) -> list[Float32]:
        inputs = padded(pieces, self._padding)
        with torch.inference_mode():
            told = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
            found = features(self._body, told["input_ids"], told["attention_mask"], told.get("positions"))
            states: Float32 = found.cpu().numpy()
        if "positions" not in inputs:
            return list(states)
        return [state[: len(piece.words)] for piece, state in zip(pieces, states, strict=True)]


def padded(pieces: Sequence[Piece], padding: int) -> dict[str, Int64]:
    """A batch: ``input_ids`` and ``attention_mask``, (rows, longest); ``positions``, (rows, most words), if any."""
    longest = max(len(piece.ids) for piece in pieces)
    ids = np.full((len(pieces), longest), padding, np.int64)
    mask = np.zeros_like(ids)
    for row, piece in enumerate(pieces):
        ids[row, : len(piece.ids)] = piece.ids
        mask[row, : len(piece.ids)] = 1
    answer = {"input_ids": ids, "attention_mask": mask}
    if most := max(len(piece.positions) for piece in pieces):
        positions = np.zeros((len(pieces), most), np.int64)
        for row, piece in enumerate(pieces):
            positions[row, : len(piece.positions)] = piece.positions
        answer["positions"] = positions
    return answer


def device_of(settings: TransformerSettings) -> torch.device:
    """The device that was asked for; else a GPU where there is one."""
    return torch.device(settings.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def in_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as told, or where the device has instructions for it.

    Measured on one thread of a CPU with avx512_bf16, MiniLM, 16 texts of 56 tokens: a forward pass takes 0.08 s instead
    of 0.24, a training step's two passes 0.30 s instead of 0.80.
    """
    return bool(chosen_type(precision, device) is torch.bfloat16)


def _portions(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    portion: list[Piece] = []
    for piece in pieces:
        portion.append(piece)
        if len(portion) == _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def reader_of(body: Body, settings: TransformerSettings) -> Reader:
    """A reader of a stored transformer."""
    return Reader(body.module(), cutter_of(body, settings), body.padding, settings)


def cutter_of(body: Body, settings: TransformerSettings) -> Cutter:
    """What cuts texts for a transformer: windows as long as it takes, or as the settings allow."""
    return Cutter(body.tokenizer, min(body.window, settings.max_tokens))
