"""The faults, one a row of the table in docs/operations/faults.md."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.faults import POINTS
from tests.pipelines.conftest import write_shard

ENOENT, EIO, EACCES, EEXIST, EINVAL, EMFILE, ENOSPC, EROFS, ENOLCK, EPERM, ESTALE = (
    2, 5, 13, 17, 22, 24, 28, 30, 37, 1, 116,
)  # fmt: skip
"""Linux's numbers; the shim is Linux's as well."""


@dataclass(frozen=True)
class Case:
    """fault: what happens, in words. point: CORPUSMILL_FAULT. rules: the shim's, with OUT and IN for the two folders. once: over all
    processes. change: what is done to a shard while the run stands at its point. more: further arguments. quick: one of those that every
    test run has. gaps: readers may find a folder missing."""

    name: str
    group: str
    fault: str
    point: str = ""
    rules: str = ""
    workers: int = 1
    once: bool = False
    change: Callable[[Path], None] | None = None
    more: tuple[str, ...] = ()
    quick: bool = False
    gaps: bool = False


def _killed() -> list[Case]:
    group = "Killed with SIGKILL"
    times = {"between-swaps": (1, 2, 3)}
    cases = []
    for point, told in POINTS.items():
        if point in ("flock", "exchange", "between-renames"):
            continue
        for n in times.get(point, (0,)):
            asked, name = (f"{point}:kill:{n}", f"{point}-{n}") if n else (f"{point}:kill", point)
            fault = f"the run, {told}" + (f" (the {('first', 'second', 'third')[n - 1]} of three)" if n else "")
            cases.append(
                Case(f"run-{name}", group, fault, asked, quick=point in ("receipt-written", "before-manifest"))
            )
    cases += [
        Case(f"two-renames-{n}", group, f"the run, {POINTS['between-renames']} (the {th} of three)",
             f"exchange:einval,between-renames:kill:{n}", gaps=True)
        for n, th in ((1, "first"), (3, "third"))
    ]  # fmt: skip
    cases += [
        Case(f"worker-{p}", group, f"one worker of two, {POINTS[p]}", f"{p}:kill", workers=2, once=True)
        for p in ("unit-read", "unit-judged", "unit-staged", "receipt-written", "unit-committed")
    ]
    cases += [
        Case(f"node-{p}", group, f"every process of the run at once, {POINTS[p]}", f"{p}:node", workers=2, once=True)
        for p in ("planned", "unit-read", "receipt-written", "work-done", "between-swaps")
    ]
    state = Case(
        "run-state-file", group, "the run, when a small state file is replaced", rules="rename */inputs.parquet 1 kill"
    )
    return [
        *cases,
        state,
        Case("workers-always", group, "every worker that lays out a batch", "unit-read:kill", workers=2),
    ]


def _refused() -> list[Case]:
    """What the system says no to."""
    group = "The system refuses"
    here = lambda name, fault, rules, **more: Case(name, group, fault, rules=rules, **more)  # noqa: E731
    return [
        here("full-at-once", "the disk is full from the start", f"change OUT/* 1+ fail={ENOSPC}"),
        here("full-staging", "the disk is full when a unit is written", f"write */staging/*/data.parquet 1+ fail={ENOSPC}",
             quick=True),
        here("full-receipt", "the disk is full when a receipt is written", f"write */receipt.json 1+ fail={ENOSPC}"),
        here("full-version", "the disk is full when the new version is made", f"create */staging/version*/* 1+ fail={ENOSPC}"),
        here("full-marker", "the disk is full when the marker is written", f"write */.publishing.* 1+ fail={ENOSPC}"),
        here("full-order", "the disk is full after the exchange", f"write */.versions.json.* 1+ fail={ENOSPC}"),
        here("eio-begin", "an I/O error when the run makes its state folders", f"mkdir */progress 2 fail={EIO}"),
        here("eio-write", "an I/O error when one unit is written", f"write */staging/*/rejected.parquet 1 fail={EIO}",
             quick=True),
        here("eio-fsync", "an I/O error when a unit is brought to the disk", f"fsync */staging/*.parquet 1 fail={EIO}"),
        here("eio-commit", "an I/O error when a unit is renamed", f"rename */units/* 1+ fail={EIO}"),
        here("eio-version", "an I/O error when the new version is brought to the disk",
             f"syncdir */staging/version* 1 fail={EIO}"),
        here("eio-exchange", "an I/O error at the second folder's exchange", f"rename OUT/rejected 1 fail={EIO}", quick=True),
        here("eio-manifest", "an I/O error when the manifest is replaced", f"rename OUT/manifest.json 1 fail={EIO}"),
        here("eio-prune", "an I/O error when old units are removed", f"unlink *.parquet 1+ fail={EIO}"),
        here("eio-shard", "an I/O error when a shard is read", f"read IN/s2.parquet 1+ fail={EIO}"),
        here("read-only", "the output turns read-only before the first unit is staged", f"change OUT/* 12+ fail={EROFS}"),
        here("read-only-late", "the output turns read-only between two exchanges",
             f"rename OUT/annotations 1 fail={EROFS};change OUT/.corpusmill/[!u]* 200+ fail={EROFS}"),
        here("no-descriptors", "no file can be opened for a unit", f"create */staging/*.parquet 1+ fail={EMFILE}"),
        here("no-descriptors-shard", "no file can be opened when a shard is read", f"open IN/s2.parquet 2+ fail={EMFILE}"),
        here("no-access", "a shard may not be read", f"open IN/s2.parquet 1+ fail={EACCES}"),
        here("short-writes", "every write takes half of what it is given", "write OUT/* 1+ short", quick=True),
        here("slow-disk", "every write, fsync and rename takes 20 ms", "change OUT/* 1+ slow=20"),
    ]  # fmt: skip


def _network() -> list[Case]:
    """What a network file system does and a local one does not (RFC 1813, 4: a call that is sent again meets its own effect)."""
    group = "As NFS and other network file systems do"
    here = lambda name, fault, rules, **more: Case(name, group, fault, rules=rules, **more)  # noqa: E731
    return [
        here("late-commit", "a unit's rename is done and then refused, as it was sent twice", f"rename */units/* 1 late={ENOENT}",
             quick=True),
        here("late-stale", "the same, with a stale handle", f"rename */units/* 1 late={ESTALE}"),
        here("late-version", "the new version's rename is done and then refused",
             f"rename */versions/* 1 late={ENOENT}"),
        here("late-exchange", "a folder's exchange is done and then refused", f"rename OUT/data 1 late={EIO}"),
        here("late-manifest", "the manifest is replaced, and then that is refused", f"rename OUT/manifest.json 1 late={ESTALE}"),
        here("late-state", "a state file is replaced, and then that is refused", f"rename */inputs.parquet 1 late={ENOENT}"),
        here("late-link", "a hard link is made and then refused, as it was sent twice", f"link * 1+ late={EEXIST}", quick=True),
        here("late-mkdir", "a folder is made and then refused, as it was sent twice", f"mkdir */staging/* 1 late={EEXIST}"),
        here("late-unlink", "a removal is done and then refused", f"unlink OUT/* 1+ late={ENOENT}"),
        here("no-links", "no hard links", f"link * 1+ fail={EPERM}"),
        here("no-exchange", "folders cannot be exchanged", f"rename OUT/data 1 fail={EINVAL};rename OUT/rejected 1 fail={EINVAL}",
             gaps=True),
        here("no-flock", "no system lock", f"flock * 1+ fail={ENOLCK}"),
        here("no-folder-sync", "folders cannot be synced", f"syncdir * 1+ fail={EINVAL}", quick=True),
        here("stale-shard", "the input's listing still shows a shard that is gone", "list IN/ 1+ ghost=s9.parquet"),
        here("stale-data", "the listing of data/ still shows a file that is gone", "list OUT/data/ 1+ ghost=s9.parquet"),
        here("stale-version", "the listing of the new version does not show a file", "list */versions/*/data/s2.parquet 1+ hide",
             quick=True),
    ]  # fmt: skip


def _rewritten(path: Path) -> None:
    """In place, with the size and the time it had."""
    before = path.stat()
    write_shard(path, 9, rows=60)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(path: Path) -> None:
    write_shard(path.with_suffix(".new"), 9, rows=60)
    path.with_suffix(".new").replace(path)


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0" * 4096)


def _removed(path: Path) -> None:
    path.unlink()


def _swapped_back(path: Path) -> None:
    """Another file was there for a while, and then the first one again."""
    shutil.copyfile(path, path.with_suffix(".kept"))
    write_shard(path, 9, rows=60)
    path.with_suffix(".kept").replace(path)


def _changed() -> list[Case]:
    changes = {
        "rewritten": ("is written anew, with the size and time that it had", _rewritten),
        "replaced": ("is replaced by rename", _replaced),
        "truncated": ("is cut in half", _truncated),
        "grown": ("grows", _grown),
        "removed": ("is removed", _removed),
        "back": ("is another file for a moment", _swapped_back),
    }
    cases = []
    for name, (told, change) in changes.items():
        for point, when in (("unit-read", "while it is read"), ("planned", "between planning and reading")):
            fault, quick = f"a shard {told} {when}", (name, point) == ("rewritten", "unit-read")
            cases.append(
                Case(f"shard-{name}-{point}", "The input changes", fault, f"{point}:stop:1", change=change, quick=quick)
            )
    return cases


def _clocks() -> list[Case]:
    group = "The clock jumps"
    return [
        Case("clock-on", group, "a day on, from the start", rules="clock * 1+ jump=86400"),
        Case("clock-back", group, "a day back, in the midst of the run", rules="clock * 4+ jump=-86400", quick=True),
        Case("clock-limit", group, "a day on, in a run of at most an hour", rules="clock * 4+ jump=86400",
             more=("--max-runtime", "1h")),
    ]  # fmt: skip


CASES = [*_killed(), *_refused(), *_network(), *_changed(), *_clocks()]
