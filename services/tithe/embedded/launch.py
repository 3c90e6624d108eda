"""Become the child: take the asked-for identity, tie this life to the parent's, then exec.

This file is run by path as a tiny process of its own, so it imports the standard library only. The same steps in
`preexec_fn` would run Python between fork and exec of a threaded supervisor, which can deadlock and which Python 3.12
warns about.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


class Identity(StrEnum):
    """Who a child runs as. Only Postgres cares: it refuses uid 0."""

    SELF = "self"
    NAMESPACE = "namespace"  # root outside, nobody inside a user namespace: files stay root's
    NOBODY = "nobody"


def launched(argv: Sequence[str], *, death_signal: signal.Signals, identity: Identity = Identity.SELF) -> list[str]:
    """Give the command line that starts `argv` through this file, or `argv` itself where there is nothing to do."""
    if sys.platform != "linux" and identity is Identity.SELF:
        return list(argv)
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), identity.value, *argv]


def nobody() -> tuple[int, int]:
    """Uid and gid of `nobody`; looked up, since initdb wants a uid that has a name."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


def _checked(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


def _enter_namespace(libc: ctypes.CDLL) -> None:
    inside_uid, inside_gid = nobody()
    outside_uid, outside_gid = os.getuid(), os.getgid()  # unmapped, the namespace would show 65534
    _checked(libc.unshare(_CLONE_NEWUSER), "unshare")
    # The kernel takes a gid map only from someone who has given up setgroups.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_uid} {outside_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_gid} {outside_gid} 1")


def _become_nobody() -> None:
    uid, gid = nobody()
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: Sequence[str]) -> None:
    """Take identity first and the death signal after it: the kernel forgets the signal when credentials change."""
    parent, death_signal, identity, *argv = arguments
    for inherited in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(inherited, signal.SIG_DFL)  # a shell's `&` and nohup hand down ignored signals
    libc = ctypes.CDLL(None, use_errno=True)
    if identity == Identity.NAMESPACE:
        _enter_namespace(libc)
    elif identity == Identity.NOBODY:
        _become_nobody()
    if sys.platform == "linux":
        _checked(libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "prctl")
        if os.getppid() != int(parent):
            raise SystemExit("the supervisor is gone already")
    try:
        os.execv(argv[0], argv)  # noqa: S606 -- argv comes from the supervisor, never from a shell
    except OSError as error:
        raise SystemExit(f"cannot run {argv[0]}: {error.strerror}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
