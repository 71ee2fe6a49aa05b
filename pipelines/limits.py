"""Ending a run before it is done: SIGTERM, a time limit, too many failed units. What is finished stays finished."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

LOOK = 0.5
"""Seconds between looks at the clock and at what failed."""


class Stopped(BaseException):
    """The run was asked to end. Not an Exception: what sets one unit's failure aside must let it through."""


@dataclass(frozen=True)
class Limits:
    """max_seconds: of the whole run. max_failures: units that may fail before the run gives up. None: no limit."""

    max_seconds: float | None = None
    max_failures: int | None = None


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM raises Stopped in the block; outside the main thread, where Python takes no signals, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        # A second one must not cut the clearing up short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped("SIGTERM")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def within(limits: Limits, began: float, failures: Path) -> Iterator[None]:
    """Raises Stopped in the block when a limit is passed. began: by time.time(). failures: the folder workers tell of theirs in."""
    if limits.max_seconds is None and limits.max_failures is None:
        yield
        return
    over, why = threading.Event(), []
    since = time.monotonic() - (time.time() - began)  # from here on, a clock that jumps is no reason to end

    def watch() -> None:
        while not over.wait(LOOK):
            if passed := _passed(limits, since, failures):
                why.append(passed)
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except Stopped:
        raise Stopped(why[0] if why else "SIGTERM") from None
    finally:
        over.set()
        thread.join()


def _passed(limits: Limits, since: float, failures: Path) -> str | None:
    if limits.max_seconds is not None and time.monotonic() - since > limits.max_seconds:
        return f"it ran for longer than {limits.max_seconds:g} s"
    if limits.max_failures is not None:
        failed = sum(len(path.read_bytes().splitlines()) for path in failures.glob("*.failed"))
        if failed > limits.max_failures:
            return f"more than {limits.max_failures} units failed"
    return None
