"""The input's shards: which files there are, what they are called, and what they hold, by content."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import stores
from pipelines.errors import UsageError
from pipelines.terminal import printable

NAME_BYTES, PATH_BYTES = 200, 1000
"""File systems take 255 and 4,096; parts and files that are not whole yet have longer names than their shard."""

SUFFIXES = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".jsonl.zst": "jsonl",
    ".ndjson.zst": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
    ".json.zst": "jsonl",
}

_LONGEST = sorted(SUFFIXES, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Shard:
    """One input file. path: or its URL. name: its path below the input's folder, with ``/``. stat: tells a changed file from an
    unchanged one without reading it (size, mtime, ctime, inode; on S3 size, mtime, ETag). augment: what is made of its records when
    they are read, if anything."""

    path: str
    name: str
    kind: str
    size: int
    stat: stores.Stat
    augment: str = ""

    @property
    def output_name(self) -> str:
        """The name of the files made from it: the same, ending in ``.parquet``."""
        return self.name[: -len(_suffix(self.name))] + ".parquet"

    def twin(self, augment: str) -> Shard:
        """The same file, read as a shard of its own with its records augmented."""
        suffix = self.name[-len(_suffix(self.name)) :]
        return replace(self, name=f"{self.name.removesuffix(suffix)}.{augment}{suffix}", augment=augment)


class Shards(Sequence[Shard]):
    """Shards as columns: some 100 bytes each beside their names, where an object takes five times as much. An object is made of one when
    it is taken."""

    def __init__(self, table: pa.Table, base: str) -> None:
        """table: name (as bytes: file systems have names that are no text), path where it is not base + name, kind, augment, stat0, …"""
        self._table, self._base = table.combine_chunks(), base
        self._columns = [
            column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in self._table.columns
        ]

    @classmethod
    def of(cls, shards: Iterable[Shard]) -> Shards:
        each, base, batches = iter(shards), None, []
        while some := list(islice(each, PIECE)):
            base = _base(some[0]) if base is None else base
            batches.append(_batch(some, base))
        return cls(pa.Table.from_batches(batches, batches[0].schema if batches else pa.schema(_FIRST)), base or "")

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, at: int) -> Shard: ...
    @overload
    def __getitem__(self, at: slice) -> list[Shard]: ...
    def __getitem__(self, at: int | slice) -> Shard | list[Shard]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self._shard(*(column[at].as_py() for column in self._columns))

    def __iter__(self) -> Iterator[Shard]:
        for batch in self._table.to_batches(PIECE):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield self._shard(*row)

    def _shard(self, name: bytes, path: bytes | None, kind: str, augment: str, *stat: int | str) -> Shard:
        text = os.fsdecode(name)
        where = self._base + _file(text, augment) if path is None else os.fsdecode(path)
        return Shard(where, text, kind, int(stat[0]), stat, augment)

    def by_name(self) -> Shards:
        return Shards(self._table.take(pc.sort_indices(self._table["name"])), self._base)

    def of_one_output(self) -> tuple[int, int] | None:
        """Two that would be written to the same name, if there are any."""
        outputs = self._columns[0]
        if not pc.all(pc.ends_with(outputs, b".parquet"), min_count=0).as_py():
            outputs = pa.array((os.fsencode(shard.output_name) for shard in self), pa.large_binary())
        order = pc.sort_indices(outputs)
        ordered = outputs.take(order)
        same = np.flatnonzero(pc.equal(ordered[1:], ordered[:-1]).to_numpy(zero_copy_only=False))
        if not len(same):
            return None
        one, other = sorted(order[int(same[0]) : int(same[0]) + 2].to_pylist())
        return one, other

    def buffers(self) -> Iterator[pa.Buffer]:
        """The bytes of all columns that say what shards there are, stats apart."""
        return (b for column in self._columns[:5] for b in column.buffers() if b is not None)

    @property
    def files(self) -> np.ndarray:
        """bool[n]: which are files of the input, and not such as are made of one when it is read."""
        return pc.equal(self._columns[3], "").to_numpy(zero_copy_only=False)

    @property
    def sizes(self) -> np.ndarray:
        """int64[n]: bytes."""
        return self._columns[4].to_numpy(zero_copy_only=False)


PIECE = 1 << 14
_FIRST = [
    ("name", pa.large_binary()),
    ("path", pa.large_binary()),
    ("kind", pa.string()),
    ("augment", pa.string()),
    ("stat0", pa.int64()),
]


def _batch(some: list[Shard], base: str) -> pa.RecordBatch:
    paths = [None if s.path == base + _file(s.name, s.augment) else os.fsencode(s.path) for s in some]
    columns = [[os.fsencode(s.name) for s in some], paths, [s.kind for s in some], [s.augment for s in some]]
    stats = list(zip(*(s.stat for s in some), strict=True))
    types = [
        pa.string() if isinstance(v[0], str) else pa.uint64() if i == INODE else pa.int64() for i, v in enumerate(stats)
    ]
    schema = pa.schema(_FIRST[:4] + [(f"stat{i}", kind) for i, kind in enumerate(types)])
    arrays = [pa.array(values, field.type) for values, field in zip([*columns, *stats], schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


INODE = 3
"""Where a stat has the number that may take all of 64 bits."""


def _base(shard: Shard) -> str:
    """What stands before the name in the path of a shard, and with luck of all the others."""
    name = _file(shard.name, shard.augment)
    return shard.path[: -len(name)] if shard.path.endswith(name) else ""


def _file(name: str, augment: str) -> str:
    """The name of the file that a shard of this name is made of."""
    if not augment:
        return name
    suffix = name[-len(_suffix(name)) :]
    return f"{name[: -len(suffix)].removesuffix(f'.{augment}')}{suffix}"


def unfit(name: str) -> str | None:
    """Why no file can be named so (anybody may have named the input's), if none can: text it is not, or longer than file systems take."""
    if name != printable(name) or "\n" in name or "\t" in name:
        return "its name holds control characters, or is not UTF-8: rename it"
    if max(len(part.encode()) for part in name.split("/")) > NAME_BYTES or len(name.encode()) > PATH_BYTES:
        return f"its name is too long (over {NAME_BYTES} bytes, or {PATH_BYTES:,} with its folders): rename it"
    return None


def _suffix(name: str) -> str:
    lower = name.lower()
    return next(s for s in _LONGEST if lower.endswith(s))


def stat_of(path: str) -> stores.Stat:
    if stores.is_url(path):
        return stores.stat(path)
    return _stat(Path(path).stat())


def _stat(found: os.stat_result) -> stores.Stat:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def find(where: str, augment: str = "") -> Shards:
    """Shards of a folder (recursively), a glob or one file, by name, on a disk or behind a URL. The folder of a curated dataset
    means its ``data/``.
    augment: each has a twin of that kind.

    Raises UsageError when there are none, or when two would be written to the same name.
    """
    if not where:
        raise UsageError("no input: give --input, or input.path in the recipe")
    others: list[str] = []
    found = Shards.of(_found(where, others))
    if not len(found):
        looked = f"looked for {', '.join(SUFFIXES)}"
        raise UsageError(f"no shards at {where}: {passed_over(others) if others else looked}")
    if augment:
        found = Shards.of(each for shard in found for each in (shard, shard.twin(augment)))
    found = found.by_name()
    if (two := found.of_one_output()) is not None:
        one, other = found[two[0]], found[two[1]]
        raise UsageError(
            f"{one.name} and {other.name} would both become {one.output_name}: rename one, or run them apart"
        )
    return found


def passed_over(others: list[str]) -> str:
    """One line on files that are JSON and no records."""
    more = f" and {len(others) - 1:,} more hold" if len(others) > 1 else " holds"
    return f"{others[0]}{more} no records: a .json file has to be an array of objects, or one object a line"


def others(where: str) -> list[str]:
    """Names of the JSON files there that hold no records, and so are no shards."""
    found: list[str] = []
    for _ in _found(where, found):
        pass
    return found


def _found(where: str, others: list[str]) -> Iterator[Shard]:
    """The shards; JSON files without records are added to ``others``."""
    from pipelines.formats import jsonl

    for path, name, told in stores.find(where) if stores.is_url(where) else _local(where):
        kind = next((k for s, k in SUFFIXES.items() if name.lower().endswith(s)), None)
        if kind is None or any(part.startswith((".", "_")) for part in name.split("/")):
            continue
        if jsonl.is_json(name) and not jsonl.holds_records(path):
            others.append(name)
            continue
        stat = told or stat_of(path)
        yield Shard(path, name, kind, int(stat[0]), stat)


def _local(where: str) -> Iterator[tuple[str, str, stores.Stat | None]]:
    root = Path(where)
    if root.is_dir():
        if (root / "manifest.json").is_file() and (root / "data").is_dir():
            root = root / "data"
        return _walk(str(root), "")
    base, paths = _paths(where)
    return ((str(path), path.relative_to(base).as_posix(), None) for path in paths)


def _paths(where: str) -> tuple[Path, list[Path]]:
    root = Path(where)
    if root.is_file():
        return root.parent, [root]
    if glob.has_magic(where):
        fixed = Path(where)
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        found = [Path(p) for p in glob.glob(where, recursive=True)]  # noqa: PTH207 (a pattern may be absolute)
        return fixed, [p for p in found if p.is_file()]
    raise UsageError(f"no input at {where}: not a file, a folder or a glob")


def _walk(folder: str, below: str) -> Iterator[tuple[str, str, stores.Stat | None]]:
    """Every file, its name from the first folder on, and its stat: without a Path for each, as there may be millions. Links to folders
    are not followed."""
    try:
        with os.scandir(folder) as entries:
            there = list(entries)
    except OSError as error:
        raise UsageError(f"cannot list {error.filename} ({error.strerror})") from None
    for entry in there:
        if entry.is_dir():
            if not entry.is_symlink() and not entry.name.startswith("."):
                yield from _walk(entry.path, f"{below}{entry.name}/")
        elif entry.is_file():
            yield entry.path, f"{below}{entry.name}", _stat(entry.stat())


def sha256_of(path: str | Path, tell: Callable[[int], object] | None = None) -> str:
    """Of a file's bytes, 8 MiB at a time; ``tell`` gets the number of bytes of each piece. Raises OSError, or ShardError for what a
    store says."""
    digest = hashlib.sha256()
    with stores.opened(str(path)) as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
            if tell:
                tell(len(piece))
    return digest.hexdigest()
