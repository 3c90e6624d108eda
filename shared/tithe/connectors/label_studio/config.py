"""Label Studio's labeling configuration: made from a schema, and an existing one held against it. Pure.

The configuration is XML: a control (``Choices``, ``Labels``) names the object (``Text``) it labels, and the object
names the field of a task's data that it shows. What a tool's project calls them is found here, never assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from xml.etree import ElementTree as ET

from tithe.connectors.errors import SchemaUnfit
from tithe.connectors.protocol import Schema
from tithe.contracts.projects import Task

#: The field of a task's data, in projects that Tithe makes.
DATA_KEY = "text"
_ONE_FIELD = re.compile(r"\$([^\s$.\[\]]+)")
_SHOWN = 8


@dataclass(frozen=True)
class Control:
    """What people label with: one control of a configuration, and the text it is about."""

    from_name: str
    to_name: str
    type: str  #: `choices` or `labels`, as results say it
    data_key: str  #: the field of a task's data that is shown
    multiple: bool  #: of choices: several may be chosen
    labels: tuple[str, ...]  #: as the tool writes them

    @classmethod
    def told(cls, stored: Mapping[str, Any]) -> Self:
        """A control as JSON keeps it."""
        return cls(**{**stored, "labels": tuple(stored["labels"])})

    def found_in(self, label_config: str) -> Control | None:
        """The control of this name and type in a configuration, as it is now; SchemaUnfit where that is no XML."""
        now = (one for one in controls(label_config) if (one.from_name, one.type) == (self.from_name, self.type))
        return next(now, None)


@dataclass(frozen=True)
class Fit:
    """How a configuration fits a schema."""

    control: Control
    extra: tuple[str, ...]  #: labels of the tool that the project does not have, as the tool writes them


def made_from(schema: Schema, aliases: Mapping[str, str] | None = None) -> str:
    """The configuration of a new project.

    Examples
    --------
    >>> print(made_from(Schema("mail", Task.TEXT, ("spam & co", 'the "rest"'), overlap=1, suggestions=False)))
    <View><Text name="text" value="$text" /><Choices name="label" toName="text" choice="single" required="true">\
<Choice value="spam &amp; co" /><Choice value="the &quot;rest&quot;" /></Choices></View>
    """
    view = ET.Element("View")
    spans = schema.task is Task.TOKENS
    names = {"name": "label", "toName": "text"}
    if spans:
        control, each = ET.Element("Labels", names), "Label"
    else:
        single = schema.task is Task.TEXT
        kind = {"choice": "single", "required": "true"} if single else {"choice": "multiple"}
        control, each = ET.Element("Choices", names | kind), "Choice"
    told = tool_names(aliases or {})
    for label in schema.labels:
        ET.SubElement(control, each, {"value": told.get(label, label)})
    text = ET.Element("Text", {"name": "text", "value": f"${DATA_KEY}"})
    view.extend([control, text] if spans else [text, control])
    return ET.tostring(view, encoding="unicode")


def tool_names(aliases: Mapping[str, str]) -> dict[str, str]:
    """{project label: tool label}, the other way round than people write it.

    Where several of the tool's labels mean one of the project's, the first is the one that is written.

    Examples
    --------
    >>> tool_names({"Werbung": "spam", "Reklame": "spam"})
    {'spam': 'Werbung'}
    """
    written: dict[str, str] = {}
    for tool, ours in aliases.items():
        written.setdefault(ours, tool)
    return written


def controls(label_config: str) -> list[Control]:
    """Every control over a text that could be read, in the order of the configuration.

    Examples
    --------
    >>> made = made_from(Schema("news", Task.TOKENS, ("PER",), overlap=1, suggestions=False))
    >>> controls(made)
    [Control(from_name='label', to_name='text', type='labels', data_key='text', multiple=True, labels=('PER',))]

    Raises
    ------
    SchemaUnfit
        It is not XML.
    """
    root = _parsed(label_config)
    texts = _texts(root)
    return [control for tag in root.iter() if (control := _control(tag, texts)) is not None]


def fit(label_config: str, schema: Schema, aliases: Mapping[str, str]) -> Fit:
    """The control of a configuration that answers the schema's question.

    Raises
    ------
    SchemaUnfit
        There is none, or labels are missing; in words for the one who can change either.
    """
    wanted = "labels" if schema.task is Task.TOKENS else "choices"
    found = [c for c in controls(label_config) if c.type == wanted and c.multiple is not (schema.task is Task.TEXT)]
    if not found:
        raise SchemaUnfit(
            f"the labeling configuration has no {_asked_for(schema.task)} over a <Text> with one field of the data",
            remedy="add one in the project's settings in Label Studio, or leave `project` out: Tithe then makes one",
        )
    told = tool_names(aliases)
    missing = {c: [label for label in schema.labels if told.get(label, label) not in c.labels] for c in found}
    best = min(found, key=lambda c: len(missing[c]))
    if missing[best]:
        raise SchemaUnfit(
            f"the control {best.from_name!r} in Label Studio lacks labels of the project: {listed(missing[best])}",
            remedy="add them in the project's settings in Label Studio, or say with `aliases` what it calls them",
            missing=missing[best],
        )
    ours = {told.get(label, label) for label in schema.labels} | {t for t, o in aliases.items() if o in schema.labels}
    return Fit(best, tuple(label for label in best.labels if label not in ours))


def data_keys(label_config: str) -> frozenset[str]:
    """The fields of a task's data that any tag of the configuration shows: Label Studio refuses tasks without them."""
    values = [tag.get("value") or "" for tag in _parsed(label_config).iter() if tag.get("name")]
    return frozenset(found.group(1) for value in values if (found := _ONE_FIELD.fullmatch(value)))


def listed(labels: Iterable[str]) -> str:
    """Labels in words.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    every = list(labels)
    shown = ", ".join(repr(label) for label in every[:_SHOWN])
    return shown if len(every) <= _SHOWN else f"{shown} … ({len(every)} in all)"


def _parsed(label_config: str) -> ET.Element:
    try:
        if "<!DOCTYPE" in label_config.upper():
            raise SchemaUnfit("the project's labeling configuration declares a document type, which is not read")
        return ET.fromstring(label_config)  # noqa: S314 - without a document type there are no entities to expand
    except ET.ParseError as error:
        raise SchemaUnfit(
            f"the project's labeling configuration is no XML: {error}", remedy="mend it in the project's settings"
        ) from error


def _texts(root: ET.Element) -> dict[str, str]:
    """{name of the object: field of the data} of every plain text."""
    found = {}
    for tag in root.iter("Text"):
        field = _ONE_FIELD.fullmatch(tag.get("value") or "")
        if (name := tag.get("name")) and field:
            found[name] = field.group(1)
    return found


def _control(tag: ET.Element, texts: Mapping[str, str]) -> Control | None:
    inner = {"Choices": "Choice", "Labels": "Label"}.get(tag.tag)
    name, to_name = tag.get("name"), tag.get("toName")
    if inner is None or not name or to_name is None or to_name not in texts:
        return None
    # A label's alias is what results hold; so Label Studio's own parser says.
    labels = (child.get("alias") or child.get("value") for child in tag.iter(inner))
    multiple = tag.tag == "Labels" or (tag.get("choice") or "").startswith("multi")
    return Control(name, to_name, tag.tag.lower(), texts[to_name], multiple, tuple(label for label in labels if label))


def _asked_for(task: Task) -> str:
    return {
        Task.TEXT: '<Choices choice="single">',
        Task.MULTILABEL: '<Choices choice="multiple">',
        Task.TOKENS: "<Labels>",
    }.get(task, f"control for {task}")
