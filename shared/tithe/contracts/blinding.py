"""What whoever labels may know of why an item was chosen: nobody can tell the control arm from the rest."""

from __future__ import annotations

from typing import Any

#: In a queue row's `why`: the model's opinion is held back; and what the item says it was chosen by.
BLIND, SHOWN_AS = "blind", "shown_as"


def without_opinion(why: dict[str, Any], reasons: dict[str, Any]) -> dict[str, Any]:
    """Why an item was chosen together with what the model says of it, unless that is to be held back."""
    return {**why} if why.get(BLIND) else {**why, **reasons}


def shown(chosen_by: str, why: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What whoever labels may know: by what the item was chosen, and why.

    Examples
    --------
    >>> shown("control", {"rank": 3, "blind": True, "shown_as": "margin"})
    ('margin', {'rank': 3, 'blind': True})
    >>> shown("margin", {"rank": 4, "blind": True, "place": 9, "uncertainty": 0.9})
    ('margin', {'rank': 4, 'blind': True})
    >>> shown("margin", {"rank": 5, "place": 9})
    ('margin', {'rank': 5, 'place': 9})
    """
    if not why.get(BLIND):
        return chosen_by, why
    return why.get(SHOWN_AS, chosen_by), {name: told for name, told in why.items() if name in ("rank", BLIND)}
