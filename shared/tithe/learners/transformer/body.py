"""A transformer without its head: configuration, tokenizer and weights, as texts and arrays that need no folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tithe.learners.encoding.source import usable
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.transformer.quiet import quiet

if TYPE_CHECKING:
    import torch

#: What the weights' names begin with among a model's tensors.
PREFIX = "body."


@dataclass(frozen=True)
class Body:
    """Everything that makes a transformer's last layer out of a text.

    Parameters
    ----------
    config
        The model's ``config.json``.
    tokenizer
        The ``tokenizer.json`` of a fast tokenizer.
    window
        Tokens the model takes at a time, special ones included.
    padding
        The id that fills batches up.
    weights
        Named arrays, float32; integers where a model has such buffers.
    """

    config: str
    tokenizer: str
    window: int
    padding: int
    weights: Mapping[str, NDArray[Any]]

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """The body of the model in a folder, as transformers saves it.

        Raises
        ------
        ModelUnusable
            When it is damaged or lacks a fast tokenizer, which alone gives offsets; says which.
        """
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        folder = usable(folder).transformer
        try:
            with quiet():
                config = AutoConfig.from_pretrained(folder, local_files_only=True)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                module = AutoModel.from_pretrained(
                    folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True
                )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as broken:
            raise ModelUnusable(
                f"the model in {folder} cannot be loaded: {_first_line(broken)}",
                remedy="get the model's files again, or choose another model",
            ) from broken
        padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (config.pad_token_id or 0)
        window = min(_positions(module), int(tokenizer.model_max_length))
        return cls(
            config=json.dumps(config.to_dict(), default=str),
            tokenizer=tokenizer.backend_tokenizer.to_str(),
            window=window,
            padding=int(padding),
            weights=arrays_of(module),
        )

    def module(self) -> torch.nn.Module:
        """The transformer, float32 and on the CPU, with weights of its own.

        Raises
        ------
        ValueError
            When the weights do not fit the configuration.
        """
        import torch
        from transformers import AutoConfig, AutoModel

        values = json.loads(self.config)
        kind = values.pop("model_type")
        with quiet(), torch.random.fork_rng(devices=[]):
            module = AutoModel.from_config(AutoConfig.for_model(kind, **values), dtype=torch.float32)
        try:
            module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in self.weights.items()})
        except RuntimeError as misfit:
            raise ValueError(f"the weights do not fit a {kind} of this configuration: {_first_line(misfit)}") from None
        return module.eval()

    @property
    def parameters(self) -> int:
        """Numbers in the weights."""
        return sum(array.size for array in self.weights.values())

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Arrays and texts :meth:`from_tensors` makes this body of."""
        tensors = {PREFIX + name: array for name, array in self.weights.items()}
        return tensors, {
            "config": self.config,
            "tokenizer": self.tokenizer,
            "window": str(self.window),
            "padding": str(self.padding),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The body :meth:`to_tensors` came from; arrays that are no body's are passed over.

        Raises
        ------
        ValueError
            When a text is missing.
        """
        absent = {"config", "tokenizer", "window", "padding"} - meta.keys()
        if absent:
            raise ValueError(f"the model lacks its {', '.join(sorted(absent))}")
        weights = {name.removeprefix(PREFIX): array for name, array in tensors.items() if name.startswith(PREFIX)}
        return cls(meta["config"], meta["tokenizer"], int(meta["window"]), int(meta["padding"]), weights)


def arrays_of(module: torch.nn.Module) -> dict[str, NDArray[Any]]:
    """A module's weights as arrays of their own, float32 where they are numbers of any precision."""
    return {
        name: (value.detach().float() if value.is_floating_point() else value.detach()).cpu().numpy().copy()
        for name, value in module.state_dict().items()
    }


def _positions(module: torch.nn.Module) -> int:
    """Tokens the position embeddings are enough for. Those with a padding position count from the one after it."""
    most = getattr(module.config, "max_position_embeddings", None)
    for name, part in module.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "num_embeddings", None):
            padding = part.padding_idx
            return int(part.num_embeddings - (padding + 1 if padding is not None else 0))
    return int(most) if isinstance(most, int) and most > 0 else 512


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
