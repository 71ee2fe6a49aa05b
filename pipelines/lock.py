"""Who may write to an output: one process at a time, whichever host it is on.

Two locks are held. The system's own (flock) ends with the process that holds it, but does not cross hosts on every network file system.
So there is a claim as well, a file that says who holds the output and whose time of change is kept fresh:

**The claim with the highest number holds, and no claim goes before a higher one is there.** A number is taken by making its file,
which only one process can; whoever then finds a higher one has lost. So nobody removes what another has just taken.

Ages are told by the file system's clock alone (a file made now against the claim), never by this host's.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import faults, process, progress
from pipelines.errors import LockedError, UsageError, unwritable

VARIABLE = "CORPUSMILL_LOCK_BEAT"
BEAT = 10.0
"""Seconds between signs of life."""

MISSED = 30
"""Beats without a sign after which a holder on another host is taken for dead: five minutes, which a host that swaps gets through."""

WATCHED = 2.5
"""Beats for which such a claim is then watched: if it moves, only a clock had jumped."""

RELEASED = 631_152_000
"""The time (1990-01-01) that a claim is given when its holder is done; every file system can hold it, and no clock shows it. The claim
says so as well, since a copy may have another time."""

_DONE = b'{"released": true}'
_JUST = "{} was taken by another process this moment; wait for it, or stop it"
_NO_FLOCK = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})


@dataclass
class Hold:
    """An output held by this process."""

    out: Path
    claim: Path

    def check(self) -> None:
        """Raises LockedError where another process has taken the output over, since this one gave no sign of life."""
        if (latest := _latest(self.claim.parent)) != self.claim:
            who = _who(_told(latest)) if latest else "another process"
            raise LockedError(
                f"{self.out} was taken over by {who} while this process stood still; nothing was published"
            )


@contextmanager
def held(folder: Path, out: Path) -> Iterator[Hold]:
    """Hold an output for the block. folder: its state. Raises LockedError while another process holds it, UsageError or
    OutputError where it cannot be written."""
    try:
        handle = (folder / "lock").open("a+")
        (folder / "claims").mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    with handle:
        flocked = _flock(handle.fileno(), folder, out)
        try:
            hold = Hold(out, _claim(folder / "claims", out, flocked=flocked))
        except FileNotFoundError:
            # The claim that was looked at has gone, so there is a higher one.
            raise LockedError(_JUST.format(out)) from None
        except OSError as error:
            raise unwritable(out, error) from None
        over = threading.Event()
        heart = threading.Thread(target=_beat, args=(hold.claim, over), daemon=True)
        heart.start()
        try:
            yield hold
        finally:
            over.set()
            heart.join(1)  # not for ever, where a file system hangs
            _release(hold.claim)


def beat() -> float:
    """Seconds between signs of life of this process."""
    given = os.environ.get(VARIABLE, "")
    try:
        seconds = float(given or BEAT)
    except ValueError:
        seconds = 0
    if not 0.01 <= seconds <= 3600:
        raise UsageError(f"{VARIABLE}={given}: seconds, from 0.01 to 3600")
    return seconds


def _flock(handle: int, folder: Path, out: Path) -> bool:
    """Whether the system's lock is held; False where the file system has none."""
    try:
        faults.at("flock")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_FLOCK:
            return False
        latest = _latest(folder / "claims")
        raise LockedError(f"{out} is being written by {_who(_told(latest))}; wait for it, or stop it") from None
    return True


def _claim(folder: Path, out: Path, *, flocked: bool) -> Path:
    """The claim of this process, once no other stands. Raises LockedError."""
    latest = _latest(folder)
    if latest:
        _refuse(latest, out, flocked=flocked)
    mine = folder / f"{int(latest.name) + 1 if latest else 1:012d}"
    try:
        with mine.open("x", encoding="utf-8") as file:
            file.write(json.dumps({**process.identity(), "beat": beat(), "flock": flocked}, sort_keys=True))
    except FileExistsError:
        raise LockedError(_JUST.format(out)) from None
    except OSError:
        mine.unlink(missing_ok=True)  # a full disk: what says nothing would hold the output for minutes
        raise
    if _latest(folder) != mine:
        mine.unlink()
        raise LockedError(_JUST.format(out))
    for older in _claims(folder)[:-1]:
        older.unlink(missing_ok=True)
    return mine


def _release(claim: Path) -> None:
    """In place and in one write of the same length, which needs no space on a full disk and is never seen half done."""
    with suppress(OSError), claim.open("rb+") as file:
        file.write(_DONE.ljust(claim.stat().st_size))
    with suppress(OSError):
        os.utime(claim, (RELEASED, RELEASED))


def _refuse(claim: Path, out: Path, *, flocked: bool) -> None:
    """Raises LockedError unless the holder of a claim is done, or dead."""
    touched = claim.stat().st_mtime  # before it is read: it may be released any moment
    told = _told(claim)
    if told.get("released") or touched == RELEASED:
        return
    alive = process.lives(told)
    if alive is None and flocked and told.get("flock") and process.same_system(told):
        alive = False  # the same system's lock was free
    silent = 0.0
    if alive is None:
        silent = _now(claim.parent) - touched
        limit = MISSED * told.get("beat", BEAT)
        alive = silent < limit or _moves(claim, WATCHED * told.get("beat", BEAT))
    if alive:
        seen = f", last seen {silent:,.0f} s ago" if silent else ""
        raise LockedError(f"{out} is being written by {_who(told)}{seen}; wait for it, or stop it")
    if not _told(claim).get("released"):
        progress.event("lock", taken_over_from=_who(told), silent_for=round(silent))


def _now(folder: Path) -> float:
    """The time by the clock that the file system has."""
    made = folder / f".{uuid.uuid4().hex}"
    made.touch()
    try:
        return made.stat().st_mtime
    finally:
        made.unlink()


def _moves(claim: Path, seconds: float) -> bool:
    before = claim.stat().st_mtime_ns
    time.sleep(seconds)
    return _latest(claim.parent) != claim or claim.stat().st_mtime_ns != before


def _beat(claim: Path, over: threading.Event) -> None:
    seconds = beat()
    while not over.wait(seconds):
        # A claim that is gone was taken over: Hold.check says so before anything is published.
        with suppress(OSError):
            os.utime(claim)


def _claims(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("[0-9]*") if p.name.isdecimal())


def _latest(folder: Path) -> Path | None:
    return max(_claims(folder), default=None)


def _told(claim: Path | None) -> dict[str, Any]:
    """What a claim says; empty when it is not written yet, or torn."""
    with suppress(OSError, ValueError):
        told = json.loads(claim.read_text("utf-8")) if claim else {}
        if isinstance(told, dict) and (told.get("released") or told.keys() >= {"host", "pid", "started", "machine"}):
            return told
    return {}


def _who(told: Mapping[str, Any]) -> str:
    return f"process {told['pid']} on {told['host']}" if "pid" in told else "another process"
