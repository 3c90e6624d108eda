"""What a tool is told of a project."""

from __future__ import annotations

from pydantic import BaseModel

from tithe.connectors.protocol import Capabilities, Schema
from tithe.contracts.projects import Project


def schema_of(project: Project, settings: BaseModel) -> Schema:
    """The project's schema; a title and an instruction are the connection's own, where its settings have them."""
    title = getattr(settings, "title", None) or f"{project.name} (Tithe)"
    instruction = getattr(settings, "instruction", None) or ""
    return Schema(title, project.task, tuple(project.labels), project.overlap, project.pre_annotate, instruction)


def unfit(title: str, can: Capabilities, schema: Schema) -> str | None:
    """Why a tool cannot label a project, by what it says it can do; None: nothing is in the way."""
    if schema.task not in can.tasks:
        known = ", ".join(sorted(task.value for task in can.tasks))
        return f"{title} does not label {schema.task}; it labels {known}"
    if schema.overlap > 1 and not can.overlap:
        return f"{title} answers each item once, and the project asks for {schema.overlap} opinions (overlap)"
    return None
