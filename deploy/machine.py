"""What a machine offers a setup: its Pythons, what its pip was told, and what its troubles mean.

Standard library only, in syntax that Python 3.8 reads, like bootstrap.py, whose decisions these are.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence  # noqa: UP035 - Python 3.8 must read this

OLDEST = (3, 11)
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3", "python")  # the tested versions, newest first
NEEDED_MB = {"run": 1500, "text": 3500, "dev": 3500}  # what a set takes, and room for the archives on their way in


class SetupError(Exception):
    """The setup cannot go on; the message says why and what to do."""


# ---- which Python ----------------------------------------------------------------------------------------------------


class Interpreter(NamedTuple):
    """A Python found on this machine, and what it can do for us."""

    path: str
    version: tuple[int, ...]
    has_venv: bool
    has_ensurepip: bool
    has_pip: bool

    @property
    def label(self) -> str:
        """Version and place, for people."""
        return f"Python {dotted(self.version)} ({self.path})"


PROBE = """
import json, sys
from importlib.util import find_spec
base = getattr(sys, "_base_executable", None) or sys.executable
inside = sys.prefix != sys.base_prefix and base != sys.executable
has = [find_spec(name) is not None for name in ("venv", "ensurepip", "pip")]
print(json.dumps([base if inside else None, sys.executable, sys.version_info[:3]] + has))
"""


def probe(command: str) -> Interpreter | None:
    """Return the interpreter behind `command` (behind a virtual environment: its base), or None if it does not run."""
    try:
        out = subprocess.run([command, "-I", "-c", PROBE], capture_output=True, timeout=60, check=True).stdout
        base, path, version, *has = json.loads(out)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return probe(base) if base else Interpreter(path, tuple(version), *has)


def choose(found: Sequence[Interpreter]) -> Interpreter:
    """Pick the first one that is new enough, before all others one that can create a complete environment."""
    fit = [python for python in found if python.version >= OLDEST]
    if not fit:
        seen = ", ".join(dict.fromkeys(python.label for python in found)) or "none"
        raise SetupError(
            f"Tithe needs Python {dotted(OLDEST)} or newer. Found: {seen}.\n"
            "Install one (python.org, your package manager, pyenv), or name one: make setup PYTHON=/path/to/python3.13"
        )
    return next((python for python in fit if python.has_venv and python.has_ensurepip), fit[0])


def dotted(version: Sequence[int]) -> str:
    """Write a version as people do."""
    return ".".join(map(str, version))


# ---- what pip was told, said again to uv -----------------------------------------------------------------------------


def pip_settings(listing: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's effective options from `pip config list`: environment over [install] over [global]."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in sections:
            with contextlib.suppress(ValueError, SyntaxError):
                sections[section][key] = str(ast.literal_eval(value))
    said = {name[4:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("PIP_")}
    return {**sections["global"], **sections["install"], **{key: value for key, value in said.items() if value}}


def reachable(location: str) -> bool:
    """Tell whether a location is a URL or a local path that exists: pip ignores a missing one, uv stops at it."""
    path = location[len("file://") :] if location.startswith("file://") else location  # noqa: FURB188 - Python 3.8
    return "://" in path or Path(path).exists()


def uv_environment(pip: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make uv install from where pip does; what the user told uv itself stays."""
    extra = [url for url in pip.get("extra-index-url", "").split() if reachable(url)]
    links = [place for place in pip.get("find-links", "").split() if reachable(place)]
    bundles = (pip.get("cert"), environ.get("REQUESTS_CA_BUNDLE"), environ.get("CURL_CA_BUNDLE"))
    offers = [
        ("UV_DEFAULT_INDEX", pip.get("index-url"), ("UV_INDEX_URL",)),
        ("UV_INDEX", " ".join(extra), ("UV_EXTRA_INDEX_URL",)),
        # pip looks at all indexes alike; a stranger's file of the same name is stopped by its hash.
        ("UV_INDEX_STRATEGY", "unsafe-best-match" if extra else None, ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
        ("UV_FIND_LINKS", ",".join(links), ()),
        ("UV_INSECURE_HOST", " ".join(pip.get("trusted-host", "").split()), ()),
        ("UV_HTTP_TIMEOUT", pip.get("timeout") or pip.get("default-timeout"), ()),
        ("SSL_CERT_FILE", next((path for path in bundles if path and Path(path).is_file()), None), ()),
        ("ALL_PROXY", pip.get("proxy"), ("HTTPS_PROXY", "https_proxy", "all_proxy")),
    ]
    return {
        name: value
        for name, value, instead in offers
        if value and not any(environ.get(taken) for taken in (name, *instead))
    }


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would send an installation somewhere else."""
    elsewhere = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX", "UV_SYSTEM_PYTHON")
    kept = {name: value for name, value in environ.items() if name not in elsewhere}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}


def cache_is_writable(environ: Mapping[str, str]) -> bool:
    """Tell whether uv can keep its downloads where it usually does; an account without a home cannot."""
    usual = environ.get("UV_CACHE_DIR") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/uv"
    try:
        cache = Path(usual).expanduser()
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(cache, os.W_OK | os.X_OK)


# ---- what went wrong, and what to do about it ------------------------------------------------------------------------

DISK = f"""\
The disk is too full: {NEEDED_MB["run"]:,} MB are needed for running, {NEEDED_MB["dev"]:,} with torch, 12,000 with CUDA.
Free some, or go elsewhere: make setup VENV=/big/venv"""
REMEDIES = {
    "disk": DISK,
    "hash": """\
A downloaded file is not the one that the pins name, so it was not installed. A proxy or a mirror may alter files or
hold a spoilt copy: try without it, or compare requirements/ with the project's own.""",
    "certificate": """\
The package index's certificate is not trusted here. Name your organisation's bundle: PIP_CERT=/path/to/ca.pem""",
    "network": """\
The package index cannot be reached. Behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL, or index-url in
pip's configuration. Then run the same command again.""",
    "platform": """\
A package has no wheel for this machine. The pins cover Linux (glibc 2.28 or newer, x86_64 and aarch64) and macOS 14 or
newer on Apple silicon, with Python 3.11 to 3.13.""",
}
SIGNS = {  # in this order: an unreachable index also ends in "no matching distribution"
    "disk": "no space left|os error 28|disk quota exceeded",
    "hash": "do not match the hashes|hash mismatch",
    "certificate": "certificate_verify_failed|certificate verify failed|invalid peer certificate",
    "network": "connection refused|connection broken|name resolution|nodename nor servname|max retries|timed out"
    "|network is unreachable|dns error|error sending request|proxyerror",
    "platform": "no matching distribution|no wheels with a matching|is not a supported wheel",
}


def diagnose(output: str) -> str | None:
    """Name the known trouble in what pip or uv printed."""
    return next((trouble for trouble, signs in SIGNS.items() if re.search(signs, output.lower())), None)


def explain(output: str) -> str:
    """Return the end of what a failed command printed and, where the trouble is known, the remedy."""
    trouble = diagnose(output)
    said = output.strip().splitlines()
    return "\n".join([*said[-8:], REMEDIES[trouble]] if trouble else said[-20:])
