"""Finding or making the project in Label Studio, and bringing it to a schema."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from tithe.connectors.errors import SchemaUnfit
from tithe.connectors.label_studio.client import Client, Declined
from tithe.connectors.label_studio.config import DATA_KEY, Fit, fit, made_from
from tithe.connectors.label_studio.order import SAMPLING, bring
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.protocol import Json, Remote, Schema
from tithe.contracts.projects import Task

#: What Label Studio takes as a title.
_SHORTEST, _LONGEST = 3, 50


def found_or_made(client: Client, settings: Settings, schema: Schema, known: Remote | None) -> tuple[Json, bool]:
    """The project as Label Studio has it, and whether Tithe made it.

    A project that was made just before everything stopped is found again by the mark in its description, as long as
    nothing is in it.
    """
    if known is not None:
        return client.project(known.id), bool(known.facts["made"])
    if settings.project is not None:
        return client.project(str(settings.project)), False
    title, mark = title_of(settings, schema), _mark(settings, schema)
    for one in client.projects_titled(title):
        if mark in str(one.get("description")) and not one.get("task_number"):
            return client.project(str(one["id"])), True
    wanted = {
        "title": title, "description": f"Made by Tithe, which keeps its tasks and their order. {mark}",
        "label_config": made_from(schema, settings.aliases), "expert_instruction": schema.instruction,
        "show_instruction": bool(schema.instruction), "enable_empty_annotation": schema.task is not Task.TEXT,
    } | wanted_settings(schema)  # fmt: skip
    try:
        return client.project(str(client.create_project(wanted)["id"])), True
    except Declined as declined:
        raise SchemaUnfit(f"Label Studio does not make the project: {declined.message}") from declined


def brought(
    client: Client, settings: Settings, schema: Schema, project: Json, *, made: bool, known: Remote | None
) -> Remote:
    """The project brought to the schema, as it is remembered.

    Raises
    ------
    SchemaUnfit
        Its configuration lacks something, and it is not ours to change; or Label Studio does not let us.
    """
    identity = str(project["id"])
    fitting = _fitting(client, settings, schema, project, made=made)
    try:
        bring(client, identity, project, wanted_settings(schema))
    except Declined as declined:
        raise SchemaUnfit(f"Label Studio does not take the project's settings: {declined.message}") from declined
    facts: Json = {
        "made": made, "task": str(schema.task), "suggestions": schema.suggestions, "control": asdict(fitting.control),
        "schema": digest(schema), "hooks": (known.facts.get("hooks") if known else None),
    }  # fmt: skip
    # As JSON gives it back: a control's labels are a list then.
    return Remote(identity, f"{settings.url}/projects/{identity}/data", json.loads(json.dumps(facts)))


def wanted_settings(schema: Schema) -> Json:
    """What any project is set to, ours or not."""
    return {
        "maximum_annotations": schema.overlap, "sampling": SAMPLING, "show_collab_predictions": schema.suggestions,
    }  # fmt: skip


def title_of(settings: Settings, schema: Schema) -> str:
    """A title that Label Studio takes."""
    title = (settings.title or schema.title).strip()
    return (title if len(title) >= _SHORTEST else f"Tithe: {title}")[:_LONGEST]


def digest(schema: Schema) -> str:
    """A short name of what is asked."""
    told = [schema.task, schema.labels, schema.overlap, schema.suggestions]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _fitting(client: Client, settings: Settings, schema: Schema, project: Json, *, made: bool) -> Fit:
    config = str(project.get("label_config") or "")
    if not made:
        return fit(config, schema, settings.aliases)
    try:
        fitting = fit(config, schema, settings.aliases)
        if fitting.control.data_key == DATA_KEY and not fitting.extra:
            return fitting
    except SchemaUnfit:
        pass
    ours = made_from(schema, settings.aliases)
    try:
        client.change_project(str(project["id"]), {"label_config": ours})
    except Declined as declined:
        raise SchemaUnfit(
            f"project {project['id']} in Label Studio was changed and cannot be put back: {declined.message}",
            remedy="put its labeling configuration back by hand, or connect again",
        ) from declined
    return fit(ours, schema, settings.aliases)


def _mark(settings: Settings, schema: Schema) -> str:
    told = json.dumps([schema.title, schema.task, schema.labels, settings.title, settings.hooks_url])
    return f"[tithe:{hashlib.sha256(told.encode()).hexdigest()[:12]}]"
