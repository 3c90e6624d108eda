"""What a project may choose, beyond the shape of its fields: strategies for its task, an encoder that is there."""

from __future__ import annotations

from tithe.contracts.projects import Project, ProjectSpec, Task, no_transformer
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
        checked_encoder(whole.encoder)
    return whole


def checked_encoder(name: str) -> None:
    """Pass if that can be an encoder's name; whether its model is there, the scorers find. Raises UnknownEncoder."""
    from tithe.learners.registry import check_encoder_name

    try:
        check_encoder_name(name)
    except BadInput as fault:
        fault.place = "body.encoder"
        raise


def checked_learner(project: Project, learner: str | None) -> None:
    """Pass if the project's encoder can be trained by that learner. Raises BadInput."""
    if learner == "transformer" and (fault := no_transformer(project.task, project.encoder)):
        raise BadInput(fault[0], place="body.learner", remedy=fault[1])
