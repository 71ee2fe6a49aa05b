"""Where the work is carried: this machine, a Slurm queue or a Ray cluster. The ledger, not the executor, says what is done.

On a cluster the work goes in rounds. **A round ends when no task of it runs any more; what then has neither a receipt nor a
note of why not was lost, and is the next round**, until a few rounds in a row have not finished a single unit.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pipelines import progress, quarantine
from pipelines.executors.options import Executor
from pipelines.ledger import Ledger
from pipelines.quarantine import Failure
from pipelines.units import Unit

if TYPE_CHECKING:
    from pipelines.executors.job import Job

ROUNDS = 3
"""Rounds in a row that may finish nothing."""

TASKS_A_SLOT = 8
"""More tasks than run at once, so that a slow one does not hold up the end, and a lost one does not lose much."""


TASK_BYTES = 1 << 30
"""A task of less is mostly start-up; it is cut smaller only where ``--workers`` asks for many at once."""


@dataclass(frozen=True)
class Ending:
    """How a task ended. why: in a line, if its units are not done. own: whether they may be to blame. again: worth another try."""

    why: str
    own: bool = True
    again: bool = True


class Carrier(Protocol):
    """A cluster that is there. limit: the most tasks that a job may have."""

    limit: int

    def carry(self, job: Job) -> Mapping[int, Ending]:
        """Run the job's tasks and wait until none runs any more. On any exception they are stopped first."""
        ...


def check(options: Executor) -> None:
    """Raises UsageError when what the executor needs is not on this machine."""
    if options.name != "local":
        _module(options.name).check(options)


def end_leftover(ledger: Ledger) -> None:
    """Stop what a run of this output that was killed has left in a queue. Left running it would do no harm, but work twice."""
    if (ledger.root / "slurm.json").exists():
        _module("slurm").end_leftover(ledger)


def execute(
    ledger: Ledger, units: Sequence[Unit], document: Mapping[str, Any], options: Executor, workers: int
) -> None:
    """Carry the units, the largest first. workers: processes, or tasks at once on a cluster; 0: as many as there are places.
    What is then missing, the ledger tells."""
    from pipelines.executors.job import Job

    folder = ledger.root / "datatrove"
    shutil.rmtree(folder, ignore_errors=True)
    if options.name == "local":
        job = Job.of(folder, ledger.out, document, len(units), 1, workers)
        job.write(units)
        job.carry(0)
        return
    opened: AbstractContextManager[Carrier] = _module(options.name).opened(ledger, options, workers)
    with opened as carrier:
        size = sum(u.part.bytes for u in units)
        asked = carrier.limit if workers else 1 + size // (TASK_BYTES * options.cpus_per_task)
        tasks, first = min(asked, carrier.limit), folder / uuid.uuid4().hex[:8]
        job = Job.of(first, ledger.out, document, len(units), tasks, options.cpus_per_task)
        _rounds(ledger, units, job, carrier)


def _module(name: str) -> Any:
    if name == "slurm":
        from pipelines.executors import slurm

        return slurm
    from pipelines.executors import ray

    return ray


def _rounds(ledger: Ledger, units: Sequence[Unit], job: Job, carrier: Carrier) -> None:
    from pipelines.steps import note_failure

    waiting, left = list(units), ROUNDS
    while waiting and left:
        job.write(waiting)
        progress.event("round", units=len(waiting), tasks=job.tasks)
        endings = carrier.carry(job)
        noted = quarantine.noted(ledger)
        if any(failure.fatal for failure in noted.values()):
            return  # no disk is left, say: the note stands for what was not begun as well
        lost = _lost(ledger, waiting, job, endings, noted)
        left = ROUNDS if len(lost) < len(waiting) else left - 1
        waiting = [unit for unit, ending in lost if ending.again and left]
        for unit, ending in lost:
            if not (ending.again and left):
                note_failure(ledger, unit, ending.why, own=ending.own)
        # A lost unit gets a task of its own, so that one which kills its task takes no other with it.
        job = job.again(len(waiting), carrier.limit) if waiting else job


def _lost(
    ledger: Ledger, tried: Sequence[Unit], job: Job, endings: Mapping[int, Ending], noted: Mapping[str, Failure]
) -> list[tuple[Unit, Ending]]:
    """Units with neither a receipt nor a note, and how the task ended that had them."""
    return [
        (unit, endings[place % job.tasks])
        for place, unit in enumerate(tried)
        if unit.key not in noted and ledger.receipt(unit.key) is None
    ]
