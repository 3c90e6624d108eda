"""The fault of a model whose files are there and of no use."""

from __future__ import annotations

from tithe.errors import Hopeless


class ModelUnusable(Hopeless):
    """The model's files are damaged, or of a kind that Tithe does not read."""

    code = "model_unusable"
