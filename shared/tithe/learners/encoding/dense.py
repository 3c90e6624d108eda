"""Matrix products of a transformer on the CPU: weights laid out once as oneDNN multiplies them, where torch has it.

Torch's own products go through another library, which on AMD's processors takes twice as long for float32 (measured:
2.6 against 1.3 CPU seconds for 10,000 tokens through 6x384), and it reads the weights anew every time.
"""

from __future__ import annotations

from typing import Any

#: Activation → how torch's fused product names it and its variant.
FUSED = {
    None: ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
}


class Dense:
    """``activation(x @ weight.T + bias)``.

    Parameters
    ----------
    weight
        Tensor, shape (out, in), of the type to compute in.
    bias
        Tensor, shape (out,).
    activation
        A key of :data:`FUSED`.
    """

    def __init__(self, weight: Any, bias: Any, activation: str | None = None) -> None:
        import torch

        self._weight, self._bias, self._activation = weight.contiguous(), bias.contiguous(), activation
        self._packed = None
        if weight.device.type == "cpu" and has_onednn():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self._weight)  # noqa: SLF001 - torch.compile's own way to oneDNN
            self._weight = None

    def __call__(self, x: Any) -> Any:
        """Shape (rows, in) to (rows, out)."""
        import torch
        from torch.nn import functional

        name, variant = FUSED[self._activation]
        if self._packed is not None:
            return torch.ops.mkldnn._linear_pointwise(x, self._packed, self._bias, name, [], variant)  # noqa: SLF001
        y = functional.linear(x, self._weight, self._bias)
        if name == "gelu":
            return functional.gelu(y, approximate=variant)
        return functional.relu_(y) if name == "relu" else y


def has_onednn() -> bool:
    """Whether this torch, on this machine, takes products laid out for oneDNN."""
    import torch

    ops = torch.ops.mkldnn
    return bool(torch.backends.mkldnn.is_available()) and all(
        hasattr(ops, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
    )


def computes_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware: elsewhere it is emulated, and slower than float32."""
    import torch

    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
