"""What a tool is told of a project."""

from __future__ import annotations

from pydantic import BaseModel

from tithe.connectors.protocol import Schema
from tithe.contracts.projects import Project


def schema_of(project: Project, settings: BaseModel) -> Schema:
    """The project's schema; a title and an instruction are the connection's own, where its settings have them."""
    title = getattr(settings, "title", None) or f"{project.name} (Tithe)"
    instruction = getattr(settings, "instruction", None) or ""
    return Schema(title, project.task, tuple(project.labels), project.overlap, project.pre_annotate, instruction)
