"""A job on a Ray cluster: a Ray task a share, with nothing retried by Ray, so that what is lost is counted in one place.

datatrove's own Ray executor runs a share in a forked pool inside an actor, which waits for ever when a process of the pool is
killed or the node goes before the actor has answered; so its steps are run here by plain Ray tasks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines import progress
from pipelines.errors import ClusterError, UsageError
from pipelines.executors.execute import TASKS_A_SLOT, Ending
from pipelines.executors.job import Job, carry
from pipelines.executors.options import Executor
from pipelines.ledger import Ledger

GIB = 1 << 30
CONNECT = 10.0
"""Seconds in which a head answers."""

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
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    _reach(options.address if options.address != "auto" else os.environ.get("RAY_ADDRESS", ""))
    # Ray is only spoken to in a thread of its own: in the main one it takes SIGTERM for itself, and what a signal's handler
    # raises for an error of its own.
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(ray.init, options.address, log_to_driver=False, configure_logging=False).result()
        except Exception as error:
            raise ClusterError(f"no Ray cluster at {options.address!r}: {_first_line(error)}") from None
        try:
            there = thread.submit(ray.cluster_resources).result().get("CPU", 1)
            slots = workers or max(1, int(there) // options.cpus_per_task)
            yield _Carrier(ray, thread, options, slots, slots * TASKS_A_SLOT)
        finally:
            thread.submit(ray.shutdown).result()


@dataclass
class _Carrier:
    """slots: tasks at once. stop: whoever waits for the tasks waits no longer."""

    ray: Any
    thread: ThreadPoolExecutor
    options: Executor
    slots: int
    limit: int
    stop: threading.Event = field(default_factory=threading.Event)

    def carry(self, job: Job) -> Mapping[int, Ending]:
        progress.event("job", executor="ray", tasks=job.tasks)
        running: dict[Any, int] = {}
        carried = self.thread.submit(self._carry, job, running)
        try:
            return carried.result()
        except BaseException:
            self.stop.set()
            self.thread.submit(self._cancel, running).result()
            raise

    def _carry(self, job: Job, running: dict[Any, int]) -> Mapping[int, Ending]:
        memory = self.options.mem_per_cpu_gb * job.processes * GIB
        share = self.ray.remote(carry).options(num_cpus=job.processes, memory=memory, max_retries=0, name="corpusmill")
        room = _Room(self.ray, job.processes, memory)
        waiting, endings = list(range(job.tasks)), {}
        while (waiting or running) and not self.stop.is_set():
            while waiting and len(running) < self.slots:
                task = waiting.pop(0)
                running[share.remote(str(job.folder), task)] = task
            ended, _ = self.ray.wait(list(running), timeout=min(self.options.poll_seconds, 1))
            for ref in ended:
                endings[running.pop(ref)] = self._ending(ref)
            room.look(bool(ended))
        return endings

    def _cancel(self, running: Mapping[Any, int]) -> None:
        for ref in running:
            with contextlib.suppress(Exception):
                self.ray.cancel(ref, force=True)

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


def _reach(address: str) -> None:
    """Raises ClusterError when nothing listens there, for which Ray itself would wait for minutes. Other forms are left to Ray."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in address or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT).close()
    except OSError as error:
        raise ClusterError(f"no Ray cluster at {address!r}: {error.strerror or 'it does not answer'}") from None


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray: pip install 'corpusmill[ray]'") from None
    return ray


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
