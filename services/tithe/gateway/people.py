"""Accounts, keys and members over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from tithe.contracts.people import (
    ApiKey,
    Invited,
    KeyMade,
    Keys,
    Me,
    Member,
    Members,
    NewKey,
    NewUser,
    SetMember,
    User,
    UserPage,
    UserPatch,
)
from tithe.errors import Conflict
from tithe.gateway.access import Who
from tithe.gateway.context import Here, JsonOnly, ProjectId
from tithe.gateway.problems import documented
from tithe.loop import people as accounts
from tithe.storage import people
from tithe.storage.database import Unit
from tithe.storage.people import Account, Key

router = APIRouter(prefix="/v1", tags=["people"])
Name = Annotated[str, Path(description="an account's name", max_length=100)]


@router.get("/me", summary="Who am I", responses=documented())
def get_me(who: Who) -> Me:
    """The caller, and how they came in."""
    return Me(name=who.name, role=who.role, signed_in_by=who.by)


# ---- accounts ----


@router.get("/users", summary="List accounts", responses=documented(422))
def list_users(
    here: Here,
    after: Annotated[str, Query(max_length=100, description="the `next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> UserPage:
    """By name, those who are locked out among them."""
    found = here.database.run(lambda unit: people.accounts(unit, after, limit + 1))
    return UserPage(
        users=[_user(one) for one in found[:limit]], next=found[limit - 1].name if len(found) > limit else None
    )


@router.post("/users", status_code=201, summary="Add an account", dependencies=[JsonOnly],
             responses=documented(400, 409, 415, 422))  # fmt: skip
def add_user(new: NewUser, who: Who, here: Here) -> Invited:
    """Made without a password: its owner sets it by the link, which is shown this once."""

    def work(unit: Unit) -> Invited:
        _, invitation = accounts.add(unit, new.name, new.role, who.name)
        return Invited(user=_user(accounts.account(unit, new.name)), link=f"/welcome/{invitation}")

    return here.database.run(work, repeatable=False)


@router.patch("/users/{name}", summary="Change an account", dependencies=[JsonOnly],
              responses=documented(400, 404, 409, 415, 422))  # fmt: skip
def change_user(name: Name, change: UserPatch, who: Who, here: Here) -> User:
    """Another role, locked out, or let in again. The last admin stays one."""

    def work(unit: Unit) -> User:
        accounts.change(unit, name, who.name, role=change.role, disabled=change.disabled)
        return _user(accounts.account(unit, name))

    return here.database.run(work)


@router.post("/users/{name}/invitation", status_code=201, summary="Invite again", responses=documented(404, 422))
def invite_user(name: Name, who: Who, here: Here) -> Invited:
    """A new link for somebody who lost the way in. Older links are void; a password stays until a new one is set."""

    def work(unit: Unit) -> Invited:
        invitation = accounts.invite(unit, name, who.name)
        return Invited(user=_user(accounts.account(unit, name)), link=f"/welcome/{invitation}")

    return here.database.run(work, repeatable=False)


# ---- keys ----


@router.get("/keys", summary="List my keys", responses=documented())
def list_keys(who: Who, here: Here) -> Keys:
    """The caller's own, revoked ones among them; never whole."""
    found = here.database.run(lambda unit: people.keys(unit, _account_of(who)))
    return Keys(keys=[_key(one) for one in found])


@router.post("/keys", status_code=201, summary="Make a key", dependencies=[JsonOnly],
             responses=documented(400, 409, 415, 422))  # fmt: skip
def add_key(new: NewKey, who: Who, here: Here) -> KeyMade:
    """For a program that is to act as the caller. It is shown this once."""
    told, made = here.database.run(
        lambda unit: accounts.add_key(unit, _account_of(who), who.name, new.name, new.days), repeatable=False
    )
    return KeyMade(key=told, about=_key(made))


@router.delete("/keys/{key_id}", status_code=204, summary="Revoke a key", responses=documented(404, 409, 422))
def revoke_key(key_id: UUID, who: Who, here: Here) -> Response:
    """It counts no more, from now on."""
    here.database.run(lambda unit: accounts.revoke_key(unit, key_id, _account_of(who), who.name))
    return Response(status_code=204)


def _account_of(who: Who) -> UUID:
    if who.user_id is None:
        raise Conflict(
            "whoever comes from this machine without credentials has no account, and so no keys",
            remedy="sign in with an account, or make a key with `tithe key add NAME`",
        )
    return who.user_id


# ---- members ----


@router.get("/projects/{project_id}/members", summary="List members", responses=documented(404, 422))
def list_members(project_id: ProjectId, here: Here) -> Members:
    """Who may work in the project; admins may, too."""
    found = here.database.run(lambda unit: people.members(unit, project_id))
    return Members(members=[Member(name=one.name, role=one.role, since=one.created_at) for one in found])


@router.put("/projects/{project_id}/members/{name}", status_code=204, summary="Let somebody in",
            dependencies=[JsonOnly], responses=documented(400, 404, 415, 422))  # fmt: skip
def set_member(project_id: ProjectId, name: Name, member: SetMember, who: Who, here: Here) -> Response:
    """Or give them another role here."""
    here.database.run(lambda unit: accounts.set_member(unit, project_id, name, member.role, who.name))
    return Response(status_code=204)


@router.delete("/projects/{project_id}/members/{name}", status_code=204, summary="Show somebody out",
               responses=documented(404, 422))  # fmt: skip
def drop_member(project_id: ProjectId, name: Name, who: Who, here: Here) -> Response:
    """What they answered stays. An open batch of theirs lapses by itself."""
    here.database.run(lambda unit: accounts.drop_member(unit, project_id, name, who.name))
    return Response(status_code=204)


def _user(one: Account) -> User:
    return User.model_validate(one.__dict__)


def _key(one: Key) -> ApiKey:
    return ApiKey.model_validate({name: value for name, value in one.__dict__.items() if name != "user_id"})
