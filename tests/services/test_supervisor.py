"""Supervision, and the whole stack with stand-ins for its services: restarts, order, interrupts, resume, no orphans."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tithe.embedded import log_file
from tithe.embedded.endpoints import Endpoints
from tithe.embedded.errors import FolderInUseError, PortTakenError, ServiceNotReadyError
from tithe.embedded.folder import DataFolder
from tithe.embedded.ports import choose_port, is_free
from tithe.embedded.process import Backoff, ProcessSpec, State
from tithe.embedded.services import answers, service_specs
from tithe.embedded.stack import Stack, StackOptions, no_services
from tithe.embedded.strays import is_alive
from tithe.embedded.supervisor import Supervisor

QUICK = Backoff(first_seconds=0.1, longest_seconds=0.4, well_seconds=0.5)
SLEEP = "import time; time.sleep(120)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(120)"
)
GATEWAY = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
http.server.HTTPServer((os.environ["TITHE_HOST"], int(os.environ["TITHE_PORT"])), Ready).serve_forever()
"""
# What `tithe up` does, with stand-ins for the services: one answers, one has a child, one is a Celery worker.
UP = """
import contextlib, os, sys
from pathlib import Path
from tithe.embedded.process import ProcessSpec
from tithe.embedded.services import answers, service_environment
from tithe.embedded.stack import Stack, StackOptions

data, places = Path(sys.argv[1]), Path(sys.argv[2])
stubborn = "stubborn" in sys.argv
servers = "servers" in sys.argv

def services(options, endpoints):
    env = service_environment(options, endpoints)
    env |= {"PYTHONPATH": os.pathsep.join([str(places), *sys.path])}
    where = {"TITHE_HOST": "127.0.0.1", "TITHE_PORT": str(endpoints.gateway_port)}
    python = [sys.executable, "-u"]
    ready = answers("127.0.0.1", endpoints.gateway_port, "/readyz")
    log = data / "logs" / "gateway.log"
    specs = [ProcessSpec("gateway", [*python, str(places / "gateway.py")], env | where, log, ready)]
    if stubborn:
        log = data / "logs" / "stubborn.log"
        command = [*python, str(places / "stubborn.py")]
        specs.append(ProcessSpec("stubborn", command, env, log, lambda: "deaf" in log.read_text(), stop_seconds=100))
    if "worker" in sys.argv:
        log = data / "logs" / "worker.log"
        worker = [*python, "-m", "celery", "-A", "queue_app", "worker", "-c", "2", "-l", "INFO", "--without-mingle"]
        specs.append(ProcessSpec("worker", worker, env, log, lambda: "ready." in log.read_text()))
    return specs

urls = {} if servers else {"database_url": "postgresql://elsewhere/db", "broker_url": "redis://elsewhere/0"}
options = StackOptions(data, flower=False, durable=False, **urls)
with contextlib.suppress(KeyboardInterrupt), Stack(options, services=services) as stack:
    stack.start()
    print("up", flush=True)
    stack.wait()
print("down", flush=True)
"""
QUEUE_APP = """
import os
from celery import Celery
app = Celery("queue_app", broker=os.environ["TITHE_BROKER_URL"])
app.conf.update(worker_pool_start_method="spawn", broker_connection_retry_on_startup=True)
"""


def python(name: str, code: str, tmp_path: Path, **more: object) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-u", "-c", code], dict(os.environ), tmp_path / f"{name}.log", **more)


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor(backoff=QUICK)
    yield supervisor
    supervisor.hasten()
    supervisor.stop()


def only(supervisor: Supervisor):
    (status,) = supervisor.statuses
    return status


# ---- one child ----


def test_a_killed_child_is_started_again_and_what_it_started_is_gone(supervisor, tmp_path):
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print('ok'); {SLEEP}"
    log = tmp_path / "parent.log"
    supervisor.start([python("parent", parent, tmp_path, ready=lambda: "ok" in log.read_text())])
    first = only(supervisor)
    (grandchild,) = psutil.Process(first.pid).children()
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: only(supervisor).restarts == 1 and only(supervisor).state is State.RUNNING)
    assert only(supervisor).pid != first.pid
    assert only(supervisor).last_exit == -signal.SIGKILL
    assert not is_alive(grandchild)
    assert "signal 9" in log.read_text()


def test_a_crash_loop_backs_off_to_a_bound(supervisor, tmp_path):
    beats = tmp_path / "beats"
    code = f"import time; print(time.monotonic(), file=open({str(beats)!r}, 'a'))"
    supervisor.start([python("looping", code, tmp_path)])
    wait_until(lambda: beats.exists() and len(beats.read_text().split()) >= 6)
    times = [float(beat) for beat in beats.read_text().split()]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[3] >= 0.4
    assert gaps[0] < gaps[3]
    assert only(supervisor).state in (State.WAITING, State.STARTING, State.RUNNING)


def test_the_wait_doubles_up_to_its_bound():
    assert [Backoff(0.5, 30).delay(failures) for failures in (1, 2, 3, 7, 8, 5000)] == [0.5, 1, 2, 30, 30, 30]


def test_failures_are_forgotten_after_it_ran_well(supervisor, tmp_path):
    supervisor.start([python("steady", SLEEP, tmp_path)])
    for restarts in (1, 2, 3):
        time.sleep(QUICK.well_seconds + 0.1)
        os.kill(only(supervisor).pid, signal.SIGKILL)
        wait_until(lambda: only(supervisor).restarts == restarts and only(supervisor).state is State.RUNNING)  # noqa: B023
    (child,) = supervisor._stages[0]
    assert child.failures == 1


def test_a_child_that_dies_at_once_fails_the_start_with_its_last_words(supervisor, tmp_path):
    spec = python("broken", "raise SystemExit('no such table')", tmp_path, ready=lambda: False)
    with pytest.raises(ServiceNotReadyError, match=r"(?s)broken failed 3 times.*no such table"):
        supervisor.start([spec])


def test_a_child_that_never_gets_ready_fails_the_start_unless_nobody_waits_for_it(supervisor, tmp_path):
    supervisor.start([python("extra", SLEEP, tmp_path, ready=lambda: False, awaited=False)])
    with pytest.raises(ServiceNotReadyError, match="not ready within 1 seconds"):
        supervisor.start([python("slow", SLEEP, tmp_path, ready=lambda: False, ready_seconds=1.0)])


def test_a_command_that_does_not_exist_is_told(supervisor, tmp_path):
    spec = ProcessSpec("missing", ["/no/such/program"], dict(os.environ), tmp_path / "missing.log", ready=lambda: False)
    with pytest.raises(ServiceNotReadyError, match="no/such/program"):
        supervisor.start([spec])


def test_later_stages_stop_first_and_earlier_ones_are_supervised_meanwhile(supervisor, tmp_path):
    order = tmp_path / "order"
    code = """
    import signal, sys, time
    def leave(*_):
        time.sleep(0.3)
        print("{name}", file=open({order!r}, "a"))
        sys.exit()
    signal.signal(signal.SIGTERM, leave)
    print("listening")
    while True: time.sleep(1)
    """

    def member(name: str) -> ProcessSpec:
        text = textwrap.dedent(code).format(name=name, order=str(order))
        return python(name, text, tmp_path, ready=lambda: "listening" in (tmp_path / f"{name}.log").read_text())

    supervisor.start([member("server")])
    supervisor.start([member("service"), member("service")])
    supervisor.stop()
    assert order.read_text().split() == ["service", "service", "server"]
    assert {status.state for status in supervisor.statuses} == {State.STOPPED}
    assert {status.last_exit for status in supervisor.statuses} == {0}


def test_a_child_that_will_not_stop_is_killed_at_its_deadline(supervisor, tmp_path):
    log = tmp_path / "deaf.log"
    supervisor.start([python("deaf", STUBBORN, tmp_path, ready=lambda: "deaf" in log.read_text(), stop_seconds=0.5)])
    began = time.monotonic()
    supervisor.stop()
    assert 0.5 <= time.monotonic() - began < 5
    assert only(supervisor).last_exit == -signal.SIGKILL


def test_a_log_is_bounded_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "talker.log"
    with log.open("a") as writer:
        writer.write("a" * 5000)
        writer.flush()
        log_file.bound(log, 4000)
        writer.write("after")
    assert log.read_text() == "after"
    assert (tmp_path / "talker.log.1").read_text() == "a" * 5000


def test_a_program_that_forgets_to_stop_its_supervisor_leaves_nothing(tmp_path):
    code = f"""
    import pathlib, sys
    from tithe.embedded.process import ProcessSpec
    from tithe.embedded.supervisor import Supervisor
    supervisor = Supervisor()
    log = pathlib.Path({str(tmp_path)!r}) / "log"
    supervisor.start([ProcessSpec("left", [sys.executable, "-c", {SLEEP!r}], {{}}, log)])
    print(supervisor.statuses[0].pid)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert not psutil.pid_exists(int(done.stdout))


# ---- the stack, its servers elsewhere ----


def elsewhere(tmp_path: Path, **more: object) -> StackOptions:
    defaults = {"database_url": "postgresql://elsewhere/db", "broker_url": "redis://elsewhere/0", "flower": False}
    return StackOptions(tmp_path / "data", **(defaults | more))


def gateway_only(options: StackOptions, endpoints: Endpoints) -> list[ProcessSpec]:
    """The real gateway's specification with a stand-in for its program."""
    real = service_specs(options, endpoints)[0]
    assert real.name == "gateway"
    return [ProcessSpec(real.name, [sys.executable, "-c", GATEWAY], real.env, real.log, real.ready)]


def test_ports_are_remembered_and_given_up_only_when_taken(tmp_path):
    ports = []
    for _ in range(2):
        with Stack(elsewhere(tmp_path), services=gateway_only) as stack:
            stack.start()
            assert answers("127.0.0.1", stack.endpoints.gateway_port, "/readyz")()
            ports.append(stack.endpoints.gateway_port)
    assert ports[0] == ports[1]
    with socket.create_server(("127.0.0.1", ports[0])), Stack(elsewhere(tmp_path), services=gateway_only) as stack:
        stack.start()
        assert stack.endpoints.gateway_port != ports[0]


def test_an_asked_for_port_is_taken_or_refused(tmp_path):
    port = choose_port(None, ())
    with Stack(elsewhere(tmp_path, port=port), services=gateway_only) as stack:
        stack.start()
        assert stack.endpoints.gateway_url == f"http://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTakenError, match=str(port)):
        Stack(elsewhere(tmp_path, port=port), services=gateway_only).start()


def test_one_stack_a_folder_and_the_second_is_told_who_holds_it(tmp_path):
    with Stack(elsewhere(tmp_path), services=gateway_only) as stack:
        stack.start()
        with pytest.raises(FolderInUseError, match=f"process {os.getpid()}") as caught:
            Stack(elsewhere(tmp_path), services=gateway_only).start()
        assert caught.value.pid == os.getpid()
        assert DataFolder(tmp_path / "data").holder() == os.getpid()
        state = json.loads((tmp_path / "data" / "stack.json").read_text())
        assert state["pid"] == os.getpid(), "the refused one left the state file alone"
        assert [entry["pid"] for entry in state["processes"]] == [stack.processes[0].pid]
        assert (tmp_path / "data" / "stack.json").stat().st_mode & 0o777 == 0o600
    state = json.loads((tmp_path / "data" / "stack.json").read_text())
    assert (state["pid"], state["processes"]) == (None, [])
    assert DataFolder(tmp_path / "data").holder() is None


def test_a_start_that_fails_leaves_nothing_and_frees_the_folder(tmp_path):
    started = []

    def two(options: StackOptions, endpoints: Endpoints) -> list[ProcessSpec]:
        bad = python("broken", "raise SystemExit(3)", tmp_path, ready=lambda: False)
        return [*gateway_only(options, endpoints), bad]

    stack = Stack(elsewhere(tmp_path), services=two, backoff=QUICK)
    with pytest.raises(ServiceNotReadyError):
        stack.start()
    assert all(status.pid is None for status in stack.processes)
    with pytest.raises(ValueError, match="bad migration"):
        Stack(elsewhere(tmp_path), migrate=fail_to_migrate, services=lambda *_: started.append(1) or []).start()
    assert not started, "services wait for the migration"
    with Stack(elsewhere(tmp_path), services=gateway_only) as again:
        again.start()


def fail_to_migrate(url: str) -> None:
    assert url == "postgresql://elsewhere/db"
    raise ValueError("bad migration")


def test_recorded_processes_of_a_killed_supervisor_are_ended_and_strangers_are_not(tmp_path):
    """Where the kernel knows no death signal, the next start finds what is left by the state file."""
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
    left = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    try:
        wait_until(lambda: psutil.Process(left.pid).children())
        (grandchild,) = psutil.Process(left.pid).children()
        born = psutil.Process(left.pid).create_time()
        entry = {"name": "x", "state": "running", "restarts": 0, "stop_signal": 15}
        processes = [
            entry | {"pid": left.pid, "create_time": born},
            entry | {"pid": stranger.pid, "create_time": born - 9},
        ]
        (tmp_path / "data").mkdir()
        content = {"pid": 1, "ports": {}, "endpoints": None, "processes": processes}
        (tmp_path / "data" / "stack.json").write_text(json.dumps(content))
        with Stack(elsewhere(tmp_path), services=no_services) as stack:
            stack.start()
            assert left.wait(10) == -signal.SIGTERM
            assert not is_alive(grandchild)
            assert stranger.poll() is None
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_a_torn_state_file_is_no_obstacle(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stack.json").write_text('{"pid": 12, "po')
    with Stack(elsewhere(tmp_path), services=gateway_only) as stack:
        stack.start()


def test_every_service_is_told_where_everything_is(tmp_path):
    options = elsewhere(tmp_path, scorers=3, host="0.0.0.0", env={"TITHE_LOG": "debug", "TITHE_DATA": "elsewhere"})
    endpoints = Endpoints("0.0.0.0", 20001, "postgresql://db", "redis://broker", 20002, "tithe", "secret")
    specs = {spec.name: spec for spec in service_specs(options, endpoints)}
    scorers = ["scorer-1", "scorer-2", "scorer-3"]
    assert list(specs) == ["gateway", "trainer", *scorers, "prover", "sync", "keeper", "flower"]
    assert endpoints.gateway_url == "http://127.0.0.1:20001"
    assert specs["gateway"].env["TITHE_HOST"] == "0.0.0.0"
    assert specs["scorer-2"].env["TITHE_WORKER_NAME"] == "scorer-2"
    assert specs["flower"].env["FLOWER_BASIC_AUTH"] == "tithe:secret"
    assert not any("secret" in argument for spec in specs.values() for argument in spec.argv)
    assert "secret" not in repr(endpoints)
    for spec in specs.values():
        assert spec.env["TITHE_DATABASE_URL"] == "postgresql://db"
        assert spec.env["TITHE_BROKER_URL"] == "redis://broker"
        assert spec.env["TITHE_DATA"] == str(tmp_path / "data")
        assert spec.env["TITHE_ARTIFACTS"] == str(tmp_path / "data" / "artifacts")
        assert spec.env["TITHE_LOG"] == "debug"
        assert int(spec.env["OMP_NUM_THREADS"]) >= 1


def test_chosen_ports_stay_below_the_range_of_outgoing_connections():
    chosen = {choose_port(None, ()) for _ in range(20)}
    assert all(20_000 <= port < 32_000 for port in chosen)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


# ---- the stack as a process of its own ----


@pytest.fixture
def up(tmp_path):
    """Start the stack as its own process; whatever it started is gone after the test."""
    for name, code in {"gateway": GATEWAY, "stubborn": STUBBORN, "queue_app": QUEUE_APP}.items():
        (tmp_path / f"{name}.py").write_text(code)
    started = []

    def start(*words: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
        command = [sys.executable, "-c", UP, str(tmp_path / "data"), str(tmp_path), *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout.readline() == "up\n"
        return process, psutil.Process(process.pid).children(recursive=True)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(is_alive(process) for process in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_everything(up, number):
    process, family = up()
    process.send_signal(number)
    assert process.stdout.readline() == "down\n"
    assert process.wait(10) == 0
    assert gone(family)


def test_a_second_signal_hastens(up):
    process, family = up("stubborn")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "it waits for the stubborn one"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "down\n"
    assert process.wait(10) == 0
    assert gone(family)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_a_killed_supervisor_leaves_no_orphan_and_the_next_start_resumes(up, tmp_path):
    process, family = up("servers", "worker")
    names = " ".join(" ".join(member.cmdline()) for member in family)
    assert "postgres" in names
    assert "valkey-server" in names
    assert "billiard.spawn" in names, "the worker's pool is part of what must go"
    state = json.loads((tmp_path / "data" / "stack.json").read_text())
    urls = state["endpoints"]["database_url"], state["endpoints"]["broker_url"]
    with contextlib.closing(psycopg.connect(urls[0], autocommit=True)) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(urls[1]) as client:
        client.set("kept", "42")
    process.kill()
    process.wait()
    wait_until(lambda: gone(family), 10)

    # Again, and this time everything dies at the same moment.
    process, family = up("servers")
    state = json.loads((tmp_path / "data" / "stack.json").read_text())
    assert (state["endpoints"]["database_url"], state["endpoints"]["broker_url"]) == urls
    for member in [psutil.Process(process.pid), *family]:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    process, family = up("servers")
    with contextlib.closing(psycopg.connect(urls[0])) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    with redis.Redis.from_url(urls[1]) as client:
        assert client.get("kept") == b"42"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert gone(family)
    assert "killed" not in "".join(log.read_text() for log in (tmp_path / "data" / "logs").iterdir())
