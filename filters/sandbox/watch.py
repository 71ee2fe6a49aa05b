"""What all processes of a sandbox hold together, as the kernel tells it: limits of the kernel's are of one process each."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> Iterator[int]:
    """A process and all below it. Orphans of a sandbox are children of its first process, so none is left out."""
    waiting, seen = [pid], {pid}
    while waiting:
        pid = waiting.pop()
        yield pid
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    found = {int(p) for p in (task / "children").read_bytes().split()} - seen
                    seen |= found
                    waiting += found


def memory(pids: list[int], enough: int) -> int:
    """Bytes that processes hold. What they share is counted once, as far as the kernel tells, where that decides."""
    resident = {pid: _resident(pid) for pid in pids}
    total = sum(resident.values())
    return total if total <= enough else sum(_share(pid, held) for pid, held in resident.items())


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    return 0


def _share(pid: int, resident: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().split(b"\n"):
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) << 10
    return resident


def files(pid: int, folder: str) -> int:
    """Files of the file system that a process sees at ``folder``; 0 where that cannot be seen."""
    with contextlib.suppress(OSError):
        told = os.statvfs(f"/proc/{pid}/root{folder}")
        return told.f_files - told.f_ffree
    return 0
