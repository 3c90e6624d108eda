"""Tithe's own processes, and how each is started on one machine."""

import http.client
import os
import sys
from collections.abc import Callable, Mapping

from tithe.embedded.endpoints import Endpoints
from tithe.embedded.folder import DataFolder
from tithe.embedded.options import StackOptions
from tithe.embedded.process import ProcessSpec
from tithe.embedded.secret_file import secret
from tithe.vault import new_key

FLOWER_USER = "tithe"


def service_specs(options: StackOptions, endpoints: Endpoints) -> list[ProcessSpec]:
    """List the services: the gateway, one trainer, `scorers` scorers, prover, sync, keeper, and Flower if wanted."""
    folder = DataFolder(options.data)
    env = service_environment(options, endpoints)

    def service(name: str, module: str, extra: Mapping[str, str] | None = None) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            argv=[sys.executable, "-m", module],
            env={**env, "TITHE_WORKER_NAME": name, **(extra or {})},
            log=folder.log(name),
        )

    specs = [_gateway(folder, env, endpoints), service("trainer", "tithe.trainer")]
    specs += [service(f"scorer-{number}", "tithe.scorer") for number in range(1, options.scorers + 1)]
    specs += [service(name, f"tithe.{name}") for name in ("prover", "sync", "keeper")]
    if endpoints.flower_port:
        specs.append(_flower(folder, env, endpoints))
    return specs


def no_services(_options: StackOptions, _endpoints: Endpoints) -> list[ProcessSpec]:
    """Stand in for `service_specs` where only the servers are wanted."""
    return []


def service_environment(options: StackOptions, endpoints: Endpoints) -> dict[str, str]:
    """Spell what every service is told. A thread count the caller set is respected; addresses are not negotiable."""
    folder = DataFolder(options.data)
    threads = str(max(1, _cores() // (options.scorers + 1)))
    environment = {
        "OMP_NUM_THREADS": threads,  # each scorer would otherwise take every core, and they would fight
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        **os.environ,
        **options.env,
        "PYTHONUNBUFFERED": "1",
        "TITHE_DATABASE_URL": endpoints.database_url,
        "TITHE_BROKER_URL": endpoints.broker_url,
        "TITHE_DATA": str(folder.path),
        "TITHE_ARTIFACTS": str(folder.artifacts),
    }
    if not environment.get("TITHE_SECRET_KEY", "").strip():
        environment["TITHE_SECRET_KEY"] = secret(folder.secret_key, new_key)
    return environment


def answers(host: str, port: int, path: str) -> Callable[[], bool]:
    """Make a readiness check: whether GET answers 200. No proxy of the environment comes between."""

    def check() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1.0)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check


def _gateway(folder: DataFolder, env: Mapping[str, str], endpoints: Endpoints) -> ProcessSpec:
    return ProcessSpec(
        name="gateway",
        argv=[sys.executable, "-m", "tithe.gateway"],
        env={**env, "TITHE_HOST": endpoints.gateway_host, "TITHE_PORT": str(endpoints.gateway_port)},
        log=folder.log("gateway"),
        ready=answers(endpoints.gateway_local_host, endpoints.gateway_port, "/readyz"),
    )


def _flower(folder: DataFolder, env: Mapping[str, str], endpoints: Endpoints) -> ProcessSpec:
    address = ["--address=127.0.0.1", f"--port={endpoints.flower_port}"]
    return ProcessSpec(
        name="flower",
        argv=[sys.executable, "-m", "celery", "-A", "tithe.bus.flower", "flower", *address],
        # Through the environment: on the command line `ps` would show the password to everyone on this machine.
        env={**env, "FLOWER_BASIC_AUTH": f"{endpoints.flower_user}:{endpoints.flower_password}"},
        log=folder.log("flower"),
        ready=answers("127.0.0.1", endpoints.flower_port or 0, "/healthcheck"),
        awaited=False,  # looking on is no reason for a stack not to start
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
