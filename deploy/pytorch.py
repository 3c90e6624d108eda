"""Torch comes in a step of its own: no pin names it, because which build of it fits is a question of the machine.

On Linux the package index holds torch for CUDA only, with some 3 GB of libraries beside it; the build for processors
lies on an index of PyTorch's own. So a setup asks, in this order: the folders of wheels this machine names, then that
index. It never falls back to CUDA; whoever has a GPU says so (docs/decisions/0011-torch.md).

Standard library only, in syntax that Python 3.8 reads, like bootstrap.py, which takes this step.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence  # noqa: UP035 - Python 3.8 must read this

from machine import SetupError

NEED_TORCH = ("text", "dev")  # the sets of pins
ACCEPTED = "torch>=2.6,<3"  # as pyproject.toml says it
TESTED = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class Source(NamedTuple):
    """A place to ask for torch: the arguments uv and pip understand alike, and its name for people."""

    arguments: tuple[str, ...]
    label: str


def named(choice: str) -> str:
    """Return what the user's variable TORCH names: cpu, gpu, none, the address of an index, or nothing."""
    plain = choice.strip()
    if plain.lower() in ("", "cpu", "gpu", "none"):
        return plain.lower()
    if re.match(r"(https?|file)://\S+$", plain):
        return plain
    raise SetupError(
        f"TORCH is {choice!r}. It may be cpu, gpu (the build for CUDA on Linux), none, or the address of a package\n"
        "index that holds torch, such as https://download.pytorch.org/whl/cu130"
    )


def fits(version: str) -> bool:
    """Tell whether an installed version, of any build, is one that Tithe works with."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return bool(numbers) and (2, 6) <= tuple(map(int, numbers.groups())) < (3,)


def keeps(version: str, choice: str, chosen: str) -> bool:
    """Tell whether the installed torch stays: it fits, and nobody asks for another build than was chosen last."""
    return fits(version) and choice in ("", chosen)


def sources(choice: str, platform: str, *, folders: str = "") -> list[Source]:
    """Return the places to ask, in order.

    ``platform`` is as in :data:`sys.platform`; ``folders`` names the folders of wheels that pip or uv was told of, and
    is empty where there are none. A folder may hold any version that fits; from an index comes the tested one.
    """
    if choice == "none":
        return []
    if choice == "gpu":  # the exact version, so that no "+cpu" out of a folder counts as it
        return [Source((f"torch==={TESTED}",), "the package index")]
    if choice != "cpu":
        return [Source((ACCEPTED, "--index-url", choice), choice)]
    local = [Source((ACCEPTED, "--no-index"), folders)] if folders else []
    if platform == "darwin":
        return [*local, Source((f"torch=={TESTED}",), "the package index")]
    return [*local, Source((f"torch=={TESTED}+cpu", "--index-url", CPU_INDEX), CPU_INDEX)]


def unreachable(asked: Sequence[Source], said: str, version: str) -> SetupError:
    """Return the error for a torch that nobody gave us: where we asked, the last answer, and what to do."""
    places = ", ".join(source.label for source in asked)
    answer = "\n".join(said.strip().splitlines()[-3:])
    return SetupError(
        f"no torch for Python {version} was found. Asked: {places}. The last answer:\n{answer}\n"
        "Everything else is installed: make demo and make up need no torch. What does can get it so:\n"
        "  TORCH=https://your.mirror/whl/cpu make setup   from another index\n"
        "  UV_FIND_LINKS=/folder make setup               from a folder that holds a wheel of it for this Python\n"
        "  TORCH=gpu make setup                           on Linux the build for CUDA, from the package index (5 GB)\n"
        "  TORCH=none make setup                          without: no fine-tuning, no torch encoders, fewer tests"
    )
