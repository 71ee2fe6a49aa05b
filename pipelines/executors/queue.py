"""Slurm's own commands: submit, look, cancel. Arguments go to them as they are, never through a shell or a ``#SBATCH`` line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.errors import ClusterError, UsageError

SECONDS = 60
"""A command may take this long; a busy controller answers late."""

_COMMANDS = ("sbatch", "squeue", "scancel", "scontrol")
_DOWN = re.compile(r"contact|timed out|refused|temporar|not respond|configuration source|communicat", re.IGNORECASE)
"""What Slurm says when it is the controller that is the trouble, not the question."""


@dataclass(frozen=True)
class State:
    """Of an array task: Slurm's word for it, and why it waits if it does."""

    name: str
    reason: str = ""


def check() -> None:
    """Raises UsageError when this is no machine to submit from."""
    if missing := [command for command in _COMMANDS if shutil.which(command) is None]:
        raise UsageError(f"--executor slurm: {missing[0]} is not on this machine; run it where jobs are submitted")


def submit(options: Mapping[str, object], script: str) -> str:
    """The job's number. Options without a value are flags. Raises UsageError when Slurm refuses it."""
    given = [
        f"--{name}" if value == "" else f"--{name}={value}" for name, value in options.items() if value is not None
    ]
    told = _run("sbatch", "--parsable", "--export=ALL", *given, script)
    if told.returncode:
        why = _words(told.stderr)
        raise (ClusterError if _DOWN.search(why) else UsageError)(f"Slurm did not take the job: {why}")
    return told.stdout.strip().partition(";")[0]


def states(job: str) -> dict[int, State]:
    """Array tasks of a job by number; those that ended a while ago (MinJobAge) are not told any more. Raises ClusterError."""
    told = _run("squeue", "--noheader", "--array", "--states=all", f"--jobs={job}", "--format=%K|%T|%r")
    if told.returncode and "Invalid job id" in told.stderr:
        return {}
    return {int(task): State(name, reason) for task, name, reason in _rows(told) if task.isdigit()}


def named(name: str) -> bool:
    """Whether a task of a job of that name waits or runs. Raises ClusterError."""
    return bool(_rows(_run("squeue", "--noheader", f"--name={name}", "--format=%K|%T|%r")))


def cancel(*what: str) -> None:
    """A job's number, a task's (``12_3``), or ``--name=…``. In a session of its own: a second Ctrl-C must not end this first."""
    told = _run("scancel", *what, seconds=8)
    if told.returncode and "Invalid job id" not in told.stderr:
        raise ClusterError(f"Slurm did not cancel the job: {_words(told.stderr)}")


def most_tasks() -> int:
    """MaxArraySize: how many tasks an array may have."""
    told = _run("scontrol", "show", "config")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", told.stdout, re.MULTILINE)
    if not found:
        raise ClusterError(f"Slurm does not answer: {_words(told.stderr)}")
    return int(found[1])


def _rows(told: subprocess.CompletedProcess[str]) -> list[list[str]]:
    if told.returncode:
        raise ClusterError(f"Slurm does not answer: {_words(told.stderr)}")
    rows = [line.strip().split("|", 2) for line in told.stdout.splitlines()]
    return [row for row in rows if len(row) == 3]


def _run(*command: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    # A run that is itself a job (scrontab, say) has variables that would make its job's tasks take themselves for it.
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_")) or k == "SLURM_CONF"
    }
    try:
        return subprocess.run(
            command, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} timed out after {seconds:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} cannot be run: {error.strerror}")


def _words(text: str) -> str:
    """What went wrong, in one line."""
    lines = [line.split("error: ")[-1].strip() for line in text.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines))[:300] or "it gives no reason"
