"""Fault points: places where a test can end the process, or have the system refuse, and then look at what is left.

``CORPUSMILL_FAULT=POINT:ACTION[:N]``, several with commas between. ACTION is ``kill`` (SIGKILL to this process), ``node`` (to its
whole process group, as when a machine goes), ``stop`` (SIGSTOP), or the name of an error number in lower case (``enospc``, ``eio``),
which is raised as the system would raise it. Without N it happens every time a process passes the point, with N at its N-th time.
With ``CORPUSMILL_FAULT_ONCE=FILE`` it happens once over all processes: whoever makes that file.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter

from pipelines.errors import UsageError

VARIABLE, ONCE = "CORPUSMILL_FAULT", "CORPUSMILL_FAULT_ONCE"
SIGNALS = {"kill": signal.SIGKILL, "node": signal.SIGKILL, "stop": signal.SIGSTOP}
POINTS = {
    "flock": "instead of taking the system's lock (`enolck`: a file system that has none)",
    "planned": "what there is to do is known, nothing of it is done",
    "unit-read": "a batch of a unit is laid out",
    "unit-judged": "a stage has judged a batch",
    "unit-staged": "a unit's files are on the disk, its receipt is not",
    "receipt-written": "the receipt is there, the unit still in staging",
    "unit-committed": "the unit is under its key",
    "work-done": "the executor is back, no receipt is looked at yet",
    "before-publish": "every unit is done, nothing of the dataset has changed",
    "before-swap": "the new version is whole, and the marker says so",
    "exchange": "instead of exchanging two folders in one step",
    "between-renames": "a folder is away, since the file system cannot exchange",
    "between-swaps": "after each folder that was exchanged",
    "before-manifest": "all is new but the manifest",
    "after-manifest": "all is new, and the marker still stands",
    "in-prune": "old versions are gone, their units are not",
}

_passed: Counter[str] = Counter()


def at(point: str) -> None:
    """Do what the environment asks for at this point; nothing, as a rule. Raises UsageError where it asks for what there is not."""
    if asked := os.environ.get(VARIABLE):
        _passed[point] += 1
        for wanted, action, number in map(_parsed, asked.split(",")):
            if wanted == point and number in (0, _passed[point]) and _first():
                _do(action)


def _parsed(text: str) -> tuple[str, str, int]:
    point, _, rest = text.strip().partition(":")
    action, _, number = rest.partition(":")
    known = action in SIGNALS or hasattr(errno, action.upper())
    if point not in POINTS or not known or not (number or "0").isdecimal():
        raise UsageError(
            f"{VARIABLE}={text}: write it as POINT:ACTION or POINT:ACTION:N; points are {', '.join(POINTS)}"
        )
    return point, action, int(number or 0)


def _first() -> bool:
    if not (path := os.environ.get(ONCE)):
        return True
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _do(action: str) -> None:
    if action in SIGNALS:
        (os.killpg if action == "node" else os.kill)(0 if action == "node" else os.getpid(), SIGNALS[action])
    else:
        number = getattr(errno, action.upper())
        raise OSError(number, os.strerror(number))
