"""Users, their keys and sessions, and what they may do in which project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tithe.storage.database import Unit

#: A session that is not used for so long ends, whatever its own end is.
IDLE_DAYS = 7


@dataclass(frozen=True)
class Person:
    """A user who may come in."""

    id: UUID
    name: str
    role: str


@dataclass(frozen=True)
class Credentials:
    """What a sign-in is checked against."""

    id: UUID
    name: str
    role: str
    password: str | None  #: argon2id


@dataclass(frozen=True)
class Account:
    """A user as an admin sees them."""

    id: UUID
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool
    seen_at: datetime | None
    projects: int


@dataclass(frozen=True)
class Standing:
    """What somebody is in the project that a request names."""

    project_id: UUID
    role: str | None  #: None: no member
    holder: str | None  #: of the batch that was named; None: none was, or it is not there


@dataclass(frozen=True)
class Key:
    """An API key, without what it is."""

    id: UUID
    user_id: UUID
    name: str
    begins: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class MemberRow:
    """Somebody in a project."""

    user_id: UUID
    name: str
    role: str
    created_at: datetime


def by_key(unit: Unit, sha256: bytes) -> Person | None:
    """Whose key this is, while it counts."""
    found = unit.one("people.by_key", Person, sha256=sha256)
    if found is not None:
        unit.run("people.touch_key", sha256=sha256)
    return found


def by_session(unit: Unit, sha256: bytes) -> Person | None:
    """Whose session this is, while it counts."""
    found = unit.one("people.by_session", Person, sha256=sha256, idle_days=IDLE_DAYS)
    if found is not None:
        unit.run("people.touch_session", sha256=sha256)
    return found


def by_name(unit: Unit, name: str) -> Person | None:
    """The user of that name, in whatever case, unless disabled."""
    return unit.one("people.by_name", Person, name=name)


def credentials(unit: Unit, name: str) -> Credentials | None:
    """What a sign-in under that name is checked against."""
    return unit.one("people.credentials", Credentials, name=name)


def standing(unit: Unit, user_id: UUID | None, project_id: UUID | None, batch_id: UUID | None) -> Standing | None:
    """What somebody is in a project, named itself or by a batch of it; None: there is no such project."""
    return unit.one("people.role_in_project", Standing, user_id=user_id, project_id=project_id, batch_id=batch_id)


def add(unit: Unit, name: str, role: str) -> UUID | None:
    """A new user; None: the name is taken, perhaps by somebody who was disabled."""
    found: UUID | None = unit.value("people.add", name=name, role=role)
    return found


def first_admin(unit: Unit, name: str) -> UUID | None:
    """The first admin; None: there is one already, or the name is taken."""
    found: UUID | None = unit.value("people.first_admin", name=name)
    return found


def accounts(unit: Unit, after: str = "", limit: int = 100) -> list[Account]:
    """Users by name, disabled ones among them."""
    return unit.all("people.users", Account, after=after, limit=limit)


def account(unit: Unit, name: str) -> Account | None:
    """The account of that name, in whatever case, disabled or not."""
    return unit.one("people.account", Account, name=name)


def any_admin(unit: Unit) -> bool:
    """Whether there is an admin."""
    return bool(unit.value("people.any_admin"))


def hold_admins(unit: Unit) -> list[UUID]:
    """Every admin, held until the unit ends."""
    return [row[0] for row in unit.rows("people.hold_admins")]


def set_role(unit: Unit, user_id: UUID, role: str) -> None:
    """Another role."""
    unit.run("people.set_role", id=user_id, role=role)


def set_password(unit: Unit, user_id: UUID, password: str) -> None:
    """Another password, hashed; whoever is signed in is signed out, and open invitations are void."""
    unit.run("people.set_password", id=user_id, password=password)
    unit.run("people.end_sessions", user_id=user_id)
    unit.run("people.drop_invitations", user_id=user_id)


def disable(unit: Unit, user_id: UUID) -> None:
    """Lock out: keys and sessions count no more."""
    unit.run("people.disable", id=user_id)
    unit.run("people.end_sessions", user_id=user_id)
    unit.run("people.drop_invitations", user_id=user_id)


def enable(unit: Unit, user_id: UUID) -> None:
    """Let in again. Keys that were not revoked count again."""
    unit.run("people.enable", id=user_id)


def drop_invitations(unit: Unit, user_id: UUID) -> None:
    """Whoever has an invitation for this account has none any more."""
    unit.run("people.drop_invitations", user_id=user_id)


def invite(unit: Unit, user_id: UUID, sha256: bytes, days: int) -> None:
    """Keep an invitation: whoever has it sets the password, once."""
    unit.run("people.invite", user_id=user_id, sha256=sha256, days=days)


def invited(unit: Unit, sha256: bytes) -> Person | None:
    """Whom this invitation is for, while it is good."""
    return unit.one("people.invited", Person, sha256=sha256)


def accept(unit: Unit, sha256: bytes) -> UUID | None:
    """Use an invitation up; whose it was."""
    found: UUID | None = unit.value("people.accept", sha256=sha256)
    return found


def open_session(unit: Unit, user_id: UUID, sha256: bytes, days: int) -> None:
    """Sign in."""
    unit.run("people.open_session", user_id=user_id, sha256=sha256, days=days)


def end_session(unit: Unit, sha256: bytes) -> None:
    """Sign out."""
    unit.run("people.end_session", sha256=sha256)


def forget_spent(unit: Unit) -> None:
    """Drop sessions and invitations that are over."""
    unit.run("people.forget_sessions")


def add_key(unit: Unit, user_id: UUID, name: str, begins: str, sha256: bytes, days: int | None) -> Key:
    """Keep a new key."""
    made = unit.one("people.add_key", Key, user_id=user_id, name=name, begins=begins, sha256=sha256, days=days)
    if made is None:
        raise LookupError(user_id)
    return made


def keys(unit: Unit, user_id: UUID) -> list[Key]:
    """Somebody's keys, revoked ones among them."""
    return unit.all("people.keys", Key, user_id=user_id)


def revoke_key(unit: Unit, key_id: UUID, user_id: UUID | None) -> UUID | None:
    """It counts no more; whose it was. `user_id`: only if it is theirs."""
    found: UUID | None = unit.value("people.revoke_key", id=key_id, user_id=user_id)
    return found


def revoke_named(unit: Unit, user_id: UUID, name: str) -> None:
    """Keys of that name count no more."""
    unit.run("people.revoke_named", user_id=user_id, name=name)


def members(unit: Unit, project_id: UUID) -> list[MemberRow]:
    """Who may work in the project, beside admins."""
    return unit.all("people.members", MemberRow, project_id=project_id)


def set_member(unit: Unit, project_id: UUID, user_id: UUID, role: str) -> None:
    """Let somebody in, or give them another role."""
    unit.run("people.set_member", project_id=project_id, user_id=user_id, role=role)


def drop_member(unit: Unit, project_id: UUID, user_id: UUID) -> bool:
    """Show somebody out; whether they were in."""
    return unit.run("people.drop_member", project_id=project_id, user_id=user_id) > 0


def roles(unit: Unit, user_id: UUID) -> dict[UUID, str]:
    """What somebody is in each of their projects."""
    return dict(unit.rows("people.roles", user_id=user_id))
