"""Compiled pattern databases, kept from run to run in the user's cache: compiling a few hundred patterns takes seconds.

A file is only believed if its folder and the file belong to this user, nobody else can write to them, and its content has the sha256
it starts with; whatever is wrong, the patterns are compiled. ``CORPUSMILL_CACHE=off`` (or a folder) overrides where.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

SUFFIX = ".hsdb"
_DIGEST = 32


def load(key: bytes, usable: Callable[[bytes], bool], make: Callable[[], bytes]) -> bytes:
    """The database for ``key`` (everything that goes into it, spelled out), from the cache or made and put there.

    usable: whether the library takes these bytes (it refuses what another processor compiled).
    """
    folder = _folder()
    if folder is None:
        return make()
    path = folder / (hashlib.sha256(_machine() + key).hexdigest() + SUFFIX)
    found = _read(path)
    if found is not None and usable(found):
        return found
    made = make()
    _write(path, made)
    return made


def cache_folder() -> Path | None:
    """The folder for what can be made again; None where there is to be none. It need not be there."""
    told = os.environ.get("CORPUSMILL_CACHE", "")
    if told == "off":
        return None
    try:
        return Path(told) if told else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpusmill"
    except RuntimeError:  # there is no home
        return None


def _folder() -> Path | None:
    """The folder, made if need be; None where there is none that can be trusted."""
    if (base := cache_folder()) is None:
        return None
    folder = base / "patterns"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder if _is_ours(folder.stat()) else None
    except OSError:
        return None


def _is_ours(told: os.stat_result) -> bool:
    return told.st_uid == os.geteuid() and not told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(path: Path) -> bytes | None:
    try:
        # Not through a link, and the checks are of what was opened.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            if not _is_ours(os.fstat(handle)):
                return None
            content = file.read()
    except OSError:
        return None
    digest, data = content[:_DIGEST], content[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def _write(path: Path, data: bytes) -> None:
    """The whole file or none; a cache that cannot be written costs time and nothing else."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        Path(temporary).replace(path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


@cache
def _machine() -> bytes:
    """What else a database depends on: the library and the processor it was compiled for."""
    flags = ""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
        flags = next(line for line in lines if line.startswith(("flags", "Features")))
    return f"{version('hyperscan')} {platform.machine()} {flags}".encode()
