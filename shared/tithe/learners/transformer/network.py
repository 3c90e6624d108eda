"""The transformer with a linear head as it is trained: texts by the mean of their tokens, words by their first one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Network(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Body, dropout, linear head.

    Parameters
    ----------
    body
        A transformer of transformers' ``AutoModel``.
    outputs
        Logits of a text or a word.
    dropout
        Of what the head reads.
    more
        Numbers of each word that the head reads beside its state.
    """

    def __init__(self, body: nn.Module, outputs: int, dropout: float, *, more: int = 0) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.config.hidden_size + more, outputs)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        positions: torch.Tensor | None = None,
        more: torch.Tensor | None = None,
        weights: torch.Tensor | None = None,
    ) -> dict[str, Any]:
        """Logits, and the row weights handed through to the loss.

        Shapes: ``input_ids`` (rows, tokens); ``positions`` (rows, words) or None for one answer a row; ``more`` (rows,
        words, numbers); the logits (rows, outputs) or (rows, words, outputs).
        """
        states = features(self.body, input_ids, attention_mask, positions)
        states = self.dropout(states)
        logits = self.head(states if more is None else torch.cat([states, more], dim=-1))
        return {"logits": logits.float(), "weights": weights}


def features(
    body: nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor, positions: torch.Tensor | None
) -> torch.Tensor:
    """What the head reads: the mean over the tokens of each row, or the states at `positions`; in float32.

    Returns
    -------
    Shape (rows, width), or (rows, words, width).
    """
    hidden = body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
    if positions is None:
        mask = attention_mask[:, :, None].float()
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    return hidden.gather(1, positions[:, :, None].expand(-1, -1, hidden.shape[2]))
