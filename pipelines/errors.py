"""Failures a user can do something about. They print in one or two lines, without a traceback, and set the exit code.

A message says what, where and what to do. It never holds record text.
"""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from pipelines.terminal import printable

DONE, USAGE, PARTIAL, GATE, LOCKED = 0, 2, 3, 4, 5


class CorpusmillError(Exception):
    """Base: something expected went wrong. What the message quotes, a name of a column say, somebody else may have written."""

    exit_code = PARTIAL

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(CorpusmillError):
    """The command line or the recipe is wrong."""

    exit_code = USAGE


class ShardError(CorpusmillError):
    """One shard cannot be read; the others go on."""


class StoreError(ShardError):
    """A store does not answer, or does not let us in: that says nothing about the shard. usage: only other settings can help."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.exit_code = USAGE if usage else PARTIAL


class OutputError(CorpusmillError):
    """The output cannot be written or is not what it should be."""


class ClusterError(CorpusmillError):
    """The queue or the cluster does not answer, or has no place for the work."""


class LockedError(CorpusmillError):
    """Another run holds the output."""

    exit_code = LOCKED


class StoppedError(CorpusmillError):
    """The run was asked to end before it was done."""


class GateError(CorpusmillError):
    """The result is outside the bounds that the recipe sets; nothing was published."""

    exit_code = GATE


MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""What says something of this machine, and nothing of the file that was to be opened."""

PASSING = MACHINE | {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EINTR}
"""What can be otherwise the next time, with the same command."""


def unwritable(out: Path, error: OSError) -> CorpusmillError:
    """An output that cannot be written: wrong usage (a place that is read-only, or is not there), unless trying again may help."""
    told = f"the output {out} cannot be written: {error.strerror or error}"
    return OutputError(f"{told}; mend it, then run again") if error.errno in PASSING else UsageError(told)


def unexpected(error: Exception) -> str:
    """An error that nobody expected, without its message, which may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    if isinstance(error, MemoryError):
        return "it needs more memory than a worker may have: fewer workers have more each"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({place})"
    return f"{type(error).__name__} at {place}; please report it"
