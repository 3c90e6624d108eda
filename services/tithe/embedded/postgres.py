"""One Postgres with pgvector, out of its wheel, in a folder of its own.

The folder holds `cluster/` (Postgres's own) and `password`. The server listens on 127.0.0.1 with a random password, so
that psql, SQLAlchemy and psycopg all use the same URL.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tithe.embedded.cpu import check_cpu
from tithe.embedded.errors import ClusterUnusableError
from tithe.embedded.launch import Identity, launched
from tithe.embedded.postgres_settings import settings
from tithe.embedded.process import ProcessSpec
from tithe.embedded.run_as import check_reachable, choose_identity, hand_over, readable_install
from tithe.embedded.secret_file import secret
from tithe.embedded.strays import end_processes, servers_in
from tithe.embedded.wheels import postgres_install

USER = DATABASE = "tithe"
_ASK_SECONDS = 20.0  # for a server that an earlier life left behind: it may have a checkpoint to write


class Postgres:
    """A cluster and the way to run it. `prepare` first, then let a supervisor run `spec`, then `create_database`.

    Parameters
    ----------
    durable
        False only in tests: a crash may then cost the last commits, or the whole cluster.
    identity
        Who the server runs as; None finds out.
    """

    def __init__(self, folder: Path, port: int, *, durable: bool = True, identity: Identity | None = None) -> None:
        self.folder = folder.resolve()
        self.cluster = self.folder / "cluster"
        self.port = port
        self._durable = durable
        self._install = postgres_install()
        self._identity = identity or choose_identity(self._install / "bin" / "postgres")

    @property
    def url(self) -> str:
        """Where the database `tithe` is, password included."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the cluster if there is none; check that this machine and this wheel can run it.

        Raises
        ------
        UnsupportedMachineError, FolderUnreachableError, ClusterUnusableError
        """
        check_cpu()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._identity is Identity.NOBODY:
            self.folder.chmod(0o755)
            check_reachable(self.folder)
            self._install = readable_install(self._install, self.folder / "binaries")
        if self.cluster.exists():
            self._check_cluster()
        else:
            self._make_cluster()
        hand_over(self.cluster, self._identity)

    def spec(self, log: Path) -> ProcessSpec:
        """Tell the supervisor how to run the server."""
        return ProcessSpec(
            name="postgres",
            argv=[self._binary("postgres"), "-D", str(self.cluster), *settings(self.port, durable=self._durable)],
            env=_clean_environment(),
            log=log,
            cwd=self.folder,
            ready=self._is_ready,
            ready_seconds=180.0,  # recovery after a crash replays up to a gigabyte of log
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            death_signal=signal.SIGINT,
            stop_seconds=30.0,
            identity=self._identity,
            clear=self._clear,
        )

    def create_database(self) -> None:
        """Create the database unless it is there."""
        wish = f"SELECT 'CREATE DATABASE {DATABASE}' WHERE NOT EXISTS"
        self.run_sql(f"{wish} (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec", database="postgres")

    def run_sql(self, script: str, database: str = DATABASE) -> str:
        """Run a psql script as the superuser and return its unaligned output.

        Raises
        ------
        ClusterUnusableError
            The script failed; the message is psql's.
        """
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        return _run(
            [self._binary("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *where],
            env=_clean_environment() | {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "10"},
            script=script,
        )

    @property
    def _password(self) -> str:
        return secret(self.folder / "password")

    def _binary(self, name: str) -> str:
        return str(self._install / "bin" / name)

    def _make_cluster(self) -> None:
        """Build the cluster aside and move it into place whole: a start that was broken off leaves no half of one."""
        draft = self.folder / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.folder / "password"
        secret(password_file)
        hand_over(draft, self._identity)
        hand_over(password_file, self._identity)
        options = [
            "-U",
            USER,
            f"--pwfile={password_file}",
            "-E",
            "UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ]
        safety = ["--auth-local=reject", "--auth-host=scram-sha-256", *([] if self._durable else ["--no-sync"])]
        command = [self._binary("initdb"), "-D", str(draft), *options, *safety]
        _run(
            launched(command, death_signal=signal.SIGKILL, identity=self._identity),
            env=_clean_environment(),
            cwd=self.folder,
        )
        draft.rename(self.cluster)

    def _check_cluster(self) -> None:
        if not (self.folder / "password").exists():
            raise ClusterUnusableError(f"{self.folder / 'password'} is gone, and without it {self.cluster} is locked")
        made_by = (self.cluster / "PG_VERSION").read_text().strip()
        wheel = _run([self._binary("postgres"), "--version"], env=_clean_environment()).split()[-1].partition(".")[0]
        if made_by != wheel:
            raise ClusterUnusableError(
                f"{self.cluster} was made by Postgres {made_by} and the installed one is {wheel}: dump it with the old "
                "one and load it into a new data folder, or install the old one again",
            )

    def _is_ready(self) -> bool:
        """Read what the postmaster says of itself, as pg_ctl does: a stranger on our port cannot be mistaken for it."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _clear(self) -> None:
        """Make way for a start: end servers left on this cluster, then drop the lock file that names them.

        Whoever calls holds the data folder, so every server on it is a stray. A lock file without a server must go: its
        pid may belong to a living stranger by now, and Postgres would refuse to start.
        """
        strays = servers_in(self.cluster, "postgres")
        if strays:
            lock = self.cluster / "postmaster.pid"
            first = lock.read_text().split("\n", 1)[0] if lock.exists() else ""
            head = [process for process in strays if str(process.pid) == first]
            end_processes(head, signal.SIGINT, _ASK_SECONDS)
            end_processes(servers_in(self.cluster, "postgres"), signal.SIGKILL, 5.0)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)


def _clean_environment() -> dict[str, str]:
    """Keep what `PGHOST` and its like say out of our server, and take locales out of the game."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C"}


def _run(command: list[str], *, env: dict[str, str], script: str = "", cwd: Path | None = None) -> str:
    done = subprocess.run(command, input=script, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        name = next(Path(part).name for part in command if Path(part).name in ("initdb", "postgres", "psql"))
        raise ClusterUnusableError(f"{name} failed with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()
