"""What a project may choose, beyond the shape of its fields: a strategy for its task, an encoder that is there."""

from __future__ import annotations

from tithe.contracts.projects import ProjectSpec, Task
from tithe.errors import BadInput, UnknownStrategy


def checked_strategy(name: str, task: Task) -> str:
    """The name, if the catalog says that it serves the task. Raises UnknownStrategy."""
    from tithe.strategies.catalog import CATALOG, lookup

    serving = ", ".join(sorted(known.name for known in CATALOG.values() if task in known.tasks))
    try:
        lookup(name).function_for(task.value)
    except ValueError as error:
        raise UnknownStrategy(
            str(error), place="body.strategy", remedy=f"for {task} choose one of: {serving}"
        ) from error
    return name


def resolved(spec: ProjectSpec) -> ProjectSpec:
    """The specification with every default filled in. Raises UnknownStrategy, BadInput."""
    whole = spec.resolved()
    checked_strategy(whole.strategy or "", whole.task)
    if whole.encoder is not None:
        from tithe.learners.registry import encoder_names

        if whole.encoder not in encoder_names():
            raise BadInput(
                f"no encoder is called {whole.encoder!r}", place="body.encoder",
                remedy=f"one of: {', '.join(encoder_names())}",
            )  # fmt: skip
    return whole
