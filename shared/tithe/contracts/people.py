"""People over HTTP: users, roles, keys and members."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tithe.contracts.shapes import Annotator, Asked, Told, Words


class Role(StrEnum):
    """What somebody may do, each what those before it may, too.

    Examples
    --------
    >>> Role.MANAGER.may(Role.REVIEWER), Role.ANNOTATOR.may(Role.REVIEWER), Role.ADMIN.may(Role.ADMIN)
    (True, False, True)
    """

    ANNOTATOR = "annotator"  #: asks for batches and answers them
    REVIEWER = "reviewer"  #: looks at everything, settles what is disputed
    MANAGER = "manager"  #: changes the project, its pool, its members
    ADMIN = "admin"  #: people, and every project

    def may(self, needed: Role) -> bool:
        """Whether this is enough where `needed` is asked for."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


ProjectRole = Literal["annotator", "reviewer", "manager"]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]


class NewUser(Asked):
    """Somebody who is to have an account."""

    name: Annotator = Field(description="their name as an annotator, too; upper and lower case are one")
    role: Literal["annotator", "reviewer", "manager", "admin"] = Field(
        default="annotator",
        description="the most they may do: managers may make projects, admins everything; what they may do in a "
        "project its members say",
    )


class User(Told):
    """An account."""

    id: UUID
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None
    has_password: bool = Field(default=False, description="false: they have not followed their invitation yet")
    seen_at: datetime | None = Field(default=None, description="when they were last here by the page")
    projects: int = Field(default=0, description="how many projects they are a member of")


class Invited(Told):
    """A new account, or a new way in. The link is shown once: by it they set their password, within seven days."""

    user: User
    link: str = Field(description="a path on this server")


class UserPage(Told):
    """Some accounts by name. `next` is the `after` of the next page; null: this is the last."""

    users: list[User]
    next: str | None


class UserPatch(Asked):
    """What may change about an account."""

    role: Literal["annotator", "reviewer", "manager", "admin"] | None = None
    disabled: bool | None = Field(default=None, description="true: neither keys nor sessions count any more")


class NewKey(Asked):
    """A key for a program."""

    name: Words = Field(min_length=1, max_length=100, description="what it is for")
    days: int | None = Field(default=90, ge=1, le=3650, description="how long it counts; null: until it is revoked")


class ApiKey(Told):
    """A key as it can be seen: never whole again."""

    id: UUID
    name: str
    begins: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class KeyMade(Told):
    """A new key. It is shown this once."""

    key: str
    about: ApiKey


class Keys(Told):
    """Somebody's keys."""

    keys: list[ApiKey]


class Member(Told):
    """Somebody in a project."""

    name: str
    role: ProjectRole
    since: datetime


class Members(Told):
    """Who may work in a project; admins may, too."""

    members: list[Member]


class SetMember(Asked):
    """What somebody is to be in a project."""

    role: ProjectRole


class Me(Told):
    """Who the caller is."""

    name: str
    role: Role
    signed_in_by: Literal["key", "session", "loopback"]


class SignIn(Asked):
    """A name and a password."""

    name: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=200)


class SetPassword(Asked):
    """A new password, by an invitation."""

    password: Password


class Noted(Told):
    """One change."""

    id: int
    at: datetime
    who: str
    what: str = Field(description="a word with a dot, such as member.set")
    details: dict[str, Any]


class AuditPage(Told):
    """Some changes, the newest first. `next` is the `before` of the next page; null: this is the last."""

    changes: list[Noted]
    next: int | None
