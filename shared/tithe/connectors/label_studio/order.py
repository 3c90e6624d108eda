"""Having Label Studio ask in our order.

It asks for the lowest score first, and only among predictions of the project's own `model_version`. That field is
emptied when predictions are hidden and refused while there are none of that version: so first the predictions, then
how they are shown, then, in a call of its own, the version.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tithe.connectors.errors import ToolMisbehaves, ToolUnreachable
from tithe.connectors.label_studio.client import Client, Declined
from tithe.connectors.protocol import Json

SAMPLING = "Uncertainty sampling"
#: Versions with this prefix are ours to delete.
_OURS = "tithe:"
#: Label Studio takes so many predictions all or none.
_AT_ONCE = 500
_TRIES = 3


def set_order(client: Client, project: str, predictions: Sequence[Json], version: str, *, visible: bool) -> None:
    """Have these tasks asked for by ascending score, and the predictions of older orders gone.

    A call that broke off is made good: what it left of this version is counted, and deleted unless it is all there.
    """
    name = _OURS + version
    there = client.model_versions(project)
    if there.get(name, 0) != len(predictions):
        if there.get(name):
            client.delete_version(project, name)
        predictions = _import(client, project, predictions, name)
    bring(client, project, client.project(project), {"sampling": SAMPLING, "show_collab_predictions": visible})
    if not predictions:
        return
    client.change_project(project, {"model_version": name})
    _check(client.project(project), name, visible=visible)
    # Orders of this connection alone: a version is named CONNECTION-NUMBER.
    mine = _OURS + version.rpartition("-")[0]
    for old in there:
        if old.startswith(mine) and old != name:
            # The order stands. What could not be deleted now is deleted after the next one.
            with suppress(ToolUnreachable):
                client.delete_version(project, old)


def bring(client: Client, project: str, now: Json, wanted: Json) -> bool:
    """Set what differs, and nothing else; whether anything did.

    Hiding predictions empties `model_version`, so that is put back.
    """
    change = {name: value for name, value in wanted.items() if now.get(name) != value}
    if not change:
        return False
    client.change_project(project, change)
    version = now.get("model_version")
    if version and change.get("show_collab_predictions") is False:
        with suppress(Declined):  # no prediction of it is left
            client.change_project(project, {"model_version": version})
    return True


def _import(client: Client, project: str, predictions: Sequence[Json], name: str) -> list[Json]:
    """Add the predictions; those whose task is gone are left out. What was added."""
    added: list[Json] = []
    for first in range(0, len(predictions), _AT_ONCE):
        some = [one | {"model_version": name} for one in predictions[first : first + _AT_ONCE]]
        for attempt in range(_TRIES):
            if not some:
                break
            try:
                client.import_predictions(project, some)
                break
            except Declined:
                kept = _of_tasks_there(client, project, some)
                if len(kept) == len(some) or attempt == _TRIES - 1:
                    raise
                some = kept
        added += some
    return added


def _of_tasks_there(client: Client, project: str, predictions: Sequence[Json]) -> list[Json]:
    there: set[int] = set()
    ids = [one["task"] for one in predictions]
    for first in range(0, len(ids), 200):
        page = client.tasks(project, ids=ids[first : first + 200], fields="id")
        there |= {task["id"] for task in page.tasks}
    return [one for one in predictions if one["task"] in there]


def _check(project: Json, name: str, *, visible: bool) -> None:
    wanted = {"sampling": SAMPLING, "model_version": name, "show_collab_predictions": visible}
    wrong = [field for field, value in wanted.items() if project.get(field) != value]
    if wrong:
        raise ToolMisbehaves(
            f"Label Studio does not keep {' and '.join(wrong)} of project {project.get('id')}: tasks come in any order",
            remedy="is something else connected to the project that sets it (an ML backend)?",
        )
