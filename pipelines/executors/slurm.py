"""A job on Slurm: an array that datatrove's executor describes; submitted, waited for and, if need be, cancelled by us.

datatrove's own ``run`` returns after ``sbatch``, and starts a further job that waits for ever when a task has failed.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from datatrove.executor.slurm import SlurmPipelineExecutor

from pipelines import progress
from pipelines.errors import ClusterError
from pipelines.executors import queue
from pipelines.executors.execute import TASKS_A_SLOT, Ending
from pipelines.executors.job import Job
from pipelines.executors.options import Executor
from pipelines.executors.queue import State
from pipelines.ledger import Ledger

FILE = "slurm.json"
PATIENCE = 600.0
"""Seconds that the controller may be silent: it is restarted in less."""

LEFTOVER = 60.0
"""Seconds that a killed run's tasks are given to end."""

ENDED = frozenset({
    "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "REVOKED",
})  # fmt: skip

NEVER = frozenset({
    "launch failed requeued held", "PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "DependencyNeverSatisfied",
    "JobHoldMaxRequeue",
})  # fmt: skip
"""Reasons for which a task would wait until somebody does something; what a person holds (JobHeldUser) is waited for."""


class SlurmExecutor(SlurmPipelineExecutor):
    """datatrove's description of the array: its options and its script, which starts our task rather than a pickle."""

    def __init__(self, job: Job, options: Executor, name: str, at_once: int) -> None:
        super().__init__(
            job.steps(), tasks=job.tasks, time=options.time or None, partition=options.partition or None,
            cpus_per_task=job.processes, mem_per_cpu_gb=options.mem_per_cpu_gb, workers=at_once or -1, job_name=name,
            qos=options.qos or None, sbatch_args=_further(options), logging_dir=str(job.folder), with_srun=False,
            slurm_logs_folder=str(job.folder / "slurm"), env_command=_modules(options),
        )  # fmt: skip
        self.job = job

    def submit(self) -> str:
        """Hand the array to Slurm; its number."""
        command = shlex.join([sys.executable, "-P", "-m", "pipelines.executors.task", str(self.job.folder)])
        script = self.job.folder / "launch_script.slurm"
        script.write_text(self.get_launch_file_contents({}, f"exec {command}"), "utf-8")
        logs = str(self.job.folder / "slurm").replace("%", "%%") + "/%A_%a.out"
        options = {**self.get_sbatch_args(self.tasks), "output": logs, "error": logs, "open-mode": "append"}
        return queue.submit(options, str(script))


def check(_options: Executor) -> None:
    queue.check()


@contextmanager
def opened(ledger: Ledger, options: Executor, workers: int) -> Iterator[_Carrier]:
    """Slurm as a carrier."""
    most = options.max_array_size or queue.most_tasks()
    limit = min(most, workers * TASKS_A_SLOT) if workers else most
    yield _Carrier(ledger, options, workers, limit)


def end_leftover(ledger: Ledger) -> None:
    """Cancel what a killed run has left in the queue, and wait until it is gone."""
    name = str(ledger.load(FILE).get("name", ""))
    until = time.monotonic() + LEFTOVER
    try:
        while name and queue.named(name):
            queue.cancel(f"--name={name}")
            if time.monotonic() > until:
                raise ClusterError(f"the job {name} does not end")
            time.sleep(1)
    except ClusterError as error:
        progress.event("leftover", job=name, why=str(error))
        return
    (ledger.root / FILE).unlink(missing_ok=True)


@dataclass
class _Carrier:
    ledger: Ledger
    options: Executor
    workers: int
    limit: int

    def carry(self, job: Job) -> Mapping[int, Ending]:
        name = f"corpusmill-{uuid.uuid4().hex[:12]}"
        # By its name a job is found that was submitted by a run that did not live to know its number.
        self.ledger.save(FILE, {"name": name})
        try:
            number = SlurmExecutor(job, self.options, name, self.workers).submit()
            progress.event("job", executor="slurm", job=number, tasks=job.tasks)
            ended = _Watch(number, job.keys(), self.ledger, self.options.poll_seconds).wait()
        except BaseException:
            with contextlib.suppress(ClusterError):
                queue.cancel(f"--name={name}")
            raise
        (self.ledger.root / FILE).unlink(missing_ok=True)
        return {task: _ending(ended.get(task), number) for task in range(job.tasks)}


@dataclass
class _Watch:
    """A job until its last task has ended. seen: the last known state of each task.
    stuck: tasks that at the last look would have waited for ever; hopeless: those that we cancelled for it."""

    number: str
    keys: Sequence[str]
    ledger: Ledger
    poll: float
    seen: dict[int, State] = field(default_factory=dict)
    stuck: dict[int, State] = field(default_factory=dict)
    hopeless: dict[int, State] = field(default_factory=dict)
    told: object = None

    def wait(self) -> dict[int, State]:
        """Tasks and how they ended. Raises ClusterError when Slurm does not answer for long."""
        heard = time.monotonic()
        while True:
            time.sleep(self.poll)
            try:
                now = queue.states(self.number)
            except ClusterError as error:
                if time.monotonic() - heard > PATIENCE:
                    raise ClusterError(f"{error}; the job {self.number} was left to it, run again to go on") from None
                progress.event("queue", job=self.number, why=str(error))
                continue
            heard = time.monotonic()
            self.seen.update(now)
            self._tell(now)
            if not self._going(now):
                return {**self.seen, **self.hopeless}

    def _going(self, now: Mapping[int, State]) -> bool:
        going = {task: state for task, state in now.items() if state.name not in ENDED}
        stuck = {task: state for task, state in going.items() if state.name == "PENDING" and state.reason in NEVER}
        for task, state in stuck.items():
            # Not at the first sight of it: the scheduler may be in the middle of thinking.
            if self.stuck.get(task) == state:
                self.hopeless[task] = state
                with contextlib.suppress(ClusterError):  # the next look does it again
                    queue.cancel(f"{self.number}_{task}")
        self.stuck = stuck
        if going and all(state.name == "COMPLETING" for state in going.values()):
            # A node that died is cleared up after for minutes; what its task had finished is finished.
            return not all(self.ledger.receipt(key) for key in self.keys)
        return bool(going)

    def _tell(self, now: Mapping[int, State]) -> None:
        counts: dict[str, int] = {}
        for state in now.values():
            counts[state.name.lower()] = counts.get(state.name.lower(), 0) + 1
        why = sorted(
            {state.reason for state in now.values() if state.name == "PENDING"} - {"None", "JobArrayTaskLimit"}
        )
        if (counts, why) != self.told:
            self.told = (counts, why)
            progress.event("queue", job=self.number, **counts, **({"why": ", ".join(why)} if why else {}))


def _ending(state: State | None, number: str) -> Ending:
    name = state.name if state else "UNKNOWN"
    if state and name == "PENDING":
        return Ending(
            f"Slurm would never have started it ({state.reason})", own=False, again="launch failed" in state.reason
        )
    told = f"its Slurm task (job {number}) ended as {name}"
    if name == "CANCELLED":
        # Somebody did that: whoever cancels a job does not want another in its place.
        return Ending(f"{told}: run again to go on", own=False, again=False)
    advice = {
        "OUT_OF_MEMORY": "raise executor.mem_per_cpu_gb",
        "TIMEOUT": "raise executor.time, or lower work.unit_bytes",
    }.get(name, "its log is in .corpusmill/datatrove")
    return Ending(f"{told}: {advice}", own=name not in ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "DEADLINE", "REVOKED"))


def _further(options: Executor) -> dict[str, object]:
    told: dict[str, object] = {"account": options.account or None}
    for key, value in options.sbatch_args.items():
        if value is not False:
            told[key] = "" if value is True else value
    return told


def _modules(options: Executor) -> str | None:
    return f"module load {shlex.join(options.modules)} || exit 1" if options.modules else None
