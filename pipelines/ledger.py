"""What is done: one folder a finished unit, under ``OUT/.corpusmill``, with its files and its receipt.

**A unit's folder appears in one rename, after every file in it and its receipt are on the disk; before that, nothing of it
is there.** Whoever is killed leaves a staging folder that nobody looks at.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines import faults
from pipelines.errors import OutputError, UsageError, unwritable
from pipelines.index import NOWHERE, Index, of_hex
from pipelines.lock import Hold, held
from pipelines.provenance import PAGES

STATE = ".corpusmill"
OF = "of"
"""In the receipt of a unit that was written again when its records had been compared: the key of the unit as it was judged."""
KEY = 20
"""Bytes of a unit's key, which is written as hexadecimal text."""
OURS = frozenset({STATE, "data", "rejected", "annotations", "manifest.json", "run.json", "report.html", *PAGES})


class Ledger:
    """The state of one output folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.root = out / STATE
        self.hold: Hold | None = None

    def prepare(self) -> None:
        """Make the folders. Raises UsageError when the place holds something else or cannot be written."""
        self.refuse_links()
        try:
            if self.out.exists() and not self.out.is_dir():
                raise UsageError(f"the output {self.out} is a file; give a folder")
            if not self.root.is_dir() and self.out.is_dir() and (others := sorted(p.name for p in self.out.iterdir())):
                raise UsageError(
                    f"the output {self.out} already holds something else ({', '.join(others[:3])}): give an empty or new folder"
                )
            for name in ("units", "staging", "progress"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.out, error) from None

    def refuse_links(self) -> None:
        """Raises UsageError where a folder of the dataset is a link: what is written and removed below it would be elsewhere."""
        for name in (STATE, "data", "rejected", "annotations"):
            if (self.out / name).is_symlink():
                raise UsageError(f"{self.out / name} is a link; the folders of a dataset must be its own")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the output for this process (``pipelines.lock``); what ends the process, however that is, ends the hold."""
        self.refuse_links()
        with held(self.root, self.out) as self.hold:
            try:
                yield
            finally:
                self.hold = None

    def still_held(self) -> None:
        """Raises LockedError where the output was taken over meanwhile. To be asked before what readers see is changed."""
        if self.hold:
            self.hold.check()

    def unit(self, key: str) -> Path:
        """A unit's folder. Raises OutputError for what is no key: a manifest, say, that leads elsewhere."""
        if not is_key(key):
            raise OutputError(f"{self.out} names a unit that cannot be one; it was not written by a run")
        return self.root / "units" / key[:2] / key

    def receipt(self, key: str) -> dict[str, Any] | None:
        """A finished unit's receipt; None while it is not done."""
        try:
            told = json.loads((self.unit(key) / "receipt.json").read_text("utf-8"))
            return told if is_receipt(told) else None
        except (OSError, ValueError):
            return None

    def stage(self, key: str) -> Path:
        path = self.root / "staging" / f"{key}.{uuid.uuid4().hex}"
        path.mkdir(parents=True)
        return path

    def commit(self, key: str, staged: Path, receipt: dict[str, Any]) -> None:
        """The receipt last, then everything at once under the unit's key."""
        faults.at("unit-staged")
        write_synced(staged / "receipt.json", json.dumps(receipt, sort_keys=True).encode())
        sync_folder(staged)
        faults.at("receipt-written")
        target = self.unit(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.rename(target)
        except OSError:
            # Someone else finished the same unit, or a broken one stands there without a receipt.
            if self.receipt(key) is None:
                shutil.rmtree(target, ignore_errors=True)
                staged.rename(target)
            else:
                shutil.rmtree(staged, ignore_errors=True)
        sync_folder(target.parent)
        faults.at("unit-committed")

    def clear_staging(self) -> None:
        """Drop what runs that were killed have left. The caller holds the lock."""
        for name in ("staging", "progress"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for torn in self.root.glob(f".*.{'[0-9a-f]' * 32}"):
            torn.unlink(missing_ok=True)

    def prune(self, wanted: Index) -> bool:
        """Drop finished units that are not among the wanted keys; whether all of them went."""
        gone = True
        for folder in filter(Path.is_dir, (self.root / "units").glob("*")):
            there = [path.name for path in folder.iterdir()]
            keys = [name for name in there if is_key(name)]
            stays = wanted.find(of_hex(keys, KEY)) != NOWHERE
            for name in {*there}.difference(key for key, stay in zip(keys, stays.tolist(), strict=True) if stay):
                shutil.rmtree(folder / name, ignore_errors=True)
                gone &= not (folder / name).exists()
        return gone

    def load(self, name: str) -> dict[str, Any]:
        """A small state file; empty when it is not there or torn."""
        try:
            return json.loads((self.root / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def save(self, name: str, value: dict[str, Any]) -> None:
        replace(self.root / name, json.dumps(value, sort_keys=True).encode())


def is_key(key: object) -> bool:
    """Whether it can be a unit's key."""
    return isinstance(key, str) and re.fullmatch(rf"[0-9a-f]{{{2 * KEY}}}", key) is not None


def is_inside(path: object) -> bool:
    """Whether it names a Parquet file below data/, rejected/ or annotations/, and nothing above them."""
    parts = path.split("/") if isinstance(path, str) and path.endswith(".parquet") and "\0" not in path else []
    return len(parts) > 1 and parts[0] in OURS and not {"", ".", ".."} & set(parts)


def is_receipt(told: object) -> bool:
    """Whether it can be a unit's receipt: its files stay inside of the dataset."""
    return isinstance(told, dict) and is_inside(f"data/{told.get('output')}")


def write_synced(path: Path, data: bytes | Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes | Iterable[bytes]) -> None:
    """The new content or the old one, never a part."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a file to write in the block, which then takes the place of ``path``, or of nothing if it fails."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


UNSYNCED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})
"""How SMB and some FUSE file systems say that they sync no folders."""


def sync_folder(path: Path) -> None:
    """Names in a folder to the disk, where the file system does that on demand. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise
    finally:
        os.close(handle)
