"""What a project may choose, beyond the shape of its fields: strategies for its task, an encoder that is there."""

from __future__ import annotations

from tithe.contracts.projects import ProjectSpec, Task
from tithe.errors import BadInput, UnknownStrategy


def checked_strategy(strategy: str | dict[str, float], task: Task) -> None:
    """Pass if the catalog says that every strategy named serves the task.

    Raises UnknownStrategy: which one does not, why, and the nearest that does.
    """
    from tithe.strategies.catalog import CATALOG, lookup, stand_in

    serving = ", ".join(sorted(known.name for known in CATALOG.values() if task in known.tasks))
    named = {strategy: "body.strategy"} if isinstance(strategy, str) else {n: f"body.strategy.{n}" for n in strategy}
    for name, place in named.items():
        try:
            chosen = lookup(name)
        except ValueError as error:
            raise UnknownStrategy(str(error), place=place, remedy=f"for {task} choose one of: {serving}") from error
        try:
            chosen.function_for(task.value)
        except ValueError as error:
            nearest = stand_in(chosen, task.value)
            raise UnknownStrategy(
                str(error), place=place, remedy=f"the nearest that does is {nearest!r}; for {task} there are: {serving}"
            ) from error


def resolved(spec: ProjectSpec) -> ProjectSpec:
    """The specification with every default filled in. Raises UnknownStrategy, BadInput."""
    whole = spec.resolved()
    checked_strategy("" if whole.strategy is None else whole.strategy, whole.task)
    if whole.encoder is not None:
        from tithe.learners.registry import encoder_names

        if whole.encoder not in encoder_names():
            raise BadInput(
                f"no encoder is called {whole.encoder!r}", place="body.encoder",
                remedy=f"one of: {', '.join(encoder_names())}",
            )  # fmt: skip
    return whole
