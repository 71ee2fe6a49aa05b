"""Receipts of many units, packed into a few files, so that a run over a million finished units does not open a million files.

**The units' folders stay the truth.** A packed receipt counts only while a folder of its unit's name stands there that is the one it
was read from, by its inode, which listing the folders tells. A pack that is torn or gone costs reading its receipts once more.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import OutputError
from pipelines.index import NOWHERE, Index, of_hex, to_hex
from pipelines.ledger import KEY, OF, Ledger, is_key, is_receipt, sync_folder

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
    """Receipts by unit key, of those asked for that are done, in the order in which they were asked for. Held are the keys and where the
    receipts stand, in some 40 bytes each; a receipt is read when it is taken. Taken in the order of the plan, each group of a pack is
    decoded once."""

    def __init__(self, ledger: Ledger, wanted: Index, inodes: np.ndarray, packs: list[_Pack], places: _Places) -> None:
        self.ledger, self._wanted, self._packs, self._places = ledger, wanted, packs, places
        self.state = hashlib.sha256(inodes.data).digest() + hashlib.sha256(places.done.data).digest()
        """The same as long as the same units are done, and none of them has been made anew."""
        self._next = 0

    def __getitem__(self, key: str) -> Receipt:
        at = self._at(key)
        if at == NOWHERE:
            raise KeyError(key)
        if (loose := self._places.loose.get(at)) is not None:
            return loose
        try:
            told = msgspec.json.decode(self._packs[self._places.pack[at]].receipt(int(self._places.row[at])))
        except (OSError, pa.ArrowException, msgspec.DecodeError):
            told = None
        if not is_receipt(told) and (told := self.ledger.receipt(key)) is None:
            raise OutputError(
                f"{self.ledger.unit(key)} has lost its receipt: remove that folder, and run again to do it anew"
            )
        return told

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._at(key) != NOWHERE

    def __iter__(self) -> Iterator[str]:
        return to_hex(self._wanted.keys[self._places.done])

    def __len__(self) -> int:
        return int(self._places.done.sum())

    @property
    def done(self) -> np.ndarray:
        """bool[n]: which of the units that were asked for are done."""
        return self._places.done

    def as_they_stand(self) -> Iterator[Receipt]:
        """All, in the order in which the packs have them: whatever was asked for, each group is decoded once."""
        done = np.flatnonzero(self._places.done)
        order = done[np.lexsort((self._places.row[done], self._places.pack[done]))]
        return (self[key] for key in to_hex(self._wanted.keys[order]))

    def among(self, keys: Collection[str]) -> np.ndarray:
        """bool[n]: which of the units that were asked for have one of these keys."""
        found = np.zeros(len(self._wanted), bool)
        at = self._wanted.find(of_hex((key for key in keys if is_key(key)), KEY))
        found[at[at != NOWHERE]] = True
        return found

    def _at(self, key: str) -> int:
        """Its place among the keys that were asked for. It is mostly the one after the last: that is looked at first."""
        try:
            wanted = bytes.fromhex(key)
        except ValueError:
            return NOWHERE
        at = self._next if self._next < len(self._wanted) else 0
        if not len(self._wanted) or self._wanted.keys[at].tobytes() != wanted:
            at = self._wanted.one(wanted) if len(wanted) == KEY else NOWHERE
        if at == NOWHERE or not (self._places.pack[at] >= 0 or at in self._places.loose):
            return NOWHERE
        self._next = at + 1
        return at


class _Places:
    """Of each unit that was asked for: its pack and row, or its receipt itself where it is in none (loose, by position)."""

    def __init__(self, count: int) -> None:
        self.pack, self.row = np.full(count, -1, np.int16), np.zeros(count, np.int32)
        self.loose: dict[int, Receipt] = {}

    @property
    def done(self) -> np.ndarray:
        found = self.pack >= 0
        found[list(self.loose)] = True
        return found


class _Pack:
    """One file of packed receipts; what was decoded last is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pq.ParquetFile | None = None
        self._lock = threading.Lock()
        self._group, self._receipts = -1, pa.array([], pa.binary())

    def entries(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Keys (uint8[n, KEY]) and inodes (uint64[n]), some rows at a time. Raises OSError, ArrowException or ValueError."""
        with pq.ParquetFile(self.path) as file:
            if file.schema_arrow != SCHEMA:
                raise pa.ArrowInvalid("not a pack")
            for batch in file.iter_batches(1 << 16, columns=["key", "inode"], use_threads=False):
                yield of_hex(batch["key"].to_pylist(), KEY), batch["inode"].to_numpy()

    def receipt(self, row: int) -> bytes:
        with self._lock:
            if (group := row // GROUP) != self._group:
                self._file = self._file or pq.ParquetFile(self.path)
                table = self._file.read_row_group(group, columns=["receipt"], use_threads=False)
                self._group, self._receipts = group, table["receipt"].combine_chunks()
            return self._receipts[row % GROUP].as_py()


def of(ledger: Ledger, keys: Iterable[str] | np.ndarray, *, pack: bool = True) -> Receipts:
    """Receipts of these units (or uint8[n, KEY]), each of which is asked for once. pack: new ones are packed, for which the caller holds
    the lock."""
    wanted = Index(keys if isinstance(keys, np.ndarray) else of_hex(keys, KEY))
    inodes = _listed(ledger.root / "units", wanted)
    packs, places = _packed(ledger, wanted, inodes)
    fresh = np.flatnonzero((inodes != 0) & (places.pack < 0))
    if not pack or len(fresh) < LEAST or (ledger.root / FOLDER).is_symlink():
        found = ((int(at), ledger.receipt(key)) for at, key in zip(fresh, to_hex(wanted.keys[fresh]), strict=True))
        places.loose = {at: receipt for at, receipt in found if receipt is not None}
        return Receipts(ledger, wanted, inodes, packs, places)
    if len(packs) < MOST:
        _write(ledger, wanted, fresh, inodes, {})
    else:
        _write(ledger, wanted, np.flatnonzero(inodes), inodes, Receipts(ledger, wanted, inodes, packs, places))
        for one in packs:
            one.path.unlink(missing_ok=True)
    return Receipts(ledger, wanted, inodes, *_packed(ledger, wanted, inodes))


def origins(ledger: Ledger, keys: np.ndarray) -> np.ndarray:
    """uint8[m, KEY]: the units as they were judged, of those of these that were written again when their records had been compared."""
    receipts = of(ledger, keys, pack=False)
    return of_hex((told[OF] for told in receipts.as_they_stand() if OF in told), KEY)


def drop(ledger: Ledger) -> None:
    """Keep nothing of receipts but what the units' folders hold. The caller holds the lock."""
    shutil.rmtree(ledger.root / FOLDER, ignore_errors=True)


def _listed(folder: Path, wanted: Index) -> np.ndarray:
    """uint64[n]: inodes of the units' folders, 0 where there is none: by listing, which asks nothing of each."""
    inodes = np.zeros(len(wanted), np.uint64)
    for prefix in np.unique(wanted.keys[:, 0]).tolist():
        try:
            with os.scandir(folder / f"{prefix:02x}") as entries:
                there = [(e.name, e.inode()) for e in entries if is_key(e.name)]
        except FileNotFoundError:
            continue
        at = wanted.find(of_hex((name for name, _ in there), KEY))
        inodes[at[at != NOWHERE]] = np.array([inode for _, inode in there], np.uint64)[at != NOWHERE]
    return inodes


def _packed(ledger: Ledger, wanted: Index, inodes: np.ndarray) -> tuple[list[_Pack], _Places]:
    """The packs that can be read, and where in them the receipts of the folders that are there stand."""
    packs: list[_Pack] = []
    places = _Places(len(wanted))
    if (ledger.root / FOLDER).is_symlink():
        return packs, places
    for path in sorted((ledger.root / FOLDER).glob("*.parquet")):
        one, row = _Pack(path), 0
        pack, rows = places.pack.copy(), places.row.copy()
        try:
            for keys, there in one.entries():
                at = wanted.find(keys)
                mine = (at != NOWHERE) & (inodes[at] == there) if len(wanted) else np.zeros(len(at), bool)
                pack[at[mine]], rows[at[mine]] = len(packs), row + np.flatnonzero(mine)
                row += len(keys)
        except (OSError, pa.ArrowException, ValueError):
            continue
        packs.append(one)
        places.pack, places.row = pack, rows
    return packs, places


def _write(ledger: Ledger, wanted: Index, some: np.ndarray, inodes: np.ndarray, known: Mapping[str, Receipt]) -> None:
    """A pack of the receipts at some positions; those that nobody knows are read from their folders. It is there whole, or not at all."""
    folder = ledger.root / FOLDER
    folder.mkdir(exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}"
    number = 1 + max((int(p.stem) for p in folder.glob("*.parquet") if p.stem.isdigit()), default=0)
    try:
        with pq.ParquetWriter(temporary, SCHEMA, compression="zstd", use_dictionary=False) as writer:
            for rows in _groups(ledger, wanted, some, inodes, known):
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
    ledger: Ledger, wanted: Index, some: np.ndarray, inodes: np.ndarray, known: Mapping[str, Receipt]
) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for key, inode in zip(to_hex(wanted.keys[some]), inodes[some], strict=True):
        receipt = known[key] if key in known else ledger.receipt(key)
        if receipt is not None:
            rows.append({"key": key, "inode": int(inode), "receipt": msgspec.json.encode(receipt)})
        if len(rows) == GROUP:
            yield rows
            rows = []
    if rows:
        yield rows
