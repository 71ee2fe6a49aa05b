"""Receipts of many units, packed into a few files, so that a run over a million finished units does not open a million files.

**The units' folders stay the truth.** A packed receipt counts only while a folder of its unit's name stands there that is the one it
was read from, by its inode, which listing the folders tells. A pack that is torn or gone costs reading its receipts once more.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import OutputError
from pipelines.ledger import Ledger, is_receipt, sync_folder

FOLDER = "receipts"
LEAST = 256
"""Receipts worth a pack; fewer are read from their folders by every run."""

GROUP = 512
"""Receipts of a row group, which are decoded together: a few MB."""

MOST = 8
"""Packs, before they are written as one: each may have a group of it in memory."""

SCHEMA = pa.schema([("key", pa.string()), ("inode", pa.uint64()), ("receipt", pa.binary())])

Receipt = dict[str, Any]


class Receipts(Mapping[str, Receipt]):
    """Receipts by unit key, of those asked for that are done, in the order in which they were asked for. Held are the places where
    they stand; a receipt is read when it is taken. Taken in the order of the plan, each group of a pack is decoded once."""

    def __init__(self, ledger: Ledger, packs: list[_Pack], places: dict[str, tuple[int, int] | Receipt]) -> None:
        self.ledger, self._packs, self._places = ledger, packs, places

    def __getitem__(self, key: str) -> Receipt:
        place = self._places[key]
        if isinstance(place, dict):
            return place
        try:
            told = msgspec.json.decode(self._packs[place[0]].receipt(place[1]))
        except (OSError, pa.ArrowException, msgspec.DecodeError):
            told = None
        if not is_receipt(told) and (told := self.ledger.receipt(key)) is None:
            raise OutputError(
                f"{self.ledger.unit(key)} has lost its receipt: remove that folder, and run again to do it anew"
            )
        return told

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _Pack:
    """One file of packed receipts; what was decoded last is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pq.ParquetFile | None = None
        self._lock = threading.Lock()
        self._group, self._receipts = -1, pa.array([], pa.binary())

    def entries(self) -> Iterator[tuple[str, int]]:
        """Keys and inodes. Raises OSError or ArrowException."""
        with pq.ParquetFile(self.path) as file:
            if file.schema_arrow != SCHEMA:
                raise pa.ArrowInvalid("not a pack")
            for batch in file.iter_batches(1 << 16, columns=["key", "inode"], use_threads=False):
                yield from zip(batch["key"].to_pylist(), batch["inode"].to_pylist(), strict=True)

    def receipt(self, row: int) -> bytes:
        with self._lock:
            if (group := row // GROUP) != self._group:
                self._file = self._file or pq.ParquetFile(self.path)
                table = self._file.read_row_group(group, columns=["receipt"], use_threads=False)
                self._group, self._receipts = group, table["receipt"].combine_chunks()
            return self._receipts[row % GROUP].as_py()


def of(ledger: Ledger, keys: Iterable[str], *, pack: bool = True) -> Receipts:
    """Receipts of these units. pack: new ones are packed, for which the caller holds the lock."""
    wanted: dict[str, Any] = dict.fromkeys(keys)
    inodes = _listed(ledger.root / "units", wanted)
    packs, places = _packed(ledger, inodes)
    fresh = [key for key in wanted if key in inodes and key not in places]
    if not pack or len(fresh) < LEAST or (ledger.root / FOLDER).is_symlink():
        places |= {key: receipt for key in fresh if (receipt := ledger.receipt(key)) is not None}
        return Receipts(ledger, packs, places)
    if len(packs) < MOST:
        _write(ledger, fresh, inodes, {})
    else:
        old = Receipts(ledger, packs, places)
        _write(ledger, [key for key in wanted if key in inodes], inodes, old)
        for one in packs:
            one.path.unlink(missing_ok=True)
    return Receipts(ledger, *_packed(ledger, inodes))


def drop(ledger: Ledger) -> None:
    """Keep nothing of receipts but what the units' folders hold. The caller holds the lock."""
    shutil.rmtree(ledger.root / FOLDER, ignore_errors=True)


def _listed(folder: Path, wanted: Mapping[str, Any]) -> dict[str, int]:
    """Units that are there, and their folders' inodes: by listing, which asks nothing of each."""
    found = {}
    for prefix in sorted({key[:2] for key in wanted}):
        try:
            with os.scandir(folder / prefix) as entries:
                found.update({e.name: e.inode() for e in entries if e.name in wanted})
        except FileNotFoundError:
            continue
    return found


def _packed(ledger: Ledger, inodes: Mapping[str, int]) -> tuple[list[_Pack], dict[str, Any]]:
    """The packs that can be read, and where in them the receipts of the folders that are there stand."""
    packs: list[_Pack] = []
    places: dict[str, Any] = {}
    if (ledger.root / FOLDER).is_symlink():
        return packs, places
    for path in sorted((ledger.root / FOLDER).glob("*.parquet")):
        one, here = _Pack(path), {}
        try:
            here = {
                key: (len(packs), row) for row, (key, inode) in enumerate(one.entries()) if inodes.get(key) == inode
            }
        except (OSError, pa.ArrowException):
            continue
        packs.append(one)
        places |= here
    return packs, places


def _write(ledger: Ledger, keys: Iterable[str], inodes: Mapping[str, int], known: Mapping[str, Receipt]) -> None:
    """A pack of these units' receipts; those that nobody knows are read from their folders. It is there whole, or not at all."""
    folder = ledger.root / FOLDER
    folder.mkdir(exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}"
    number = 1 + max((int(p.stem) for p in folder.glob("*.parquet") if p.stem.isdigit()), default=0)
    try:
        with pq.ParquetWriter(temporary, SCHEMA, compression="zstd", use_dictionary=False) as writer:
            for rows in _groups(ledger, keys, inodes, known):
                writer.write_batch(pa.RecordBatch.from_pylist(rows, SCHEMA))
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(folder / f"{number:08d}.parquet")
        sync_folder(folder)
    except OSError:
        # Nothing depends on it: a disk that is full will be told of by what does.
        return
    finally:
        temporary.unlink(missing_ok=True)


def _groups(
    ledger: Ledger, keys: Iterable[str], inodes: Mapping[str, int], known: Mapping[str, Receipt]
) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for key in keys:
        receipt = known[key] if key in known else ledger.receipt(key)
        if receipt is not None:
            rows.append({"key": key, "inode": inodes[key], "receipt": msgspec.json.encode(receipt)})
        if len(rows) == GROUP:
            yield rows
            rows = []
    if rows:
        yield rows
