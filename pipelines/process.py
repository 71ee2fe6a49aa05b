"""Which process on which machine, so that another one can tell whether it still lives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


def identity() -> dict[str, Any]:
    """This process. host: for people. boot: of the running system, new at every start of it. space: the process ids' own, as
    containers have theirs. started: since a process id is used again. machine: the same after a new start. Empty: not known."""
    return {
        "host": socket.gethostname(),
        "machine": _read("/etc/machine-id"),
        "boot": _boot(),
        "space": _space(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
    }


def lives(told: Mapping[str, Any]) -> bool | None:
    """Whether the process that an identity tells of is there; None where this one cannot know, since it is on another machine or in
    another container."""
    mine = identity()
    if not told.get("boot") or not mine["boot"]:
        return None
    if told["boot"] == mine["boot"] and told.get("space") == mine["space"]:
        return started(told["pid"]) == told["started"]
    if (
        told["boot"] != mine["boot"]
        and mine["machine"]
        and (told["host"], told["machine"]) == (mine["host"], mine["machine"])
    ):
        return False  # this machine, before it was started again
    return None


def same_system(told: Mapping[str, Any]) -> bool:
    """Whether it runs, or ran, on the system that runs this process, in whatever container."""
    return bool(told.get("boot")) and told["boot"] == _boot()


def started(pid: int) -> str:
    """When a process began, as a text to compare; empty where there is none, or it has ended and nobody has asked how."""
    if sys.platform == "linux":
        # Field 2, the name, may hold spaces and brackets; then come the state and, 19 fields on, the start in ticks since boot (proc(5)).
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return "" if not fields or fields[0] in "ZX" else fields[19]
    return _output("ps", "-o", "lstart=", "-p", str(pid))


@cache
def _boot() -> str:
    if sys.platform == "linux":
        return _read("/proc/sys/kernel/random/boot_id")
    return _output("sysctl", "-n", "kern.bootsessionuuid")


def _space() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (it names no file)
    return ""


def _read(path: str) -> str:
    with suppress(OSError, ValueError):
        return Path(path).read_text("utf-8").strip()
    return ""


def _output(*command: str) -> str:
    with suppress(OSError):
        told = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        return told.stdout.strip()
    return ""
