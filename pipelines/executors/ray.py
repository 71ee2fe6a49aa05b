"""A job on a Ray cluster: a Ray task a share, with nothing retried by Ray, so that what is lost is counted in one place.

datatrove's own Ray executor runs a share in a forked pool inside an actor, which waits for ever when a process of the pool is
killed or the node goes before the actor has answered; so its steps are run here by plain Ray tasks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipelines import progress
from pipelines.errors import ClusterError, UsageError
from pipelines.executors.execute import TASKS_A_SLOT, Ending
from pipelines.executors.job import Job, carry
from pipelines.executors.options import Executor
from pipelines.ledger import Ledger

GIB = 1 << 30
PATIENCE = 600.0
"""Seconds that a cluster may have no node for a task: one that grows on demand has grown by then."""


def check(_options: Executor) -> None:
    """Raises UsageError when Ray is not installed."""
    _ray()


@contextmanager
def opened(_ledger: Ledger, options: Executor, workers: int) -> Iterator[_Carrier]:
    """The cluster as a carrier, for as long as the block lasts."""
    ray = _ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _own_signals():
        try:
            ray.init(options.address, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=False)
        except Exception as error:
            raise ClusterError(f"no Ray cluster at {options.address!r}: {_first_line(error)}") from None
    try:
        slots = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // options.cpus_per_task)
        yield _Carrier(ray, options, slots, slots * TASKS_A_SLOT)
    finally:
        with _own_signals():
            ray.shutdown()


@dataclass
class _Carrier:
    ray: Any
    options: Executor
    slots: int
    limit: int

    def carry(self, job: Job) -> Mapping[int, Ending]:
        memory = self.options.mem_per_cpu_gb * job.processes * GIB
        share = self.ray.remote(carry).options(num_cpus=job.processes, memory=memory, max_retries=0, name="corpusmill")
        progress.event("job", executor="ray", tasks=job.tasks)
        waiting = list(range(job.tasks))
        running: dict[Any, int] = {}
        endings: dict[int, Ending] = {}
        room = _Room(self.ray, job.processes, memory)
        try:
            while waiting or running:
                while waiting and len(running) < self.slots:
                    task = waiting.pop(0)
                    running[share.remote(str(job.folder), task)] = task
                ended, _ = self.ray.wait(list(running), timeout=self.options.poll_seconds)
                for ref in ended:
                    endings[running.pop(ref)] = self._ending(ref)
                room.look(bool(ended))
        except BaseException:
            for ref in running:
                with contextlib.suppress(Exception):
                    self.ray.cancel(ref, force=True)
            raise
        return endings

    def _ending(self, ref: Any) -> Ending:
        errors = self.ray.exceptions
        try:
            self.ray.get(ref)
        except errors.OutOfMemoryError:
            return Ending("Ray killed its task, whose node ran out of memory: raise executor.mem_per_cpu_gb")
        except errors.TaskCancelledError:
            return Ending("its Ray task was cancelled: run again to go on", own=False, again=False)
        except errors.RayTaskError as error:
            return Ending(f"its Ray task failed with {type(error.cause).__name__}")
        except errors.RayError as error:
            return Ending(
                f"its Ray task was lost ({type(error).__name__})", own=not isinstance(error, errors.NodeDiedError)
            )
        return Ending("its worker died before it was done (out of memory?)")


@dataclass
class _Room:
    """Whether the cluster has a node at all on which a task could run."""

    ray: Any
    cpus: int
    memory: int
    since: float | None = None

    def look(self, alive: bool) -> None:
        """alive: a task has just ended. Raises ClusterError when there has been no such node for long."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if alive or any(n.get("CPU", 0) >= self.cpus and n.get("memory", 0) >= self.memory for n in nodes):
            self.since = None
            return
        if self.since is None:
            self.since = time.monotonic()
            progress.event("queue", why=f"no node of {len(nodes)} has {self.cpus} CPUs and {self.memory // GIB} GiB")
        if time.monotonic() - self.since > PATIENCE:
            raise ClusterError(
                f"no node of the Ray cluster has {self.cpus} CPUs and {self.memory // GIB} GiB for a task: "
                "lower executor.cpus_per_task or executor.mem_per_cpu_gb, or start larger nodes"
            )


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray: pip install 'corpusmill[ray]'") from None
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts a handler of its own for SIGTERM in the place of ours, which stops the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
