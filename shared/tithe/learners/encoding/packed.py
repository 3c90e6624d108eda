"""BERT and its kin without padding: all tokens of a batch are rows of one matrix, and attention goes by equal lengths.

What it computes is what the model's own forward pass computes. Padding costs nothing because there is none: matrix
products take the tokens of all sequences at once, and only attention, a small part, looks at which token is whose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tithe.learners.encoding.dense import FUSED, Dense

#: Model types whose modules have BERT's names, and where their positions count from.
_KIN = ("bert", "roberta", "xlm-roberta", "camembert")
#: Up to this length the scores of all heads at once are small, and three batched products are fastest.
_SHORT = 512


def is_kin(model: Any) -> bool:
    """Whether :class:`PackedBert` computes what this model does."""
    config = model.config
    return (
        config.model_type in _KIN
        and config.hidden_act in FUSED
        and not getattr(config, "is_decoder", False)
        and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
    )


class PackedBert:
    """The layers of a BERT-like encoder, for the CPU.

    Parameters
    ----------
    model
        A ``BertModel`` or one of the same make; its weights are copied.
    dtype
        ``torch.float32`` or ``torch.bfloat16``: of weights and states. Sums are float32 either way.
    """

    def __init__(self, model: Any, dtype: Any) -> None:
        config, tables = model.config, model.embeddings
        self._heads, self._width = config.num_attention_heads, config.hidden_size
        self._dtype, self._eps = dtype, config.layer_norm_eps
        self._words = tables.word_embeddings.weight.detach()
        self._places = tables.position_embeddings.weight.detach() + tables.token_type_embeddings.weight.detach()[0]
        self._first_place = 0 if config.model_type == "bert" else int(config.pad_token_id) + 1
        self._norm = self._norm_of(tables.LayerNorm)
        self._layers = [self._layer(layer, config.hidden_act) for layer in model.encoder.layer]

    def __call__(self, ids: Sequence[Any], layers: Sequence[int]) -> list[Any]:
        """States of the layers asked for.

        Parameters
        ----------
        ids
            int64 arrays, from long to short.
        layers
            0 is the embeddings, 1 the first layer's output, and so on.

        Returns
        -------
        For each layer asked for, a tensor of shape (tokens of all sequences, width).
        """
        import torch

        lengths = np.array([len(each) for each in ids])
        places = np.concatenate([np.arange(length) for length in lengths]) + self._first_place
        words = self._words[torch.from_numpy(np.concatenate(ids))] + self._places[torch.from_numpy(places)]
        x = self._normed(words.to(self._dtype), self._norm)
        runs = _runs(lengths)
        states = {0: x}
        for number, layer in enumerate(self._layers[: max(layers)], 1):
            x = self._forward(layer, x, runs)
            states[number] = x
        return [states[layer] for layer in layers]

    def _forward(self, layer: dict[str, Any], x: Any, runs: list[tuple[int, int, int]]) -> Any:
        import torch

        qkv = layer["qkv"](x)
        mixed = torch.empty_like(x)
        for first, count, length in runs:
            rows = slice(first, first + count * length)
            cut = qkv[rows].view(count, length, 3, self._heads, -1)
            mixed[rows].view(count, length, self._heads, -1).copy_(self._attention(cut.permute(2, 0, 3, 1, 4)))
        y = layer["mixed"](mixed).add_(x)
        x = self._normed(y, layer["norm"])
        y = layer["outer"](layer["inner"](x)).add_(x)
        return self._normed(y, layer["last_norm"])

    def _normed(self, x: Any, norm: tuple[Any, Any]) -> Any:
        from torch.nn import functional

        return functional.layer_norm(x, (self._width,), norm[0], norm[1], self._eps)

    def _attention(self, qkv: Any) -> Any:
        """Of sequences of one length: shape (3, count, heads, length, part) in, (count, length, heads, part) out."""
        import torch
        from torch.nn import functional

        _, count, heads, length, part = qkv.shape
        if qkv.dtype == torch.float32 or length > _SHORT:
            return functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], scale=1.0).transpose(1, 2)
        query, key, value = qkv.contiguous().view(3, count * heads, length, part)
        # A softmax that writes float32 is the faster one, and the more exact.
        weights = torch.softmax(torch.bmm(query, key.transpose(1, 2)), -1, dtype=torch.float32)
        return torch.bmm(weights.to(value.dtype), value).view(count, heads, length, part).transpose(1, 2)

    def _layer(self, layer: Any, activation: str) -> dict[str, Any]:
        own, out = layer.attention.self, layer.attention.output
        return {
            "qkv": self._query_key_value(own),
            "mixed": self._dense(out.dense),
            "norm": self._norm_of(out.LayerNorm),
            "inner": self._dense(layer.intermediate.dense, activation),
            "outer": self._dense(layer.output.dense),
            "last_norm": self._norm_of(layer.output.LayerNorm),
        }

    def _query_key_value(self, own: Any) -> Dense:
        """The three products as one; the scores' scale goes into the query's weights."""
        import torch

        scale = 1 / math.sqrt(self._width // self._heads)
        parts = ((own.query, scale), (own.key, 1.0), (own.value, 1.0))
        weight = torch.cat([part.weight.detach().float() * factor for part, factor in parts])
        bias = torch.cat([part.bias.detach().float() * factor for part, factor in parts])
        return Dense(weight.to(self._dtype), bias.to(self._dtype))

    def _dense(self, linear: Any, activation: str | None = None) -> Dense:
        return Dense(linear.weight.detach().to(self._dtype), linear.bias.detach().to(self._dtype), activation)

    def _norm_of(self, norm: Any) -> tuple[Any, Any]:
        return norm.weight.detach().to(self._dtype), norm.bias.detach().to(self._dtype)


def _runs(lengths: np.ndarray) -> list[tuple[int, int, int]]:
    """Neighbours of one length: where their rows begin, how many they are, how long."""
    heads = np.flatnonzero(np.diff(lengths, prepend=-1))
    counts = np.diff(heads, append=len(lengths))
    firsts = np.cumsum(lengths) - lengths
    return [(int(firsts[h]), int(c), int(lengths[h])) for h, c in zip(heads, counts, strict=True)]
