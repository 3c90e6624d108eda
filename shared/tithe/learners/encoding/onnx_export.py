"""A transformer written once as ONNX, with every layer's states among its outputs; torch is needed for this alone."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tithe.learners.encoding import source, torch_model
from tithe.learners.encoding.recipe import Recipe
from tithe.learners.encoding.unusable import ModelUnusable

#: Beyond this many bytes of weights one protocol buffer does not hold them, and they go into a file beside it.
_ONE_FILE = 1_500_000_000
_INSTEAD = "take the encoder 'torch:…'"
_OPSET = 18
_FORM = 1  #: of what is written; another form, another folder
#: float32 sums in another order differ by less, relative to a state's largest number.
_MOST_APART = 1e-3
#: What else a reader of the model needs; ``1_Pooling`` and its like come along too.
_BESIDE = ("*.json", "*.txt", "[0-9]*_*/config.json")


def output_of(layer: int) -> str:
    """What the layer's states are called."""
    return f"layer_{layer}"


def exported(folder: Path, recipe: Recipe, cache: Path) -> Path:
    """The model's ``model.onnx`` in a folder of its own in `cache`; made now where it is not there yet.

    The folder is named after the weights, and holds what else a reader of the model needs: copied to another machine,
    it is a model that needs no torch. Two processes that make it at once both succeed, and one of them is kept.

    Raises
    ------
    EncoderUnavailable
        When torch, transformers or onnxscript, which are needed to make it, are not installed.
    ModelUnusable
        When torch cannot write this model as ONNX.
    """
    weights = source.fingerprint(source.check_weights(recipe.transformer))
    made = cache / f"{recipe.config['model_type']}-{weights}-{_FORM}"
    file = made / recipe.transformer.relative_to(folder) / "model.onnx"
    if file.is_file():
        return file
    torch_model.check_torch("onnxscript")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".making-") as scratch:
        there = Path(scratch, "model")
        for beside in (found for pattern in _BESIDE for found in folder.glob(pattern)):
            (there / beside.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(beside, there / beside.relative_to(folder))
        _write(torch_model.load(recipe), there / recipe.transformer.relative_to(folder) / "model.onnx")
        try:
            os.rename(there, made)  # noqa: PTH104 - Path.rename replaces an empty folder only on some systems
        except OSError:
            if not file.is_file():
                raise
    return file


def _write(model: Any, file: Path) -> None:
    import torch

    class States(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            found = self.model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
            return found.hidden_states

    states = States().eval()
    ids, mask = _sample(model)
    longest = int(getattr(model.config, "max_position_embeddings", 1 << 16))
    axes = {0: torch.export.Dim("rows", max=1 << 16), 1: torch.export.Dim("tokens", max=longest)}
    size = sum(value.numel() * value.element_size() for value in model.parameters())
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # about the exporter's own insides
            torch.onnx.export(
                states, (ids, mask), str(file), dynamo=True, opset_version=_OPSET, verbose=False,
                input_names=["input_ids", "attention_mask"], external_data=size > _ONE_FILE,
                output_names=[output_of(layer) for layer in range(model.config.num_hidden_layers + 1)],
                dynamic_shapes=(axes, axes),
            )  # fmt: skip
    except Exception as error:  # the exporter raises whatever its many steps raise
        raise ModelUnusable(
            f"torch cannot write this {model.config.model_type} as ONNX: {error}", remedy=_INSTEAD
        ) from error
    _check(states, file, ids[:, 1:], mask[:, 1:])


def _sample(model: Any) -> tuple[Any, Any]:
    """Two sequences, the second padded. Two tensors, too: of one tensor given twice the exporter makes one input."""
    import torch

    ids = torch.arange(3, 21).view(2, 9) % int(model.config.vocab_size)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return ids, mask


def _check(states: Any, file: Path, ids: Any, mask: Any) -> None:
    """What was written must compute what it was written from, for another length than it was written with."""
    import onnxruntime
    import torch

    with torch.inference_mode():
        expected = [state[mask.bool()].numpy() for state in states(ids, mask)]
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    for layer, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        apart = float(np.abs(ours[mask.bool().numpy()] - theirs).max())
        if apart > _MOST_APART * max(1.0, float(np.abs(theirs).max())):
            raise ModelUnusable(
                f"written as ONNX, layer {layer} of the model is off by {apart:.2g}",
                remedy=_INSTEAD,
            )
