"""Whether this CPU can run the pgvector in the wheel, which was compiled for its builder's CPU.

A missing instruction does not fail politely: it kills the backend with SIGILL, at the first distance computed, and
Postgres resets the whole cluster. So it is asked beforehand.
"""

import platform
import subprocess
import sys
from pathlib import Path

from tithe.embedded.errors import UnsupportedMachineError


def needed_instructions(system: str, machine: str) -> list[str]:
    """Name the instruction sets the wheel for this platform uses beyond the architecture's common floor."""
    if machine.lower() in ("x86_64", "amd64"):
        return ["avx2", "fma", "bmi2"]
    if system == "Linux" and machine.lower() in ("aarch64", "arm64"):
        return ["sve"]
    return []


def missing_instructions(system: str, machine: str, flags: str) -> list[str]:
    """Name what is needed and not among `flags`; nothing where the flags are unknown."""
    present = set(flags.lower().split())
    return [name for name in needed_instructions(system, machine) if present and name not in present]


def read_flags() -> str:
    """Read the CPU's flags as the system spells them, or nothing where it does not tell."""
    if sys.platform == "darwin":
        names = ["machdep.cpu.features", "machdep.cpu.leaf7_features"]
        asked = subprocess.run(["/usr/sbin/sysctl", "-n", *names], capture_output=True, text=True, check=False)
        return asked.stdout
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")


def check_cpu() -> None:
    """Raise UnsupportedMachineError where the embedded Postgres would die of SIGILL."""
    missing = missing_instructions(platform.system(), platform.machine(), read_flags())
    if missing:
        raise UnsupportedMachineError(platform.machine(), missing)
