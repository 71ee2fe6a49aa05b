"""Which records are looked at: those whose keys, hashes of a record's id and the seed, are the lowest.

**The sample depends on what the records are and on the seed, and on nothing else: not on shards, their order, or the machine.**
A key column names the records if it has no nulls and repeats nothing; it alone is read then. Otherwise a hash of the record's text
does, as where there is no such column. Copies of one text get a key each, by counting, so that a text that stands there a
thousand times is drawn like a thousand records.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

import msgspec
import numpy as np
import pyarrow as pa

from filters.hashing import of_strings
from pipelines import statistics
from pipelines.audit import strata
from pipelines.audit.dataset import Dataset, Source, laid_out, rows
from pipelines.errors import UsageError
from pipelines.formats import parquet
from pipelines.review.sample import allocate
from pipelines.schemas.arrays import is_string

PIECES = 64
"""Temporary files that keys are dealt into by their first bits; one at a time is held in memory."""
PIECE_BYTES = 1 << 20
"""A piece that is smaller stays in memory."""
ROW = np.dtype([("key", np.uint64), ("source", np.int32), ("stratum", np.int32), ("row", np.int64)])
ID, TEXT = "id", "text"

Tell = Callable[[int], object]


@dataclass(frozen=True)
class Drawn:
    """rows: the rows to look at, sorted, by source. population: records there are, by stratum. keyed: what names the
    records, ID or TEXT."""

    rows: tuple[np.ndarray, ...]
    population: Mapping[str, int]
    keyed: str


def draw(
    dataset: Dataset, *, size: int, seed: int, by: str = "", equal: bool = False, tell: Tell = lambda _: None
) -> Drawn:
    """A simple random sample of ``size`` records, or one of each stratum: its part of them, or the same number of each.

    tell gets the number of records of each batch that is read. Raises UsageError for a column with too many values.
    """
    if all(_has_key(s) for s in dataset.sources):
        with Keys() as keys:
            named = all(keys.add(*each) for each in _keys(dataset, by, seed, tell, ID))
            lowest = keys.lowest(size) if named else None
            if lowest is not None and not keys.repeats:
                return keys.drawn(lowest, size, equal, len(dataset.sources), ID)
    with Keys() as keys:
        for each in _keys(dataset, by, seed, tell, TEXT):
            keys.add(*each)
        return keys.drawn(keys.lowest(size), size, equal, len(dataset.sources), TEXT)


def _has_key(source: Source) -> bool:
    column = source.columns.mapping.get("id")
    kind = source.schema.field(column).type if column else pa.null()
    return is_string(kind) or pa.types.is_integer(kind)


Keyed = tuple[int, int, np.ndarray | None, np.ndarray, list[str]]
"""(source, first row, keys or None where a record has no id, code of the stratum, names of strata)."""


def _keys(dataset: Dataset, by: str, seed: int, tell: Tell, keyed: str) -> Iterator[Keyed]:
    for number, source in enumerate(dataset.sources):
        batches = _ids(source, by) if keyed == ID else _texts(dataset, source)
        for first, batch, ids in batches:
            tell(len(ids))
            codes, names = strata.names(by, source, batch)
            keys = None if ids.null_count else key_of(ids, seed)
            if keyed == TEXT and by:
                # Copies of a text are alike only within a stratum.
                assert keys is not None
                keys = mixed(keys ^ key_of(pa.array(names, pa.string()), seed)[codes])
            yield number, first, keys, codes, names


def _ids(source: Source, by: str) -> Iterator[tuple[int, pa.RecordBatch, pa.Array]]:
    """Of a Parquet shard the key column is read and the one that strata come from; of JSONL every line has to be."""
    column = source.columns.mapping["id"]
    if source.shard.kind == "parquet":
        needed = list(dict.fromkeys(c for c in (column, strata.column(by, source)) if c))
        first = 0
        for batch in parquet.columns(source.shard.path, needed):
            yield first, batch, batch.column(column)
            first += batch.num_rows
        return
    for part in source.parts:
        for first, batch, _ in rows(source, part):
            yield first, batch, batch.column(column)


def _texts(dataset: Dataset, source: Source) -> Iterator[tuple[int, pa.RecordBatch, pa.Array]]:
    mapping = {name: column for name, column in source.columns.mapping.items() if name != "id"}
    columns = msgspec.structs.replace(source.columns, mapping=mapping)
    for part in source.parts:
        for first, batch, problems in rows(source, part):
            yield first, batch, laid_out(dataset.input, columns, batch, problems).batch.ids


def key_of(ids: pa.Array, seed: int) -> np.ndarray:
    """uint64[n]: what orders the records of a sample. ids: text or integers, no nulls."""
    hashes = of_strings(ids.cast(pa.string()).cast(pa.large_string()))
    return mixed(hashes[:, 0] ^ mixed(hashes[:, 1] + np.uint64(seed % (1 << 64))))


def mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood 2014): every bit of the output depends on every one of the input."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Keys:
    """Every record's key and place, outside memory once there are many: 24 bytes a record."""

    def __init__(self) -> None:
        self.population: Counter[str] = Counter()
        self.repeats = False
        self._names: list[str] = []
        self._pieces: list[IO[bytes]] = [tempfile.SpooledTemporaryFile(PIECE_BYTES) for _ in range(PIECES)]  # noqa: SIM115

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        for piece in self._pieces:
            piece.close()

    def add(self, source: int, first: int, keys: np.ndarray | None, codes: np.ndarray, names: list[str]) -> bool:
        """Whether these records could be named at all."""
        if keys is None:
            return False
        self._names += [name for name in names if name not in self._names]
        if len(self._names) > strata.MOST:
            raise UsageError(f"--by: more than {strata.MOST:,} different values; name a column with fewer")
        self.population.update(
            {n: int(c) for n, c in zip(names, np.bincount(codes, minlength=len(names)), strict=True)}
        )
        found = np.empty(len(keys), ROW)
        found["key"], found["source"], found["row"] = keys, source, np.arange(first, first + len(keys))
        found["stratum"] = np.array([self._names.index(n) for n in names], np.int32)[codes]
        piece = keys >> np.uint64(64 - PIECES.bit_length() + 1)
        found = found[np.argsort(piece, kind="stable")]
        for p, part in enumerate(
            np.split(found, np.cumsum(np.bincount(piece.astype(np.int64), minlength=PIECES))[:-1])
        ):
            self._pieces[p].write(part.tobytes())
        return True

    def lowest(self, size: int) -> np.ndarray:
        """ROW[]: the ``size`` lowest of each stratum, sorted by stratum and key."""
        best = np.empty(0, ROW)
        for piece in self._pieces:
            piece.seek(0)
            found = np.frombuffer(piece.read(), ROW)
            if not len(found):
                continue
            found = found[np.lexsort((found["row"], found["source"], found["key"]))]
            copy = np.arange(len(found)) - np.searchsorted(found["key"], found["key"])
            if (again := copy > 0).any():
                self.repeats = True
                found["key"][again] = mixed(found["key"][again] ^ mixed(copy[again].astype(np.uint64)))
            best = np.concatenate([best, found])
            best = best[np.lexsort((best["row"], best["source"], best["key"], best["stratum"]))]
            best = best[np.arange(len(best)) - np.searchsorted(best["stratum"], best["stratum"]) < size]
        return best

    def drawn(self, best: np.ndarray, size: int, equal: bool, sources: int, keyed: str) -> Drawn:
        population = {name: n for name, n in sorted(self.population.items()) if n}
        sizes = (allocate if equal else statistics.proportional)(population, size)
        of = np.array([sizes.get(name, 0) for name in self._names], np.int64)
        rank = np.arange(len(best)) - np.searchsorted(best["stratum"], best["stratum"])
        chosen = best[rank < of[best["stratum"]]] if len(best) else best
        found = tuple(np.sort(chosen["row"][chosen["source"] == s]) for s in range(sources))
        return Drawn(found, population, keyed)
