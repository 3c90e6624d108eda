"""Static embeddings by model2vec: a table of sub-words and no network. A start is instant, a text microseconds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tithe.learners.encoder_minilm import EncoderUnavailable
from tithe.learners.encoding import source
from tithe.learners.encoding.alignment import Pairs, add_up, mean, overlaps
from tithe.learners.encoding.reading import unit_rows
from tithe.learners.encoding.subwords import whole
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.protocol import Float32, Progress
from tithe.learners.words import Document, Read

_PORTION = 1000


class StaticEncoder:
    """``static:NAME``: the mean of a text's sub-word vectors, length one.

    A word's state is the mean of its sub-words' vectors, whatever stands around it.

    Parameters
    ----------
    name
        A model2vec model: a folder, or a name on the hub.
    threads
        With one, the tokenizer starts none of its own.

    Raises
    ------
    UnknownModel, ModelUnreachable, ModelUnusable, EncoderUnavailable
        As :class:`~tithe.learners.encoding.torch_encoder.TorchEncoder`.

    References
    ----------
    Tulkens & van Dongen (2024), Model2Vec: fast state-of-the-art static embeddings, doi 10.5281/zenodo.17270888.
    """

    def __init__(self, name: str, *, threads: int = 1) -> None:
        folder = source.model_folder(name)
        if threads == 1:
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._model = _loaded(folder)
        self.dimension = self.word_dimension = int(self._model.dim)
        tables = sorted(folder.rglob("model.safetensors"))
        self.identity = f"static/{source.fingerprint(tables)}/{self._model.max_length}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """As :meth:`tithe.learners.protocol.Encoder.encode`; a text of unknown sub-words gets the first unit vector."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for first, portion in _portions(texts):
            vectors[first : first + len(portion)] = self._model.encode(
                [whole(text) for text in portion], use_multiprocessing=False
            )
            if progress is not None:
                progress(first + len(portion), len(texts))
        return unit_rows(vectors)

    def read(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Read:
        """As :meth:`tithe.learners.words.WordEncoder.read`; nothing is cut, however long the text."""
        starts = np.cumsum([0, *(len(document.words) for document in documents)], dtype=np.int64)
        words = np.zeros((int(starts[-1]), self.word_dimension), np.float32)
        counts = np.zeros(len(words), np.int64)
        self._model.tokenizer.no_truncation()
        for document, first in zip(documents, starts, strict=False):
            cut = self._model.tokenizer.encode(whole(document.text), add_special_tokens=False)
            ids = np.array(cut.ids, np.int64)
            known = ids != (-1 if self._model.unk_token_id is None else self._model.unk_token_id)
            pairs = overlaps(document.words, np.array(cut.offsets, np.int64).reshape(-1, 2)[known])
            add_up(self._table(ids[known]), Pairs(pairs.subwords, pairs.words + first), words, counts)
        vectors = self.encode([document.text for document in documents], progress=progress)
        return Read(vectors, mean(words, counts), starts)

    def _table(self, ids: np.ndarray) -> Float32:
        model = self._model
        rows: Float32 = model.embedding[ids if model.token_mapping is None else model.token_mapping[ids]].astype(
            np.float32
        )
        return rows if model.weights is None else rows * model.weights[ids][:, None].astype(np.float32)


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for first in range(0, len(texts), _PORTION):
        yield first, texts[first : first + _PORTION]


def _loaded(folder: Path) -> Any:
    try:
        from model2vec import StaticModel
    except ImportError as missing:
        raise EncoderUnavailable(
            f"static encoders need {missing.name}, which is not installed", remedy="pip install model2vec"
        ) from missing
    tables = sorted(folder.rglob("model.safetensors"))
    for table in tables[:1] or [folder / "model.safetensors"]:
        source.check_weights(table.parent)
    try:
        return StaticModel.from_pretrained(str(folder), force_download=False)
    except Exception as error:  # its tokenizer's errors have no class of their own
        raise ModelUnusable(
            f"{folder} holds no static model that model2vec can read: {error}",
            remedy="a static encoder is a table made by model2vec; for transformers, write torch:…",
        ) from error
