"""What a person sees while a run works: bars on a terminal, JSON lines otherwise. Both on standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipelines.errors import UsageError

INTERVAL = 5.0
"""Seconds between JSON lines; a terminal is redrawn ten times as often."""


@dataclass
class Done:
    """Sums over all workers."""

    records: int = 0
    bytes: int = 0
    units: int = 0


@dataclass
class _Log:
    """Where events go beside standard error, and the run that they are of."""

    run_id: str = ""
    file: TextIO | None = None


_log = _Log()


@contextmanager
def logged(file: Path | None) -> Iterator[str]:
    """Events in the block carry a run id, which it yields, and are appended to the file as well. Raises UsageError."""
    try:
        handle = file.open("a", encoding="utf-8") if file else None
    except OSError as error:
        raise UsageError(f"--log {file}: cannot be written ({error.strerror})") from None
    _log.run_id, _log.file = str(uuid.uuid4()), handle
    try:
        yield _log.run_id
    finally:
        _log.run_id, _log.file = "", None
        if handle:
            handle.close()


def run_id() -> str:
    """Of the run that is under way; empty where nobody asked for one."""
    return _log.run_id


def event(name: str, **fields: Any) -> None:
    """One JSON line, when standard error is not a terminal, and in the log."""
    named = {"run": _log.run_id} if _log.run_id else {}
    told = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **named, "event": name, **fields}
    line = json.dumps(told)
    if not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)
    if _log.file:
        with contextlib.suppress(OSError):
            print(line, file=_log.file, flush=True)


class Watched:
    """The workers' progress files, summed look by look: a look reads what was added since the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.total = folder, Done()
        self._read: dict[Path, int] = {}

    def look(self) -> Done:
        """What is done by now; half-written lines are left for the next look."""
        for path in self.folder.glob("*.done"):
            with path.open("rb") as file:
                file.seek(at := self._read.get(path, 0))
                added = file.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._read[path] = at + len(whole)
            for line in whole.splitlines():
                records, size, units = map(int, line.split())
                self.total.records += records
                self.total.bytes += size
                self.total.units += units
        return self.total


@contextmanager
def watch(folder: Path, units: int, records: int) -> Iterator[None]:
    """Show the progress of workers that report into the folder, until the block ends. records -1: not known."""
    stop = threading.Event()
    shown = [_bars] if sys.stderr.isatty() else []
    if _log.file or not shown:
        shown.append(_lines)
    threads = [threading.Thread(target=show, args=(folder, units, records, stop), daemon=True) for show in shown]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=5)


@contextmanager
def hashing(total: int) -> Iterator[Any]:
    """A bar over bytes that are read to know the input; yields what takes the number of bytes of each piece."""
    if not sys.stderr.isatty() or total < 1 << 30:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("[bold]reading the input", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.update(task, advance=size)


def _lines(folder: Path, units: int, records: int, stop: threading.Event) -> None:
    began, watched = time.monotonic(), Watched(folder)
    while not stop.wait(INTERVAL):
        now, seconds = watched.look(), time.monotonic() - began
        event("progress", units=now.units, of_units=units, records=now.records, of_records=records,
              mb_per_s=round(now.bytes / 1e6 / seconds, 1), seconds_left=_left(now, records, seconds))  # fmt: skip


def _left(now: Done, records: int, seconds: float) -> int | None:
    if not now.records or records < now.records:
        return None
    return round(seconds * (records - now.records) / now.records)


def _bars(folder: Path, units: int, records: int, stop: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("units {task.fields[units]}/{task.fields[of_units]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[speed]:.0f} MB/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    began, watched = time.monotonic(), Watched(folder)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        total = records if records >= 0 else None
        task = progress.add_task("", total=total, units=0, of_units=units, speed=0.0)
        while True:
            ended = stop.wait(INTERVAL / 10)
            now = watched.look()
            speed = now.bytes / 1e6 / max(time.monotonic() - began, 1e-9)
            told = f"{now.records:,} records" if now.records else "starting; the first run compiles its kernels"
            progress.update(task, completed=now.records, units=now.units, speed=speed, description=told)
            if ended:
                return
