"""What shards hold, as the sha256 of their bytes; of those that have not changed it is remembered, so that nothing is read for it.

Remembered is a digest of a shard's path and stat, and its sha256: 48 bytes a shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import stores
from pipelines.errors import ShardError
from pipelines.index import NOWHERE, Index, of_column, to_column
from pipelines.ledger import replacing
from pipelines.shards import Shard, Shards, sha256_of

FILE = "inputs.parquet"
PLACE, SUM = 16, 32
"""Bytes of the digest of path and stat, and of a sha256."""
SCHEMA = pa.schema([("place", pa.binary(PLACE)), ("sha256", pa.binary(SUM))])
AT_ONCE = 10_000
"""Shards that a pool of threads is given at a time."""


Hashing = Callable[[int], AbstractContextManager[Callable[[int], object] | None]]


def nothing(total: int) -> AbstractContextManager[None]:
    """Where nobody is told."""
    return nullcontext()


class Fingerprints:
    """Of each shard, by its position, the sha256 of what it holds as text, or the OSError or ShardError that reading it gave."""

    def __init__(self, sums: np.ndarray, errors: dict[int, Exception]) -> None:
        """sums: uint8[n, SUM]"""
        self.sums, self.errors = sums, errors

    def __iter__(self) -> Iterator[str | Exception]:
        for at in range(len(self.sums)):
            yield self.errors.get(at) or self.sums[at].tobytes().hex()


class Known:
    """The sha256 of shards as they were at the last run. path: of the file that has them; it may not be there, or be torn."""

    def __init__(self, path: Path | None = None) -> None:
        self._places, self._sums = np.zeros((0, PLACE), np.uint8), np.zeros((0, SUM), np.uint8)
        try:
            table = pq.read_table(path, schema=SCHEMA, memory_map=False) if path else SCHEMA.empty_table()
            self._places, self._sums = (of_column(table[name]) for name in SCHEMA.names)
        except (OSError, pa.ArrowException):
            pass
        self._index = Index(self._places)

    def find(self, shards: Shards) -> tuple[np.ndarray, np.ndarray]:
        """Of each shard, its place (uint8[n, PLACE]) and where it is known (int64[n], NOWHERE if it is not)."""
        data = bytearray()
        for shard in shards:
            data += _place(shard)
        places = np.frombuffer(data, np.uint8).reshape(-1, PLACE)
        return places, self._index.find(places)

    def __len__(self) -> int:
        return len(self._places)

    def sums(self, at: np.ndarray) -> np.ndarray:
        return self._sums[at]


def fingerprints(
    shards: Shards, known: Known | None = None, keep: Path | None = None, hashing: Hashing = nothing
) -> Fingerprints:
    """Each file is read once, unless its stat is as it was: ctime is part of it, which no ordinary program can set back, or an ETag.

    keep: where what is known now is written, if it is anything else. hashing: is told how many bytes are to be read, and gives what is
    told of each piece.
    """
    known = Known() if known is None else known
    places, at = known.find(shards)
    sums, errors = np.zeros((len(shards), SUM), np.uint8), dict[int, Exception]()
    there = at != NOWHERE
    sums[there] = known.sums(at[there])
    files = shards.files
    fresh = np.flatnonzero(~there & files)
    with hashing(int(shards.sizes[fresh].sum())) as tell:
        for number, told in _each(shards, fresh, tell):
            if isinstance(told, str):
                sums[number] = np.frombuffer(bytes.fromhex(told), np.uint8)
            else:
                errors[number] = told
    _twins(shards, np.flatnonzero(~files), np.flatnonzero(files), places, sums, errors)
    good = files.copy()
    good[list(errors)] = False
    if keep and (len(fresh) > len(errors) or int(good.sum()) != len(known)):
        _write(keep, places[good], sums[good])
    return Fingerprints(sums, errors)


def _place(shard: Shard) -> bytes:
    told = f"{shard.path}\0{shard.stat}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, digest_size=PLACE).digest()


def _each(
    shards: Shards, some: np.ndarray, tell: Callable[[int], object] | None
) -> Iterator[tuple[int, str | Exception]]:
    def one(number: int) -> str | Exception:
        path = shards[number].path
        try:
            return stores.sha256(path) or sha256_of(path, tell)
        except (OSError, ShardError) as error:
            return error

    if not len(some):
        return
    with ThreadPoolExecutor(stores.threads(shards[0].path)) as pool:
        for first in range(0, len(some), AT_ONCE):
            numbers = some[first : first + AT_ONCE].tolist()
            yield from zip(numbers, pool.map(one, numbers), strict=True)


def _twins(
    shards: Shards,
    twins: np.ndarray,
    files: np.ndarray,
    places: np.ndarray,
    sums: np.ndarray,
    errors: dict[int, Exception],
) -> None:
    """What is made of a file has that file's sha256, or its error."""
    if not len(twins):
        return
    mine = files[Index(places[files]).find(places[twins])]
    sums[twins] = sums[mine]
    errors |= {twin: errors[file] for twin, file in zip(twins.tolist(), mine.tolist(), strict=True) if file in errors}


def _write(path: Path, places: np.ndarray, sums: np.ndarray) -> None:
    arrays = [to_column(places), to_column(sums)]
    with replacing(path) as temporary:
        pq.write_table(pa.table(arrays, schema=SCHEMA), temporary, compression="none", use_dictionary=False)
