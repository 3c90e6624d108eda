"""How good found entities are: precision, recall and F1 of exact matches, counted by nervaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Entities of a document counted together at most: nervaluate compares each with each.
_TOGETHER = 50

Found = Sequence[tuple[int, ...]]  # (first, stop, type) and whatever else


def entity_f1(truth: Sequence[Found], predicted: Sequence[Found], types: int | Sequence[str]) -> dict[str, Any]:
    """Strict scores: an entity is right when first word, last word and type are.

    Parameters
    ----------
    truth, predicted
        Of each document its entities: (first, stop, type), half open, without overlap; what else they hold is ignored.
    types
        Entity types of the project: how many, or which.

    Returns
    -------
    ``precision``, ``recall``, ``f1`` over all entities of all documents (micro averages, 0 where nothing is to be
    divided), ``entities``, how many there are in truth, and ``per_type``: a list with the same four of each type, in
    their order, None for a type neither in the truth nor predicted. Plain numbers, ready for JSON.

    Raises
    ------
    ValueError
        When the two are not of equally many documents.

    Notes
    -----
    The same as seqeval's strict IOB2 scores. Time about linear in the entities: long documents are counted in pieces.

    References
    ----------
    Tjong Kim Sang & De Meulder (2003), Introduction to the CoNLL-2003 shared task, CoNLL, 142-147, section 2.3.
    Batista & Upson, nervaluate, after Segura-Bedmar et al. (2013), SemEval task 9.1, section 4 ("strict").

    Examples
    --------
    >>> scores = entity_f1([[(0, 2, 0), (4, 5, 1)]], [[(0, 2, 0), (3, 5, 1)]], 2)
    >>> scores["f1"], [own["f1"] for own in scores["per_type"]]
    (0.5, [1.0, 0.0])
    """
    if len(truth) != len(predicted):
        raise ValueError(f"truth is of {len(truth)} documents, predicted of {len(predicted)}")
    pieces = [piece for both in zip(truth, predicted, strict=True) for piece in _pieces(*both)]
    names = [str(type_) for type_ in range(types if isinstance(types, int) else len(types))]
    per_type: list[dict[str, Any] | None] = [None] * len(names)
    if not pieces:
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "entities": 0, "per_type": per_type}
    from nervaluate import Evaluator

    found = Evaluator(
        [right for right, _ in pieces], [said for _, said in pieces], tags=names, loader="dict"
    ).evaluate()
    for name, scores in found["entities"].items():
        per_type[int(name)] = _plain(scores["strict"])
    return {**_plain(found["overall"]["strict"]), "per_type": per_type}


def _pieces(truth: Found, predicted: Found) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """The document in nervaluate's terms, cut where no entity of either side is open; ends are inclusive there."""
    both = [(first, stop, type_, 0) for first, stop, type_, *_ in truth]
    both += [(first, stop, type_, 1) for first, stop, type_, *_ in predicted]
    pieces: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = []
    reached = 0
    for first, stop, type_, side in sorted(both):
        if not pieces or (first >= reached and len(pieces[-1][0]) + len(pieces[-1][1]) >= _TOGETHER):
            pieces.append(([], []))
        pieces[-1][side].append({"label": str(type_), "start": first, "end": stop - 1})
        reached = max(reached, stop)
    return pieces


def _plain(scores: Any) -> dict[str, Any]:
    return {
        "precision": float(scores.precision),
        "recall": float(scores.recall),
        "f1": float(scores.f1),
        "entities": scores.possible,
    }
