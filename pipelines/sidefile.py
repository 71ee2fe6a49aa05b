"""The Parquet file beside a manifest that lists the dataset's files where they are too many for JSON: one row a file.

Files that were written come first, in the order of the plan, then the shards that were read, by path. ``listing`` is who asks for it;
nobody else knows which of the two forms a manifest has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import stores
from pipelines.errors import ShardError
from pipelines.shards import sha256_of

NAME = "manifest.files.parquet"
INPUT = "input"
KINDS = ("data", "rejected", "annotations", INPUT)
GROUP = 1 << 16
"""Rows of a row group: about 10 MB, which is what a reader holds."""
LARGEST = 1 << 20
"""Rows of a row group that are read at all: somebody else may have made the file."""

JSON = ("columns", "scanned_as_metadata")
"""Columns whose values are JSON, since a manifest has a mapping or a list there. A dataset has a handful of different ones."""

_TEXTS = ("path", "shard", "unit", "sha256", "why")
_WORDS = ("kind", "config", "status", "format", "augmented", "schema", *JSON)
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("kind", *_TEXTS[:4])]
    + [("bytes", pa.int64()), ("rows", pa.int64())]
    + [(name, pa.string()) for name in ("why", *_WORDS[1:])]
)

_OUTSIDE = r"(^|/)\.{0,2}(/|$)|\x00"
_KEY = r"^[0-9a-f]{40}$"


class Side(dict[str, Any]):
    """What a manifest says of its side file, as it stands there: path, bytes, rows, inputs, sha256. at: the folder, or the URL that
    ends in ``/``, in which the file is now."""

    at: str

    def __init__(self, told: Mapping[str, Any], at: Path | str) -> None:
        super().__init__(told)
        self.at = str(at)

    @property
    def place(self) -> str:
        return self.at + NAME if stores.is_url(self.at) else str(Path(self.at) / NAME)


class Writer:
    """Writes a side file into a folder, which it makes. Entries are those of a manifest, with ``kind`` and perhaps ``config`` besides."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.rows, self._waiting = folder, 0, list[Mapping[str, Any]]()
        self._writer = pq.ParquetWriter(folder / NAME, SCHEMA, compression="zstd", use_dictionary=list(_WORDS))

    def add(self, entry: Mapping[str, Any]) -> None:
        self._waiting.append(entry)
        if len(self._waiting) == GROUP:
            self._flush()

    def close(self, inputs: int) -> Side:
        """What the manifest says of it; it is on the disk then."""
        self._flush()
        self._writer.close()
        path = self.folder / NAME
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        told = {"path": NAME, "bytes": path.stat().st_size, "rows": self.rows, "inputs": inputs}
        side = Side({**told, "sha256": sha256_of(path)}, self.folder)
        _checked.add(_identity(side))
        return side

    def _flush(self) -> None:
        if self._waiting:
            present = set().union(*self._waiting)
            columns = [
                _column(self._waiting, f) if f.name in present else pa.nulls(len(self._waiting), f.type) for f in SCHEMA
            ]
            self._writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=GROUP)
            self.rows += len(self._waiting)
            self._waiting = []


def _column(entries: Sequence[Mapping[str, Any]], field: pa.Field) -> pa.Array:
    values = [entry.get(field.name) for entry in entries]
    if field.name in JSON:
        values = [None if value is None else as_json(value) for value in values]
    return pa.array(values, field.type)


def as_json(value: Any) -> str:
    """The same for equal values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def batches(side: Side, columns: Sequence[str], where: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Those columns of the rows that have these values, a row group at a time. Raises OSError, ArrowException and ShardError."""
    wanted = [*columns, *(name for name in where if name not in columns)]
    with pq.ParquetFile(stores.source(side.place)) as file:
        for group in _groups(side, file.metadata, where):
            table = file.read_row_group(group, columns=wanted, use_threads=False)
            for name, value in where.items():
                table = table.filter(pc.equal(table[name], value))
            if len(table):
                yield from table.select(list(columns)).combine_chunks().to_batches()


def _groups(side: Side, told: pq.FileMetaData, where: Mapping[str, str]) -> Iterator[int]:
    """Those that can have such rows: shards that were read come last, and whoever asks for one side does not read the other."""
    kind, first, written = where.get("kind", ""), 0, side["rows"] - side["inputs"]
    for group in range(told.num_row_groups):
        end = first + told.row_group(group).num_rows
        if not kind or (end > written if kind == INPUT else first < written):
            yield group
        first = end


_checked: set[tuple[Any, ...]] = set()
"""Files that this process has read to the end and found to be as their manifest says, or has written. Names of one file (hard links) are
one."""


def _identity(side: Side) -> tuple[Any, ...]:
    found = Path(side.place).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, side["sha256"]


def problem(side: Side) -> str:
    """What is wrong with a side file, in one line; empty where it is as the manifest says. Reads every byte, once a process."""
    try:
        local = not stores.is_url(side.place)
        if local and _identity(side) in _checked:
            return ""
        if local and (size := Path(side.place).stat().st_size) != side["bytes"]:
            return f"{NAME}: {size:,} bytes, not {side['bytes']:,}"
        if sha256_of(side.place) != side["sha256"]:
            return f"{NAME}: its bytes are not those that were written (sha256 differs)"
        if why := _wrong(side):
            return f"{NAME}: {why}"
        if local:
            _checked.add(_identity(side))
        return ""
    except FileNotFoundError:
        return f"{NAME}: missing"
    except OSError as error:
        return f"{NAME}: {error.strerror or 'it cannot be read'}"
    except ShardError as error:
        return f"{NAME}: {error}"
    except pa.ArrowException:
        return f"{NAME}: not readable as Parquet"


def _wrong(side: Side) -> str:
    """Why it is no list of a dataset's files, whoever made it and its manifest."""
    with pq.ParquetFile(stores.source(side.place)) as file:
        if file.schema_arrow != SCHEMA or file.metadata.num_rows != side["rows"]:
            return "not the columns, or not the rows, that its manifest says"
        if any(file.metadata.row_group(i).num_rows > LARGEST for i in range(file.num_row_groups)):
            return "not in row groups as a run writes them"
    inputs = 0
    for batch in batches(side, ["kind", "path", "unit"], {}):
        shards = pc.equal(batch["kind"], INPUT)
        inputs += pc.sum(shards).as_py() or 0
        if not _inside(batch.filter(pc.invert(shards))):
            return "it names files outside of the dataset"
    return "" if inputs == side["inputs"] else "not the shards that its manifest says"


def _inside(written: pa.RecordBatch) -> bool:
    """Whether every row is a Parquet file in the folder of its kind, of a unit that can be one."""
    path, unit = written["path"], written["unit"]
    whole = pc.and_(pc.ends_with(path, ".parquet"), pc.invert(pc.match_substring_regex(path, _OUTSIDE)))
    whole = pc.and_(whole, pc.match_substring_regex(unit, _KEY))
    of_kind = [
        pc.and_(pc.equal(written["kind"], kind), pc.starts_with(path, f"{kind}/")) for kind in KINDS if kind != INPUT
    ]
    placed = pc.or_(pc.or_(of_kind[0], of_kind[1]), of_kind[2])
    return written.num_rows == (pc.sum(pc.and_(whole, placed)).as_py() or 0)
