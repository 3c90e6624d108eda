"""Who Postgres runs as. It refuses root, and root is who one is in most containers.

Best is a user namespace: to the kernel the files stay root's, nothing is chowned or chmod-ed, and the data folder may
lie anywhere. Where that is refused (a container's seccomp profile, an old kernel), Postgres runs as `nobody`, who must
then own the cluster and be able to read the binaries.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tithe.embedded.errors import FolderUnreachableError
from tithe.embedded.launch import Identity, launched, nobody


def can_run(binary: Path, identity: Identity) -> bool:
    """Try `binary --version` under an identity: whether it may be taken, and may read the binary."""
    command = launched([str(binary), "--version"], death_signal=signal.SIGKILL, identity=identity)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def choose_identity(binary: Path) -> Identity:
    """Pick the identity Postgres can start under."""
    if os.geteuid() != 0:
        return Identity.SELF
    if sys.platform == "linux" and can_run(binary, Identity.NAMESPACE):
        return Identity.NAMESPACE
    return Identity.NOBODY


def hand_over(path: Path, identity: Identity) -> None:
    """Make `path`, with all below it, belong to whom the identity is on disk; root's own business only."""
    if os.geteuid() != 0:
        return
    uid, gid = nobody() if identity is Identity.NOBODY else (0, os.getgid())
    if path.stat().st_uid == uid:
        return
    for folder, _, names in os.walk(path):
        for name in (".", *names):
            os.chown(Path(folder) / name, uid, gid, follow_symlinks=False)
    os.chown(path, uid, gid)


def check_reachable(folder: Path) -> None:
    """Raise FolderUnreachableError unless everybody may pass through the folders above and into this one."""
    for place in (folder, *folder.parents):
        if not place.stat().st_mode & 0o001:
            raise FolderUnreachableError(folder, place)


def readable_install(install: Path, copies: Path) -> Path:
    """Give an installation that `nobody` can run: the wheel's own, or a copy of it under `copies`."""
    if can_run(install / "bin" / "postgres", Identity.NOBODY):
        return install
    # The binaries find their libraries three folders up, beside the package: the copy keeps that shape.
    copy = copies / install.parent.name / install.name
    libraries = install.parent.with_name(install.parent.name + ".libs")
    shutil.copytree(install, copy, dirs_exist_ok=True)
    if libraries.is_dir():
        shutil.copytree(libraries, copies / libraries.name, dirs_exist_ok=True)
    for folder, _, names in os.walk(copies):
        Path(folder).chmod(0o755)
        for name in names:
            place = Path(folder) / name
            place.chmod(place.stat().st_mode | 0o444 | (0o111 if place.stat().st_mode & 0o100 else 0))
    return copy
