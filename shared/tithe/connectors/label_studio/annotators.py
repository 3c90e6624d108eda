"""Names of the people who label: by e-mail address, or by the tool's id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tithe.connectors.label_studio.client import Forbidden
from tithe.connectors.protocol import Json

#: What Tithe takes as an annotator's name.
_LONGEST = 100


class Annotators:
    """Names by user id; the list of users is asked for when somebody is met for the first time."""

    def __init__(self, users: Callable[[], list[Json]], by: str) -> None:
        self._users, self._by = users, by
        self._names: dict[int, str] = {}

    def __call__(self, user: int) -> str:
        """The name: the user's address, or ``user-ID`` where it is not to be had or is no name."""
        if self._by == "id":
            return f"user-{user}"
        if user not in self._names:
            self._look()
            self._names.setdefault(user, f"user-{user}")
        return self._names[user]

    def _look(self) -> None:
        try:
            users = self._users()
        except Forbidden:  # the token's user may not see the others
            return
        for one in users:
            if isinstance(one.get("id"), int):
                self._names[one["id"]] = name_of(one["id"], one.get("email"))


def name_of(user: int, address: Any) -> str:
    """A user's name.

    Examples
    --------
    >>> name_of(3, "ada@example.org"), name_of(3, "@odd"), name_of(3, None)
    ('ada@example.org', 'user-3', 'user-3')
    """
    good = isinstance(address, str) and address.isprintable() and 0 < len(address.strip()) <= _LONGEST
    return address.strip() if good and not address.startswith("@") else f"user-{user}"
