"""A random password that is made once and then read again, in a file only its owner can read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def _password() -> str:
    return secrets.token_urlsafe(24)


def secret(path: Path, make: Callable[[], str] = _password) -> str:
    """Read the secret at `path`, or make one. Letters, digits, `-` and `_` only, so it needs no escaping in a URL."""
    try:
        if kept := path.read_text().strip():
            return kept
    except FileNotFoundError:
        pass
    made = make()
    write_private(path, made + "\n")
    return made


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, readable by its owner alone from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(path)
