"""Two folders, or two files, exchanged: whoever opens a path finds the old one or the new one, never neither and never a mixture.

Linux has ``renameat2`` with RENAME_EXCHANGE (2; Linux 3.15, glibc 2.28), macOS ``renamex_np`` with RENAME_SWAP (2; APFS). Where the
system or the file system (NFS, SMB, some FUSE) has neither, it is two renames, between which the name is not there.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

from pipelines import faults

UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
_AT_FDCWD, _EXCHANGE = -100, 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def put(new: Path, standing: Path) -> bool:
    """Put ``new``, a folder or a file, where ``standing`` is, and that one where ``new`` was; the two lie on one file system. Whether
    it was one step. Raises OSError.

    Files are exchanged as well where that can be: to rename over one waits for the old one's space to be freed (3 ms on ext4).
    """
    if not os.path.lexists(standing):
        new.rename(standing)
        return True
    try:
        faults.at("exchange")
        _exchange(new, standing)
        return True
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    if not new.is_dir():
        new.replace(standing)
        return True
    aside = new.with_name(f"{new.name}.old")
    standing.rename(aside)
    faults.at("between-renames")
    new.rename(standing)
    aside.rename(new)
    return False


def keep_access(standing: Path, new: Path) -> None:
    """Mode, group and access lists that somebody gave to a folder are the next one's too."""
    if not standing.exists():
        return
    with contextlib.suppress(OSError):
        os.chown(new, -1, standing.stat().st_gid)
    with contextlib.suppress(OSError):
        shutil.copystat(standing, new)
        os.utime(new)


def _exchange(one: Path, other: Path) -> None:
    a, b = os.fsencode(one), os.fsencode(other)
    darwin = sys.platform == "darwin"
    call = getattr(_LIBC, "renamex_np" if darwin else "renameat2", None)
    arguments = (a, b) if darwin else (_AT_FDCWD, a, _AT_FDCWD, b)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(*arguments, ctypes.c_uint(_EXCHANGE)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
