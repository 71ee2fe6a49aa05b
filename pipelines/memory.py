"""A bound on what a process may allocate: a file that unfolds to a hundred gigabytes is an error of its own unit, not the machine's end.

**Linux only**, where the kernel counts private memory against RLIMIT_DATA; elsewhere nothing is bounded.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT = "CORPUSMILL_WORKER_MEMORY"
"""Environment variable: MiB that a worker may allocate beside what it has when it begins; 0 for no bound."""
WORKERS = "CORPUSMILL_WORKERS"
"""Environment variable, set by the run for its workers: how many share the machine."""
LEAST = 4 << 30
"""No bound is lower unless it is asked for: what workers share among them, such as a model's file, is counted in each."""


@contextmanager
def bounded() -> Iterator[None]:
    """In the block, this process may allocate its share of the memory that is there; what asks for more gets a MemoryError."""
    share = _share()
    if sys.platform != "linux" or not share:
        yield
        return
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _field("/proc/self/status", "VmData") + share
    bounds = [b for b in (before, most) if b != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(wanted, *bounds) if bounds else wanted, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _share() -> int:
    """Bytes for this process; 0 for no bound."""
    with suppress(KeyError, ValueError):
        return int(os.environ[LIMIT]) << 20
    there = _field("/proc/meminfo", "MemAvailable")
    with suppress(OSError, ValueError):
        there = min(there, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return max(LEAST, there // int(os.environ.get(WORKERS, "1"))) if there else 0


def _field(file: str, name: str) -> int:
    """A field of one of the kernel's tables, which are in kB; 0 where it is not there."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(file).read_text("ascii", "replace").splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) << 10
    return 0
