"""What connecting would do, in plain sentences, found out by reading only."""

from __future__ import annotations

from tithe.connectors.errors import RemoteGone, SchemaUnfit
from tithe.connectors.label_studio.client import Client, where
from tithe.connectors.label_studio.config import data_keys, fit, listed
from tithe.connectors.label_studio.keys import KEY
from tithe.connectors.label_studio.projects import title_of, wanted_settings
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.protocol import Health, Json, Preview, Schema
from tithe.contracts.projects import Task

_SETTING = {
    "maximum_annotations": "annotations per task",
    "sampling": "the order of tasks (uncertainty sampling)",
    "show_collab_predictions": "whether predictions are shown",
}


def preview(client: Client, settings: Settings, schema: Schema, health: Health) -> Preview:
    """What :meth:`LabelStudio.ensure_project` would do."""
    says, adoptable = [f"This is {health.detail}."], 0
    if schema.task is Task.VECTORS:
        return Preview(tuple(says), (f"Label Studio is given texts to label, and {schema.task} has none",))
    if settings.project is None:
        says.append(
            f"A project {title_of(settings, schema)!r} is made in it, with {len(schema.labels)} labels: "
            f"{listed(schema.labels)}."
        )
    else:
        try:
            project = client.project(str(settings.project))
            adoptable = _adoptable(client, str(settings.project))
            says += _of_project(settings, schema, project, adoptable)
        except (RemoteGone, SchemaUnfit) as fault:
            words = fault.message if fault.remedy is None else f"{fault.message}; {fault.remedy}"
            return Preview(tuple(says), (words,), adoptable)
    return Preview((*says, *_of_both(settings, schema)), (), adoptable)


def _of_project(settings: Settings, schema: Schema, project: Json, adoptable: int) -> list[str]:
    tasks, answered = project.get("task_number") or 0, project.get("num_tasks_with_annotations") or 0
    name = f"Project {project['id']}, {project.get('title')!r}"
    says = [f"{name}, is used: {tasks} tasks, of which {answered} have annotations."]
    config = str(project.get("label_config") or "")
    found = fit(config, schema, settings.aliases)
    field = found.control.data_key
    says.append(
        f"People answer with its control {found.control.from_name!r}; it shows the field {field!r} of the data."
    )
    if found.extra:
        says.append(
            f"It has labels that the project does not: {listed(found.extra)}. Answers with them are set aside and "
            "reported."
        )
    if others := sorted(data_keys(config) - {field}):
        says.append(f"It also shows {listed(others)}: only items whose meta has that can be put into it.")
    if adoptable and settings.adopt:
        says.append(
            f"Its {adoptable} tasks become items of the pool, and their annotations the first labels, which no budget "
            "pays for. They are never deleted: one that is answered elsewhere comes last here, and a second answer to "
            "it is kept as extra."
        )
    elif adoptable:
        says.append(f"Its {adoptable} tasks are left alone: nothing is asked or learned of them.")
    changed = [_SETTING[name] for name, value in wanted_settings(schema).items() if project.get(name) != value]
    if changed:
        says.append(f"In its settings these are changed: {', '.join(changed)}.")
    return says


def _of_both(settings: Settings, schema: Schema) -> list[str]:
    people = "one person" if schema.overlap == 1 else f"{schema.overlap} people"
    see = "see what the model thinks, chosen already" if schema.suggestions else "do not see what the model thinks"
    return [
        f"Up to {settings.window} tasks wait in it at a time, the best to ask first; each round orders them anew.",
        "What falls out of the best meanwhile comes last, and stays some minutes for whoever has it open.",
        f"Each is answered by {people}; they {see} (`tithe project patch --blind`, `--pre-annotate`).",
        "Tithe deletes tasks it made that nobody has answered, once they are answered elsewhere or less worth asking.",
        _of_hooks(settings),
    ]


def _of_hooks(settings: Settings) -> str:
    asked = f"Answers are asked for every {settings.poll_seconds:g} s"
    if settings.hooks_url is None:
        return f"{asked}. With `hooks_url` Label Studio would tell of them at once."
    return (
        f"{asked}, and Label Studio is to tell of them at once, at {settings.hooks_url}. It calls no private "
        "address by default: then Tithe goes on asking, and the connection's state says so."
    )


def _adoptable(client: Client, project: str) -> int:
    return client.tasks(project, filters=[where(f"data.{KEY}", "empty", "String", "true")], size=1, fields="id").total
