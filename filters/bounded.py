"""The inside of a child of ``filters.child``: questions in and answers out as frames, within bounds that the kernel keeps.

It imports nothing else of ours, so that a child starts as fast as what it is there for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

LENGTH = struct.Struct(">I")
"""What stands before each frame: its bytes."""
READY = b"ready"
"""The first frame: everything is loaded."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(answers: Callable[[bytes], Iterable[bytes]], memory: int) -> None:
    """Answer each frame on standard input with those that ``answers`` gives, each written as soon as it is there, until the input ends.

    memory: bytes of address space beyond what is taken already.
    """
    out = _private_output()
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: for the worker, who may want to finish
    limit(resource.RLIMIT_AS, _taken() + memory)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)  # a core would hold the text
    _write(out, READY)
    while head := sys.stdin.buffer.read(LENGTH.size):
        for answer in answers(sys.stdin.buffer.read(*LENGTH.unpack(head))):
            _write(out, answer)


def allow(seconds: int) -> None:
    """From here on, so many seconds of processor time; then the kernel ends the process."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds + 1, hard))


def limit(kind: int, most: int) -> None:
    # Not every system knows every limit; those of time hold on all.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most))


def _write(out: BinaryIO, frame: bytes) -> None:
    out.write(LENGTH.pack(len(frame)) + frame)
    out.flush()


def _private_output() -> BinaryIO:
    """Standard output for the answers alone: whatever else is printed goes nowhere."""
    own = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return own


def _taken() -> int:
    """Bytes of address space: libraries reserve far more than they use, by the number of cores."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _die_with_parent() -> None:
    """The end of the input ends a child that waits; this one that is at work (Linux; elsewhere its limit of time does)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
