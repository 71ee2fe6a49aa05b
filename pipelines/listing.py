"""The files that a manifest speaks of: those that were written (``outputs``) and the shards that were read (``inputs``).

A manifest of few has them as lists, one of many names a Parquet file beside it that does (``sidefile``). **Whoever wants to know of files
asks here, and is told the same of either form**; of the second nothing holds more than a row group at a time.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import sidefile
from pipelines.errors import OutputError, ShardError
from pipelines.ledger import is_inside, is_key
from pipelines.sidefile import INPUT, JSON, Side, as_json

FILES = "files"
"""The manifest's entry of its side file, in place of ``inputs`` and ``outputs``."""

SIDE = sidefile.NAME
MOST = 10_000
"""Entries of both lists together that stand in the manifest itself. It is 1.3 kB a unit there, and whoever reads it holds all of it."""

Entry = dict[str, Any]


class Sum(NamedTuple):
    files: int = 0
    rows: int = 0
    bytes: int = 0

    def plus(self, files: int, rows: int, size: int) -> Sum:
        return Sum(self.files + files, self.rows + rows, self.bytes + size)


class Lists:
    """What a manifest says file by file, as it becomes known: kept while it is little, else written to a side file in ``folder``, which
    is made then and belongs to the caller."""

    def __init__(self, folder: Path, *, long: bool = False) -> None:
        self._folder, self._outputs, self._count = folder, list[Entry](), 0
        self._inputs: list[Entry] = []
        self._writer = sidefile.Writer(self._folder) if long else None

    def output(self, entry: Entry, config: str | None) -> None:
        """config: of the manifest's schemas, where it has several."""
        if config is not None:
            entry = {**entry, "config": config}
        if self._writer:
            self._add(entry, kind_of(entry))
            return
        self._outputs.append(entry)
        if len(self._outputs) > MOST:
            self._spill()

    def inputs(self, entries: Iterable[Entry], count: int) -> None:
        """The shards by path, when every output is there. count: how many."""
        self._count = count
        if self._writer is None and len(self._outputs) + count <= MOST:
            self._inputs = list(entries)
            return
        self._spill()
        for entry in entries:
            self._add(entry, INPUT)

    def told(self) -> dict[str, Any]:
        """The manifest's entries: ``inputs`` and ``outputs``, or ``files``."""
        if self._writer:
            return {FILES: self._writer.close(self._count)}
        outputs = [{k: v for k, v in entry.items() if k != "config"} for entry in self._outputs]
        return {"inputs": self._inputs, "outputs": outputs}

    def _spill(self) -> None:
        self._writer = self._writer or sidefile.Writer(self._folder)
        for entry in self._outputs:
            self._add(entry, kind_of(entry))
        self._outputs = []

    def _add(self, entry: Entry, kind: str) -> None:
        assert self._writer is not None
        self._writer.add({**entry, "kind": kind})


def attach(told: dict[str, Any], at: Path | str) -> dict[str, Any]:
    """A manifest as it was read from JSON, now that it is known where it stood: a folder, or a URL that ends in ``/``."""
    if isinstance(told.get(FILES), dict):
        told[FILES] = Side(told[FILES], at)
    return told


def stands(told: Mapping[str, Any], at: Path) -> None:
    """Note that the side file, if there is one, is to be read at another place from now on."""
    if (listed := side(told)) is not None:
        listed.at = str(at)


def problem(told: Mapping[str, Any]) -> str:
    """What is wrong with what a manifest says of files, in one line; empty where nothing is. Whoever made it, its files are inside of the
    dataset then, and its side file is what the manifest says."""
    if FILES in told:
        side = told[FILES]
        numbers = isinstance(side, Side) and all(type(side.get(n)) is int for n in ("bytes", "rows", "inputs"))
        if not numbers or side.get("path") != sidefile.NAME or not isinstance(side.get("sha256"), str):
            return "manifest.json: it does not say where its files are listed"
        return sidefile.problem(side)
    outputs = told.get("outputs")
    for entry in outputs if isinstance(outputs, list) else ():
        if not (isinstance(entry, dict) and is_inside(entry.get("path")) and is_key(entry.get("unit"))):
            return "manifest.json: it names files outside of the dataset"
    return ""


def side(told: Mapping[str, Any]) -> Side | None:
    """The file that lists a manifest's files; None where they stand in the manifest."""
    return told.get(FILES)


def kind_of(entry: Mapping[str, Any]) -> str:
    return entry["path"].partition("/")[0]


def outputs(told: Mapping[str, Any], kind: str = "", config: str = "") -> Iterator[Entry]:
    """Files that were written, in the order of the plan: all, those of a kind (``data``, …), those that have one of several schemas."""
    if (listed := side(told)) is not None:
        where = {**({"kind": kind} if kind else {}), **({"config": config} if config else {})}
        for batch in _batches(listed, ("kind", "path", "shard", "unit", "bytes", "rows", "sha256"), where):
            yield from (e for e in batch.to_pylist() if e.pop("kind") != INPUT)
        return
    shards = set(_shards(told, config))
    for entry in told.get("outputs", ()):
        if (not kind or kind_of(entry) == kind) and (not config or entry["shard"] in shards):
            yield entry


def inputs(told: Mapping[str, Any], status: str = "") -> Iterator[Entry]:
    """Shards by path; those with a status (``read``, ``failed``)."""
    if (listed := side(told)) is None:
        yield from (e for e in told.get("inputs", ()) if status in ("", e["status"]))
        return
    names = [n for n in sidefile.SCHEMA.names if n not in ("kind", "config", "shard", "unit")]
    for batch in _batches(listed, names, {"kind": INPUT, **({"status": status} if status else {})}):
        for entry in batch.to_pylist():
            yield {k: _value(k, v) for k, v in entry.items() if v is not None}


def number_of_inputs(told: Mapping[str, Any]) -> int:
    return len(told["inputs"]) if (listed := side(told)) is None else listed["inputs"]


def sums(told: Mapping[str, Any], kind: str, config: str = "") -> Sum:
    """Files of a kind, their rows and bytes."""
    if (listed := side(told)) is None:
        found = list(outputs(told, kind, config))
        return Sum(len(found), sum(e["rows"] for e in found), sum(e["bytes"] for e in found))
    total = Sum()
    for batch in _batches(listed, ("rows", "bytes"), {"kind": kind, **({"config": config} if config else {})}):
        total = total.plus(len(batch), pc.sum(batch["rows"]).as_py(), pc.sum(batch["bytes"]).as_py())
    return total


def tally(told: Mapping[str, Any], *by: str) -> dict[tuple[Any, ...], Sum]:
    """Shards, their rows and bytes, by the values of some of their columns: ``columns`` and ``scanned_as_metadata`` as JSON; None where
    one says nothing."""
    found: dict[tuple[Any, ...], Sum] = {}

    def add(key: tuple[Any, ...], files: int, rows: int, size: int) -> None:
        found[key] = found.get(key, Sum()).plus(files, rows, size)

    if (listed := side(told)) is None:
        for entry in told.get("inputs", ()):
            values = (entry.get(name) for name in by)
            key = tuple(as_json(v) if n in JSON and v is not None else v for n, v in zip(by, values, strict=True))
            add(key, 1, entry.get("rows") or 0, entry.get("bytes") or 0)
        return found
    for batch in _batches(listed, (*by, "rows", "bytes"), {"kind": INPUT}):
        counted = (
            pa.table(batch)
            .group_by(list(by), use_threads=False)
            .aggregate([([], "count_all"), ("rows", "sum"), ("bytes", "sum")])
        )
        for row in counted.to_pylist():
            add(tuple(row[n] for n in by), row["count_all"], row["rows_sum"] or 0, row["bytes_sum"] or 0)
    return found


def configs(told: Mapping[str, Any]) -> dict[str, str]:
    """shard -> which of the manifest's schemas it has, where there are several."""
    if (listed := side(told)) is None:
        return {shard: entry["config"] for entry in told["schemas"] for shard in entry.get("shards", ())}
    found: dict[str, str] = {}
    for batch in _batches(listed, ("shard", "config"), {"kind": "data"}):
        pairs = zip(batch["shard"].to_pylist(), batch["config"].to_pylist(), strict=True)
        found.update((shard, config) for shard, config in pairs if config is not None)
    return found


def of_shards(told: Mapping[str, Any], kind: str, shards: Collection[str]) -> dict[str, list[str]]:
    """shard -> paths of its files of a kind, in one pass over all."""
    found: dict[str, list[str]] = {}
    if (listed := side(told)) is None:
        pairs = [(e["shard"], e["path"]) for e in outputs(told, kind) if e["shard"] in shards]
    else:
        wanted, pairs = pa.array(sorted(shards), pa.string()), []
        for batch in _batches(listed, ("shard", "path"), {"kind": kind}):
            some = batch.filter(pc.is_in(batch["shard"], wanted))
            pairs += zip(some["shard"].to_pylist(), some["path"].to_pylist(), strict=True)
    for shard, path in pairs:
        found.setdefault(shard, []).append(path)
    return found


def by_path(told: Mapping[str, Any], kind: str) -> Iterator[list[tuple[str, str]]]:
    """(path, sha256) of every file of a kind in the order of their paths, some at a time."""
    if (listed := side(told)) is None:
        yield sorted((e["path"], e["sha256"]) for e in outputs(told, kind))
        return

    def read() -> Iterator[pa.RecordBatch]:
        return _batches(listed, ("path", "sha256"), {"kind": kind})

    if _ascending(batch["path"] for batch in read()):
        found: Iterable[pa.RecordBatch] = read()
    else:  # parts of a shard may stand before or after a file that is called nearly like it
        found = pa.Table.from_batches(read()).sort_by("path").to_batches(sidefile.GROUP)
    for batch in found:
        yield list(zip(batch["path"].to_pylist(), batch["sha256"].to_pylist(), strict=True))


def _ascending(paths: Iterable[pa.Array]) -> bool:
    """Whether each text is less than the next, over all arrays. None of them is empty."""
    last = ""
    for path in paths:
        if path[0].as_py() < last or not pc.all(pc.less_equal(path[:-1], path[1:]), min_count=0).as_py():
            return False
        last = path[-1].as_py()
    return True


def sized(named: Iterable[Hashable]) -> tuple[int, int]:
    """Stands for paths, or paths with their bytes, in any order: how many, and the sum of their hashes (64 bits, salted by the
    process). Two that are equal are of the same files, but for one chance in 2^64; none of them is held."""
    count = total = 0
    for one in named:
        count, total = count + 1, total + hash(one)
    return count, total


def names(told: Mapping[str, Any]) -> Iterator[str]:
    """Paths of what was written."""
    return (path for path, _ in sizes(told))


def sizes(told: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Paths of what was written, and their bytes."""
    if (listed := side(told)) is None:
        yield from ((e["path"], e["bytes"]) for e in told["outputs"])
        return
    for batch in _batches(listed, ("kind", "path", "bytes"), {}):
        written = batch.filter(pc.not_equal(batch["kind"], INPUT))
        yield from zip(written["path"].to_pylist(), written["bytes"].to_pylist(), strict=True)


def _shards(told: Mapping[str, Any], config: str) -> Sequence[str]:
    return next((e.get("shards", ()) for e in told["schemas"] if e["config"] == config), ()) if config else ()


def _value(name: str, value: Any) -> Any:
    return json.loads(value) if name in JSON else value


def _batches(listed: Side, columns: Sequence[str], where: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    try:
        yield from sidefile.batches(listed, columns, where)
    except (OSError, ShardError, pa.ArrowException):
        why = sidefile.problem(listed) or f"{sidefile.NAME}: changed while it was read"
        raise OutputError(f"{listed.at}: {why}; do the same again, or `corpusmill verify` says what is wrong") from None
