"""Accounts, sign-in, keys, members. Every change is noted in the audit trail, in the same transaction."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from typing import NamedTuple
from uuid import UUID

import argon2

from tithe.errors import BadInput, Conflict, NotFound, SignedOut
from tithe.storage import audit, people
from tithe.storage.database import Unit
from tithe.storage.people import Account, Key, Person

INVITATION_DAYS = 7
SESSION_DAYS = 30
KEY_BEGINS = "tithe_"
_SHOWN = len(KEY_BEGINS) + 6


class Secret(NamedTuple):
    """A secret as it is told, once, and as it is stored."""

    told: str
    sha256: bytes


def new_secret(begins: str = "") -> Secret:
    """256 random bits."""
    told = begins + secrets.token_urlsafe(32)
    return Secret(told, sha256_of(told))


def sha256_of(secret: str) -> bytes:
    """How a secret that somebody shows is looked up."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


# ---- accounts ----


def add(unit: Unit, name: str, role: str, by: str) -> tuple[UUID, str]:
    """A new account, and the invitation by which its owner sets a password. Raises Conflict: the name is taken."""
    made = people.add(unit, name, role)
    if made is None:
        raise Conflict(
            f"there is an account named {name!r} already", place="body.name",
            remedy="choose another name; that of somebody who left is never given again: their answers bear it",
        )  # fmt: skip
    audit.note(unit, None, by, "user.added", {"name": name, "role": role})
    return made, _invitation(unit, made)


def first_admin(unit: Unit, name: str) -> str | None:
    """Make the first admin; their invitation. None: there is an admin already."""
    made = people.first_admin(unit, name)
    if made is None:
        return None
    audit.note(unit, None, "@tithe", "user.added", {"name": name, "role": "admin", "first": True})
    return _invitation(unit, made)


def invite(unit: Unit, name: str, by: str) -> str:
    """A new invitation for somebody who lost the way in; older ones are void. Raises NotFound."""
    who = known(unit, name)
    people.drop_invitations(unit, who.id)
    audit.note(unit, None, by, "user.invited", {"name": who.name})
    return _invitation(unit, who.id)


def _invitation(unit: Unit, user_id: UUID) -> str:
    secret = new_secret()
    people.invite(unit, user_id, secret.sha256, INVITATION_DAYS)
    return secret.told


def known(unit: Unit, name: str) -> Person:
    """The account of that name. Raises NotFound."""
    found = people.by_name(unit, name)
    if found is None:
        raise NotFound(f"there is no account named {name!r}", place="path.name", remedy="an admin can add one")
    return found


def account(unit: Unit, name: str) -> Account:
    """The account of that name, disabled or not. Raises NotFound."""
    found = people.account(unit, name)
    if found is None:
        raise NotFound(f"there is no account named {name!r}", place="path.name", remedy="an admin can add one")
    return found


def change(unit: Unit, name: str, by: str, *, role: str | None, disabled: bool | None) -> None:
    """Another role, locked out, or let in again. Raises NotFound; Conflict where no admin would be left."""
    who = account(unit, name)
    admins = people.hold_admins(unit)
    loses = disabled is True or (role is not None and role != "admin")
    if admins == [who.id] and loses:
        raise Conflict(f"{who.name} is the only admin", place="path.name", remedy="make another admin first")
    if role is not None and role != who.role:
        people.set_role(unit, who.id, role)
        audit.note(unit, None, by, "user.role", {"name": who.name, "was": who.role, "is": role})
    if disabled is not None and disabled != (who.disabled_at is not None):
        (people.disable if disabled else people.enable)(unit, who.id)
        audit.note(unit, None, by, "user.disabled" if disabled else "user.enabled", {"name": who.name})


# ---- signing in ----


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()  # argon2id, the library's advice for cost


@cache
def _nobodys() -> str:
    """What a password is checked against where there is no such account: both take as long."""
    return _hasher().hash(secrets.token_urlsafe(16))


def right_password(password: str, stored: str | None) -> bool:
    """Whether it is. Takes some 50 ms of CPU and 64 MiB, also where nothing is stored."""
    try:
        _hasher().verify(stored or _nobodys(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return stored is not None


def open_session(unit: Unit, user_id: UUID) -> str:
    """Sign in: the cookie."""
    secret = new_secret()
    people.open_session(unit, user_id, secret.sha256, SESSION_DAYS)
    return secret.told


def accept(unit: Unit, invitation: str, password: str) -> tuple[str, str]:
    """Set the password that an invitation is for, and sign in: the name and the cookie. Raises SignedOut.

    The invitation is used up, and whoever was signed in under that name is signed out.
    """
    sha256 = sha256_of(invitation)
    who = people.invited(unit, sha256)
    if who is None or people.accept(unit, sha256) is None:
        raise SignedOut("this invitation was used, replaced, or is too old", remedy="ask an admin for a new one")
    if who.name.lower() in password.lower():
        raise BadInput("the password holds the name", place="body.password", remedy="choose one that does not")
    people.set_password(unit, who.id, _hasher().hash(password))
    audit.note(unit, None, who.name, "user.password", {"name": who.name})
    return who.name, open_session(unit, who.id)


# ---- keys ----


def add_key(unit: Unit, user_id: UUID, owner: str, name: str, days: int | None) -> tuple[str, Key]:
    """A new key for a program: whole, this once, and as it is listed."""
    secret = new_secret(KEY_BEGINS)
    made = people.add_key(unit, user_id, name, secret.told[:_SHOWN], secret.sha256, days)
    audit.note(unit, None, owner, "key.added", {"key": name, "begins": made.begins, "days": days})
    return secret.told, made


def revoke_key(unit: Unit, key_id: UUID, user_id: UUID, owner: str) -> None:
    """One's own key counts no more. Raises NotFound."""
    if people.revoke_key(unit, key_id, user_id) is None:
        raise NotFound("you have no such key", place="path.key_id")
    audit.note(unit, None, owner, "key.revoked", {"id": str(key_id)})


# ---- members ----


def set_member(unit: Unit, project_id: UUID, name: str, role: str, by: str) -> None:
    """Let somebody into a project, or give them another role there. Raises NotFound."""
    who = known(unit, name)
    people.set_member(unit, project_id, who.id, role)
    audit.note(unit, project_id, by, "member.set", {"name": who.name, "role": role})


def drop_member(unit: Unit, project_id: UUID, name: str, by: str) -> None:
    """Show somebody out of a project; what they answered stays. Raises NotFound."""
    who = account(unit, name)
    if not people.drop_member(unit, project_id, who.id):
        raise NotFound(f"{name} is no member of this project", place="path.name")
    audit.note(unit, project_id, by, "member.dropped", {"name": who.name})
