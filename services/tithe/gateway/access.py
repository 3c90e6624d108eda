"""Who may call what: one table of every operation, and the look that stands before each of them.

A project that somebody is no member of does not exist for them. A route that is not in the table does not start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from tithe.contracts.people import Role
from tithe.errors import NotAllowed, NotFound
from tithe.gateway.context import Here
from tithe.gateway.who import Caller, identify
from tithe.storage import people
from tithe.storage.database import Unit

#: For tools and probes: they carry secrets of their own, or there is nothing to hide.
OPEN = frozenset({
    "healthz", "readyz", "metrics", "docs", "take_hook",
    "ml_health", "ml_setup", "ml_versions", "ml_webhook", "ml_predict",
    "show_sign_in", "sign_in", "show_welcome", "welcome",
})  # fmt: skip
#: The least role for each operation: in the project that it names or, where it names none, anywhere.
NEEDS: dict[Role, frozenset[str]] = {
    Role.ANNOTATOR: frozenset({
        "show_home", "show_me",
        "list_projects", "get_project", "list_strategies", "list_connector_kinds",
        "show_label", "get_guidelines",
        "ask_batch", "ask_more", "get_batch", "send_labels", "keep_batch", "release_batch",
        "get_me", "sign_out", "list_keys", "add_key", "revoke_key",
    }),
    Role.REVIEWER: frozenset({
        "show_project", "project_events",
        "get_status", "list_rounds", "get_history", "get_proof", "nearest_labeled", "nearest_labeled_recall",
        "predict", "get_prediction", "export_project", "list_connectors", "get_connector", "get_quarantine",
        "list_machine_labels", "get_machine_labels", "export_machine_labels", "list_members", "get_import",
    }),
    Role.MANAGER: frozenset({
        "create_project", "change_project", "import_items", "ask_round", "stop", "resume",
        "preview_connector", "create_connector", "change_connector", "delete_connector", "sync_connector",
        "ask_machine_labels", "withdraw_machine_labels", "set_member", "drop_member",
        "put_guidelines", "get_audit", "show_new_project"
    }),
    Role.ADMIN: frozenset({"delete_project", "show_people", "list_users", "add_user", "change_user", "invite_user"}),
}  # fmt: skip
_LEAST = {name: role for role, names in NEEDS.items() for name in names}


def admit(request: Request, here: Here) -> Caller:
    """Let the caller in, or say why not. Raises SignedOut, CrossSite, NotAllowed, NotFound."""
    needed = _LEAST[request.scope["route"].name]

    def work(unit: Unit) -> Caller:
        caller = identify(unit, request, here.settings)
        return _in_project(unit, request, caller)

    caller = here.database.run(work)
    if not caller.role.may(needed):
        raise NotAllowed(
            f"{caller.name} is {_article(caller.role)} here; this takes {_article(needed)}",
            remedy="ask a manager of the project, or an admin",
        )
    request.state.caller = caller
    return caller


def named(who: Caller, annotator: str | None, place: str) -> str:
    """Under whose name the caller asks or answers: their own unless they may name others. Raises NotAllowed."""
    if annotator is None or annotator == who.name:
        return who.name
    if not who.answers_for_others:
        raise NotAllowed(
            f"{who.name} cannot answer as {annotator}", place=place, remedy="leave annotator out, or sign in as them"
        )
    return annotator


def _in_project(unit: Unit, request: Request, caller: Caller) -> Caller:
    """The caller with what they are in the project that the address names, itself or by one of its batches."""
    project_id, batch_id = _named(request, "project_id"), _named(request, "batch_id")
    if caller.role is Role.ADMIN or (project_id is None and batch_id is None):
        return caller
    found = people.standing(unit, caller.user_id, project_id, batch_id)
    if found is not None and found.role is not None:
        role = Role(found.role)
        # Another's batch is as little there as another's project.
        if batch_id is None or role.may(Role.REVIEWER) or found.holder == caller.name:
            return Caller(caller.user_id, caller.name, role, caller.by)
    if batch_id is not None:
        raise NotFound(f"there is no batch {batch_id} here", place="batch_id", remedy="ask for a new batch")
    raise NotFound(f"there is no project {project_id}", remedy="GET /v1/projects lists them")


def _named(request: Request, name: str) -> UUID | None:
    """An id of the address; None: it has none, or what stands there is none, which the route will say."""
    with contextlib.suppress(ValueError, KeyError):
        return UUID(request.path_params[name])
    return None


def _article(role: Role) -> str:
    return f"{'an' if role.value.startswith('a') else 'a'} {role.value}"


def check_table(inside: Iterable[APIRouter], outside: Iterable[APIRouter]) -> None:
    """Every operation behind the look is in the table, and every other is meant to be open. Raises RuntimeError."""
    names = [
        {route.name for router in routers for route in router.routes if isinstance(route, APIRoute)}
        for routers in (inside, outside)
    ]
    unsaid = (names[0] - set(_LEAST)) | (names[1] - OPEN) | (OPEN & set(_LEAST))
    if unsaid:
        raise RuntimeError(f"who may call {', '.join(sorted(unsaid))}? say so in tithe.gateway.access")


#: The caller, admitted.
Who = Annotated[Caller, Depends(admit)]
