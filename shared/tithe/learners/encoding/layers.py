"""Which layers' states describe a word."""

from __future__ import annotations

from collections.abc import Sequence


def resolve(layers: Sequence[int] | None, depth: int) -> list[int]:
    """The layers counted from the front, of a model with `depth` of them.

    Parameters
    ----------
    layers
        Side by side: 0 is the embeddings, 1 the first layer's output; -1 the last layer's, -2 the one before. None: the
        middle one, which knows most of a word (docs/decisions/0012-tagger.md).
    depth
        Layers of the model.

    Raises
    ------
    ValueError
        When there are none, or the model has no such layer.

    Examples
    --------
    >>> resolve((-1, 3), 6), resolve(None, 6), resolve(None, 12)
    ([6, 3], [3], [6])
    """
    if layers is None:
        return [(depth + 1) // 2]
    if not layers:
        raise ValueError("a word's state needs at least one layer")
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise ValueError(f"there is no layer {layer}: the model has {depth}, and 0 is the embeddings")
    return [layer % (depth + 1) for layer in layers]
