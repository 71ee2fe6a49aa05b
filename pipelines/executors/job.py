"""A job: units in tasks, and a task's share carried by processes of the machine that it runs on.

What a worker needs to know stands in a folder that every machine sees, as JSON: nothing is pickled, so whoever can write there can
spoil data, but run nothing. A worker whose code or packages are not those of the run refuses: its bytes might be others.
"""

from __future__ import annotations

import json
import math
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep

from pipelines import recipe, units
from pipelines.executors.local import LocalExecutor
from pipelines.ledger import Ledger, replace
from pipelines.steps import Judge, ReadUnits, WriteUnits, note_failure
from pipelines.units import Unit

RANKS_A_WORKER = 8
"""More ranks than workers, so that one slow shard does not leave a worker idle at the end."""


@dataclass(frozen=True)
class Job:
    """folder: its listing of units, document and logs. tasks: shares, which run anywhere. processes: that carry one share.
    ranks_a_task: datatrove's ranks in a share."""

    folder: Path
    out: Path
    document: Mapping[str, Any]
    tasks: int
    processes: int
    ranks_a_task: int

    @classmethod
    def of(cls, folder: Path, out: Path, document: Mapping[str, Any], units: int, tasks: int, processes: int) -> Job:
        """A job for so many units, with no more tasks or processes than there is work for."""
        tasks = min(tasks, units)
        share = math.ceil(units / tasks)
        ranks = 1 if min(processes, share) == 1 else min(share, processes * RANKS_A_WORKER)
        return cls(folder, out, document, tasks, processes, ranks)

    def again(self, units: int, tasks: int) -> Job:
        """The job of a further round, in a folder of its own."""
        folder = self.folder.with_name(uuid.uuid4().hex[:8])
        return Job.of(folder, self.out, self.document, units, tasks, self.processes)

    @property
    def world(self) -> int:
        """Ranks in all."""
        return self.tasks * self.ranks_a_task

    def ranks(self, task: int) -> list[int]:
        """Unit i of the listing is in a rank of task i modulo tasks, so that every task gets some of the large ones."""
        return list(range(task, self.world, self.tasks))

    def share(self, listed: Sequence[Unit], task: int) -> list[Unit]:
        return list(listed[task :: self.tasks])

    @property
    def listing(self) -> Path:
        return self.folder / "units.jsonl"

    def write(self, listed: Sequence[Unit]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.listing.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(units.to_json(u)) + "\n" for u in listed)
        told = {
            "out": str(self.out), "document": self.document, "tasks": self.tasks, "processes": self.processes,
            "ranks_a_task": self.ranks_a_task, "software": recipe.from_document(self.document).software(),
        }  # fmt: skip
        replace(self.folder / "job.json", json.dumps(told).encode())

    def keys(self) -> list[str]:
        return [json.loads(line)["key"] for line in self.listing.read_text("utf-8").splitlines()]

    def steps(self) -> list[PipelineStep]:
        options = [next(iter(entry.items())) for entry in self.document["filters"]]
        return [
            ReadUnits(str(self.listing), str(self.out), self.document),
            Judge("read", {}),
            *(Judge(name, told) for name, told in options),
            WriteUnits(str(self.out), self.document),
        ]

    def carry(self, task: int) -> None:
        """Do one share here. What it has not done at the end, the ledger tells."""
        LocalExecutor(self.steps(), self.world, self.ranks(task), self.processes, self.folder).run()


def carry(folder: str | Path, task: int) -> None:
    """Do one share of the job in a folder, on whatever machine this is."""
    told = json.loads((Path(folder) / "job.json").read_text("utf-8"))
    theirs, out = told.pop("software"), Path(told.pop("out"))
    job = Job(Path(folder), out, **told)
    ours = recipe.from_document(job.document).software()
    if ours != theirs:
        _refuse(job, task, _other(theirs, ours))
    else:
        job.carry(task)


def _refuse(job: Job, task: int, what: str) -> None:
    why = f"{socket.gethostname()} has another {what} than the machine that started the run: install the same there"
    listed = [units.from_json(json.loads(line)) for line in job.listing.read_text("utf-8").splitlines()]
    for unit in job.share(listed, task):
        note_failure(Ledger(job.out), unit, why, own=False)


def _other(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    other = [
        name
        for kind in ("packages", "programs")
        for name, version in sorted(theirs.get(kind, {}).items())
        if ours.get(kind, {}).get(name) != version
    ]
    return ", ".join(other[:3]) or "corpusmill"
