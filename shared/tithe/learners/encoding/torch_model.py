"""A transformer in torch, from its folder to the states of its layers: safetensors only, and none of its own code."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, Literal

from tithe.learners.encoder_minilm import EncoderUnavailable
from tithe.learners.encoding.dense import computes_bfloat16
from tithe.learners.encoding.packed import PackedBert, is_kin
from tithe.learners.encoding.reading import TooMuchAtOnce
from tithe.learners.encoding.recipe import Recipe
from tithe.learners.encoding.subwords import Ids
from tithe.learners.encoding.unusable import ModelUnusable

Precision = Literal["auto", "float32", "bfloat16"]
#: Sequences and layers in; for each layer the tokens' states, sequence after sequence without padding.
StatesOf = Callable[[Sequence[Ids], Sequence[int]], list[Any]]
#: Tokens of a batch on a CPU: what passes between two matrix products then stays in a core's own cache.
_CPU_TOKENS = 1024
_GPU_TOKENS = (2048, 262_144)
#: Of a GPU's free memory, what a batch may take; the rest is for what its libraries want besides.
_GPU_SHARE = 0.5


def check_torch(*more: str) -> None:
    """Raise EncoderUnavailable, which says what to install, where torch, transformers or one of `more` is missing."""
    missing = next((name for name in ("torch", "transformers", *more) if not _installed(name)), None)
    if missing is not None:
        raise EncoderUnavailable(
            f"this encoder needs {missing}, which is not installed",
            remedy="make setup-text, or pip install 'tithe[text]'; the encoder 'minilm' needs no torch",
        )


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def chosen_device() -> Any:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def chosen_type(precision: Precision, device: Any) -> Any:
    """What to compute in: bfloat16 where the hardware multiplies it, unless something else is asked for."""
    import torch

    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else computes_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def load(recipe: Recipe) -> Any:
    """The model in float32, ready to infer. Raises ModelUnusable where transformers cannot make it of its files."""
    from transformers import AutoModel, AutoModelForTextEncoding
    from transformers.utils import logging

    make = AutoModelForTextEncoding if recipe.config.get("is_encoder_decoder") else AutoModel
    logging.disable_progress_bar()
    try:
        model, told = make.from_pretrained(
            str(recipe.transformer), local_files_only=True, use_safetensors=True, trust_remote_code=False,
            dtype="float32", output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        own = " (it comes with code of its own, which is never run)" if recipe.config.get("auto_map") else ""
        raise ModelUnusable(f"transformers cannot load the model in {recipe.transformer}{own}: {error}") from error
    lost = sorted(name for name in told["missing_keys"] if "pooler" not in name)
    if lost:  # transformers would make up random numbers for them
        raise ModelUnusable(f"the weights in {recipe.transformer} lack {lost[0]} (of {len(lost)} that are missing)")
    return model.eval().requires_grad_(requires_grad=False)


def states_of(model: Any, dtype: Any, device: Any) -> StatesOf:
    """How to compute the model's states the fastest way that it allows."""
    if device.type == "cpu" and is_kin(model):
        return PackedBert(model, dtype)
    return Padded(model.to(device=device, dtype=dtype), device)


class Padded:
    """Any encoder of transformers, by its own forward pass over padded sequences."""

    def __init__(self, model: Any, device: Any) -> None:
        self._model, self._device = model, device

    def __call__(self, ids: Sequence[Ids], layers: Sequence[int]) -> list[Any]:
        """As :class:`~tithe.learners.encoding.packed.PackedBert`."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        rows = pad_sequence([torch.from_numpy(each) for each in ids], batch_first=True)
        lengths = torch.tensor([len(each) for each in ids])
        mask = torch.arange(rows.shape[1]) < lengths[:, None]
        rows, mask = (part.to(self._device, non_blocking=True) for part in (rows, mask))
        last = list(layers) == [self._model.config.num_hidden_layers]
        found = self._model(input_ids=rows, attention_mask=mask.long(), output_hidden_states=not last)
        states = [found.last_hidden_state] if last else [found.hidden_states[layer] for layer in layers]
        return [state[mask] for state in states]


def most_tokens(model: Any, dtype: Any, device: Any) -> int:
    """Tokens of a padded batch that suit the machine: a core's cache, or what a GPU has free."""
    import torch

    if device.type == "cpu":
        return _CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    config = model.config
    width = config.hidden_size
    values = 12 * width + 3 * (getattr(config, "intermediate_size", None) or 4 * width)
    return int(min(max(free * _GPU_SHARE / (values * dtype.itemsize), _GPU_TOKENS[0]), _GPU_TOKENS[1]))


def memory_ended(error: RuntimeError) -> TooMuchAtOnce | None:
    """The error as one that halving answers, if it is one; on a GPU, what was held for reuse is let go."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError):
        torch.cuda.empty_cache()
        return TooMuchAtOnce(str(error))
    return TooMuchAtOnce(str(error)) if "can't allocate memory" in str(error) else None
