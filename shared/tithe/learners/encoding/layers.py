"""Which layers' states describe a word, where nothing else is asked for."""

from __future__ import annotations

from collections.abc import Sequence

#: Side by side: 0 is the embeddings, 1 the first layer's output; -1 the last layer's, -2 the one before.
WORD_LAYERS: tuple[int, ...] = (-1,)


def resolve(layers: Sequence[int], depth: int) -> list[int]:
    """The layers counted from the front, of a model with `depth` of them.

    Raises
    ------
    ValueError
        When there are none, or the model has no such layer.

    Examples
    --------
    >>> resolve((-1, 3), 6)
    [6, 3]
    """
    if not layers:
        raise ValueError("a word's state needs at least one layer")
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise ValueError(f"there is no layer {layer}: the model has {depth}, and 0 is the embeddings")
    return [layer % (depth + 1) for layer in layers]
