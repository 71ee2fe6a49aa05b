"""The recipe's ``executor`` section: where a run is carried. No part of what keys the work; none of it reaches a shell."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SBATCH = frozenset({
    "begin", "comment", "constraint", "deadline", "exclude", "exclusive", "gres", "hint", "licenses", "mail-type",
    "mail-user", "mem-bind", "nice", "nodelist", "priority", "reservation", "tmp", "wckey",
})  # fmt: skip
"""What ``sbatch_args`` may hold: options that say where and when. Those that name files or commands, or change the environment,
the array or the user, are not among them."""

_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.,+-]{0,200}\Z")]
_Module = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,200}\Z")]


class Executor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the work is carried, and what a task is given there."""

    name: Annotated[
        Literal["local", "slurm", "ray"], Meta(description="where the work is carried; `--executor` says otherwise")
    ] = "local"
    cpus_per_task: Annotated[
        int, Meta(ge=1, le=4096, description="processes of one task, and the CPUs asked for it")
    ] = 1
    mem_per_cpu_gb: Annotated[int, Meta(ge=1, le=4096, description="memory asked for each of them, in GiB")] = 4
    time: Annotated[
        str, Meta(pattern=r"^[0-9:-]{0,20}\Z", description="Slurm: time limit of a task, as in 04:00:00 or 1-12")
    ] = ""
    partition: Annotated[_Name, Meta(description="Slurm: partition")] = ""
    account: Annotated[_Name, Meta(description="Slurm: account")] = ""
    qos: Annotated[_Name, Meta(description="Slurm: quality of service")] = ""
    modules: Annotated[list[_Module], Meta(description="Slurm: environment modules that a task loads first")] = []
    sbatch_args: Annotated[
        dict[str, bool | int | str],
        Meta(description="Slurm: further options of sbatch, without the dashes, as in `constraint: icelake`"),
    ] = {}
    max_array_size: Annotated[
        int, Meta(ge=0, description="Slurm: most tasks of a job; 0: as the controller's MaxArraySize says")
    ] = 0
    poll_seconds: Annotated[float, Meta(ge=0.2, le=600, description="seconds between looks at the queue")] = 5.0
    address: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.:\[\]-]{1,200}\Z",
            description="Ray: HOST:PORT of its head; auto: RAY_ADDRESS, or the cluster of this machine",
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        for key, value in self.sbatch_args.items():
            if key not in SBATCH:
                raise ValueError(f"sbatch_args has no {key!r:.40}; there are {', '.join(sorted(SBATCH))}")
            if not all(c.isprintable() for c in str(value)):
                raise ValueError(f"sbatch_args: {key} holds a control character")
