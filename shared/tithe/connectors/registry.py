"""Which kinds of tool there are: ours and those other packages bring, by entry points of one group.

A package that cannot be imported, or brings what is no kind, is reported and breaks nothing else.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel

from tithe.connectors.protocol import ConnectorKind
from tithe.errors import BadInput
from tithe.telemetry import logger

GROUP = "tithe.connectors"

_log = logger(__name__)


@dataclass(frozen=True)
class Broken:
    """An entry point that brings no kind."""

    name: str
    package: str
    reason: str


@dataclass(frozen=True)
class Kinds:
    """Everything that entry points brought."""

    found: dict[str, ConnectorKind]
    broken: tuple[Broken, ...]


@functools.cache
def kinds() -> Kinds:
    """Every kind that is installed; looked for once a process."""
    return load(entry_points(group=GROUP))


def kind(name: str) -> ConnectorKind:
    """The kind of that name. Raises BadInput, naming those there are."""
    every = kinds()
    if name in every.found:
        return every.found[name]
    for one in every.broken:
        if one.name == name:
            raise BadInput(
                f"the connector {name!r} of {one.package} cannot be used: {one.reason}", place="kind",
                remedy=f"install a version of {one.package} that works with this Tithe, where the gateway and sync run",
            )  # fmt: skip
    near = difflib.get_close_matches(name.lower().replace("_", "-"), every.found, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise BadInput(
        f"there is no connector {name!r:.100}", place="kind", remedy=f"{guess}there are: {', '.join(every.found)}"
    )


def load(points: object) -> Kinds:
    """What the entry points bring, by name.

    Of two that bring the same name ours is taken, else the one whose package's name comes first: never by chance.
    """
    found: dict[str, ConnectorKind] = {}
    broken: list[Broken] = []
    for point in sorted(points, key=_ours_first):  # type: ignore[call-overload]  # EntryPoints is no Iterable to mypy
        fault: str | None = f"{point.name!r} is taken already" if point.name in found else None
        if fault is None:
            loaded, fault = _loaded(point)
            if loaded is not None:
                found[point.name] = loaded
        if fault is not None:
            broken.append(Broken(point.name, _package(point), fault))
            _log.warning("connector_broken", connector=point.name, package=_package(point), reason=fault)
    return Kinds(dict(sorted(found.items())), tuple(broken))


def _loaded(point: EntryPoint) -> tuple[ConnectorKind | None, str | None]:
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's module may raise anything; it is reported)
        return None, f"{type(error).__name__}: {error}"[:300]
    fault = _fault(loaded, point.name)
    return (loaded, None) if fault is None else (None, fault)


def _fault(loaded: object, name: str) -> str | None:
    """Why this is no kind."""
    for wanted in ("name", "title", "secret_help"):
        if not isinstance(getattr(loaded, wanted, None), str):
            return f"it has no {wanted}"
    if getattr(loaded, "name", None) != name:
        return f"it calls itself {getattr(loaded, 'name', None)!r:.100}"
    settings = getattr(loaded, "settings", None)
    if not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        return "its settings are no pydantic model"
    for wanted in ("open", "parse_hook"):
        if not callable(getattr(loaded, wanted, None)):
            return f"it has no {wanted}()"
    return None


def _ours_first(point: EntryPoint) -> tuple[bool, str, str]:
    return not point.value.startswith("tithe."), _package(point), point.name


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]
